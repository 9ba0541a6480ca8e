"""The sections of the settings about the working day: contacts, tasks, people, records and what may be left alone.

Like :mod:`pipelines.sections`; what each number means stands in ``kizashi.toml``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.sections import Count, Days, Flag, PositiveShare, Section
from pipelines.setting_words import Allowed
from serving.organisation import OrgChart
from serving.task_kinds import KINDS

# settings are read before numpy may be imported, which takes the number of its threads from the environment
if TYPE_CHECKING:
    from serving.outcomes import RestartTerms
    from serving.tasks import Terms

Names = Annotated[dict[str, str], Allowed('a table of names, such as { "Kim" = "Lee" }')]
Temperatures = Annotated[
    tuple[Literal["hot", "warm", "cool", "cold"], ...],
    Field(strict=False),
    Allowed('some of "hot", "warm", "cool", "cold"'),
]
#: Half of the warnings is the largest share of which a comparison gains anything.
HoldoutShare = Annotated[float, Field(ge=0, le=0.5)]
Cooldowns = Annotated[dict[str, Days], Allowed("a table of causes with whole days, such as { slump = 60 }")]
CAUSES = tuple(dict.fromkeys(kind.cause for kind in KINDS.values()))


class Contacts(Section):
    """When a customer is to be contacted again."""

    rank_a_days: Count = 21
    rank_b_days: Count = 30
    rank_c_days: Count = 45
    rank_d_days: Count = 90
    greeting_days: Count = 21
    edit_is_no_change: Flag = True

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        days = [self.rank_a_days, self.rank_b_days, self.rank_c_days, self.rank_d_days]
        if days != sorted(days):
            raise ValueError("the days must not fall from rank A through B and C to D")
        return self


class Tasks(Section):
    """How many tasks there are, and for how long they rest."""

    most_per_person: Count = 15
    most_days_asleep: Count = 30
    cooldown_days: Cooldowns = Field(default_factory=dict)
    old_customer_orders: Count = 3
    old_customer_days: Count = 180
    loss_told_within_days: Count = 31
    temperature_alarms: Temperatures = ("cool",)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if strange := sorted(set(self.cooldown_days) - set(CAUSES)):
            raise ValueError(f"cooldown_days names {', '.join(strange)}, which is none of {', '.join(CAUSES)}")
        return self


class Organisation(Section):
    """Who is told and who takes a team's tasks; names as in the column owner of customers."""

    managers: Names = Field(default_factory=dict)
    regions: Names = Field(default_factory=dict)
    teams: Names = Field(default_factory=dict)
    director: str = ""
    top: str = ""
    fallback: str = ""

    def chart(self) -> OrgChart:
        """The chart that tasks and notices are addressed by."""
        return OrgChart(self.managers, self.regions, self.director, self.top, self.teams, self.fallback)


class Outcomes(Section):
    """When an order is one that came back, and when a record is late."""

    overdue_after_cycles: Annotated[float, Field(ge=1)] = 1.5
    review_after_days: Count = 30
    least_cases: Count = 10
    act_within_days: Count = 14
    visit_within_days: Count = 21
    least_cases_of_a_play: Count = 5

    def restart_terms(self) -> "RestartTerms":
        """What an order that came back is."""
        from serving.outcomes import RestartTerms

        return RestartTerms(overdue_after_cycles=self.overdue_after_cycles)


class Holdout(Section):
    """Warnings that are left alone, so that the effect of the others can be told."""

    share: HoldoutShare = 0.0
    top_value_share: PositiveShare = 0.1
    salt: str = "kizashi"


class Records(Section):
    """How completely people record what they do."""

    follow_up_within_days: Days = 3
    update_within_days: Days = 1
    update_target: PositiveShare = 0.8
    satisfaction_stale_after_days: Count = 180


