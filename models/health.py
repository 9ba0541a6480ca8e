"""The health score: five dimensions of a customer's relation, 0 to 100, by rules that need no outcome.

Every dimension is the mean of its three sub-indicators. A sub-indicator is one feature of the snapshot that sets the
customer against its own past, mapped to 0..100 by a straight line between two ends: 100 where things are as usual or
better, 0 where they are as bad as the mark can tell. The weights of the dimensions and their sub-indicators are given
from outside; the ends of the marks are this module's own defaults, round numbers that nobody has fitted, and a company
may put others in their place.

What is not known is left out and never taken for 0: a sub-indicator drops out of the mean of its dimension, and the
weight of a dimension without any is shared among the others in proportion to theirs. So is what is too old to tell of
today, and that is named.

Which dimensions there are is said by the weights: :class:`Weights` has the five of this page, and
:mod:`models.health_scheme` another set of five inputs with marks of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import SettingsError

Floats = NDArray[np.float64]

DIMENSIONS = ("transaction", "interaction", "service", "finance", "strategy")
#: The dimensions of the other scheme, see :mod:`models.health_scheme`.
INPUTS = ("activity", "deal_frequency", "payment_cycle", "complaints", "satisfaction")
#: What the weights of the dimensions sum to, up to the rounding of decimal fractions.
WHOLE, ROUNDING = 100.0, 1e-6


@dataclass(frozen=True)
class Shares:
    """How much each of some dimensions counts, in per cent: a subclass has one field for each dimension.

    Raises
    ------
    SettingsError
        If a weight is below 0 or no number, or they do not sum to 100.
    """

    def __post_init__(self) -> None:
        """Refuse what is no share of a whole."""
        given = asdict(self)
        said = ", ".join(f"{name} {weight:g}" for name, weight in given.items())
        expected = f"health weights: expected five numbers of 0 or more that sum to {WHOLE:g}, found {said}"
        wrong = [name for name, weight in given.items() if not (math.isfinite(weight) and weight >= 0)]
        if wrong:
            raise SettingsError(f"{expected}. Give {', '.join(wrong)} a number of 0 or more.")
        total = math.fsum(given.values())
        if abs(total - WHOLE) > ROUNDING:
            mend = f"Add {WHOLE - total:g} to" if total < WHOLE else f"Take {total - WHOLE:g} from"
            raise SettingsError(f"{expected}, in sum {total:g}. {mend} them in all.")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(asdict(self))


@dataclass(frozen=True)
class Weights(Shares):
    """How much each of the five dimensions counts, in per cent."""

    transaction: float = 30.0
    interaction: float = 25.0
    service: float = 20.0
    finance: float = 15.0
    strategy: float = 10.0

    @classmethod
    def default(cls) -> "Weights":
        """30 transaction, 25 interaction, 20 service, 15 finance, 10 strategy."""
        return cls()

    @classmethod
    def of_profile(cls, profile: str) -> "Weights":
        """The weights of one of :data:`PROFILES`.

        Raises
        ------
        SettingsError
            If there is no such profile.
        """
        if profile not in PROFILES:
            raise SettingsError(
                f"health profile {profile!r}: expected one of {', '.join(PROFILES)}. Choose one of them."
            )
        return PROFILES[profile]


DEFAULT_WEIGHTS = Weights.default()
#: Who sells standard goods hears from a customer by its orders, who sells projects by talking to it.
PROFILES = {
    "default": DEFAULT_WEIGHTS,
    "standard": Weights(transaction=40, interaction=20, service=15, finance=15, strategy=10),
    "project": Weights(transaction=20, interaction=35, service=20, finance=15, strategy=10),
}


@dataclass(frozen=True)
class Mark:
    """A sub-indicator: how a feature becomes 0 to 100.

    Attributes
    ----------
    indicator
        The sub-indicator's name.
    dimension
        One of :data:`DIMENSIONS`, or of :data:`INPUTS`.
    feature
        A column of the snapshot frame.
    good, bad
        The values that make 100 and 0, with a straight line between them and no more to gain or lose beyond. Where bad
        lies above good, the feature is the worse the higher it is.
    weight
        Share within the dimension, against those of the dimension's other sub-indicators.
    age, oldest_days
        The column that says how many days old the feature is, and above how many it is stale: it does not count then.
        Without the column nothing counts; by default a feature has no age.

    Raises
    ------
    SettingsError
        If the dimension is unknown, the ends are equal or no numbers, or the weight is not above 0.
    """

    indicator: str
    dimension: str
    feature: str
    good: float
    bad: float
    weight: float = 1.0
    age: str = ""
    oldest_days: float = math.inf

    def __post_init__(self) -> None:
        """Refuse what maps nothing."""
        place = f"health mark {self.indicator!r}"
        if self.dimension not in (*DIMENSIONS, *INPUTS):
            raise SettingsError(
                f"{place}: expected one of the dimensions {', '.join((*DIMENSIONS, *INPUTS))}; "
                f"found {self.dimension!r}. "
                "Name one of them."
            )
        if not (math.isfinite(self.good) and math.isfinite(self.bad)) or self.good == self.bad:
            raise SettingsError(
                f"{place}: expected two different numbers as ends; found good {self.good:g} and bad {self.bad:g}. "
                "Give the value that makes 100 and the one that makes 0."
            )
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise SettingsError(
                f"{place}: expected a weight above 0; found {self.weight:g}. Give one, such as 1 for an equal share."
            )

    def of(self, frame: pd.DataFrame) -> Floats:
        """0 to 100 for each row; NaN where the feature is unknown, stale or not in the frame."""
        value = _column(frame, self.feature)
        if self.age:
            value = np.where(_column(frame, self.age) <= self.oldest_days, value, np.nan)
        return WHOLE * np.clip((value - self.bad) / (self.good - self.bad), 0.0, 1.0)

    def stale(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether each row's feature is left out because it is too old."""
        return _column(frame, self.age) > self.oldest_days


