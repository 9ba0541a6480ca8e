"""What is done together beyond orders: documents shared, joint work, strategy meetings, roadmaps, milestones.

An activity is done on its ``done_at``; without one it is still to come, or overdue once the day that it was planned for
has passed. A request for documents counts when it was made.
"""

from features import cutoffs
from features.options import option
from features.registry import Baseline, feature
from features.relations import relation

OVERDUE_MILESTONE = option(
    "overdue_milestone_days", 30, "Days after its date for which a milestone may be late without a word.", "days"
)
STOPPED_FACTOR = option(
    "roadmap_stopped_factor", 1.05, "Usual gaps between roadmaps shared after which sharing may have stopped."
)
STOPPED_GRACE = option(
    "roadmap_stopped_grace_days", 14, "Days beyond the usual gap that a roadmap may be late before it counts.", "days"
)

#: A yearly habit shows in two gaps at the earliest, so this looks further back than other tables.
REACH_DAYS = 5 * 365
#: The level of a request is the number that it begins with, "level" before it or not: `3`, `3 - drawings`, `Level 3`.
_LEVEL = r"coalesce(TRY_CAST(regexp_extract(level, '^\s*(?:level|l)?[\s:-]*(\d{1,3})', 1, 'i') AS INTEGER), 1)"
_PLANNED = cutoffs.past("partnerships", REACH_DAYS)

relation("activities", ("partnerships",), f"SELECT *, {_LEVEL} AS depth FROM ({_PLANNED}) WHERE days_ago >= 1")
relation(
    "activities_done",
    ("partnerships",),
    "SELECT as_of, customer_id, kind, as_of - CAST(done_at AS DATE) AS days_ago "
    f"FROM ({_PLANNED}) WHERE done_at IS NOT NULL",
)
relation(
    "roadmaps",
    ("partnerships",),
    "SELECT *, lag(days_ago) OVER (PARTITION BY as_of, customer_id ORDER BY days_ago DESC) - days_ago AS gap_days "
    "FROM (SELECT DISTINCT as_of, customer_id, as_of - CAST(done_at AS DATE) AS days_ago "
    f"FROM ({_PLANNED}) WHERE kind = 'roadmap' AND done_at IS NOT NULL)",
)
relation(
    "milestones",
    ("partnerships",),
    "SELECT as_of, customer_id, days_ago, status IN ('cancelled', 'done') AS is_closed "
    f"FROM ({_PLANNED}) WHERE days_ago >= 1 AND done_at IS NULL AND nullif(trim(explanation), '') IS NULL "
    "AND kind IS DISTINCT FROM 'document_request'",
)


@feature(
    "activities",
    unit="levels",
    concept="partnership",
    dimension="strategy",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
    needs=("kind",),
    empty=0,
)
def document_depth(past: str) -> str:
    """Depth of shared information: the levels of all requests for documents added up, 1 for a request without one."""
    return f"coalesce(sum(depth) FILTER (kind = 'document_request' AND {past}), 0)"


def _joint(kind: str, past: str) -> str:
    return f"count(*) FILTER (kind = '{kind}' AND {past})"


@feature(
    "activities_done",
    unit="activities",
    concept="partnership",
    dimension="strategy",
    worse="less",
    windows=(180,),
    baseline=Baseline(180),
    needs=("kind", "done_at"),
    empty=0,
)
def joint_rnd(past: str) -> str:
    """Joint research and development activities that took place."""
    return _joint("joint_rnd", past)


@feature(
    "activities_done",
    unit="activities",
    concept="partnership",
    dimension="strategy",
    worse="less",
    windows=(180,),
    baseline=Baseline(180),
    needs=("kind", "done_at"),
    empty=0,
)
def joint_marketing(past: str) -> str:
    """Joint marketing activities that took place."""
    return _joint("joint_marketing", past)


