"""Partial defection: the customer still orders, but far less than the season lets expect, or fewer kinds of things.

The third outcome beside the time to the next order: it is reported, and nothing warns by it. What is expected is what
the customer itself spent in the same days a year before; a customer who was not there yet is expected to keep its own
daily rate, as far as the time of the year lets it: rate and window are both measured against the month index of its
segment, which is pulled towards that of the company, and that one towards an even year. Its first order began the time
that is counted, so that of n order days n - 1 tell the rate, and one tells none. Everything expected is as known at the
cutoff, what came of it as known when it is read.

Categories are product lines. Single products would not do: of the customers of Online Retail II nineteen in twenty do
not buy two of their usual products again within 90 days.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: A customer younger than this has spent its revenue in so many days, so that one order makes no daily rate.
LEAST_RATE_DAYS = 90

#: Columns of the days on which categories were bought: versions, of categories that the customer bought on two days.
CATEGORY_DAYS = ("customer_id", "category", "day", "visible_from", "visible_until")

_YEAR = 365


@dataclass(frozen=True)
class Partial:
    """What counts as partial defection.

    Attributes
    ----------
    days
        Length of the window after the cutoff. Fixed, so that companies and years can be compared.
    drop
        Share of the expected revenue that must be lacking.
    categories
        Usual categories that must be lacking.
    shrink_customers
        A segment of n customers counts n / (n + this) in its own month index.
    """

    days: int = 90
    drop: float = 0.5
    categories: int = 2
    shrink_customers: float = 20.0


DEFAULT = Partial()


def partial_defection(
    con: duckdb.DuckDBPyConnection,
    snapshots: pd.DataFrame,
    observed_until: date,
    rule: Partial = DEFAULT,
    category_days: pd.DataFrame | None = None,
    days: pd.Series | None = None,
) -> pd.DataFrame:
    """Partial defection of each snapshot, as known at the midnight `observed_until`.

    Parameters
    ----------
    con
        A connection with ``order_days``, of which ``customer_id``, ``day``, ``amount``, ``visible_from`` and
        ``visible_until`` are read.
    snapshots
        ``customer_id``, ``as_of``, ``segment``, ``days_since_first_order``, ``order_days_ever`` and ``revenue_365d``.
    category_days
        What :func:`category_days` made; without it no lost category is known.
    days
        A window per row instead of the rule's, such as the customer's own; on the index of `snapshots`.

    Returns
    -------
    DataFrame
        On the index of `snapshots`, all float64: ``revenue_expected`` (net, of the window; NaN without a first order),
        ``revenue_after`` (net revenue of the window), ``partial_defection`` (1.0 where it is below 1 - `drop` of what
        was expected, 0.0 where not) and ``categories_lost`` (1.0 where at least so many of the categories that the
        customer bought in the window of the expectation - before the first year is over, in as many days before the
        cutoff - and on two or more days of the past year are not bought in the window). NaN where the window has not
        passed (of windows of their own: not the longest of the date), where nothing above 0 was expected, and where the
        customer has fewer such categories than can be lost.
    """
    length = pd.Series(rule.days, index=snapshots.index) if days is None else days
    keys = pd.DataFrame(
        {
            "row_no": np.arange(len(snapshots)),
            "customer_id": snapshots["customer_id"].to_numpy(),
            "as_of": snapshots["as_of"].to_numpy(),
            "segment": snapshots["segment"].to_numpy(),
            "days": length.to_numpy("int64"),
            "there": (snapshots["days_since_first_order"] > _YEAR).to_numpy(),
        }
    )
    observed = (pd.Timestamp(observed_until) - keys["as_of"]).dt.days
    matured = observed >= keys.groupby("as_of")["days"].transform("max")
    con.register("partial_keys", keys)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE partial_rows AS SELECT row_no, customer_id, CAST(as_of AS DATE) AS as_of, "
        "segment, CAST(days AS INTEGER) AS days, there FROM partial_keys"
    )
    con.unregister("partial_keys")
    expected = _expected(con, snapshots, keys, rule)
    until = f"DATE '{observed_until.isoformat()}'"
    after = _by_row(con, f"o.day >= k.as_of AND o.day < k.as_of + k.days AND o.day < {until}", until, len(keys))
    told = matured & (expected > 0)
    lost = after < (1 - rule.drop) * expected
    found = pd.DataFrame({"revenue_expected": expected, "revenue_after": after.where(matured)})
    found["partial_defection"] = lost.astype("float64").where(told)
    found["categories_lost"] = _categories_lost(con, category_days, until, rule, len(keys)).where(matured)
    con.execute("DROP TABLE partial_rows")
    return found.set_axis(snapshots.index)


def category_days(
    con: duckdb.DuckDBPyConnection, present: Mapping[str, Collection[str]], first: date
) -> pd.DataFrame | None:
    """The days on which product lines were bought, from a year before `first` on, in all versions that were ever known.

    A line that the customer bought on a single day is none of its usual ones and is left out.

    Parameters
    ----------
    con
        A connection on which :func:`features.cutoffs.lay_out_time` has run.
    present
        For each table that the source has, the columns that it fills.

    Returns
    -------
    DataFrame or None
        The columns of :data:`CATEGORY_DAYS`, `category` as a number of 32 bits; None where the company has no product
        lines.
    """
    if "product_line" not in present.get("transactions", ()):
        return None
    return con.execute(
        "SELECT customer_id, CAST(hash(product_line) % 4294967296 AS UINTEGER) AS category, CAST(day AS DATE) AS day, "
        f"visible_from, visible_until FROM line_days "
        f"WHERE amount > 0 AND day >= DATE '{first.isoformat()}' - {_YEAR} "
        "WINDOW own AS (PARTITION BY customer_id, category) QUALIFY min(day) OVER own < max(day) OVER own "
        "ORDER BY customer_id, category, day, visible_from"
    ).df()


def _by_row(con: duckdb.DuckDBPyConnection, days: str, known: str, rows: int) -> pd.Series:
    """Net revenue of each row's customer on the days that the condition holds for, as known at `known`; 0 without."""
    found = con.execute(
        "SELECT k.row_no, CAST(sum(CAST(o.amount AS DECIMAL(18,4))) AS DOUBLE) AS amount "
        "FROM partial_rows k JOIN order_days o ON o.customer_id = k.customer_id "
        f"WHERE {days} AND o.visible_from <= {known} AND {known} < o.visible_until GROUP BY k.row_no"
    ).df()
    return found.set_index("row_no")["amount"].reindex(range(rows), fill_value=0.0)


