"""How service goes: problems and how long they take, what is offered and refused, what is rated and what is not.

Problems are complaints and repairs. Offers are maintenance, training and upgrades: an offer that nobody answers for
some time is refused as one that is declined, and one that may still be answered counts as nothing yet.

That the worst recent problem is set against the customer's own past follows Barfar, Padmanabhan & Hevner (2017),
Decision Support Systems: among measures of service failure it was such proportional peaks that told churners apart.
"""

from features import cutoffs
from features.durations import REACH_DAYS, SECONDS_PER_DAY, durations, mean_days, trend_days
from features.options import option
from features.registry import Baseline, feature
from features.relations import relation

UNANSWERED_OFFER = option(
    "unanswered_offer_days", 30, "Days after which an offer of service that nobody answered counts as refused.", "days"
)
UNANSWERED_SURVEY = option(
    "unanswered_survey_days", 30, "Days after which a survey without a rating counts as not answered.", "days"
)

#: One day: what keeps the ratio of two short problems near 1.
ONE_DAY = "1"
_NEWEST_FIRST = "PARTITION BY as_of, customer_id ORDER BY coalesce(rated_at, opened_at) DESC, opened_at DESC, ticket_id"

relation("tickets", ("services",), cutoffs.past("services", REACH_DAYS))
relation(
    "problems",
    ("services",),
    durations("services", "resolved_at", {"problem": "opened_at"}, "kind IN ('complaint', 'repair')"),
)
relation(
    "offers",
    ("services",),
    f"SELECT as_of, customer_id, kind, days_ago, accepted, accepted IS NOT NULL OR days_ago > {UNANSWERED_OFFER} "
    f"AS is_settled FROM ({cutoffs.past('services', REACH_DAYS)}) WHERE kind IN ('maintenance', 'training', 'upgrade')",
)
relation(
    "refusals",
    ("services",),
    "SELECT * FROM (SELECT as_of, customer_id, kind, CASE WHEN accepted IS NULL "
    f"THEN days_ago - {UNANSWERED_OFFER} ELSE as_of - CAST(coalesce(answered_at, opened_at) AS DATE) END AS days_ago "
    f"FROM ({cutoffs.past('services', REACH_DAYS)}) "
    "WHERE kind IN ('maintenance', 'training', 'upgrade') AND accepted IS NOT TRUE) WHERE days_ago >= 1",
)
relation(
    "ratings",
    ("services",),
    "SELECT as_of, customer_id, as_of - CAST(coalesce(rated_at, opened_at) AS DATE) AS days_ago, "
    f"CAST(round(rating * 100) AS BIGINT) AS hundredths, row_number() OVER ({_NEWEST_FIRST}) AS rating_no "
    f"FROM ({cutoffs.past('services', REACH_DAYS)}) WHERE rating IS NOT NULL",
)
relation(
    "surveys",
    ("services",),
    "SELECT *, min(days_ago) FILTER (is_answered) OVER (PARTITION BY as_of, customer_id) AS answered_days_ago "
    "FROM (SELECT as_of, customer_id, days_ago, rating IS NOT NULL AS is_answered "
    f"FROM ({cutoffs.past('services', REACH_DAYS)}) WHERE kind = 'survey') "
    f"WHERE is_answered OR days_ago > {UNANSWERED_SURVEY}",
)


@feature(
    "tickets",
    unit="tickets",
    concept="problems",
    dimension="service",
    worse="more",
    windows=(90, 365),
    baseline=Baseline(90),
    empty=0,
)
def complaints(past: str) -> str:
    """Complaints."""
    return f"count(*) FILTER (kind = 'complaint' AND {past})"


@feature(
    "tickets",
    unit="tickets",
    concept="problems",
    dimension="service",
    worse="more",
    windows=(90, 365),
    baseline=Baseline(90),
    empty=0,
)
def repairs(past: str) -> str:
    """Repairs."""
    return f"count(*) FILTER (kind = 'repair' AND {past})"


@feature("features", unit="ratio", concept="problems", dimension="service", worse="more")
def problems_365d_vs_order_days() -> str:
    """Complaints and repairs of the last 365 days per order day."""
    return "(complaints_365d + repairs_365d) / nullif(order_days_365d, 0)"


@feature(
    "problems",
    unit="days",
    concept="problems",
    dimension="service",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "mean", ONE_DAY),
    needs=("resolved_at",),
)
def resolution_days_mean(past: str) -> str:
    """Mean days to resolve a complaint or repair, one that is open for longer than usual counted at its age."""
    return mean_days("problem_seconds", past)


@feature("problems", unit="days", concept="problems", dimension="service", worse="more", needs=("resolved_at",))
def resolution_trend_days_365d() -> str:
    """Change of the days to resolve a complaint or repair per 90 days, on a straight line through the last 365 days."""
    return trend_days("problem_seconds", "begun_days_ago <= 365")


@feature(
    "problems", unit="tickets", concept="problems", dimension="service", worse="more", needs=("resolved_at",), empty=0
)
def open_problems() -> str:
    """Complaints and repairs that are still open."""
    return "count(*) FILTER (is_open)"