@feature(
    "activities",
    unit="meetings",
    concept="partnership",
    dimension="strategy",
    worse="more",
    windows=(365,),
    baseline=Baseline(365),
    needs=("kind", "status"),
    empty=0,
)
def strategy_meetings_put_off(past: str) -> str:
    """Strategy meetings that were postponed or cancelled."""
    return f"count(*) FILTER (kind = 'strategy_meeting' AND status IN ('postponed', 'cancelled') AND {past})"


@feature("roadmaps", unit="days", concept="partnership", dimension="strategy", needs=("kind", "done_at"))
def roadmap_gap_median_days() -> str:
    """Median days between two roadmaps shared."""
    return "quantile_cont(gap_days, 0.5)"


@feature(
    "roadmaps",
    unit="days",
    concept="partnership",
    dimension="strategy",
    worse="more",
    needs=("kind", "done_at"),
    usual="roadmap_gap_median_days",
)
def days_since_roadmap() -> str:
    """Days since a roadmap was shared."""
    return "min(days_ago)"


@feature(
    "features", unit="ratio", concept="partnership", dimension="strategy", worse="more", usual="roadmap_gap_median_days"
)
def days_since_roadmap_vs_usual() -> str:
    """Days since a roadmap was shared, in the customer's own usual gaps."""
    return "days_since_roadmap / nullif(roadmap_gap_median_days, 0)"


@feature("features", unit="flag", concept="partnership", dimension="strategy", worse="more")
def roadmap_sharing_stopped() -> str:
    """Whether the sharing of roadmaps has stopped, by the customer's own usual gap (1 yes, 0 no)."""
    latest = f"greatest(roadmap_gap_median_days * {STOPPED_FACTOR}, roadmap_gap_median_days + {STOPPED_GRACE})"
    return f"CASE WHEN roadmap_gap_median_days IS NOT NULL THEN CAST(days_since_roadmap > {latest} AS INTEGER) END"


_MILESTONE = ("kind", "done_at", "explanation")


@feature(
    "milestones",
    unit="activities",
    concept="partnership",
    dimension="strategy",
    needs=_MILESTONE,
    empty=0,
    internal=True,
)
def late_milestones() -> str:
    """Milestones late beyond patience without explanation, whatever their status."""
    return f"count(*) FILTER (days_ago > {OVERDUE_MILESTONE})"


@feature(
    "milestones",
    unit="activities",
    concept="partnership",
    dimension="strategy",
    needs=(*_MILESTONE, "status"),
    empty=0,
    internal=True,
)
def late_milestones_closed() -> str:
    """Those of them that were cancelled, or done on a day that nobody wrote down."""
    return f"count(*) FILTER (is_closed AND days_ago > {OVERDUE_MILESTONE})"


@feature(
    "milestones", unit="days", concept="partnership", dimension="strategy", needs=_MILESTONE, empty=0, internal=True
)
def longest_late_milestone_days() -> str:
    """Days since the planned day of the milestone that is late for longest without explanation, whatever its status."""
    return "max(days_ago)"


@feature(
    "milestones",
    unit="days",
    concept="partnership",
    dimension="strategy",
    needs=(*_MILESTONE, "status"),
    empty=0,
    internal=True,
)
def longest_late_milestone_days_open() -> str:
    """The same of those that were neither cancelled nor done."""
    return "coalesce(max(days_ago) FILTER (is_closed IS NOT TRUE), 0)"


@feature("features", unit="activities", concept="partnership", dimension="strategy", worse="more")
def overdue_milestones() -> str:
    """Milestones that are overdue beyond patience and that nobody has explained."""
    return "late_milestones - coalesce(late_milestones_closed, 0)"


@feature("features", unit="days", concept="partnership", dimension="strategy", worse="more")
def longest_overdue_milestone_days() -> str:
    """Days since the planned day of the milestone that is overdue for longest without explanation; 0 where none is."""
    return "coalesce(longest_late_milestone_days_open, longest_late_milestone_days)"
