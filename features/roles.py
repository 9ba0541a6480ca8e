"""Who at the account is in touch: each part in a purchase by itself, so that one cooling part is not averaged away.

A contact's role is its own, else the one that the person's file gave on that day, else unknown. While no contact of
the past 455 days has a known role, nothing is known of any.
"""

from features.options import option
from features.registry import Baseline, feature

ROLES = ("technical", "purchasing", "user", "executive")

FALL_SHARE = option("role_fall_share", 0.7, "Share below usual from which a role's contacts of 90 days have fallen.")
NORMAL_BAND = option(
    "role_normal_band", 0.3, "Share by which a role's contacts of 90 days may differ from usual and be normal."
)
ROLE_MIN = option("role_min_interactions", 5, "Usual contacts per 90 days from which a role is judged.", "interactions")
COOLING_SHARE = option(
    "role_cooling_share", 0.5, "Share below usual from which a team's responses of 90 days have cooled."
)


def _of_role(what: str) -> str:
    """SQL of a count that is unknown where no role is."""
    return f"CASE WHEN bool_or(role <> 'unknown') THEN {what} END"


@feature(
    "interactions",
    unit="interactions",
    concept="people",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
)
def technical_interactions(past: str) -> str:
    """Contacts with technical people."""
    return _of_role(f"count(*) FILTER (role = 'technical' AND {past})")


@feature(
    "interactions",
    unit="interactions",
    concept="people",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
)
def purchasing_interactions(past: str) -> str:
    """Contacts with purchasing."""
    return _of_role(f"count(*) FILTER (role = 'purchasing' AND {past})")


@feature(
    "interactions",
    unit="interactions",
    concept="people",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
)
def user_interactions(past: str) -> str:
    """Contacts with the people who use what is bought."""
    return _of_role(f"count(*) FILTER (role = 'user' AND {past})")


@feature(
    "interactions",
    unit="interactions",
    concept="people",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
)
def executive_interactions(past: str) -> str:
    """Contacts with executives."""
    return _of_role(f"count(*) FILTER (role = 'executive' AND {past})")


@feature("interactions", unit="interactions", concept="people", dimension="interaction", windows=(90,), empty=0)
def unknown_role_interactions(past: str) -> str:
    """Contacts with somebody whose role is not known."""
    return f"count(*) FILTER (role = 'unknown' AND {past})"


@feature("interactions", unit="share", concept="people", dimension="interaction", windows=(365,))
def unknown_role_share(past: str) -> str:
    """Share of contacts with somebody whose role is not known."""
    return f"count(*) FILTER (role = 'unknown' AND {past}) / nullif(count(*) FILTER ({past}), 0)"


@feature(
    "interactions",
    unit="people",
    concept="people",
    dimension="interaction",
    worse="less",
    windows=(90, 365),
    needs=("contact_id",),
    empty=0,
)
def people_in_touch(past: str) -> str:
    """Different people at the account with whom there was contact."""
    return f"count(DISTINCT contact_id) FILTER ({past})"


@feature(
    "contact_gaps",
    unit="days",
    concept="people",
    dimension="interaction",
    worse="more",
    usual="executive_gap_median_days",
)
def days_since_last_executive_interaction() -> str:
    """Days since the newest contact with an executive; unknown beyond 455 days."""
    return "min(days_ago) FILTER (kind = 'executive')"


@feature("contact_gaps", unit="days", concept="people", dimension="interaction")
def executive_gap_median_days() -> str:
    """Median days between two contacts with executives, over the past 455 days."""
    return "quantile_cont(gap_days, 0.5) FILTER (kind = 'executive')"


@feature(
    "contact_gaps",
    unit="days",
    concept="people",
    dimension="interaction",
    worse="more",
    usual="executive_gap_median_days",
)
def executive_gap_max_days() -> str:
    """Longest time without an executive over the past 455 days, the present one included."""
    return "greatest(max(gap_days) FILTER (kind = 'executive'), min(days_ago) FILTER (kind = 'executive'))"