#: Ends of a number of events as a ratio to the usual one: the same, a quarter.
_EVENTS = (1.0, 0.25)
#: Ends of a time that something takes as a ratio to the usual one: the same, four times as long.
_WAIT = (1.0, 4.0)
#: Ends of a share of what was offered less the usual share: the same, one of four instead of all four.
_UPTAKE = (0.0, -0.75)

MARKS = (
    Mark("order frequency", "transaction", "order_days_90d_vs_usual", *_EVENTS),
    # Half of a usual order's value lost within a quarter of a year.
    Mark("order size", "transaction", "order_value_slope_365d", 0.0, -0.5),
    Mark("product range", "transaction", "product_lines_90d_vs_usual", *_EVENTS),
    Mark("key contacts' response time", "interaction", "technical_reply_hours_90d_vs_usual", *_WAIT),
    Mark("participation in meetings", "interaction", "attended_share_90d_vs_usual", *_UPTAKE),
    # Two meetings in a row missed: 270 days where they come every 90.
    Mark("contact with executives", "interaction", "days_since_last_executive_interaction_vs_usual", 1.0, 3.0),
    Mark("time to resolve problems", "service", "resolution_days_mean_90d_vs_usual", *_WAIT),
    Mark("uptake of maintenance", "service", "maintenance_uptake_share_365d_vs_usual", *_UPTAKE),
    Mark("uptake of training", "service", "training_uptake_share_365d_vs_usual", *_UPTAKE),
    # Terms of payment leave less room than other times do: twice as long is the end.
    Mark("time to pay", "finance", "payment_days_mean_90d_vs_usual", 1.0, 2.0),
    # Half of the credit limit more than usual.
    Mark("use of credit", "finance", "credit_used_share_vs_usual", 0.0, 0.5),
    Mark("time to confirm invoices", "finance", "confirmation_days_mean_90d_vs_usual", *_WAIT),
    Mark("depth of shared information", "strategy", "document_depth_90d_vs_usual", *_EVENTS),
    Mark("joint research", "strategy", "joint_rnd_180d_vs_usual", *_EVENTS),
    Mark("joint marketing", "strategy", "joint_marketing_180d_vs_usual", *_EVENTS),
)


