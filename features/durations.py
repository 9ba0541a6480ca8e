"""How long things take, from one time of a row to a later one that may not have come yet.

A ticket that is still open tells something, too: it takes at least as long as it has been open (a censored duration,
Kaplan & Meier 1958, Journal of the American Statistical Association 53, p. 457). Counting all open ones at their age
would make every customer look quick, as most of them are young; leaving them out would hide the one that never ends. So
an open one counts with its age as soon as that is longer than the customer's usual.
"""

from collections.abc import Mapping

from features import cutoffs

#: How far back a row may begin: whatever is open for longer is a matter of its own.
REACH_DAYS = 2 * 365
SECONDS_PER_DAY = 86_400
#: Durations below which no trend is told, and the days apart (squared and summed) at which beginnings tell half of it.
TREND_MIN, TREND_PRIOR = 3, 90 * 90


def durations(table: str, end: str, begins: Mapping[str, str], where: str = "true") -> str:
    """SQL of a relation of durations that end with the same later fact.

    Parameters
    ----------
    table
        An event table of the contract.
    end
        Its column of a later fact: the end, NULL as long as it has not come.
    begins
        Name of each duration and the column where it begins.
    where
        Condition on the rows of the table.

    Returns
    -------
    str
        A query with ``as_of``, ``customer_id``, ``days_ago`` (of the end; 1 for what is open, which is as of now),
        ``begun_days_ago``, ``is_open`` and per duration, in whole seconds: ``<name>_seconds`` (NULL for an open one
        that is not yet longer than usual), ``<name>_known_seconds`` (whatever has passed) and ``<name>_usual_seconds``
        (median of the customer's own ended ones). Signed: a payment before its due date takes less than nothing.
    """
    now = f"coalesce({end}, CAST(as_of AS TIMESTAMP))"
    known = "".join(f", date_diff('second', {begin}, {now}) AS {name}_known_seconds" for name, begin in begins.items())
    usual = "".join(
        f", quantile_cont({name}_known_seconds, 0.5) FILTER (NOT is_open) OVER (PARTITION BY as_of, customer_id) "
        f"AS {name}_usual_seconds"
        for name in begins
    )
    counted = "".join(
        f", CASE WHEN NOT is_open OR {name}_known_seconds > coalesce({name}_usual_seconds, 0) "
        f"THEN {name}_known_seconds END AS {name}_seconds"
        for name in begins
    )
    return (
        f"SELECT *{counted} FROM (SELECT *{usual} FROM (SELECT as_of, customer_id, days_ago AS begun_days_ago, "
        f"CASE WHEN {end} IS NULL THEN 1 ELSE as_of - CAST({end} AS DATE) END AS days_ago, {end} IS NULL AS is_open"
        f"{known} FROM ({cutoffs.past(table, REACH_DAYS)}) WHERE {where}))"
    )


def mean_days(seconds: str, past: str) -> str:
    """SQL of the mean of whole seconds, in days."""
    return f"avg({seconds}) FILTER ({past}) / {SECONDS_PER_DAY}.0"


def trend_days(seconds: str, past: str) -> str:
    """SQL of the slope of durations over their beginnings, in days per 90 days.

    A ridge regression (Hoerl & Kennard 1970, Technometrics 12, p. 55): least squares, with :data:`TREND_PRIOR` added to
    the sum of squares of the beginnings about their mean, so that three durations within a week are no trend. Unknown
    below :data:`TREND_MIN` durations.
    """
    kept = f"FILTER ({seconds} IS NOT NULL AND {past})"
    number, ago, value = f"count(*) {kept}", f"sum(begun_days_ago) {kept}", f"sum({seconds}) {kept}"
    together = f"sum(begun_days_ago * {seconds}) {kept}"
    spread = f"({number} * (sum(begun_days_ago * begun_days_ago) {kept} + {TREND_PRIOR}) - {ago} * {ago})"
    slope = f"({ago} * {value} - {number} * {together}) / {spread}"
    return f"CASE WHEN {number} >= {TREND_MIN} THEN {slope} * 90.0 / {SECONDS_PER_DAY} END"