#: The text for ``kizashi.toml``.
DEFAULTS = """\
# When a customer is to be contacted again.
[contacts]
# Days since the last contact from which on a task asks the owner of a customer of rank A for another one.
rank_a_days = 21
# ... of rank B.
rank_b_days = 30
# ... of rank C.
rank_c_days = 45
# ... of rank D, the dormant ones: the task is to win the customer back.
rank_d_days = 90
# Days from a change of the contact person until the new one is to have been visited.
greeting_days = 21
# Whether a change of the contact that is flagged as an edit, such as a corrected spelling, sets off no task.
edit_is_no_change = true

# How many tasks there are, and for how long they rest.
[tasks]
# The most open tasks that one person is shown, unless from the list of those who must be acted upon. How many are not
# shown is told.
most_per_person = 15
# For how many days at most a task may be put off.
most_days_asleep = 30
# Days after the end of a task for which the same cause sets off no other, where they are to differ from those of the
# kind in docs/loop.md: { slump = 60 }.
cooldown_days = {}
# A customer is an old one, whose silence calls for the team of all functions, from so many order days on ...
old_customer_orders = 3
# ... or so many days after its first order.
old_customer_days = 180
# Losses further back are history: no review is asked for.
loss_told_within_days = 31
# Temperatures to which a fall that people enter calls for a task; for one on file see the option temperature_alarms in
# docs/rules.md.
temperature_alarms = ["cool"]

# Who is told, and who takes a team's tasks. Names are those of the column owner of customers.
[organisation]
# Owner and manager, where the customers' file names none: { "Kim" = "Lee" }.
managers = {}
# Region and regional manager: { "North" = "Ito" }.
regions = {}
# Who takes the tasks of the teams service, technical, product and operations; else the owner does.
teams = {}
# The sales director, who is told from orange on.
director = ""
# The top management, which is told from orange on and visits at red.
top = ""
# Who gets what belongs to nobody.
fallback = ""

# When an order is one that came back, and how records are read.
[outcomes]
# An order that ended a silence of more than so many own cycles answers an open warning.
overdue_after_cycles = 1.5
# Days after a loss from which on a missing review is listed.
review_after_days = 30
# The fewest cases of which a share is told.
least_cases = 10
# Days within which acting on a red warning counts as early.
act_within_days = 14
# Days within which a visit after a change of the contact counts as early.
visit_within_days = 21
# The fewest cases from which on a company's own success ranks a play.
least_cases_of_a_play = 5

# Warnings that are left alone by lot, so that it can be told what the others achieve.
[holdout]
# The share of new blue, yellow and orange warnings that nobody is shown, at most 0.5. 0 shows all, and then no number
# of saved customers is told: there is nothing to compare with.
share = 0.0
# The most valuable customers, by this share of all, are never left alone.
top_value_share = 0.1
# Any text; another one draws other lots.
salt = "kizashi"

# How completely people record what they do.
[records]
# Days after the day on which a contact was due in which its record counts as on time.
follow_up_within_days = 3
# Days after a contact in which the update of its three fields counts.
update_within_days = 1
# The share of contacts with an update below which the form is to be looked at.
update_target = 0.8
# Days after which a score of satisfaction is too old to count.
satisfaction_stale_after_days = 180
"""


def task_terms(
    contacts: Contacts, tasks: Tasks, organisation: Organisation, rule_teams: Mapping[str, str] | None = None
) -> "Terms":
    """What :func:`serving.tasks.due_tasks` is to know; `rule_teams` are the teams of a company's own rules by code."""
    from serving.tasks import Terms

    days = (contacts.rank_a_days, contacts.rank_b_days, contacts.rank_c_days, contacts.rank_d_days)
    shipped = Terms()
    return Terms(
        rule_teams={**shipped.rule_teams, **(rule_teams or {})},
        contact_days=dict(zip("ABCD", days, strict=True)),
        greeting_days=contacts.greeting_days,
        edit_is_no_change=contacts.edit_is_no_change,
        old_orders=tasks.old_customer_orders,
        old_days=tasks.old_customer_days,
        loss_told_within_days=tasks.loss_told_within_days,
        temperature_alarms=tasks.temperature_alarms,
        cooldown_days=tasks.cooldown_days,
        org=organisation.chart(),
    )
