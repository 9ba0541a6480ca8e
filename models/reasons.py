"""Why: the share of each feature in a customer's log-odds, exactly additive, grouped into concepts.

The champion is linear in the log-odds of its parts, so its contributions are the weighted sums of theirs: TreeSHAP
values of each horizon's boosters (Lundberg et al. 2020; LightGBM's own, path-dependent), coefficient times rank of the
regression, and the label-free model's log-odds against those of the cohort at training.
base + sum of the contributions = margin.

Correlated features share a concept, and a concept is one reason: its contribution is the sum over its features, and it
is told through the feature that moved it most. The step from the margin to the calibrated probability is the logistic
function; probability points are the contributions scaled so that they add up to the probability, too.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.labels import HORIZONS
from features.registry import REGISTRY, Feature
from features.snapshots import ELIGIBLE
from models.churn_model import ChurnModel
from models.horizons import pooling, window_weights

Floats = NDArray[np.float64]

#: The label-free model's part, which belongs to no single feature.
RHYTHM = "btyd"
RHYTHM_CONCEPT = "order_rhythm"
#: Concepts that are always told through one feature, because it says best what all of them mean.
TOLD_THROUGH = {RHYTHM_CONCEPT: "days_since_last_order"}
#: All concepts that are not told one by one.
OTHER = "other"


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


def contributions(model: ChurnModel, frame: pd.DataFrame) -> Contributions:
    """Split the calibrated log-odds of each snapshot's own window into a base and one share per feature."""
    columns = [*dict.fromkeys((*model.boosting.columns, *model.logistic.columns)), RHYTHM]
    place = {name: i for i, name in enumerate(columns)}
    start = model.rhythm.margins(frame)
    # The weight of each horizon in the margin of the own window, through projection and interpolation.
    share = np.einsum("ni,nij->nj", window_weights(frame["churn_window_days"]), pooling(model.margins(frame)))
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
            trees = model.boosting.contributions(frame[used], i)
            part[np.ix_(used, [place[name] for name in model.boosting.columns])] += weight_boosting * trees[:, :-1]
            constant[used] += weight_boosting * trees[:, -1]
        if weight_logistic:
            added = model.logistic.contributions(ranked, i)
            part[:, [place[name] for name in model.logistic.columns]] += weight_logistic * added
        base += share[:, i] * (affine.intercept + affine.slope * constant)
        values += share[:, [i]] * affine.slope * part
    return Contributions(pd.Series(base, index=frame.index), pd.DataFrame(values, index=frame.index, columns=columns))


def reasons(
    model: ChurnModel, frame: pd.DataFrame, *, count: int, peers: pd.Series, split: Contributions | None = None
) -> pd.DataFrame:
    """The strongest concepts of each snapshot, those that raise the risk first, and the rest as one row.

    Parameters
    ----------
    frame
        Snapshots to explain.
    count
        Concepts that are told one by one; the others are summed in a last row ``other``.
    peers
        Median of each feature over the eligible customers of the same date (:func:`peer_values`).
    split
        The contributions of `frame`, where the caller has them already.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of``, ``position`` (from 1), ``concept``, ``feature``, ``dimension``, ``value``,
        ``usual_value``, ``peer_value``, ``contribution`` (log-odds) and ``contribution_points`` (of probability). Per
        customer, base + sum of the contributions = margin, and sigmoid(base) + sum of the points = probability.
    """
    split = contributions(model, frame) if split is None else split
    by_concept, leading = _by_concept(split.values)
    rank = (-np.abs(by_concept)).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    told = rank < count
    n = len(frame)
    names = np.array(leading.columns)
    # Order of telling: raising from the strongest down, then lowering up to the strongest.
    order = np.where(told, -by_concept, np.inf).argsort(axis=1, kind="stable")[:, :count]
    rows = np.arange(n)[:, None]
    concept, feature = names[order], leading.to_numpy()[rows, order]
    contribution = by_concept[rows, order]
    rest = np.where(told, 0.0, by_concept).sum(axis=1, keepdims=True)
    concept = np.hstack([concept, np.full((n, 1), OTHER)])
    feature = np.hstack([feature, np.full((n, 1), OTHER)])
    contribution = np.hstack([contribution, rest])
    table = pd.DataFrame(
        {
            "customer_id": np.repeat(frame["customer_id"].to_numpy(), contribution.shape[1]),
            "as_of": np.repeat(frame["as_of"].to_numpy(), contribution.shape[1]),
            "position": np.tile(np.arange(1, contribution.shape[1] + 1), n),
            "concept": concept.ravel(),
            "feature": feature.ravel(),
            "contribution": contribution.ravel(),
            "contribution_points": _points(contribution, split.base.to_numpy()).ravel(),
        }
    )
    return _with_values(table, frame, peers)


def _points(contribution: Floats, base: Floats) -> Floats:
    """Probability points in proportion to the contributions, adding up to probability minus sigmoid(base)."""
    total = contribution.sum(axis=1)
    rise = special.expit(base + total) - special.expit(base)
    tangent = special.expit(base) * special.expit(-base)
    small = np.abs(total) < 1e-9
    scale = np.where(small, tangent, rise / np.where(small, 1.0, total))
    return contribution * scale[:, None]


def _by_concept(values: pd.DataFrame) -> tuple[Floats, pd.DataFrame]:
    """Sum of each concept, shape (n, concepts), and the feature that tells it (a column per concept)."""
    concepts: dict[str, list[str]] = {}
    for name in values.columns:
        concepts.setdefault(concept_of(name), []).append(name)
    sums = np.column_stack([values[names].sum(axis=1) for names in concepts.values()])
    leading = {}
    for i, (concept, names) in enumerate(concepts.items()):
        fixed = TOLD_THROUGH.get(concept)
        tellable = [fixed] if fixed in names else [name for name in names if name != RHYTHM] or names
        along = values[tellable].to_numpy() * np.sign(sums[:, [i]])
        leading[concept] = np.array(tellable)[along.argmax(axis=1)]
    return sums, pd.DataFrame(leading, index=values.index)


def concept_of(name: str) -> str:
    """The concept of a feature or of the label-free model's part."""
    return RHYTHM_CONCEPT if name == RHYTHM else REGISTRY[name].concept


def peer_values(snapshots: pd.DataFrame) -> pd.Series:
    """Median of every feature over the eligible customers."""
    return snapshots.loc[snapshots["cohort"] == ELIGIBLE].median(numeric_only=True)


def _with_values(table: pd.DataFrame, frame: pd.DataFrame, peers: pd.Series) -> pd.DataFrame:
    held = frame.set_index("customer_id")
    value = pd.Series(np.nan, index=table.index)
    usual, peer = value.copy(), value.copy()
    dimension = pd.Series("transaction", index=table.index)
    for name, rows in table.groupby("feature").groups.items():
        known: Feature | None = REGISTRY.get(str(name))
        if known is None:
            continue
        customers = table.loc[rows, "customer_id"]
        value[rows] = held[known.name].loc[customers].to_numpy()
        peer[rows] = peers.get(known.name, np.nan)
        dimension[rows] = known.dimension
        if known.usual is not None:
            usual[rows] = held[known.usual].loc[customers].to_numpy()
    return table.assign(dimension=dimension, value=value, usual_value=usual, peer_value=peer)
