"""The sections of the settings about levels and warnings: how many, how steady, where they are tried out.

Like :mod:`pipelines.sections`; what each number means stands in ``kizashi.toml``.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.sections import Count, Days, Flag, PositiveShare, Section, Share
from pipelines.setting_words import Allowed

# settings are read before numpy may be imported, which takes the number of its threads from the environment
if TYPE_CHECKING:
    from models.episodes import Hysteresis, Pilot
    from models.levels import Promise

NewAWeek = Annotated[
    Annotated[float, Field(gt=0)] | Literal[""], Allowed('a number, above 0, or "" for as many as there are')
]
Weekly = Annotated[Count | Literal[""], Allowed('a whole number, at least 1, or "" for as many as there are')]
Units = Annotated[tuple[str, ...], Field(strict=False), Allowed('a list of texts, such as ["Osaka", "Nagoya"]')]


class Capacity(Section):
    """New warnings a week, of the whole company, that each level and the louder ones may make."""

    red: NewAWeek = ""
    orange: NewAWeek = ""
    yellow: NewAWeek = ""
    blue: NewAWeek = ""
    tolerance: Share = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        given = list(self.by_level().values())
        if any(louder > quieter for louder, quieter in pairwise(given)):
            raise ValueError("the numbers must not fall from red through orange and yellow to blue")
        return self

    def by_level(self) -> dict[str, float]:
        """The capacities that are set."""
        told = {"red": self.red, "orange": self.orange, "yellow": self.yellow, "blue": self.blue}
        return {name: number for name, number in told.items() if number != ""}


class EarlyMark(Section):
    """What the mark of the early queue is held to."""

    precision: PositiveShare = 0.2
    largest_share: PositiveShare = 0.1

    def promise(self) -> "Promise":
        """As the walk takes it."""
        from models.levels import Promise

        return Promise(self.precision, self.largest_share)


class Warnings(Section):
    """When a warning opens, when it is over, and how many an owner gets."""

    met: Count = 2
    scorings: Count = 3
    jump: PositiveShare = 0.25
    below: Share = 0.08
    closed_after_days: Days = 14
    cool_down_days: Days = 28
    new_per_week: Weekly = 5
    lost_after_cycles: Annotated[float, Field(ge=1)] = 2.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.met > self.scorings:
            raise ValueError("met must not be above scorings")
        return self

    def terms(self) -> "Hysteresis":
        """As :func:`models.episodes.step` takes them."""
        from models.episodes import Hysteresis

        limit = None if self.new_per_week == "" else self.new_per_week
        days = (self.closed_after_days, self.cool_down_days)
        return Hysteresis(self.met, self.scorings, self.jump, self.below, *days, limit)


class Trial(Section):
    """Where warnings and tasks may open while the system is tried out."""

    column: str = ""
    values: Units = ()
    shadow: Flag = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.column) != bool(self.values):
            raise ValueError("column and values are set together or not at all")
        return self

    def pilot(self) -> "Pilot":
        """As :mod:`models.episodes` takes it."""
        from models.episodes import Pilot

        return Pilot(self.column or None, self.values, self.shadow)
