"""How invoices are confirmed, paid and disputed, what is owed, and whether the terms were changed.

Invoices of 0 or less (credit notes) are no debts and are left out. An invoice counts as paid on the day on which all of
it was; the contract knows no part of a payment. What is owed is told as of the cutoff and, for comparison, as of 90,
180, 270 and 360 days before it, as known at the cutoff.

Finance indicators beyond these are declared by a company in its own feature file, with ``dimension="finance"``.
"""

from features import cutoffs
from features.durations import REACH_DAYS, durations, mean_days, trend_days
from features.options import option
from features.registry import Baseline, feature
from features.relations import relation

SMALL_INVOICE = option("small_invoice", 500, "Amount below which an invoice is small.", "money")

#: Days between the moments at which it is told what was owed, and how many of them lie before the cutoff.
STEP_DAYS, STEPS = 90, 4
#: By how much a quarter's mean of days, and the disputed share (one invoice in four), move by themselves.
TERMS_SPREAD, DISPUTED_SPREAD = "5", "0.25"
#: What keeps the AR days of a customer who owes next to nothing from ratios in the hundreds.
TEN_DAYS = "10"

_INVOICES = f"SELECT * FROM ({cutoffs.past('finances', REACH_DAYS)}) WHERE amount > 0"
_LIMIT = "max(CASE WHEN TRY_CAST(credit_limit AS DOUBLE) > 0 THEN TRY_CAST(credit_limit AS DOUBLE) END)"

relation(
    "payments",
    ("finances",),
    durations("finances", "paid_at", {"payment": "issued_at", "late": "due_at"}, "amount > 0"),
)
relation(
    "confirmations",
    ("finances",),
    # an invoice that was paid without a word waits for nothing any more
    durations(
        "finances",
        "confirmed_at",
        {"confirmation": "issued_at"},
        "amount > 0 AND (confirmed_at IS NOT NULL OR paid_at IS NULL)",
    ),
)
relation(
    "receivables",
    ("finances",),
    "SELECT * FROM (SELECT as_of, customer_id, step, then_ago + 1 AS days_ago, amount, credit_limit, "
    f"issued_ago <= then_ago + {STEP_DAYS} AS is_new, paid_ago IS NULL OR paid_ago <= then_ago AS is_open, "
    "greatest(due_ago - then_ago, 0) AS overdue_days "
    "FROM (SELECT as_of, customer_id, amount, days_ago AS issued_ago, as_of - CAST(paid_at AS DATE) AS paid_ago, "
    f"as_of - CAST(due_at AS DATE) AS due_ago FROM ({_INVOICES})) "
    f"JOIN (SELECT step, step * {STEP_DAYS} AS then_ago FROM range({STEPS + 1}) steps(step)) ON issued_ago > then_ago "
    "LEFT JOIN (SELECT as_of, customer_id, credit_limit FROM accounts) USING (as_of, customer_id)) "
    "WHERE is_new OR is_open",
)
relation(
    "disputes",
    ("finances",),
    f"SELECT as_of, customer_id, days_ago, amount AS invoiced, NULL AS disputed FROM ({_INVOICES}) UNION ALL BY NAME "
    "SELECT as_of, customer_id, as_of - CAST(coalesce(disputed_at, issued_at) AS DATE) AS days_ago, "
    f"amount AS disputed FROM ({_INVOICES}) WHERE disputed",
)
relation(
    "terms_changes",
    ("account_changes",),
    f"SELECT as_of, customer_id, days_ago FROM ({cutoffs.past('account_changes', REACH_DAYS)}) "
    "WHERE field = 'terms' AND (new IS DISTINCT FROM old OR new IS NULL)",
)


@feature(
    "payments",
    unit="days",
    concept="payment",
    dimension="finance",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "mean"),
    needs=("paid_at",),
)
def payment_days_mean(past: str) -> str:
    """Mean days from invoice to payment, an invoice that is unpaid for longer than usual counted at its age."""
    return mean_days("payment_seconds", past)


@feature("payments", unit="days", concept="payment", dimension="finance", worse="more", needs=("paid_at",))
def payment_trend_days_365d() -> str:
    """Change of the days from invoice to payment per 90 days, on a straight line through the last 365 days."""
    return trend_days("payment_seconds", "begun_days_ago <= 365")


@feature(
    "payments",
    unit="days",
    concept="payment",
    dimension="finance",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "level", spread=TERMS_SPREAD),
    needs=("due_at", "paid_at"),
)
def days_beyond_terms(past: str) -> str:
    """Mean days from the due date to payment, below 0 where paid early, an invoice that is late for longer than usual
    counted at its age.
    """
    return mean_days("late_seconds", past)