@feature(
    "features",
    unit="ratio",
    concept="people",
    dimension="interaction",
    worse="more",
    usual="executive_gap_median_days",
    peers="ratio",
)
def days_since_last_executive_interaction_vs_usual() -> str:
    """Days since the newest contact with an executive against the usual gap between two."""
    return "days_since_last_executive_interaction / executive_gap_median_days"


def _responses(role: str, past: str) -> str:
    """SQL of the number of responses, each on its own day."""
    responded = past.replace("days_ago", "response_days_ago")
    return _of_role(f"count(*) FILTER (role = '{role}' AND {responded})")


@feature(
    "interactions",
    unit="interactions",
    concept="people",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
    needs=("direction",),
)
def technical_responses(past: str) -> str:
    """Responses of technical people (they came to us, replied or attended)."""
    return _responses("technical", past)


@feature(
    "interactions",
    unit="interactions",
    concept="people",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
    needs=("direction",),
)
def purchasing_responses(past: str) -> str:
    """Responses of purchasing (they came to us, replied or attended)."""
    return _responses("purchasing", past)


def _fell(recent: str, share: str) -> str:
    """SQL of whether a quantity that is usually large enough fell by a share of its usual; exact at the share."""
    usual = f"{recent}_usual"
    return f"coalesce({usual} >= {ROLE_MIN} AND {recent} - {usual} <= -{share} * {usual}, false)"


@feature(
    "features",
    unit="flag",
    concept="people",
    dimension="interaction",
    worse="more",
    needs=("interactions.direction",),
    usual="technical_responses_90d_usual",
)
def technical_team_cooled() -> str:
    """Technical people respond much less than usual, last 90 days (1 = yes)."""
    cooled = _fell("technical_responses_90d", COOLING_SHARE)
    return f"CASE WHEN technical_responses_90d_usual IS NOT NULL THEN CAST({cooled} AS INTEGER) END"


@feature(
    "features",
    unit="flag",
    concept="people",
    dimension="interaction",
    worse="more",
    needs=("interactions.direction",),
    usual="purchasing_responses_90d_usual",
)
def purchasing_team_cooled() -> str:
    """Purchasing responds much less than usual, last 90 days (1 = yes)."""
    cooled = _fell("purchasing_responses_90d", COOLING_SHARE)
    return f"CASE WHEN purchasing_responses_90d_usual IS NOT NULL THEN CAST({cooled} AS INTEGER) END"


def _normal(recent: str) -> str:
    usual = f"{recent}_usual"
    return f"coalesce({usual} >= {ROLE_MIN} AND abs({recent} - {usual}) <= {NORMAL_BAND} * {usual}, false)"


@feature("features", unit="flag", concept="people", dimension="interaction", worse="more")
def role_imbalance() -> str:
    """One role at the account is in touch far less than usual while another is as usual, last 90 days (1 = yes)."""
    fallen = " OR ".join(_fell(f"{role}_interactions_90d", FALL_SHARE) for role in ROLES)
    normal = " OR ".join(_normal(f"{role}_interactions_90d") for role in ROLES)
    known = "technical_interactions_90d_usual IS NOT NULL"
    return f"CASE WHEN {known} THEN CAST(({fallen}) AND ({normal}) AS INTEGER) END"


@feature("features", unit="ratio", concept="people", dimension="interaction", worse="less")
def weakest_role_interactions_90d_vs_usual() -> str:
    """Contacts of the last 90 days with the role that has fallen most, against those that are usual with it."""
    ratios = [
        f"CASE WHEN {role}_interactions_90d_usual >= {ROLE_MIN} "
        f"THEN {role}_interactions_90d / {role}_interactions_90d_usual END"
        for role in ROLES
    ]
    return f"least({', '.join(ratios)})"
