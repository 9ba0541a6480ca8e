"""Contact with the account: how often, who came to whom, who answered how fast, how long a silence lasts.

Each function returns SQL over one of three relations: ``interactions`` (each contact of the past 455 days, with the
person's role and what its text says), ``contact_gaps`` (days between two contacts of the same kind) and
``last_interactions`` (the whole past, for the newest contact of a kind). `past` is the condition on ``days_ago``.

A *response* is what the other side did: it came to us, replied to us, attended, or the contact was effective. It counts
on its own day: a reply on the day on which it came.
"""

from features import cutoffs, rhythm  # noqa: F401  (what is usual is bounded by the time since the first order)
from features.options import option
from features.registry import LOOKBACK_DAYS, Baseline, feature
from features.relations import relation

REPLY_CHANNELS = option(
    "reply_channels", ("email", "message"), "Channels in which an outbound contact waits for a reply."
)
REPLY_LIMIT = option(
    "reply_limit_days",
    30,
    "A wait for a reply counts as this long at most.",
    "days",
)
OWN_TEXT_CHANNELS = option(
    "own_text_channels",
    ("email", "message", "event"),
    "Channels in which the text of an outbound contact is what we wrote, and says nothing of the account.",
)
VISIT_TARGETS = {
    rank: option(
        f"visit_target_days_{rank.lower()}",
        days,
        f"An account of rank {rank} is visited once in so many days.",
        "days",
    )
    for rank, days in {"A": 14, "B": 30, "C": 60, "D": 90}.items()
}

_SECONDS_A_DAY = 86_400
_REPLIES = ("direction", "channel", "replied_at")


def with_roles(rows: str) -> str:
    """SQL of interactions with ``held_role``: the role that the person's file gave on the day, as known at the cutoff.

    Where two rows of the file cover a day, the one that began last counts.
    """
    newer = (
        "lead(CAST(valid_from AS DATE)) OVER "
        "(PARTITION BY as_of, customer_id, contact_id ORDER BY valid_from NULLS FIRST)"
    )
    spells = (
        f"SELECT as_of, customer_id, contact_id, role AS held_role, CAST(valid_from AS DATE) AS first_day, "
        f"least(coalesce(CAST(valid_to AS DATE), {cutoffs.FOREVER}), coalesce({newer} - 1, {cutoffs.FOREVER})) AS "
        f"last_day FROM ({cutoffs.past('contacts')})"
    )
    return (
        f"SELECT i.*, p.held_role FROM ({rows}) i LEFT JOIN ({spells}) p "
        "ON i.as_of = p.as_of AND i.customer_id = p.customer_id AND i.contact_id = p.contact_id "
        "AND i.day BETWEEN coalesce(p.first_day, i.day) AND p.last_day"
    )


#: SQL of whether a contact's text is our own words.
OURS = f"coalesce(direction = 'outbound' AND list_contains({OWN_TEXT_CHANNELS}, channel), false)"

_ATTENDED = "attended OR result IN ('effective', 'high_value')"
_RESPONDED_AT = (
    "CASE direction WHEN 'inbound' THEN occurred_at "
    f"WHEN 'outbound' THEN greatest(CASE WHEN {_ATTENDED} THEN occurred_at END, replied_at) END"
)
_IS_MESSAGE = f"direction = 'outbound' AND list_contains({REPLY_CHANNELS}, channel)"
#: A message without a reply is not dropped: it counts with its wait so far. The median over all is at most too low,
#: and exact where those that wait have waited longer than it. The limit makes old messages, which could wait longer
#: until the cutoff, comparable with new ones.
_WAIT = (
    f"least(greatest(date_diff('second', occurred_at, coalesce(replied_at, CAST(as_of AS TIMESTAMP))), 0), "
    f"CAST({REPLY_LIMIT} * {_SECONDS_A_DAY} AS BIGINT))"
)
_ROWS = (
    f"SELECT *, {_RESPONDED_AT} AS responded_at, as_of - CAST({_RESPONDED_AT} AS DATE) AS response_days_ago, "
    f"coalesce({_IS_MESSAGE}, false) AS is_message, coalesce(role, held_role, 'unknown') AS part "
    f"FROM ({with_roles(cutoffs.past('interactions', LOOKBACK_DAYS))})"
)

