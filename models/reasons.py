"""Why: the share of each feature in a customer's log-odds, exactly additive, grouped into concepts, told as facts.

The champion is linear in the log-odds of its parts, so its contributions are the weighted sums of theirs: TreeSHAP
values of each horizon's boosters (Lundberg et al. 2020; LightGBM's own, path-dependent), coefficient times rank of the
regression, and the label-free model's log-odds against those of the cohort at training.
base + sum of the contributions = margin.

Correlated features share a concept, and a concept is told once: its contribution is the sum over its features. It is a
*reason* only if that sum is worth :data:`LEAST` or more and one of its raw facts is itself unusual
(:mod:`models.unusual`); the most telling of those is what is said. The most unusual concept is told first, as it names
the true cause more often than the one that adds most (docs/reasons.md). Once the order rhythm is told those of other
dimensions come first, so that not every line is about late orders. Where there are few reasons other changes for the
worse are listed as *small*, in the same order. What speaks *against* is told through a fact that is a comfort.

The step from the margin to the calibrated probability is the logistic function; probability points are the
contributions scaled so that they add up to the probability, too.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.labels import HORIZONS
from features.passes import QUANTILES
from features.registry import REGISTRY, Feature
from features.snapshots import ELIGIBLE
from models.churn_model import ChurnModel
from models.horizons import own_weights
from models.unusual import facts, how_unusual

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The label-free model's part, which belongs to no single feature.
RHYTHM = "btyd"
RHYTHM_CONCEPT = "order_rhythm"
#: The length of the customer's own window, which moves with its rhythm.
WINDOW = "churn_window_days"
#: Features through which a concept is told first, because they say best what all of it means.
TOLD_THROUGH = {RHYTHM_CONCEPT: "days_since_last_order"}
#: All that is not told one by one.
OTHER = "other"

#: What a row is: a reason, what speaks against the warning, one of several small changes, all the rest in one sum.
REASON, AGAINST, SMALL, REST = "reason", "against", "small", "rest"
ROLES = (REASON, AGAINST, SMALL, REST)
#: A concept below this many log-odds is no reason; below the other one it is not listed as a small change either.
LEAST, LEAST_SMALL = 0.15, 0.03
#: How many concepts are told of those that speak against the warning; up to how many small changes are listed.
AGAINST_TOLD, SMALL_TOLD = 2, 3


@dataclass(frozen=True)
class Contributions:
    """Contributions of n customers in log-odds.

    Attributes
    ----------
    base
        What a customer with the same window and nothing unusual would have, shape (n,).
    values
        One column per feature and, last, :data:`RHYTHM`; index of the snapshots.
    """

    base: pd.Series
    values: pd.DataFrame


def contributions(model: ChurnModel, frame: pd.DataFrame, background: pd.DataFrame | None = None) -> Contributions:
    """Split the calibrated log-odds of each snapshot's own window into a base and one share per feature.

    Parameters
    ----------
    frame
        Snapshots with the columns that the model reads.
    background
        Snapshots of customers to compare with. With them the trees are explained by what each feature's difference
        from theirs is worth (interventional TreeSHAP), else by the paths of their own training (path-dependent). Only
        the trees know this choice: the other parts do not mix features.
    """
    columns = [*dict.fromkeys((*model.boosting.columns, *model.logistic.columns)), RHYTHM]
    place = {name: i for i, name in enumerate(columns)}
    start = model.rhythm.margins(frame)
    # The weight of each horizon in the margin of the own window, through projection and interpolation.
    share = own_weights(model.margins(frame), frame["churn_window_days"])
    ranked = model.logistic.ranks.places(frame) if any(weights[1] for weights in model.weights) else np.zeros((0, 0))
    base = np.zeros(len(frame))
    values = np.zeros((len(frame), len(columns)))
    for i in range(len(HORIZONS)):
        affine = model.calibrations[i]
        weight_boosting, weight_logistic, _ = model.weights[i]
        part = np.zeros_like(values)
        constant = np.full(len(frame), model.reference[i])
        part[:, place[RHYTHM]] = start[:, i] - model.reference[i]
        used = share[:, i] > 0
        if weight_boosting and model.boosting.bags[i]:
            trees = model.boosting.contributions(frame[used], i, background)
            read = np.array([place[name] for name in model.boosting.columns])
            part[np.ix_(np.flatnonzero(used), read)] += weight_boosting * trees[:, :-1]
            constant[used] += weight_boosting * trees[:, -1]
        if weight_logistic:
            added = model.logistic.contributions(ranked, i)
            part[:, [place[name] for name in model.logistic.columns]] += weight_logistic * added
        base += share[:, i] * (affine.intercept + affine.slope * constant)
        values += share[:, [i]] * affine.slope * part
    return Contributions(pd.Series(base, index=frame.index), pd.DataFrame(values, index=frame.index, columns=columns))


def bases(model: ChurnModel, frame: pd.DataFrame) -> Floats:
    """The base of :func:`contributions` alone, shape (n,); it needs no explanation of any row."""
    share = own_weights(model.margins(frame), frame["churn_window_days"])
    constant = np.array(model.reference, dtype="float64")
    for i in range(len(HORIZONS)):
        if model.weights[i][0] and model.boosting.bags[i] and len(frame):
            constant[i] += model.weights[i][0] * model.boosting.contributions(frame.head(1), i)[0, -1]
    affine = [model.calibrations[i].intercept + model.calibrations[i].slope * constant[i] for i in range(len(HORIZONS))]
    return share @ np.array(affine)


def spread_of(snapshots: pd.DataFrame) -> pd.DataFrame:
    """How each feature is spread over the eligible customers of one date: index feature, columns
    :data:`~features.passes.QUANTILES`."""
    cohort = snapshots.loc[snapshots["cohort"] == ELIGIBLE].select_dtypes("number")
    return cohort.quantile(list(QUANTILES.values())).T.set_axis(list(QUANTILES), axis=1)


def reasons(
    model: ChurnModel, frame: pd.DataFrame, *, count: int, spread: pd.DataFrame, split: Contributions | None = None
) -> pd.DataFrame:
    """What is told of each snapshot: reasons, what speaks against them, and the rest as one row.

    Parameters
    ----------
    frame
        Snapshots to explain.
    count
        Reasons that are told at most, one or more.
    spread
        The eligible customers of the same date (:func:`spread_of`): who is compared with.
    split
        The contributions of `frame`, where the caller has them already.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of``, ``position`` (from 1), ``role`` (:data:`ROLES`), ``concept``, ``feature``,
        ``dimension``, ``value``, ``usual_value``, ``peer_value``, ``contribution`` (log-odds) and
        ``contribution_points`` (of probability). Reasons come first in the order in which they are told, then small
        changes where there are few of them, then what speaks against; last the rest. Per customer, base + sum of the
        contributions = margin, and sigmoid(base) + sum of the points = probability.
    """
    split = contributions(model, frame) if split is None else split
    concepts = Concepts.of(split.values)
    names = [str(name) for name in split.values if tellable(str(name))]
    firsts = [name for name in TOLD_THROUGH.values() if name in frame]
    held = facts(frame, list(dict.fromkeys((*names, *firsts))), spread)
    raising = concepts.leading(split.values, held.unusual)
    calm = concepts.leading(-split.values, held.comforting, alone=True)
    any_fact = concepts.leading(split.values, ~held.comforting & frame[list(held.comforting)].notna())
    sums = concepts.sums
    clear = (sums >= LEAST) & raising.there
    # What is equally unusual, or has no past of its own to be held against, is told by what it adds.
    turn = how_unusual(frame, list(concepts.names)) + 1e-6 * sums
    found = _in_turn(np.where(clear, turn, -np.inf), concepts, count)
    slight = (sums >= LEAST_SMALL) & any_fact.there & ~clear
    small = _small(np.where(slight, turn, -np.inf), concepts, found)
    against = _strongest(np.where((sums <= -LEAST) & calm.there, -sums, -np.inf), AGAINST_TOLD)
    parts = [
        _rows(found, raising.feature, concepts, REASON),
        _rows(small, any_fact.feature, concepts, SMALL),
        _rows(against, calm.feature, concepts, AGAINST),
    ]
    told = pd.concat(parts, ignore_index=True)
    summed = told.groupby("row")["contribution"].sum().reindex(range(len(frame)), fill_value=0.0)
    rest = pd.DataFrame(
        {
            "row": np.arange(len(frame)),
            "role": REST,
            "concept": OTHER,
            "feature": OTHER,
            "dimension": "transaction",
            "contribution": sums.sum(axis=1) - summed.to_numpy(),
        }
    )
    told = pd.concat([told, rest], ignore_index=True).sort_values("row", kind="stable", ignore_index=True)
    told["position"] = told.groupby("row").cumcount() + 1
    who = frame.iloc[told["row"]]
    told = told.assign(
        customer_id=who["customer_id"].to_numpy(),
        as_of=who["as_of"].to_numpy(),
        contribution_points=told["contribution"].to_numpy() * points_per_logit(split)[told["row"]],
    )
    return _with_values(told, frame, spread["median"])[list(COLUMNS)]


COLUMNS = (
    "customer_id", "as_of", "position", "role", "concept", "feature", "dimension", "value", "usual_value",
    "peer_value", "contribution", "contribution_points",
)  # fmt: skip


def points_per_logit(split: Contributions) -> Floats:
    """Probability points of one unit of log-odds, shape (n,): the points then add up to probability - sigmoid(base)."""
    base, total = split.base.to_numpy(), split.values.to_numpy().sum(axis=1)
    rise = special.expit(base + total) - special.expit(base)
    tangent = special.expit(base) * special.expit(-base)
    small = np.abs(total) < 1e-9
    return np.asarray(np.where(small, tangent, rise / np.where(small, 1.0, total)))


@dataclass(frozen=True)
class Leading:
    """Through which feature each concept of each customer is told.

    Attributes
    ----------
    feature
        Names, shape (n, concepts).
    there
        Whether a feature of the concept qualified; where none did the name means nothing.
    """

    feature: NDArray[np.object_]
    there: Flags


@dataclass(frozen=True)
class Concepts:
    """Contributions by concept.

    Attributes
    ----------
    names
        Concept -> its features.
    sums
        Shape (n, concepts).
    """

    names: dict[str, list[str]]
    sums: Floats

    @classmethod
    def of(cls, values: pd.DataFrame) -> "Concepts":
        """Group the columns of contributions."""
        names: dict[str, list[str]] = {}
        for name in values.columns:
            names.setdefault(concept_of(str(name)), []).append(str(name))
        sums = [values[features].to_numpy().sum(axis=1) for features in names.values()]
        return cls(names, np.column_stack(sums) if len(values.columns) else np.zeros((len(values), 0)))

    @property
    def dimension(self) -> NDArray[np.str_]:
        """The dimension of each concept: that of its first feature."""
        return np.array([dimension_of(features[0]) for features in self.names.values()])

    def leading(self, along: pd.DataFrame, qualified: pd.DataFrame, *, alone: bool = False) -> Leading:
        """The feature of each concept with the largest value of `along` among those that qualify.

        One that stands for the whole concept (:data:`TOLD_THROUGH`) comes first wherever it qualifies, whether the
        model reads it or not; of others the value must be above 0, and with `alone` no other tells such a concept:
        after a long silence the last gap between two orders is no comfort. `qualified` has a column per feature that
        can be told.
        """
        feature = np.full((len(along), len(self.names)), OTHER, dtype=object)
        there = np.zeros(feature.shape, dtype=bool)
        for i, (concept, names) in enumerate(self.names.items()):
            told = [name for name in names if name in qualified]
            if told:
                value = along[told].to_numpy()
                fits = qualified[told].to_numpy() & (value > 0)
                feature[:, i] = np.array(told, dtype=object)[np.where(fits, value, -np.inf).argmax(axis=1)]
                there[:, i] = fits.any(axis=1)
            first = TOLD_THROUGH.get(concept, "")
            if first in qualified:
                speaks = qualified[first].to_numpy()
                feature[:, i] = np.where(speaks | alone, first, feature[:, i])
                there[:, i] = speaks | (there[:, i] & (not alone))
        return Leading(feature, there)


@dataclass(frozen=True)
class _Picked:
    """Concepts in the order of telling, shape (n, count), with what they were picked by; -inf where there is none."""

    concept: NDArray[np.int64]
    strength: Floats


def _strongest(strength: Floats, count: int) -> _Picked:
    order = (-strength).argsort(axis=1, kind="stable")[:, :count]
    return _Picked(order, np.take_along_axis(strength, order, axis=1))


def _in_turn(strength: Floats, concepts: Concepts, count: int, before: _Picked | None = None) -> _Picked:
    """The strongest first; but once the order rhythm is told those of other dimensions come before any of its own.

    What was told `before` is not told again.
    """
    left = strength.copy()
    rows = np.arange(len(left))
    rhythm = np.array([name == RHYTHM_CONCEPT for name in concepts.names], dtype=bool)
    like_rhythm = np.isin(concepts.dimension, concepts.dimension[rhythm])
    told = np.zeros(len(left), dtype=bool)
    if before is not None:
        row, place = np.nonzero(np.isfinite(before.strength))
        concept = before.concept[row, place]
        left[row, concept] = -np.inf
        told[row[rhythm[concept]]] = True
    order, found = [], []
    for _ in range(min(count, left.shape[1])):
        fresh = np.where(told[:, None] & like_rhythm, -np.inf, left)
        best = np.where(np.isneginf(fresh.max(axis=1)), left.argmax(axis=1), fresh.argmax(axis=1))
        order.append(best)
        found.append(left[rows, best])
        told |= rhythm[best] & np.isfinite(left[rows, best])
        left[rows, best] = -np.inf
    if not order:
        return _Picked(np.zeros((len(left), 0), dtype="int64"), np.zeros((len(left), 0)))
    return _Picked(np.column_stack(order), np.column_stack(found))


def _small(strength: Floats, concepts: Concepts, reasons: _Picked) -> _Picked:
    """What is listed besides where there are fewer reasons than :data:`SMALL_TOLD`: as many as are lacking."""
    picked = _in_turn(strength, concepts, SMALL_TOLD, reasons)
    lacking = SMALL_TOLD - np.isfinite(reasons.strength).sum(axis=1)
    place = np.arange(picked.strength.shape[1])
    return _Picked(picked.concept, np.where(place < lacking[:, None], picked.strength, -np.inf))


def _rows(picked: _Picked, feature: NDArray[np.object_], concepts: Concepts, role: str) -> pd.DataFrame:
    """One row per customer and picked concept, in the order of telling."""
    row, place = np.nonzero(np.isfinite(picked.strength))
    concept = picked.concept[row, place]
    return pd.DataFrame(
        {
            "row": row,
            "role": role,
            "concept": np.array(list(concepts.names), dtype=object)[concept],
            "feature": feature[row, concept],
            "dimension": concepts.dimension[concept],
            "contribution": concepts.sums[row, concept],
        }
    ).astype({"concept": "str", "feature": "str", "dimension": "str", "role": "str"})


def concept_of(name: str) -> str:
    """The concept of a feature, of the label-free model's part or of the window."""
    return RHYTHM_CONCEPT if name in (RHYTHM, WINDOW) else REGISTRY[name].concept


def tellable(name: str) -> bool:
    """Whether a fact of this feature tells a salesman something: it has a side that worries, or is the user's own."""
    known = REGISTRY.get(name)
    return known is not None and (known.worse != "" or not known.module.startswith("features."))


def dimension_of(name: str) -> str:
    """The dimension of a feature, of the label-free model's part or of the window."""
    return "transaction" if name in (RHYTHM, WINDOW) else REGISTRY[name].dimension


def _with_values(table: pd.DataFrame, frame: pd.DataFrame, medians: pd.Series) -> pd.DataFrame:
    """The table with each feature's value, the customer's usual one, and that of its peers."""
    value = np.full(len(table), np.nan)
    usual, peer = value.copy(), value.copy()
    rows = table["row"].to_numpy()
    for name, here in table.groupby("feature").indices.items():
        known: Feature | None = REGISTRY.get(str(name))
        if known is None:
            continue
        value[here] = frame[known.name].to_numpy()[rows[here]]
        peer[here] = medians.get(known.name, np.nan)
        if known.usual is not None:
            usual[here] = frame[known.usual].to_numpy()[rows[here]]
    return table.assign(value=value, usual_value=usual, peer_value=peer)