def _expected(con: duckdb.DuckDBPyConnection, snapshots: pd.DataFrame, keys: pd.DataFrame, rule: Partial) -> pd.Series:
    """The revenue that each row's window lets expect; NaN without a first order."""
    last_year = f"o.day >= k.as_of - {_YEAR} AND o.day < k.as_of - {_YEAR} + k.days AND k.there"
    same_days = _by_row(con, last_year, "k.as_of", len(keys))
    by_month = con.execute(
        "SELECT k.as_of, coalesce(k.segment, '') AS segment, month(o.day) AS month, "
        "CAST(sum(CAST(o.amount AS DECIMAL(18,4))) AS DOUBLE) AS amount "
        "FROM partial_rows k JOIN order_days o ON o.customer_id = k.customer_id "
        f"WHERE k.there AND o.day >= k.as_of - {_YEAR} AND o.day < k.as_of "
        "AND o.visible_from <= k.as_of AND k.as_of < o.visible_until GROUP BY ALL"
    ).df()
    segment = keys["segment"].fillna("")
    customers = keys[keys["there"]].groupby(["as_of", segment]).size()
    age = snapshots["days_since_first_order"].to_numpy("float64")
    order_days = snapshots["order_days_ever"].to_numpy("float64")
    revenue = snapshots["revenue_365d"].to_numpy("float64") * (1 - 1 / np.clip(order_days, 1.0, None))
    rated = np.full(len(keys), np.nan)
    for as_of, rows in keys.groupby("as_of").indices.items():
        stand = pd.Timestamp(str(as_of))
        here = by_month[by_month["as_of"] == stand]
        here = here.pivot(index="segment", columns="month", values="amount").reindex(columns=range(1, 13)).fillna(0.0)
        counts = (
            customers.loc[[stand]].droplevel(0)
            if stand in customers.index.get_level_values(0)
            else pd.Series(dtype="int64")
        )
        passed = _month_days(stand, int(keys["days"].max()))
        index = _month_index(here, counts, passed[_YEAR], segment.iloc[rows], rule.shrink_customers)
        lived = np.clip(np.nan_to_num(age[rows], nan=1.0), LEAST_RATE_DAYS, _YEAR).astype("int64")
        before = ((passed[_YEAR] - passed[_YEAR - lived]) * index).sum(axis=1)
        ahead = ((passed[_YEAR + keys["days"].to_numpy()[rows]] - passed[_YEAR]) * index).sum(axis=1)
        rated[rows] = revenue[rows] * ahead / before
    expected = np.where(keys["there"], same_days, rated)
    return pd.Series(np.where(np.isfinite(age), expected, np.nan))