@feature("payments", unit="days", concept="payment", dimension="finance", worse="more", needs=("due_at", "paid_at"))
def days_beyond_terms_trend_365d() -> str:
    """Change of the days from due date to payment per 90 days, on a straight line through the last 365 days."""
    return trend_days("late_seconds", "begun_days_ago <= 365")


@feature(
    "receivables",
    unit="days",
    concept="payment",
    dimension="finance",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "mean", TEN_DAYS),
    needs=("paid_at",),
)
def ar_days(past: str) -> str:
    """AR days: all that is owed, in days of the amount invoiced."""
    invoiced = f"sum(amount) FILTER (is_new AND {past})"
    return f"{STEP_DAYS} * coalesce(sum(amount) FILTER (is_open AND {past}), 0) / nullif({invoiced}, 0)"


@feature(
    "receivables",
    unit="money",
    concept="payment",
    dimension="finance",
    worse="more",
    needs=("due_at", "paid_at"),
    empty=0,
)
def overdue_amount() -> str:
    """Amount of the invoices that are unpaid after their due date."""
    return "coalesce(sum(amount) FILTER (step = 0 AND is_open AND overdue_days > 0), 0)"


@feature(
    "receivables",
    unit="share",
    concept="payment",
    dimension="finance",
    worse="more",
    needs=("due_at", "paid_at"),
    peers="difference",
)
def overdue_share() -> str:
    """Share of what is owed that is unpaid after its due date."""
    owed = "step = 0 AND is_open"
    return f"coalesce(sum(amount) FILTER ({owed} AND overdue_days > 0), 0) / nullif(sum(amount) FILTER ({owed}), 0)"


@feature(
    "receivables",
    unit="days",
    concept="payment",
    dimension="finance",
    worse="more",
    needs=("due_at", "paid_at"),
    empty=0,
)
def longest_overdue_days() -> str:
    """Days since the due date of the invoice that is overdue for longest; 0 where none is."""
    return "coalesce(max(overdue_days) FILTER (step = 0 AND is_open), 0)"


@feature("receivables", unit="share", concept="payment", dimension="finance", needs=("paid_at",))
def credit_used_share_usual() -> str:
    """What was owed 90, 180, 270 and 360 days ago as a share of today's credit limit, on average over those of the days
    on which there were invoices.
    """
    owed = "coalesce(sum(amount) FILTER (step > 0 AND is_open), 0)"
    return f"{owed} / nullif(count(DISTINCT step) FILTER (step > 0), 0) / {_LIMIT}"


@feature(
    "receivables",
    unit="share",
    concept="payment",
    dimension="finance",
    worse="more",
    needs=("paid_at",),
    usual="credit_used_share_usual",
    peers="difference",
)
def credit_used_share() -> str:
    """Credit utilisation: what is owed as a share of the credit limit."""
    return f"coalesce(sum(amount) FILTER (step = 0 AND is_open), 0) / {_LIMIT}"


@feature(
    "features", unit="share", concept="payment", dimension="finance", worse="more", usual="credit_used_share_usual"
)
def credit_used_share_vs_usual() -> str:
    """Credit utilisation less the customer's own usual."""
    return "credit_used_share - credit_used_share_usual"


@feature(
    "confirmations",
    unit="days",
    concept="payment",
    dimension="finance",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "mean"),
    needs=("confirmed_at", "paid_at"),
)
def confirmation_days_mean(past: str) -> str:
    """Mean days from invoice to its confirmation, one unconfirmed for longer than usual counted at its age."""
    return mean_days("confirmation_seconds", past)


@feature(
    "disputes",
    unit="share",
    concept="payment",
    dimension="finance",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "level", spread=DISPUTED_SPREAD),
    needs=("disputed",),
)
def disputed_share(past: str) -> str:
    """Amount that was disputed as a share of the amount invoiced, at most 1."""
    invoiced = f"sum(invoiced) FILTER ({past})"
    return f"CASE WHEN {invoiced} > 0 THEN least(1, coalesce(sum(disputed) FILTER ({past}), 0) / {invoiced}) END"


@feature(
    "disputes",
    unit="disputes",
    concept="payment",
    dimension="finance",
    worse="more",
    windows=(180,),
    baseline=Baseline(180),
    needs=("disputed",),
    empty=0,
)
def small_invoice_disputes(past: str) -> str:
    """Disputes over small invoices."""
    return f"count(*) FILTER (disputed < {SMALL_INVOICE} AND {past})"


@feature("terms_changes", unit="days", concept="payment", dimension="finance", worse="less")
def days_since_terms_change() -> str:
    """Days since the newest change of the terms of payment, of the last two years."""
    return "min(days_ago)"
