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
    told_within_days: Count = 31
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
        told_within_days=tasks.told_within_days,
        temperature_alarms=tasks.temperature_alarms,
        cooldown_days=tasks.cooldown_days,
        org=organisation.chart(),
    )
