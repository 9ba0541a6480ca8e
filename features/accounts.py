"""The people around an account: its contacts, what its file says of it, the sales person in charge.

Contacts come and go with dates: somebody whose last day is not yet past is in place, and where no first day is given
always was. What tells of people who left is unknown where nobody did, for a file may never say that somebody leaves.

What `account_changes` says has a history, so temperature, risk, owner and growth are those of the cutoff. `customers`
has none: what was never changed there is today's value at every past cutoff too. Such a value is read only where
nothing else tells it: growth, a present competitor, budget months.
"""

from features import rhythm  # noqa: F401  (declares what the orders' features aggregate)
from features.contract import GROWTHS, RISKS, TEMPERATURES
from features.cutoffs import past
from features.options import option
from features.registry import BASELINE_MIN_DAYS, LOOKBACK_DAYS, feature, ratio_of
from features.relations import relation
from features.sql import text_sql
from features.transactions import ORDER_VALUE

KEY_ROLES = option(
    "key_contact_roles",
    ("purchasing", "executive"),
    "Roles of the people who decide; a contact without a role counts as one of them.",
)
NEW_CONTACT_DAYS = option(
    "new_contact_days", 90, "Days for which a successor of a key contact is new, and so may be hardly known.", "days"
)
NEW_CONTACT_INTERACTIONS = option(
    "new_contact_interactions", 3, "From so many interactions on, a new contact is known.", "interactions"
)
OWNER_DEPARTED = option(
    "owner_departed_days", 180, "Days for which an account is listed as that of a departed owner.", "days"
)
#: How long sales before and after a change of owner are looked at.
OWNER_CHANGE_DAYS = 90

_KEY = f"(role IS NULL OR list_contains({KEY_ROLES}, role))"
_STINTS = f"""
SELECT *, bool_or(ended_days_ago IS NULL) OVER (PARTITION BY as_of, customer_id, contact_id) AS in_place
FROM (SELECT as_of, customer_id, contact_id, role, days_ago AS began_days_ago,
             as_of - CAST(valid_to AS DATE) AS ended_days_ago
      FROM ({past("contacts")}))
"""
relation("contacts", ("contacts",), _STINTS)

# a successor is anybody else in the role of the one who left; anybody else at all where the file gives no role
relation(
    "key_contacts",
    ("contacts", "interactions"),
    f"""
WITH people AS MATERIALIZED (
    SELECT as_of, customer_id, contact_id, max(role) FILTER (ended_days_ago IS NULL) AS role,
           coalesce(bool_or(ended_days_ago IS NULL) FILTER ({_KEY}), true) AS kept,
           min((ended_days_ago, coalesce(role, ''))) FILTER ({_KEY} AND ended_days_ago IS NOT NULL) AS lost
    FROM ({_STINTS}) GROUP BY ALL
), losses AS MATERIALIZED (
    SELECT as_of, customer_id, contact_id, lost[1] AS lost_days_ago, nullif(lost[2], '') AS lost_role
    FROM people WHERE NOT kept AND lost[1] <= {LOOKBACK_DAYS}
), reached AS (
    SELECT l.as_of, l.customer_id, l.contact_id, max(i.days_ago) AS first_days_ago, count(*) AS interactions
    FROM losses l JOIN ({past("interactions", LOOKBACK_DAYS)}) i
      ON i.as_of = l.as_of AND i.customer_id = l.customer_id AND i.days_ago <= l.lost_days_ago
         AND i.contact_id <> l.contact_id
    LEFT JOIN people p ON p.as_of = i.as_of AND p.customer_id = i.customer_id AND p.contact_id = i.contact_id
    WHERE l.lost_role IS NULL OR p.role = l.lost_role
    GROUP BY ALL
)
SELECT as_of, customer_id, lost_days_ago, coalesce(interactions, 0) AS interactions,
       lost_days_ago - coalesce(first_days_ago, 0) AS gap_days, interactions IS NULL AS gap_is_open,
       lost_days_ago = min(lost_days_ago) OVER (PARTITION BY as_of, customer_id) AS is_newest
FROM losses LEFT JOIN reached USING (as_of, customer_id, contact_id)
""",
)


@feature("contacts", unit="people", concept="people", dimension="interaction", worse="less", empty=0, peers="ratio")
def active_contacts() -> str:
    """People at the account whom we know and who are still in place."""
    return "count(DISTINCT contact_id) FILTER (in_place)"


@feature("contacts", unit="people", concept="people", dimension="interaction", empty=0, internal=True)
def active_contacts_a_year_ago() -> str:
    """People who were in place 365 days before."""
    began, stayed = "coalesce(began_days_ago > 365, true)", "coalesce(ended_days_ago <= 365, true)"
    return f"count(DISTINCT contact_id) FILTER ({began} AND {stayed})"


