"""The sections of the settings about health, and the scheme that they make. ``kizashi.toml`` says what they mean."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from features.errors import SettingsError
from pipelines.sections import Count, Flag, Section
from pipelines.setting_words import Allowed

# settings are read before numpy may be imported, which takes the number of its threads from the environment
if TYPE_CHECKING:
    from models.health import Shares
    from models.health_history import Reference
    from models.health_scheme import Scheme

SchemeName = Annotated[Literal["five_dimensions", "five_inputs"], Allowed('"five_dimensions" or "five_inputs"')]
Profile = Annotated[
    Literal["default", "standard", "project"],
    Allowed('"default", "standard" (standard goods) or "project" (project business)'),
]
DropBy = Annotated[Literal["share", "points"], Allowed('"share" or "points"')]
Percent = Annotated[float, Field(ge=0, le=100)]

#: What can be said of a mark, with its kind.
_OF_A_MARK: Mapping[str, type | tuple[type, ...]] = {
    "good": (int, float),
    "bad": (int, float),
    "weight": (int, float),
    "dimension": str,
}


def _as_value_error(make: Callable[[], object]) -> None:
    """What the layers below refuse, as pydantic wants to hear it."""
    refused = ""
    try:
        make()
    except SettingsError as error:
        refused = str(error)
    if refused:
        raise ValueError(refused)


class HealthReference(Section):
    """What today's health is compared with."""

    from_days: Count = 91
    until_days: Count = 180
    dates: Annotated[int, Field(ge=1, le=31)] = 4
    known: Count = 2
    drop_by: DropBy = "share"

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.model_fields_set:
            _as_value_error(self.made)
        return self

    def made(self) -> "Reference":
        """The reference that the settings make."""
        from models.health_history import Reference

        return Reference(self.from_days, self.until_days, self.dates, self.known, self.drop_by)


class Health(Section):
    """How health is scored."""

    scheme: SchemeName = "five_dimensions"
    profile: Profile = "default"
    learned: Flag = False
    oldest_rating_days: Count = 365
    weights: dict[str, Percent] = Field(default_factory=dict)
    segments: dict[str, dict[str, Percent]] = Field(default_factory=dict)
    marks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    reference: HealthReference = HealthReference()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.model_fields_set:
            _as_value_error(self.made)
        return self

    def set_weights(self) -> "Shares":
        """The weights of the profile with those that are set in their place.

        Raises
        ------
        SettingsError
            If they do not sum to 100, or there is no such dimension or profile in the scheme.
        """
        from models.health import Weights
        from models.health_scheme import FIVE_INPUTS, edited

        if self.scheme == "five_inputs" and self.profile != "default":
            raise SettingsError(
                f"profile = {self.profile!r} is one of the five dimensions; expected the default in the scheme of five "
                "inputs. Set weights under [health.weights] instead."
            )
        whole = FIVE_INPUTS.weights if self.scheme == "five_inputs" else Weights.of_profile(self.profile)
        return edited(whole, self.weights, "[health.weights]")

    def made(self, learned: "Shares | None" = None) -> "Scheme":
        """The scheme that the settings make.

        Parameters
        ----------
        learned
            Weights that count instead of the set ones, where there are any; a segment's own count all the same.

        Raises
        ------
        SettingsError
            If weights do not sum to 100, or a mark would map nothing.
        """
        from models.health_scheme import SCHEMES, Scheme, edited, with_marks

        weights = self.set_weights()
        base = SCHEMES[self.scheme].with_stale_after(self.oldest_rating_days)
        segments = {
            name: edited(weights, given, f'[health.segments."{name}"]') for name, given in self.segments.items()
        }
        for feature, given in self.marks.items():
            _check_words(feature, given)
        marks = with_marks(base.marks, self.marks)
        return Scheme(learned or weights, marks, segments, self.oldest_rating_days)


def _check_words(feature: str, given: Mapping[str, Any]) -> None:
    wrong = [
        name
        for name, value in given.items()
        if name not in _OF_A_MARK or isinstance(value, bool) or not isinstance(value, _OF_A_MARK[name])
    ]
    if wrong:
        raise SettingsError(
            f"[health.marks.{feature}]: expected numbers good, bad and weight and the name of a dimension; "
            f"found {', '.join(f'{name} = {given[name]!r}' for name in wrong)}. Leave it out."
        )
