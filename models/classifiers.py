"""LightGBM as a contestant: bags of boosted trees on every feature.

LightGBM starts from the log-odds of the label-free model plus, for each training date, the constant that matches that
date's share of silent customers. It therefore learns the *shape*, what makes one customer likelier to be gone than
another, and not the level, which moves with the season and with how long the data has run. docs/experiments.md has
what this was worth.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.labels import HORIZONS
from models import paired_trees
from models.columns import strongest
from models.contestants import Training, enough
from models.label_free import VARIANTS, FittedLabelFree, LabelFree, column
from models.offsets import level_offsets

Floats = NDArray[np.float64]

#: The label-free model that learners build on: whichever variant did best on matured dates.
RHYTHM = LabelFree("rhythm", VARIANTS)
LIGHTGBM = "lightgbm"

#: Bins of a column: more say nothing about a few thousand customers, and take their time.
MAX_BIN = 63


@dataclass(frozen=True)
class BoostingOptions:
    """Settings of LightGBM; the defaults were chosen on cutoffs earlier than those that are reported.

    Attributes
    ----------
    rounds, learning_rate, num_leaves, min_child_samples, feature_fraction, bagging_fraction, lambda_l2
        In LightGBM's own terms, of each bag.
    most_columns
        Features that the trees are given: those that stand out most against the label-free model.
    bags
        Models per horizon, each on its own draw of customers; their mean log-odds count, and how far they differ says
        how much the answer rests on who happened to be in the data.
    bag_share
        Share of the customers that a bag draws, without putting any back.
    rows_per_bag
        The most snapshots that a bag learns from: with more, it draws fewer customers.
    """

    rounds: int = 100
    learning_rate: float = 0.03
    num_leaves: int = 8
    min_child_samples: int = 40
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    most_columns: int = 100
    bags: int = 8
    bag_share: float = 0.667
    rows_per_bag: int = 20_000

    def parameters(self, seed: int, threads: int) -> dict[str, Any]:
        """The parameters of a deterministic run."""
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_child_samples": self.min_child_samples,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": self.lambda_l2,
            "max_bin": MAX_BIN,
            "feature_pre_filter": False,
            "num_threads": threads,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def share_of(self, rows: int) -> float:
        """Share of the customers that a bag draws where there are so many snapshots."""
        return min(self.bag_share, self.rows_per_bag / max(rows, 1))


@dataclass(frozen=True)
class Boosting:
    """LightGBM on the label-free log-odds, bagged over customers.

    Attributes
    ----------
    name
        As printed in tables.
    options
        Settings of LightGBM.
    newest_slice_only
        Learn from the newest matured date alone instead of all of them.
    min_minority, min_slices
        A horizon with fewer rows of the rarer outcome, or fewer matured dates, is left to the label-free model.
    """

    name: str
    options: BoostingOptions = field(default_factory=BoostingOptions)
    newest_slice_only: bool = False
    min_minority: int = 150
    min_slices: int = 3

    def fit(self, training: Training) -> "FittedBoosting":
        """A bag of boosters per horizon."""
        rhythm = RHYTHM.fit(training)
        columns = strongest(training, rhythm.variant, self.options.most_columns)
        matured = {days: training.matured(days)[1] for days in HORIZONS}
        if self.newest_slice_only:
            dates = training.rows["as_of"]
            newest = {days: dates[known.index] for days, known in matured.items()}
            matured = {days: known[newest[days] == newest[days].max()] for days, known in matured.items()}
        share = self.options.share_of(max(len(known) for known in matured.values()))
        known_at_all = np.logical_or.reduce([training.rows.index.isin(known.index) for known in matured.values()])
        rows = training.rows.iloc[np.flatnonzero(known_at_all)]
        drawn = _draws(rows["customer_id"], self.options.bags, share, training.seed)
        rows, drawn = rows.iloc[np.flatnonzero(drawn.any(axis=0))], drawn[:, drawn.any(axis=0)]
        bags, binned = [], None
        for days, outcome in matured.items():
            slices = 1 if self.newest_slice_only else self.min_slices
            possible = rows["as_of"][rows.index.isin(outcome.index)].nunique() >= slices
            if not (possible and enough(outcome, minority=self.min_minority) and days in training.horizons):
                bags.append(())
                continue
            binned = self._binned(rows, columns, training) if binned is None else binned
            known = rows.index.isin(outcome.index)
            y = outcome.reindex(rows.index).fillna(0.0)
            start = rows.loc[known, column(rhythm.variant, days)]
            offset = np.zeros(len(rows))
            offset[known] = start.to_numpy() + level_offsets(start, y[known], rows.loc[known, "as_of"])
            bags.append(self._bag(binned, drawn & known, y.to_numpy(), offset, training))
        return FittedBoosting(rhythm, columns, tuple(bags), share)

    def _binned(self, rows: pd.DataFrame, columns: tuple[str, ...], training: Training) -> Any:
        """The features in LightGBM's bins, once for all horizons and bags."""
        import lightgbm

        X = rows[list(columns)].to_numpy(dtype="float32")
        parameters = self.options.parameters(training.seed, training.threads)
        return lightgbm.Dataset(
            X, np.zeros(len(X)), feature_name=list(columns), params=parameters, free_raw_data=True
        ).construct()

    def _bag(
        self, binned: Any, drawn: NDArray[np.bool_], y: Floats, offset: Floats, training: Training
    ) -> tuple[Any, ...]:
        import lightgbm

        learnt = []
        for bag, here in enumerate(drawn):
            places = np.flatnonzero(here)
            data = binned.subset(places).construct()
            data.set_label(y[places])
            data.set_init_score(offset[places])
            parameters = self.options.parameters(training.seed + bag, training.threads)
            learnt.append(lightgbm.train(parameters, data, self.options.rounds))
        return tuple(learnt)