@feature("features", unit="ratio", concept="people", dimension="interaction", worse="less")
def active_contacts_vs_last_year() -> str:
    """People in place at the account against those a year ago, one added to both."""
    return ratio_of("active_contacts", "active_contacts_a_year_ago", "1")


@feature("contacts", unit="roles", concept="people", dimension="interaction", worse="less")
def active_contact_roles() -> str:
    """Different roles (technical, purchasing, user, executive) of the people in place at the account."""
    return "CASE WHEN count(role) > 0 THEN count(DISTINCT role) FILTER (ended_days_ago IS NULL) END"


@feature("contacts", unit="share", concept="people", dimension="interaction", worse="more")
def contact_turnover_share_365d() -> str:
    """Share of the people at the account who left in the last 365 days; unknown where nobody ever did."""
    left = "count(DISTINCT contact_id) FILTER (NOT in_place AND ended_days_ago <= 365)"
    share = f"{left} / nullif({left} + count(DISTINCT contact_id) FILTER (in_place), 0)"
    return f"CASE WHEN count(ended_days_ago) > 0 THEN {share} END"


_OF_LOSSES = ("interactions.contact_id",)


@feature("key_contacts", unit="days", concept="people", dimension="interaction", worse="less", needs=_OF_LOSSES)
def days_since_key_contact_lost() -> str:
    """Days since the last key contact left or was moved; unknown where none did in 455 days."""
    return "min(lost_days_ago)"


@feature("key_contacts", unit="days", concept="people", dimension="interaction", worse="more", needs=_OF_LOSSES)
def key_contact_gap_days() -> str:
    """Days from the loss of the last key contact to the first interaction with a successor; still counting while there
    was none.
    """
    return "max(gap_days) FILTER (is_newest)"


@feature("key_contacts", unit="flag", concept="people", dimension="interaction", worse="more", needs=_OF_LOSSES)
def key_contact_gap_open() -> str:
    """Nobody has spoken to a successor of the last key contact yet (1 = yes); unknown where none left."""
    return "CAST(bool_or(gap_is_open) FILTER (is_newest) AS INTEGER)"


_NEWLY_LOST = f"lost_days_ago <= {NEW_CONTACT_DAYS}"


@feature("key_contacts", unit="interactions", concept="people", dimension="interaction", worse="less", needs=_OF_LOSSES)
def successor_interactions() -> str:
    """Interactions with the successor of a key contact who left lately; the fewest where several left."""
    return f"min(interactions) FILTER ({_NEWLY_LOST})"


@feature("key_contacts", unit="flag", concept="people", dimension="interaction", worse="more", needs=_OF_LOSSES)
def new_contact_hardly_known() -> str:
    """A key contact has changed lately and there were few interactions with the new one (1 = yes); unknown where none
    left in 455 days.
    """
    few = f"coalesce(bool_or(interactions < {NEW_CONTACT_INTERACTIONS}) FILTER ({_NEWLY_LOST}), false)"
    return f"CAST({few} AS INTEGER)"


def _level(text: str, order: tuple[str, ...]) -> str:
    """SQL of the place of a value in an ordered enumeration, the first being 0."""
    return f"nullif(list_position([{', '.join(map(text_sql, order))}], {text}), 0) - 1"


#: From cold to hot, from low to urgent, from shrinking to expanding.
WARMTH, RISK, GROWTH = TEMPERATURES[::-1], RISKS, GROWTHS[::-1]
#: What `competitor` says in a file where there is none; anything else names one.
NO_COMPETITOR = ("", "0", "-", "false", "no", "none")

_FIELDS = ("temperature", "risk", "owner", "contact", "competitor")
# the value before is the one that the row gives, else that of the change before it
_CHANGES = f"""
SELECT as_of, customer_id, days_ago, changed_at, field, new, author,
       coalesce(old, lag(new) OVER (PARTITION BY as_of, customer_id, field ORDER BY changed_at, new, old)) AS old
FROM ({past("account_changes")}) WHERE field IN ({", ".join(map(text_sql, _FIELDS))})
"""
relation("file_changes", ("account_changes",), _CHANGES)
relation("account_states", ("account_changes",), "SELECT as_of, customer_id, temperature, risk FROM accounts")


@feature(
    "account_states", unit="level", concept="conversation", dimension="interaction", worse="less", peers="difference"
)
def temperature_level() -> str:
    """Relationship temperature on file, from 0 (cold) to 3 (hot)."""
    return f"max({_level('temperature', WARMTH)})"


