"""Scattered weak signs, drawn together: the pattern that no single one of them would make.

**Formula.** A sign of weight w that is d days old counts w * 2^(-d / h), with a half-life of h days. Signs of one kind
add up to 1 at most, so that only different kinds make a pattern: over the kinds k and their signs i of the past year

    weak_signal_sum = sum over k of min(1, sum over i of w_i * 2^(-d_i / h))

and the pattern is there from the option ``weak_signal_alert`` on. By default h is 270 days and that line 2: three kinds
spread over nine months reach it (10, 140 and 270 days ago: .97 + .70 + .50 = 2.17), two kinds never do, however often
they come. Every sign is rounded to millionths, so that the sum does not depend on the order of the rows.

A sign is dated on the first day on which it could be told: an offer that nobody answers on the day from which it counts
as refused. What is told later of a sign (that the quote was answered after all) also holds for the comparison with 90
days before. A table that is absent gives no signs; where there is none but the orders, nothing is said.
"""

from features import accounts, cutoffs, finances  # noqa: F401  (they declare relations that are read here)
from features.contract import TEMPERATURES
from features.conversations import CHUNK  # noqa: F401  (makes the text_marks that are read here)
from features.interactions import OURS
from features.options import option
from features.quotes import UNANSWERED as UNANSWERED_QUOTE
from features.registry import LOOKBACK_DAYS, feature
from features.relations import RELATIONS, relation
from features.services import UNANSWERED_SURVEY
from features.sql import text_sql

HALF_LIFE = option("weak_signal_half_life_days", 270, "Days after which a weak sign counts half.", "days")
ALERT = option("weak_signal_alert", 2, "Sum of weak signs from which on they make a pattern.", "signs")
LEFT_OUT = option("weak_signals_left_out", (), "Kinds of weak signs that do not count, such as `late_payment`.")
LATE_PAYMENT = option("weak_signal_late_days", 14, "Days beyond terms from which on a payment is a weak sign.", "days")
LOW_RATING = option("weak_signal_low_rating", 2, "A rating up to this one is a weak sign.", "points")

#: Kind of sign -> its weight. Half for what happens at good customers as well.
WEIGHTS = {
    "put_off": 1.0,
    "competitor": 1.0,
    "price_pressure": 1.0,
    "refusal": 1.0,
    "missed_invitation": 1.0,
    "unsuccessful_contact": 0.5,
    "complaint": 1.0,
    "refused_offer": 1.0,
    "unanswered_survey": 0.5,
    "low_rating": 1.0,
    "late_payment": 0.5,
    "dispute": 1.0,
    "unanswered_quote": 1.0,
    "lost_quote": 0.5,
    "contact_left": 1.0,
    "cooler_temperature": 1.0,
    "terms_change": 0.5,
    "activity_put_off": 1.0,
    "return": 0.5,
}

#: Signs are gathered over a year, now and as of so many days before.
WINDOW_DAYS, BEFORE_DAYS = 365, 90
#: A row may be older than its sign: an invoice is issued long before its payment is late.
REACH_DAYS = LOOKBACK_DAYS + 180


def _past(table: str) -> str:
    return f"({cutoffs.past(table, REACH_DAYS)})"


def _days_since(column: str) -> str:
    return f"as_of - CAST({column} AS DATE)"


def _signs(rows: str, kinds: dict[str, tuple[str, str]]) -> str:
    """SQL of the signs in some rows: kind -> (its days ago, the condition under which a row is one)."""
    cases = ", ".join(
        f"CASE WHEN {condition} THEN struct_pack(signal := {text_sql(kind)}, days_ago := {days_ago}) END"
        for kind, (days_ago, condition) in kinds.items()
    )
    return f"SELECT as_of, customer_id, unnest([{cases}], recursive := true) FROM {rows}"


_TALKS = _signs(
    f"(SELECT i.*, m.* EXCLUDE (text) FROM {_past('interactions')} i "
    f"LEFT JOIN text_marks m ON m.text = CASE WHEN NOT {OURS} THEN i.text END)",
    {
        "put_off": ("days_ago", "deferral > 0"),
        "competitor": ("days_ago", "competitor > 0"),
        "price_pressure": ("days_ago", "price_pressure > 0"),
        "refusal": ("days_ago", "refusal > 0"),
        "missed_invitation": ("days_ago", "attended = false"),
        "unsuccessful_contact": ("days_ago", "result = 'unsuccessful'"),
    },
)
_SERVICE = _signs(
    _past("services"),
    {
        "complaint": ("days_ago", "kind = 'complaint'"),
        "unanswered_survey": (
            f"days_ago - {UNANSWERED_SURVEY}",
            f"kind = 'survey' AND rating IS NULL AND days_ago > {UNANSWERED_SURVEY}",
        ),
        "low_rating": (_days_since("coalesce(rated_at, opened_at)"), f"rating <= {LOW_RATING}"),
    },
)
_REFUSED = _signs(f"({RELATIONS['refusals'].sql})", {"refused_offer": ("days_ago", "true")})
_LATE_DAYS = f"{_days_since('due_at')} - {LATE_PAYMENT}"
_MONEY = _signs(
    _past("finances"),
    {
        "late_payment": (
            _LATE_DAYS,
            f"amount > 0 AND {_LATE_DAYS} >= 1 AND {_LATE_DAYS} > coalesce({_days_since('paid_at')}, 0)",
        ),
        "dispute": (_days_since("coalesce(disputed_at, issued_at)"), "disputed"),
    },
)
_QUOTES = _signs(
    _past("quotes"),
    {
        "unanswered_quote": (
            f"days_ago - {UNANSWERED_QUOTE}",
            f"coalesce(status, 'open') = 'open' AND closed_at IS NULL AND days_ago > {UNANSWERED_QUOTE}",
        ),
        "lost_quote": (_days_since("coalesce(closed_at, quoted_at)"), "status = 'lost'"),
    },
)
# a person may have been there for many years
_PEOPLE = _signs(
    f"({cutoffs.past('contacts')})", {"contact_left": (_days_since("valid_to"), f"{_days_since('valid_to')} >= 1")}
)
_WARMTH = ", ".join(map(text_sql, TEMPERATURES[::-1]))
_FILE = _signs(
    f"({RELATIONS['file_changes'].sql})",
    {
        "cooler_temperature": (
            "days_ago",
            f"field = 'temperature' AND list_position([{_WARMTH}], new) < list_position([{_WARMTH}], old)",
        ),
        "contact_left": ("days_ago", "field = 'contact' AND new IS DISTINCT FROM old"),
    },
)
_TERMS = _signs(f"({RELATIONS['terms_changes'].sql})", {"terms_change": ("days_ago", "true")})
_TOGETHER = _signs(
    _past("partnerships"), {"activity_put_off": ("days_ago", "days_ago >= 1 AND status IN ('postponed', 'cancelled')")}
)
_RETURNS = _signs(_past("order_days"), {"return": ("days_ago", "returned > 0")})

