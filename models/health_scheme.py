"""How a company scores health: which dimensions, made of which marks, and whose weights count.

There are two schemes. The first is that of :mod:`models.health`, five dimensions of three sub-indicators each, all
against the customer's own past. The second has five inputs of one mark each (activity, deal frequency, payment cycle,
complaints, satisfaction), for a company that keeps little more than orders, contacts, invoices and a survey. The source
of the second gives no weights: they are equal here, and a company may put others in their place. All else is the same
machinery, so that levels, history and learning work with both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

import pandas as pd

from features import registry
from features.errors import SettingsError
from models.health import MARKS, PROFILES, Floats, Mark, Shares, health, shares_of, weighed

S = TypeVar("S", bound=Shares)

#: The column of how old the newest rating is. No feature of the snapshot, :mod:`models.health_history` adds it.
RATING_AGE = "rating_age_days"
#: A rating that is older says nothing of today.
OLDEST_RATING_DAYS = 365


@dataclass(frozen=True)
class InputWeights(Shares):
    """How much each of the five inputs counts, in per cent."""

    activity: float = 20.0
    deal_frequency: float = 20.0
    payment_cycle: float = 20.0
    complaints: float = 20.0
    satisfaction: float = 20.0


INPUT_MARKS = (
    # What comes from the customer: our own calls after one that falls silent are no sign of life.
    Mark("activity", "activity", "inbound_interactions_90d_vs_usual", 1.0, 0.25),
    Mark("deal frequency", "deal_frequency", "order_days_90d_vs_usual", 1.0, 0.25),
    Mark("payment cycle", "payment_cycle", "payment_days_mean_90d_vs_usual", 1.0, 2.0),
    # One is added to both sides: three complaints where none is usual are the end.
    Mark("complaints", "complaints", "complaints_90d_vs_usual", 1.0, 4.0),
    Mark("satisfaction", "satisfaction", "last_rating", 5.0, 1.0, age=RATING_AGE, oldest_days=OLDEST_RATING_DAYS),
)


@dataclass(frozen=True)
class Scheme:
    """Weights and marks, and the weights of segments that have their own.

    Attributes
    ----------
    weights
        Of the dimensions.
    marks
        Their sub-indicators.
    of_segment
        Weights by the value of the column ``segment`` of the snapshots.
    oldest_rating_days
        A rating that is older is stale.

    Raises
    ------
    SettingsError
        If a mark, or a segment's weights, are of other dimensions than the weights.
    """

    weights: Shares
    marks: tuple[Mark, ...]
    of_segment: Mapping[str, Shares] = field(default_factory=dict)
    oldest_rating_days: int = OLDEST_RATING_DAYS

    def __post_init__(self) -> None:
        """Refuse marks and weights that would never count."""
        known = self.weights.dimensions
        strange = [mark.indicator for mark in self.marks if mark.dimension not in known]
        if strange:
            raise SettingsError(
                f"health marks: expected the dimensions {', '.join(known)}; found another in {', '.join(strange)}. "
                "Name one of them, or choose the other scheme."
            )
        for segment, own in self.of_segment.items():
            if own.dimensions != known:
                raise SettingsError(
                    f"health weights of segment {segment!r}: expected {', '.join(known)}; "
                    f"found {', '.join(own.dimensions)}. Give weights of the same scheme."
                )

    @property
    def features(self) -> tuple[str, ...]:
        """What the marks read of a snapshot, each once."""
        return tuple(dict.fromkeys(mark.feature for mark in self.marks))

    def scored(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The health score of each snapshot, see :func:`models.health.health`."""
        return health(frame, self.weights, self.marks, self.of_segment)

    def reweighed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of health with their dimensions as they are, weighed by this scheme; its marks are not looked at."""
        names = self.weights.dimensions
        scores = rows[[f"health_{name}" for name in names]].to_numpy(dtype="float64")
        health, known = weighed(scores, self.shares(rows), names)
        return rows.assign(health=health, known_dimensions=known)

    def shares(self, frame: pd.DataFrame) -> Floats:
        """The weight of each dimension for each row; shape (n, dimensions)."""
        return shares_of(frame, self.weights, self.of_segment)

    def with_stale_after(self, days: int) -> "Scheme":
        """The same scheme with ratings that are stale above so many days."""
        marks = tuple(replace(mark, oldest_days=days) if mark.age == RATING_AGE else mark for mark in self.marks)
        return replace(self, marks=marks, oldest_rating_days=days)


FIVE_DIMENSIONS = Scheme(PROFILES["default"], MARKS)
FIVE_INPUTS = Scheme(InputWeights(), INPUT_MARKS)
SCHEMES = {"five_dimensions": FIVE_DIMENSIONS, "five_inputs": FIVE_INPUTS}


def edited(weights: S, given: Mapping[str, float], place: str) -> S:
    """The weights with some of them put in the place of the old ones; they still have to sum to 100.

    Raises
    ------
    SettingsError
        If there is no such dimension, or the sum is another; the message begins with `place`.
    """
    unknown = [name for name in given if name not in weights.dimensions]
    if unknown:
        raise SettingsError(
            f"{place}: expected {', '.join(weights.dimensions)}; found {', '.join(unknown)}. "
            "Name dimensions of the chosen scheme."
        )
    try:
        return replace(weights, **given)
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from None


def with_marks(marks: Sequence[Mark], given: Mapping[str, Mapping[str, object]]) -> tuple[Mark, ...]:
    """The marks with some changed, left out or added.

    Parameters
    ----------
    marks
        Of a scheme.
    given
        By feature what differs: ``good``, ``bad``, ``weight`` (0 leaves the mark out), ``dimension``. A feature that
        no mark reads becomes a mark of its own and needs ``dimension``, ``good`` and ``bad``.

    Raises
    ------
    SettingsError
        If a mark would map nothing.
    """
    kept = {mark.feature: mark for mark in marks}
    for feature, changes in given.items():
        place = f"health mark of {feature!r}"
        if changes.get("weight") == 0:
            kept.pop(feature, None)
            continue
        if feature not in kept:
            missing = [name for name in ("dimension", "good", "bad") if name not in changes]
            if missing:
                raise SettingsError(
                    f"{place}: expected dimension, good and bad for a new mark; {', '.join(missing)} not given. Add it."
                )
        old = asdict(kept[feature]) if feature in kept else {"indicator": feature.replace("_", " "), "feature": feature}
        kept[feature] = Mark(**{**old, **changes})
    return tuple(kept.values())


def check_features(names: Sequence[str]) -> None:
    """Refuse what a health score cannot be made of.

    Raises
    ------
    SettingsError
        If there is no such feature, or it compares customers: health is the customer's own.
    """
    found = {one.name: one.over for one in registry.registered()}
    for name in names:
        if name not in found:
            raise SettingsError(
                f"health mark of {name!r}: expected the name of a feature; there is no such one. "
                "`kizashi features` lists them all."
            )
        if found[name] in ("segment", "peers"):
            raise SettingsError(
                f"health mark of {name!r}: expected a feature of the customer itself; this one compares it with "
                "others. Take the one that ends in _vs_usual."
            )