@feature("file_changes", unit="level", concept="conversation", dimension="interaction", internal=True)
def temperature_level_90d_ago() -> str:
    """Relationship temperature on file 90 days ago."""
    known = "field = 'temperature' AND new IS NOT NULL AND days_ago > 90"
    return f"arg_max({_level('new', WARMTH)}, (changed_at, new)) FILTER ({known})"


@feature("features", unit="level", concept="conversation", dimension="interaction", worse="less")
def temperature_level_vs_90d_ago() -> str:
    """Steps by which the relationship temperature on file has risen (below 0: fallen) in 90 days."""
    return "temperature_level - temperature_level_90d_ago"


@feature("features", unit="flag", concept="conversation", dimension="interaction", worse="more")
def temperature_cool_or_below() -> str:
    """The relationship temperature on file is cool or cold (1 = yes)."""
    return f"CAST(temperature_level <= {WARMTH.index('cool')} AS INTEGER)"


@feature("file_changes", unit="days", concept="conversation", dimension="interaction", worse="less")
def days_since_temperature_fell() -> str:
    """Days since the relationship temperature was last changed to a lower one."""
    fell = f"{_level('new', WARMTH)} < {_level('old', WARMTH)}"
    return f"min(days_ago) FILTER (field = 'temperature' AND {fell})"


@feature("account_states", unit="level", concept="conversation", dimension="interaction", worse="more")
def stated_risk_level() -> str:
    """Exit risk that a person has put on file, from 0 (low) to 3 (urgent)."""
    return f"max({_level('risk', RISK)})"


@feature("file_changes", unit="days", concept="conversation", dimension="interaction", worse="less")
def days_since_stated_risk_rose() -> str:
    """Days since a person last put a higher exit risk on file."""
    return f"min(days_ago) FILTER (field = 'risk' AND {_level('new', RISK)} > {_level('old', RISK)})"


@feature("file_changes", unit="days", concept="people", dimension="interaction", worse="less")
def days_since_contact_change() -> str:
    """Days since a change of the contact was last put on file."""
    return "min(days_ago) FILTER (field = 'contact' AND new IS DISTINCT FROM old)"


_TOLD = f"coalesce(lower(new), '') NOT IN ({', '.join(map(text_sql, NO_COMPETITOR))})"


@feature("file_changes", unit="days", concept="market", dimension="strategy", worse="less")
def days_since_competitor_noted() -> str:
    """Days since a competitor at this account was last put on file."""
    return f"min(days_ago) FILTER (field = 'competitor' AND {_TOLD})"


_OWNER_CHANGED = "field = 'owner' AND new <> old"


@feature("file_changes", unit="days", concept="people", dimension="interaction", worse="less")
def days_since_owner_change() -> str:
    """Days since the account last went to another sales person."""
    return f"min(days_ago) FILTER ({_OWNER_CHANGED})"


@feature("features", unit="flag", concept="people", dimension="interaction", worse="more")
def owner_departed() -> str:
    """The account's former sales person has left it lately (1 = yes)."""
    lately = f"coalesce(CAST(days_since_owner_change <= {OWNER_DEPARTED} AS INTEGER), 0)"
    return f"CASE WHEN days_of_account_changes IS NOT NULL THEN {lately} END"


relation(
    "orders_around_owner_change",
    ("account_changes", "transactions"),
    f"""
SELECT o.as_of, o.customer_id, o.amount, changed_days_ago - o.days_ago AS days_after
FROM (SELECT as_of, customer_id, min(days_ago) AS changed_days_ago FROM ({_CHANGES}) WHERE {_OWNER_CHANGED}
      GROUP BY ALL) c
JOIN ({past("order_days", LOOKBACK_DAYS)}) o USING (as_of, customer_id)
WHERE changed_days_ago <= {LOOKBACK_DAYS - OWNER_CHANGE_DAYS}
""",
)
_OWNED_DAYS = f"least(days_since_owner_change, {OWNER_CHANGE_DAYS})"
_DAYS_BEFORE = "(days_since_first_order - days_since_owner_change)"


@feature("orders_around_owner_change", unit="money", concept="spending", internal=True)
def revenue_under_new_owner() -> str:
    """Net revenue of the 90 days from the change of owner on, as far as they have passed."""
    return f"sum(amount) FILTER (days_after BETWEEN 0 AND {OWNER_CHANGE_DAYS - 1})"


@feature("orders_around_owner_change", unit="money", concept="spending", internal=True)
def revenue_under_old_owner() -> str:
    """Net revenue of the 90 days before the change of owner."""
    return f"sum(amount) FILTER (days_after BETWEEN -{OWNER_CHANGE_DAYS} AND -1)"