_EVENTS = " UNION ALL ".join(
    f"({part})" for part in (_TALKS, _SERVICE, _REFUSED, _MONEY, _QUOTES, _PEOPLE, _FILE, _TERMS, _TOGETHER, _RETURNS)
)
_WEIGHT = " ".join(f"WHEN {text_sql(kind)} THEN {weight}" for kind, weight in WEIGHTS.items())

#: Every sign with its date: ``as_of``, ``customer_id``, ``days_ago`` (at least 1), ``signal``, ``weight``.
SIGNAL_EVENTS = (
    f"SELECT as_of, customer_id, CAST(days_ago AS BIGINT) AS days_ago, signal, CASE signal {_WEIGHT} END AS weight "
    f"FROM ({_EVENTS}) WHERE signal IS NOT NULL AND days_ago BETWEEN 1 AND {WINDOW_DAYS + BEFORE_DAYS} "
    f"AND NOT list_contains({LEFT_OUT}, signal)"
)


def _decayed(before: int) -> str:
    """SQL of the sum of one kind, in millionths, as of `before` days before the cutoff."""
    days = f"(days_ago - {before})"
    each = f"CAST(round(1000000 * weight * pow(0.5, {days} / CAST({HALF_LIFE} AS DOUBLE))) AS BIGINT)"
    return f"least(1000000, coalesce(sum({each}) FILTER ({days} BETWEEN 1 AND {WINDOW_DAYS}), 0))"


relation(
    "signals",
    ("transactions",),
    f"SELECT as_of, customer_id, signal, count(*) FILTER (days_ago <= {WINDOW_DAYS}) AS events, "
    f"{_decayed(0)} AS millionths, {_decayed(BEFORE_DAYS)} AS millionths_before "
    f"FROM ({SIGNAL_EVENTS}) GROUP BY as_of, customer_id, signal",
)
_SPEAKING = ", ".join(
    f"days_of_{table}"
    for table in ("interactions", "services", "finances", "quotes", "contacts", "account_changes", "partnerships")
)


def _where_told(value: str) -> str:
    """SQL that is unknown until a table besides the orders has begun."""
    return f"CASE WHEN coalesce({_SPEAKING}) IS NOT NULL THEN {value} END"


@feature("signals", unit="signs", concept="signs", dimension="interaction", empty=0, internal=True)
def signal_kinds() -> str:
    """Kinds of weak signs of the past year."""
    return "count(*) FILTER (events > 0)"


@feature("signals", unit="signs", concept="signs", dimension="interaction", empty=0, internal=True)
def signal_sum() -> str:
    """Decayed sum of weak signs."""
    return "coalesce(sum(millionths), 0) / 1000000.0"


@feature("signals", unit="signs", concept="signs", dimension="interaction", empty=0, internal=True)
def signal_sum_before() -> str:
    """Decayed sum of weak signs, as of 90 days before."""
    return "coalesce(sum(millionths_before), 0) / 1000000.0"


@feature("features", unit="signs", concept="signs", dimension="interaction", worse="more")
def weak_signal_kinds_365d() -> str:
    """Different kinds of weak signs (put off, complaint, late payment, lost contact, ...), last 365 days."""
    return _where_told("signal_kinds")


@feature(
    "features",
    unit="signs",
    concept="signs",
    dimension="interaction",
    worse="more",
    usual="weak_signal_sum_90d_ago",
    peers="difference",
)
def weak_signal_sum() -> str:
    """Weak signs of the past year drawn together, the older the less, each kind 1 at most."""
    return _where_told("signal_sum")


@feature("features", unit="signs", concept="signs", dimension="interaction")
def weak_signal_sum_90d_ago() -> str:
    """Weak signs drawn together in the same way as of 90 days ago."""
    return _where_told("signal_sum_before")


@feature(
    "features",
    unit="signs",
    concept="signs",
    dimension="interaction",
    worse="more",
    usual="weak_signal_sum_90d_ago",
    peers="difference",
)
def weak_signal_sum_change_90d() -> str:
    """Rise of the weak signs drawn together over the last 90 days."""
    return "weak_signal_sum - weak_signal_sum_90d_ago"


@feature(
    "features", unit="flag", concept="signs", dimension="interaction", worse="more", usual="weak_signal_sum_90d_ago"
)
def weak_signals_make_a_pattern() -> str:
    """Scattered weak signs together make a pattern (1 = yes)."""
    return f"CAST(weak_signal_sum >= {ALERT} AS INTEGER)"