@feature("problems", unit="days", concept="problems", dimension="service", needs=("resolved_at",))
def problem_days_median() -> str:
    """Median days that complaints and repairs took which ended more than 42 days ago."""
    earlier = "FILTER (NOT is_open AND days_ago > 42)"
    return f"quantile_cont(problem_known_seconds, 0.5) {earlier} / {SECONDS_PER_DAY}.0"


@feature(
    "problems",
    unit="days",
    concept="problems",
    dimension="service",
    worse="more",
    windows=(42,),
    needs=("resolved_at",),
    usual="problem_days_median",
)
def worst_problem_days(past: str) -> str:
    """Days that the longest complaint or repair took or has been open so far."""
    return f"max(problem_known_seconds) FILTER ({past}) / {SECONDS_PER_DAY}.0"


@feature("features", unit="ratio", concept="problems", dimension="service", worse="more", usual="problem_days_median")
def worst_problem_days_42d_vs_usual() -> str:
    """Longest complaint or repair of the last 42 days against the median of the earlier ones, one day added to both."""
    return "(worst_problem_days_42d + 1) / (problem_days_median + 1)"


def _uptake(kind: str, past: str) -> str:
    of_kind = f"kind = '{kind}' AND {past}"
    return f"count(*) FILTER (accepted AND {of_kind}) / nullif(count(*) FILTER (is_settled AND {of_kind}), 0)"


@feature(
    "offers",
    unit="share",
    concept="service_use",
    dimension="service",
    worse="less",
    windows=(365,),
    baseline=Baseline(365, "level"),
    needs=("accepted",),
)
def maintenance_uptake_share(past: str) -> str:
    """Share of the offers of maintenance that were accepted."""
    return _uptake("maintenance", past)


@feature(
    "offers",
    unit="share",
    concept="service_use",
    dimension="service",
    worse="less",
    windows=(365,),
    baseline=Baseline(365, "level"),
    needs=("accepted",),
)
def training_uptake_share(past: str) -> str:
    """Share of the invitations to training that were accepted."""
    return _uptake("training", past)


def _refused(kind: str, past: str) -> str:
    return f"count(*) FILTER (kind = '{kind}' AND {past})"


@feature(
    "refusals",
    unit="offers",
    concept="service_use",
    dimension="service",
    worse="more",
    windows=(180,),
    needs=("accepted",),
    empty=0,
)
def maintenance_refusals(past: str) -> str:
    """Offers of maintenance that were declined or not answered in time."""
    return _refused("maintenance", past)


@feature(
    "refusals",
    unit="offers",
    concept="service_use",
    dimension="service",
    worse="more",
    windows=(180,),
    needs=("accepted",),
    empty=0,
)
def training_refusals(past: str) -> str:
    """Invitations to training that were declined or not answered in time."""
    return _refused("training", past)


@feature(
    "refusals",
    unit="offers",
    concept="service_use",
    dimension="service",
    worse="more",
    windows=(180,),
    baseline=Baseline(180),
    needs=("accepted",),
    empty=0,
)
def upgrade_refusals(past: str) -> str:
    """Proposals of an upgrade that were declined or not answered in time."""
    return _refused("upgrade", past)


@feature("ratings", unit="points", concept="problems", dimension="service", worse="less", needs=("rating",))
def rating_before_last() -> str:
    """Rating before the newest one, from 1 to 5."""
    return "max(hundredths) FILTER (rating_no = 2) / 100.0"


@feature("ratings", unit="points", concept="problems", dimension="service", needs=("rating",))
def last_rating_usual() -> str:
    """Mean of the ratings before the newest one, from 1 to 5."""
    return "avg(hundredths) FILTER (rating_no > 1) / 100.0"


@feature(
    "ratings",
    unit="points",
    concept="problems",
    dimension="service",
    worse="less",
    needs=("rating",),
    usual="last_rating_usual",
    peers="difference",
)
def last_rating() -> str:
    """Newest rating, from 1 to 5."""
    return "max(hundredths) FILTER (rating_no = 1) / 100.0"


@feature("features", unit="points", concept="problems", dimension="service", worse="less", usual="last_rating_usual")
def last_rating_vs_usual() -> str:
    """Newest rating less the mean of the customer's earlier ones."""
    return "last_rating - last_rating_usual"


@feature(
    "ratings", unit="points", concept="problems", dimension="service", worse="less", windows=(365,), needs=("rating",)
)
def rating_mean(past: str) -> str:
    """Mean rating, from 1 to 5."""
    return f"avg(hundredths) FILTER ({past}) / 100.0"


@feature(
    "surveys",
    unit="share",
    concept="problems",
    dimension="service",
    worse="more",
    windows=(365,),
    needs=("rating",),
)
def survey_silence_share(past: str) -> str:
    """Share of the surveys that were not answered in time."""
    return f"count(*) FILTER (NOT is_answered AND {past}) / nullif(count(*) FILTER ({past}), 0)"


@feature("surveys", unit="surveys", concept="problems", dimension="service", worse="more", needs=("rating",))
def surveys_unanswered_in_a_row() -> str:
    """Newest surveys in a row that were not answered in time."""
    return "count(*) FILTER (NOT is_answered AND (answered_days_ago IS NULL OR days_ago < answered_days_ago))"
