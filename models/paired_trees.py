"""Exact Shapley values of a booster between two rows: what each feature's move from one to the other is worth.

Interventional TreeSHAP with one row as the background (Lundberg et al. 2020, Nature Machine Intelligence 2, 56-67): the
features on which only the one row or only the other takes the way to a leaf share its value by a closed form, so the
sum over all features is the difference of the two predictions, to rounding.

``shap.TreeExplainer`` does the same, but sends an unknown value of a feature that was never unknown in training another
way than LightGBM does (as if it were larger than every threshold instead of 0), and its sum is then wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]

#: Cells of the arrays that are held at a time.
CELLS = 4_000_000


@dataclass(frozen=True)
class Leaves:
    """The leaves of a booster as boxes: on the way to a leaf each feature must lie in one interval.

    Attributes
    ----------
    feature, low, high, unknown
        Per condition the column, the interval (low, high] in which its value must lie, and whether an unknown value
        gets there; shape (conditions,). Unknown values of a feature that LightGBM reads as 0 count as 0.
    start
        First condition of each leaf that has any, shape (leaves,).
    value
        What each of these leaves adds.
    """

    feature: NDArray[np.int64]
    low: Floats
    high: Floats
    unknown: NDArray[np.bool_]
    start: NDArray[np.int64]
    value: Floats

    @classmethod
    def of(cls, booster: Any) -> "Leaves":
        """Read the trees of a LightGBM booster.

        Raises
        ------
        ValueError
            For a split that is no comparison of a number, or a booster for which 0 is unknown.
        """
        boxes = [box for tree in booster.dump_model()["tree_info"] for box in _boxes(tree["tree_structure"], {})]
        boxes = [(value, box) for value, box in boxes if box]
        lengths = np.array([len(box) for _, box in boxes], dtype="int64")
        flat = [(feature, *sides) for _, box in boxes for feature, sides in box.items()]
        feature, low, high, unknown = zip(*flat, strict=True) if flat else ((), (), (), ())
        return cls(
            np.array(feature, dtype="int64"),
            np.array(low, dtype="float64"),
            np.array(high, dtype="float64"),
            np.array(unknown, dtype=bool),
            np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype("int64") if boxes else np.zeros(0, dtype="int64"),
            np.array([value for value, _ in boxes], dtype="float64"),
        )

    def between(self, before: Floats, after: Floats) -> Floats:
        """What each column's move adds, shape (n, columns); the rows sum to prediction(after) - prediction(before).

        Parameters
        ----------
        before, after
            Rows as the booster reads them, shape (n, columns).
        """
        found = np.zeros(after.shape)
        if not self.value.size:
            return found
        to_feature = sparse.csr_array(
            (np.ones(len(self.feature)), (np.arange(len(self.feature)), self.feature)),
            shape=(len(self.feature), after.shape[1]),
        )
        step = max(1, CELLS // len(self.feature))
        for start in range(0, len(after), step):
            rows = slice(start, start + step)
            found[rows] = self._shares(before[rows], after[rows]) @ to_feature
        return found

    def _shares(self, before: Floats, after: Floats) -> Floats:
        """What each condition adds, shape (n, conditions)."""
        reached, left = self._met(after), self._met(before)
        gained, lost = reached & ~left, left & ~reached
        many, few = (np.add.reduceat(side.astype("int64"), self.start, axis=1) for side in (gained, lost))
        dead = np.logical_or.reduceat(~reached & ~left, self.start, axis=1)
        own, other = _weights(int(max(many.max(), few.max())))
        leaf = np.repeat(np.arange(len(self.start)), np.diff(np.append(self.start, len(self.feature))))
        worth = np.where(dead, 0.0, self.value)
        up, down = (worth * own[many, few])[:, leaf], (worth * other[many, few])[:, leaf]
        return np.where(gained, up, 0.0) - np.where(lost, down, 0.0)

    def _met(self, rows: Floats) -> NDArray[np.bool_]:
        """Whether each row meets each condition, shape (n, conditions)."""
        value = rows[:, self.feature]
        inside = ((value > self.low) | np.isneginf(self.low)) & (value <= self.high)
        return np.where(np.isnan(value), self.unknown, inside)


def between(boosters: Sequence[Any], before: Floats, after: Floats) -> Floats:
    """The mean of :meth:`Leaves.between` over a bag of boosters, shape (n, columns)."""
    if not len(boosters) or not len(after):
        return np.zeros(after.shape)
    return np.asarray(np.mean([Leaves.of(booster).between(before, after) for booster in boosters], axis=0))


_Box = Mapping[int, tuple[float, float, bool]]


def _boxes(node: Mapping[str, Any], box: _Box) -> Iterator[tuple[float, _Box]]:
    """The leaves under a node, each with its value and the box that leads there."""
    if "leaf_value" in node:
        yield float(node["leaf_value"]), box
        return
    if node["decision_type"] != "<=":
        raise ValueError(f"expected splits by <=; found {node['decision_type']!r}: a category is no number")
    if node["missing_type"] == "Zero":
        raise ValueError("expected a booster that knows 0 from unknown; found one trained with zero_as_missing")
    feature, threshold = int(node["split_feature"]), float(node["threshold"])
    low, high, unknown = box.get(feature, (-np.inf, np.inf, True))
    # LightGBM reads an unknown value as 0 where training had none unknown.
    left_too = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
    yield from _boxes(node["left_child"], {**box, feature: (low, min(high, threshold), unknown and left_too)})
    yield from _boxes(node["right_child"], {**box, feature: (max(low, threshold), high, unknown and not left_too)})


def _weights(most: int) -> tuple[Floats, Floats]:
    """Shapley weights of a condition that `a` features gain and `b` lose: for a gained and for a lost one, [a, b]."""
    size = most + 1
    own, other = np.zeros((size, size)), np.zeros((size, size))
    for a in range(size):
        for b in range(size):
            whole = factorial(a + b)
            if a:
                own[a, b] = factorial(a - 1) * factorial(b) / whole
            if b:
                other[a, b] = factorial(a) * factorial(b - 1) / whole
    return own, other