relation(
    "interactions",
    ("interactions",),
    f"SELECT r.* EXCLUDE (role, held_role), r.part AS role, m.* EXCLUDE (text), "
    f"CASE WHEN is_message THEN {_WAIT} END AS wait_seconds, "
    "coalesce(direction = 'outbound' AND ((is_message AND replied_at IS NULL) OR NOT attended "
    f"OR result = 'unsuccessful'), false) AND responded_at IS NULL AS is_unanswered FROM ({_ROWS}) r "
    f"LEFT JOIN text_marks m ON m.text = CASE WHEN NOT {OURS} THEN r.text END",
)
relation(
    "contact_gaps",
    ("interactions",),
    "SELECT *, lag(days_ago) OVER (PARTITION BY as_of, customer_id, kind ORDER BY days_ago DESC) - days_ago "
    "AS gap_days FROM (SELECT DISTINCT * FROM ("
    "SELECT as_of, customer_id, unnest(['response', 'visit', 'executive']) AS kind, "
    "unnest([response_days_ago, CASE WHEN channel = 'visit' THEN days_ago END, "
    f"CASE WHEN part = 'executive' THEN days_ago END]) AS days_ago FROM ({_ROWS})) WHERE days_ago IS NOT NULL)",
)
relation(
    "last_interactions",
    ("interactions",),
    f"SELECT as_of, customer_id, days_ago, channel, as_of - CAST({_RESPONDED_AT} AS DATE) AS response_days_ago, rank "
    f"FROM ({cutoffs.past('interactions')}) LEFT JOIN (SELECT as_of, customer_id, rank FROM accounts) "
    "USING (as_of, customer_id)",
)


@feature(
    "interactions",
    unit="interactions",
    concept="contact",
    dimension="interaction",
    worse="less",
    windows=(30, 90),
    baseline=Baseline(90),
    empty=0,
)
def interactions(past: str) -> str:
    """Contacts with the account, either way."""
    return f"count(*) FILTER ({past})"


@feature(
    "interactions",
    unit="interactions",
    concept="contact",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
    needs=("direction",),
    empty=0,
)
def inbound_interactions(past: str) -> str:
    """Contacts in which the account came to us."""
    return f"count(*) FILTER (direction = 'inbound' AND {past})"


_IS_INQUIRY = "channel = 'inquiry' AND direction IS DISTINCT FROM 'outbound'"


@feature(
    "interactions",
    unit="inquiries",
    concept="contact",
    dimension="interaction",
    worse="less",
    windows=(30, 90),
    baseline=Baseline(90),
    needs=("channel",),
    empty=0,
)
def inquiries(past: str) -> str:
    """Inquiries from the account."""
    return f"count(*) FILTER ({_IS_INQUIRY} AND {past})"


@feature(
    "interactions",
    unit="inquiries",
    concept="contact",
    dimension="interaction",
    needs=("channel",),
    empty=0,
)
def inquiries_prior_90d() -> str:
    """Inquiries from the account in the 90 days before the last 90."""
    return f"count(*) FILTER ({_IS_INQUIRY} AND days_ago BETWEEN 91 AND 180)"


@feature(
    "features",
    unit="share",
    concept="contact",
    dimension="interaction",
    worse="less",
    needs=("interactions.channel",),
    usual="inquiries_prior_90d",
)
def inquiries_change_share_90d() -> str:
    """Change of the number of inquiries from the 90 days before to the last 90; unknown without any before."""
    return "inquiries_90d / nullif(inquiries_prior_90d, 0) - 1"


@feature(
    "interactions",
    unit="visits",
    concept="contact",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
    needs=("channel",),
    empty=0,
)
def visits(past: str) -> str:
    """Visits, either way."""
    return f"count(*) FILTER (channel = 'visit' AND {past})"


@feature(
    "interactions",
    unit="calls",
    concept="contact",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90),
    needs=("channel",),
    empty=0,
)
def calls(past: str) -> str:
    """Phone calls, either way."""
    return f"count(*) FILTER (channel = 'call' AND {past})"


@feature(
    "interactions",
    unit="share",
    concept="responsiveness",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90, "level", spread="0.2"),
    needs=("attended",),
)
def attended_share(past: str) -> str:
    """Share of our invitations that the account followed."""
    invited = f"attended IS NOT NULL AND coalesce(invited, true) AND {past}"
    return f"count(*) FILTER (attended AND {invited}) / nullif(count(*) FILTER ({invited}), 0)"


@feature(
    "interactions",
    unit="hours",
    concept="responsiveness",
    dimension="interaction",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "mean", "0"),
    needs=_REPLIES,
)
def reply_hours(past: str) -> str:
    """Median hours from our message to the reply, waits so far included."""
    return f"quantile_cont(wait_seconds, 0.5) FILTER ({past}) / 3600"


@feature(
    "interactions",
    unit="hours",
    concept="responsiveness",
    dimension="interaction",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "mean", "0"),
    needs=_REPLIES,
)
def technical_reply_hours(past: str) -> str:
    """Median hours from our message to the reply of technical people, waits so far included."""
    return f"quantile_cont(wait_seconds, 0.5) FILTER (role = 'technical' AND {past}) / 3600"