def health(
    frame: pd.DataFrame,
    weights: Shares = DEFAULT_WEIGHTS,
    marks: Sequence[Mark] = MARKS,
    of_segment: Mapping[str, Shares] | None = None,
) -> pd.DataFrame:
    """The health score of each snapshot with its five dimensions.

    Parameters
    ----------
    frame
        Snapshots. A feature that is not among the columns is unknown for all, so orders alone give a score of the
        transaction dimension alone.
    weights
        Of the dimensions.
    marks
        The sub-indicators of the dimensions; by default three of equal weight for each.
    of_segment
        Weights of some segments, by the value of the column ``segment``; `weights` count for all others.

    Returns
    -------
    DataFrame
        On the index of `frame`: ``health`` and ``health_<dimension>`` for each dimension of the weights (float64, 0 to
        100; NaN where nothing is known of them), ``known_dimensions`` (str), the names of the dimensions that counted,
        in that order and with commas between them, and ``stale`` (str), the sub-indicators left out because they are
        too old. A dimension of weight 0 has its score but does not count. ``health`` is NaN where none counted.
    """
    names = weights.dimensions
    scores = np.column_stack([_dimension(frame, [one for one in marks if one.dimension == d]) for d in names])
    share = shares_of(frame, weights, of_segment)
    total, known = weighed(scores, share, names)
    columns = {"health": total}
    columns |= {f"health_{name}": scores[:, place] for place, name in enumerate(names)}
    aged = [mark for mark in marks if mark.age]
    stale = np.array([mark.stale(frame) for mark in aged], dtype=bool).reshape(len(aged), len(frame)).T
    return pd.DataFrame(columns, index=frame.index).assign(
        known_dimensions=known, stale=_named(stale, [mark.indicator for mark in aged])
    )


def weighed(scores: Floats, share: Floats, names: Sequence[str]) -> tuple[Floats, pd.api.extensions.ExtensionArray]:
    """Health made of its dimensions, and the names of those that counted.

    Parameters
    ----------
    scores, share
        0 to 100 (NaN for unknown) and the weight of each dimension; shape (n, dimensions).
    """
    counted = np.isfinite(scores) & (share > 0)
    return mean_known(np.where(counted, scores, np.nan), share), _named(counted, names)


def shares_of(frame: pd.DataFrame, weights: Shares, of_segment: Mapping[str, Shares] | None = None) -> Floats:
    """The weight of each dimension for each row, by its segment; shape (n, dimensions)."""
    sets = [weights, *(of_segment or {}).values()]
    place = np.zeros(len(frame), dtype="int64")
    if of_segment:
        place = pd.Index(list(of_segment)).get_indexer(pd.Index(frame["segment"])) + 1
    return np.array([list(asdict(one).values()) for one in sets])[place]


def mean_known(values: Floats, weights: Floats) -> Floats:
    """Weighted mean of what is known of each row, NaN where nothing is; weights per column, or per row and column."""
    known = np.isfinite(values)
    total = (known * weights).sum(axis=1)
    summed = (np.where(known, values, 0.0) * weights).sum(axis=1)
    mean = np.divide(summed, total, out=np.full(len(values), np.nan), where=total > 0)
    # A mean of hundreds may come out a rounding above it.
    return np.minimum(mean, WHOLE)


def _column(frame: pd.DataFrame, name: str) -> Floats:
    """A column as numbers, NaN where it is unknown or there is none."""
    return frame[name].to_numpy(dtype="float64", na_value=np.nan) if name in frame else np.full(len(frame), np.nan)


def _dimension(frame: pd.DataFrame, marks: Sequence[Mark]) -> Floats:
    if not marks:
        return np.full(len(frame), np.nan)
    return mean_known(np.column_stack([mark.of(frame) for mark in marks]), np.array([mark.weight for mark in marks]))


def _named(true: NDArray[np.bool_], names: Sequence[str]) -> pd.api.extensions.ExtensionArray:
    """The names of the columns that are true in each row."""
    bits = 2 ** np.arange(len(names))
    said = [
        ", ".join(name for name, bit in zip(names, bits, strict=True) if code & bit) for code in range(2 ** len(names))
    ]
    return pd.array(said, dtype="str").take(true @ bits)