def _draws(customers: pd.Series, bags: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows each bag learns from, shape (bags, n): a customer with all its snapshots, or not at all."""
    if bags == 1 and share == 1:
        return np.full((1, len(customers)), True)
    digest = pd.util.hash_pandas_object(customers, index=False).to_numpy().astype("uint64")
    salts = [np.uint64(np.random.default_rng([seed, bag]).integers(2**63)) for bag in range(bags)]
    return np.stack([_mixed(digest, salt) < share * 2.0**64 for salt in salts])


def _mixed(digest: NDArray[np.uint64], salt: np.uint64) -> NDArray[np.uint64]:
    """Another digest of each customer for each salt (the finaliser of SplitMix64; Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        z = digest ^ salt
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True)
class FittedBoosting:
    """Bags of boosters per horizon (empty where there was too little to learn from) on a fitted label-free model.

    Attributes
    ----------
    rhythm
        The label-free model that the trees start from.
    columns
        What they read.
    bags
        Per horizon the boosters, whose mean counts.
    share
        Share of the customers that each booster has seen.
    """

    rhythm: FittedLabelFree
    columns: tuple[str, ...]
    bags: tuple[tuple[Any, ...], ...]
    share: float

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order within each horizon, shape (n, horizons)."""
        start = self.rhythm.margins(frame)
        return np.column_stack([start[:, i] + self.correction(frame, i) for i in range(len(HORIZONS))])

    def corrections(self, frame: pd.DataFrame, horizon: int) -> Floats:
        """What each booster of a horizon adds to the label-free log-odds, shape (boosters, n)."""
        bag = self.bags[horizon]
        if not bag or frame.empty:
            return np.zeros((max(len(bag), 1), len(frame)))
        X = self._matrix(frame)
        return np.stack([booster.predict(X, raw_score=True, num_threads=1) for booster in bag])

    def correction(self, frame: pd.DataFrame, horizon: int) -> Floats:
        """The mean of :meth:`corrections`, shape (n,)."""
        return self.corrections(frame, horizon).mean(axis=0)

    def contributions(self, frame: pd.DataFrame, horizon: int, background: pd.DataFrame | None = None) -> Floats:
        """TreeSHAP values of that mean per column and, last, its expected value; shape (n, columns + 1).

        With a `background` of other snapshots, against the mean over them (interventional); else path-dependent.
        """
        if frame.empty:
            return np.zeros((0, len(self.columns) + 1))
        X, bag = self._matrix(frame), self.bags[horizon]
        if background is None:
            parts = [booster.predict(X, pred_contrib=True, num_threads=1) for booster in bag]
            return np.mean(parts, axis=0)
        others = self._matrix(background).astype("float64")
        pairs = np.tile(others, (len(X), 1)), np.repeat(X.astype("float64"), len(others), axis=0)
        values = paired_trees.between(bag, *pairs).reshape(len(X), len(others), -1).mean(axis=1)
        return np.column_stack([values, np.full(len(X), self.correction(background, horizon).mean())])

    def moved(self, before: pd.DataFrame, after: pd.DataFrame, horizon: int) -> Floats:
        """What each column's move from one snapshot to the other adds to that mean, shape (n, columns), exactly."""
        rows = (self._matrix(one).astype("float64") for one in (before, after))
        return paired_trees.between(self.bags[horizon], *rows)

    def _matrix(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        # In single precision, as they were learnt from: a split between two neighbours must fall the same way.
        return frame[list(self.columns)].to_numpy(dtype="float32")