@feature(
    "interactions",
    unit="share",
    concept="responsiveness",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90, "level", spread="0.2"),
    needs=_REPLIES,
)
def answered_share(past: str) -> str:
    """Share of our messages that had a reply by the cutoff."""
    return f"count(replied_at) FILTER (is_message AND {past}) / nullif(count(*) FILTER (is_message AND {past}), 0)"


def _since_response(moments: str) -> str:
    """SQL of those moments that came after the newest response."""
    newest = "coalesce(max(responded_at), TIMESTAMP '0001-01-01')"
    return f"list_filter(coalesce(list({moments}), []), lambda x: x > {newest})"


@feature(
    "interactions",
    unit="attempts",
    concept="responsiveness",
    dimension="interaction",
    worse="more",
    needs=_REPLIES,
    empty=0,
)
def attempts_since_last_response() -> str:
    """Our attempts to reach the account that came to nothing since it last responded."""
    return f"len({_since_response('occurred_at) FILTER (is_unanswered')})"


@feature(
    "interactions",
    unit="days",
    concept="responsiveness",
    dimension="interaction",
    worse="more",
    needs=_REPLIES,
    empty=0,
)
def waiting_days() -> str:
    """Days for which the oldest of our messages since the account last responded has waited for a reply."""
    waiting = _since_response("occurred_at) FILTER (is_message AND replied_at IS NULL")
    return f"as_of - CAST(list_min({waiting}) AS DATE)"


@feature(
    "contact_gaps",
    unit="days",
    concept="contact",
    dimension="interaction",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "mean", "0"),
    needs=("direction",),
)
def response_gap_days(past: str) -> str:
    """Mean days between two responses of the account."""
    return f"avg(gap_days) FILTER (kind = 'response' AND {past})"


@feature("contact_gaps", unit="days", concept="contact", dimension="interaction", needs=("direction",))
def response_gap_median_days() -> str:
    """Median days between two responses of the account, over the past 455 days."""
    return "quantile_cont(gap_days, 0.5) FILTER (kind = 'response')"


@feature("contact_gaps", unit="days", concept="contact", dimension="interaction", needs=("channel",))
def visit_gap_median_days() -> str:
    """Median days between two days with a visit, over the past 455 days."""
    return "quantile_cont(gap_days, 0.5) FILTER (kind = 'visit')"


@feature("last_interactions", unit="days", concept="contact", dimension="interaction", worse="more")
def days_since_last_interaction() -> str:
    """Days since the newest contact, either way."""
    return "min(days_ago)"


@feature(
    "last_interactions",
    unit="days",
    concept="contact",
    dimension="interaction",
    worse="more",
    needs=("direction",),
    usual="response_gap_median_days",
)
def days_since_last_response() -> str:
    """Days since the account last responded."""
    return "min(response_days_ago)"


@feature(
    "features",
    unit="ratio",
    concept="contact",
    dimension="interaction",
    worse="more",
    needs=("interactions.direction",),
    usual="response_gap_median_days",
    peers="ratio",
)
def days_since_last_response_vs_usual() -> str:
    """Days since the account last responded against the usual gap between its responses."""
    return "days_since_last_response / response_gap_median_days"


@feature(
    "last_interactions",
    unit="days",
    concept="contact",
    dimension="interaction",
    worse="more",
    needs=("channel",),
    usual="visit_gap_median_days",
)
def days_since_last_visit() -> str:
    """Days since the newest visit."""
    return "min(days_ago) FILTER (channel = 'visit')"


@feature("last_interactions", unit="days", concept="contact", dimension="interaction", internal=True)
def visit_target_of_rank_days() -> str:
    """Days after which an account of this rank is to be visited."""
    of_rank = " ".join(f"WHEN '{rank}' THEN {days}" for rank, days in VISIT_TARGETS.items())
    return f"CASE max(rank) {of_rank} END"


@feature("features", unit="days", concept="contact", dimension="interaction", needs=("interactions.channel",))
def visit_target_days() -> str:
    """Days after which the account is to be visited: by its rank, without one its own usual gap between visits."""
    return "coalesce(visit_target_of_rank_days, visit_gap_median_days)"


@feature(
    "features",
    unit="ratio",
    concept="contact",
    dimension="interaction",
    worse="more",
    needs=("interactions.channel",),
    usual="visit_target_days",
)
def days_since_last_visit_vs_target() -> str:
    """Days since the newest visit against the days after which the account is to be visited."""
    return "days_since_last_visit / nullif(visit_target_days, 0)"