@feature("features", unit="money", concept="spending", worse="less")
def revenue_since_owner_change() -> str:
    """Net revenue since the account went to another sales person, of the first 90 days at most."""
    known = f"days_since_owner_change <= {LOOKBACK_DAYS - OWNER_CHANGE_DAYS}"
    return f"CASE WHEN {known} THEN coalesce(revenue_under_new_owner, 0) END"


@feature("features", unit="money", concept="spending")
def revenue_before_owner_change() -> str:
    """Net revenue under the former sales person in as many days, from his last 90 days."""
    known = f"revenue_since_owner_change IS NOT NULL AND {_DAYS_BEFORE} >= {BASELINE_MIN_DAYS}"
    scaled = f"coalesce(revenue_under_old_owner, 0) * {_OWNED_DAYS} / least({_DAYS_BEFORE}, {OWNER_CHANGE_DAYS})"
    return f"CASE WHEN {known} THEN {scaled} END"


@feature("features", unit="ratio", concept="spending", worse="less", usual="revenue_before_owner_change")
def revenue_since_owner_change_vs_before() -> str:
    """Net revenue since the account went to another sales person against that before, one usual order added to both."""
    known = "revenue_before_owner_change IS NOT NULL"
    ratio = ratio_of("revenue_since_owner_change", "revenue_before_owner_change", ORDER_VALUE)
    return f"CASE WHEN {known} THEN {ratio} END"


relation(
    "account_file",
    ("customers",),
    f"""
SELECT a.as_of, a.customer_id, a.growth, coalesce(noted, c.competitor_present) AS competitor_present,
       list_transform(string_split(c.budget_months, ','), lambda m: CAST(trim(m) AS INTEGER)) AS budget_months
FROM accounts a JOIN customers c USING (customer_id)
LEFT JOIN (SELECT as_of, customer_id, arg_max({_TOLD}, (changed_at, coalesce(new, ''))) AS noted
           FROM ({past("account_changes")}) WHERE field = 'competitor' GROUP BY ALL) USING (as_of, customer_id)
""",
)


@feature("account_file", unit="level", concept="market", dimension="strategy", worse="less")
def growth_level() -> str:
    """How the account's own business goes: 0 shrinking, 1 flat, 2 expanding."""
    return f"max({_level('growth', GROWTH)})"


@feature("account_file", unit="flag", concept="market", dimension="strategy", worse="more")
def competitor_present() -> str:
    """Another vendor is coming in at the account (1 = yes)."""
    return "max(CAST(competitor_present AS INTEGER))"


@feature("account_file", unit="days", concept="market", dimension="strategy", needs=("budget_months",))
def days_until_budget_month() -> str:
    """Days until the account's next budget month begins; 0 in it."""
    begins = "make_date(year(as_of) + CAST(m < month(as_of) AS INTEGER), m, 1) - as_of"
    days = f"lambda m: CASE WHEN m = month(as_of) THEN 0 ELSE {begins} END"
    return f"min(list_min(list_transform(budget_months, {days})))"


# an absence that is told twice, first without its end, has the end
_ABSENT = f"""
SELECT as_of, owner, max(days_ago) AS absent_days
FROM (SELECT as_of, owner, days_ago, max(CAST(ends_at AS DATE)) AS last_day FROM ({past("absences", LOOKBACK_DAYS)})
      GROUP BY ALL)
WHERE last_day IS NULL OR last_day >= as_of GROUP BY ALL
"""
relation(
    "owner_absences",
    ("absences",),
    f"SELECT a.as_of, a.customer_id, coalesce(absent_days, 0) AS absent_days FROM accounts a "
    f"JOIN (SELECT DISTINCT as_of FROM ({past('absences')})) USING (as_of) LEFT JOIN ({_ABSENT}) USING (as_of, owner) "
    "WHERE owner IS NOT NULL",
)


@feature("owner_absences", unit="days", concept="people", dimension="interaction", worse="more", needs=("ends_at",))
def owner_absent_days() -> str:
    """Days for which the sales person in charge has been absent; 0 while present."""
    return "max(absent_days)"


@feature("features", unit="days", concept="people", dimension="interaction", worse="more")
def uncovered_absence_days() -> str:
    """Days for which the sales person in charge has been absent without anybody in touch with the account; 0 while
    present or covered.
    """
    days = "CASE WHEN owner_absent_days >= days_since_last_interaction THEN 0 ELSE owner_absent_days END"
    return f"CASE WHEN days_of_interactions IS NOT NULL THEN {days} END"