def _month_days(as_of: pd.Timestamp, ahead: int) -> NDArray[np.int64]:
    """Days of each month of the year in the first n days from a year before `as_of` on: shape (365 + ahead + 1, 12)."""
    days = (as_of - pd.Timedelta(days=_YEAR)).to_datetime64().astype("datetime64[D]") + np.arange(_YEAR + ahead)
    months = days.astype("datetime64[M]").astype("int64") % 12
    return np.vstack([np.zeros((1, 12), "int64"), np.cumsum(months[:, None] == np.arange(12), axis=0)])


def _month_index(
    amounts: pd.DataFrame, customers: pd.Series, days: NDArray[np.int64], segment: pd.Series, shrink: float
) -> NDArray[np.float64]:
    """Daily revenue of each month against an even year for the segment of each row, shape (n, 12)."""
    sums = amounts.to_numpy("float64").clip(0.0)
    everybody = _pulled(sums.sum(axis=0), days, float(customers.sum()), shrink, np.ones(12))
    named = list(amounts.index)
    own = [
        everybody if not name else _pulled(row, days, float(customers.get(name, 0)), shrink, everybody)
        for name, row in zip(named, sums, strict=True)
    ]
    place = pd.Series(range(len(named)), index=named, dtype="int64").reindex(segment).fillna(len(named))
    return np.vstack([*own, everybody])[place.to_numpy("int64")]


def _pulled(
    sums: NDArray[np.float64], days: NDArray[np.int64], customers: float, shrink: float, towards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The month index of sums over a year of `days` per month, pulled towards another one by `shrink` customers."""
    if sums.sum() <= 0:
        return towards
    weight = customers / (customers + shrink)
    return weight * (sums / days) / (sums.sum() / days.sum()) + (1 - weight) * towards


def _categories_lost(
    con: duckdb.DuckDBPyConnection, bought: pd.DataFrame | None, until: str, rule: Partial, rows: int
) -> pd.Series:
    """1.0 where the row's customer lost as many usual categories as the rule asks, NaN where it had fewer."""
    if bought is None:
        return pd.Series(np.nan, index=range(rows), dtype="float64")
    con.register("category_days", bought)
    window = f"CASE WHEN k.there THEN c.day < k.as_of - {_YEAR} + k.days ELSE c.day >= k.as_of - k.days END"
    found = con.execute(
        "WITH usual AS (SELECT k.row_no, c.category FROM partial_rows k JOIN category_days c USING (customer_id) "
        f"WHERE c.day >= k.as_of - {_YEAR} AND c.day < k.as_of "
        "AND c.visible_from <= k.as_of AND k.as_of < c.visible_until "
        f"GROUP BY ALL HAVING min(c.day) < max(c.day) AND bool_or({window})), "
        "later AS (SELECT DISTINCT k.row_no, c.category FROM partial_rows k JOIN category_days c USING (customer_id) "
        f"WHERE c.day >= k.as_of AND c.day < k.as_of + k.days AND c.day < {until} "
        f"AND c.visible_from <= {until} AND {until} < c.visible_until) "
        "SELECT u.row_no, count(*) AS usual, count(*) FILTER (l.category IS NULL) AS lost "
        "FROM usual u LEFT JOIN later l USING (row_no, category) GROUP BY u.row_no"
    ).df()
    con.unregister("category_days")
    found = found.set_index("row_no").reindex(range(rows))
    return (found["lost"] >= rule.categories).astype("float64").where(found["usual"] >= rule.categories)
