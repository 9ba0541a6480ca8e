"""Which model is in use: the simplest one that no other surely beats, decided on out-of-time predictions.

The ladder goes from the label-free order rhythm through logistic regression and LightGBM to their blend. A step up is
taken only if it both ranks better and loses less than what is in use, each with a paired 95 % bootstrap interval over
customers that excludes zero. Otherwise the simpler model stays, and says why. Losses are compared at each date's own
level: the level moves from date to date for all models alike, and judged with it the choice would follow the season.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.labels import HORIZONS, no_order_within
from features.snapshots import drawn
from models import evaluation
from models.classifiers import LIGHTGBM
from models.figures import clipped_logit
from models.logistic import LOGISTIC

Floats = NDArray[np.float64]
Weights = tuple[float, float, float]
#: One set of weights per horizon.
Weighting = tuple[Weights, ...]

LABEL_FREE = "label_free"
BLENDED = "blend"
#: Log-odds that a blend is made of, and the order of its weights.
COMPONENTS = (LIGHTGBM, LOGISTIC, LABEL_FREE)
#: From the simplest up.
LADDER = (LABEL_FREE, LOGISTIC, LIGHTGBM, BLENDED)
ALONE: dict[str, Weighting] = {
    LIGHTGBM: ((1.0, 0.0, 0.0),) * len(HORIZONS),
    LOGISTIC: ((0.0, 1.0, 0.0),) * len(HORIZONS),
    LABEL_FREE: ((0.0, 0.0, 1.0),) * len(HORIZONS),
}
#: What stands on the ladder, in words.
NAMES = {
    LABEL_FREE: "the order rhythm alone, which needs no past losses",
    LOGISTIC: "logistic regression",
    LIGHTGBM: "LightGBM",
    BLENDED: "the weighted sum of LightGBM, logistic regression and the order rhythm",
}
#: With fewer matured dates nothing is chosen: neighbouring dates are nearly the same one.
MIN_DATES = 3
#: The horizon that decides, or the longest shorter one that has matured on enough dates.
DECIDING_HORIZON = 90
REPEATS = 300
#: Customers that the bootstrap is made of; more only take longer.
MOST_CUSTOMERS = 4_000
_NEWTON_STEPS = 12
_GRID: tuple[Weights, ...] = tuple((i / 4, j / 4, (4 - i - j) / 4) for i in range(5) for j in range(5 - i))


@dataclass(frozen=True)
class Step:
    """One comparison on the ladder: candidate minus the model in use, with 95 % intervals.

    Attributes
    ----------
    candidate, in_use
        Names of :data:`LADDER`.
    auc, auc_low, auc_high
        Difference in ROC AUC; above 0 is better.
    loss, loss_low, loss_high
        Difference in log loss at each date's own level; below 0 is better.
    n, n_customers
        Predictions and customers behind it.
    taken
        Whether the candidate is in use from here on.
    """

    candidate: str
    in_use: str
    auc: float
    auc_low: float
    auc_high: float
    loss: float
    loss_low: float
    loss_high: float
    n: int
    n_customers: int
    taken: bool


@dataclass(frozen=True)
class Selection:
    """The model in use and how it came to be.

    Attributes
    ----------
    in_use
        A name of :data:`LADDER`.
    weights
        Per horizon, of :data:`COMPONENTS`; each set sums to 1.
    horizon_days, dates
        What decided; 0 where too little had matured, and the label-free model is in use.
    steps
        The comparisons, from the bottom up.
    """

    in_use: str = LABEL_FREE
    weights: Weighting = ALONE[LABEL_FREE]
    horizon_days: int = 0
    dates: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def words(self) -> str:
        """Which model is in use, and why no other, in sentences."""
        name = NAMES[self.in_use]
        if not self.steps:
            return f"In use is {name}: too little has matured to compare models, and this one needs no past losses."
        refused = [NAMES[step.candidate] for step in self.steps if not step.taken]
        head = f"In use is {name}."
        if refused:
            listed = ", ".join(refused)
            head += f" Not taken, as it has not been shown that they add anything on this company's data: {listed}."
        return f"{head} A step up is taken only if it surely ranks better and surely loses less."

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Selection":
        """The inverse of :meth:`to_dict`."""
        steps = tuple(Step(**step) for step in values["steps"])
        weights = tuple((float(i), float(j), float(k)) for i, j, k in values["weights"])
        return cls(**{**values, "weights": weights, "steps": steps})


def select(record: pd.DataFrame, seed: int = 0, latency_days: int = 0) -> Selection:
    """Climb the ladder on the matured part of the record.

    Parameters
    ----------
    record
        Out-of-time log-odds ``<component>_<days>`` with ``customer_id``, ``as_of``, ``days_to_next_order`` and
        ``observed_days`` as known at the deciding date; may be empty.
    seed
        Of the bootstrap.
    latency_days
        Days by which orders reach the books late: an outcome was known only that much later.
    """
    days = _deciding_horizon(record)
    if days is None:
        return Selection()
    outcome = no_order_within(record, days)
    rows = record[outcome.notna()].assign(outcome=outcome.dropna())
    customers = rows["customer_id"]
    rows = rows[drawn(customers, MOST_CUSTOMERS / max(customers.nunique(), 1))].reset_index(drop=True)
    margins = {name: rows[f"{name}_{days}"].to_numpy() for name in COMPONENTS}
    margins[BLENDED] = _as_blended_then(record, rows, days, latency_days)
    judged = pd.concat([_judged(name, rows, margins[name]) for name in LADDER], ignore_index=True)
    in_use, steps = LABEL_FREE, []
    pairs = [(high, low) for place, high in enumerate(LADDER) for low in LADDER[:place]]
    found = evaluation.differences(
        judged, pairs, ["roc_auc", "log_loss"], repeats=REPEATS, rng=np.random.default_rng(seed)
    )
    known = {(one.a, one.b, one.metric): one for one in found}
    for candidate in LADDER[1:]:
        auc, loss = (known[candidate, in_use, metric] for metric in ("roc_auc", "log_loss"))
        taken = bool(auc.low > 0 and loss.high < 0)
        edges = (auc.value, auc.low, auc.high, loss.value, loss.low, loss.high)
        steps.append(Step(candidate, in_use, *edges, auc.n, auc.n_customers, taken))
        in_use = candidate if taken else in_use
    weights = best_weights(record) if in_use == BLENDED else ALONE[in_use]
    return Selection(in_use, weights, days, int(rows["as_of"].nunique()), tuple(steps))


def best_weights(record: pd.DataFrame) -> Weighting:
    """Per horizon the weights in quarters with the lowest log loss over its matured dates, each at its own level.

    A horizon that has matured on fewer than :data:`MIN_DATES` dates takes those of the one before it; the first one
    halves between LightGBM and logistic regression, and so does everything where `record` is empty.
    """
    return _lightest([_losses_by_date(record, days) if len(record) else pd.DataFrame() for days in HORIZONS])


def regret(judged: pd.DataFrame, chosen: str, candidates: Sequence[str]) -> pd.DataFrame:
    """What the choice of a champion cost, walking forward, against knowing beforehand which candidate would do best.

    Parameters
    ----------
    judged
        Matured predictions: ``contestant``, ``as_of``, ``probability``, ``outcome``.
    chosen
        The contestant that the rule of selection made.
    candidates
        Those that it could have been.

    Returns
    -------
    DataFrame
        Per candidate, the chosen one first: ``contestant``, ``log_loss`` (mean over dates), ``own_level_log_loss``
        (the same after each date is shifted to its own level: the shape alone), ``roc_auc``, and ``regret`` (the
        chosen one's own-level loss less this one's; above 0 the candidate would have been better).
    """
    rows = []
    for name in (chosen, *candidates):
        here = judged[judged["contestant"] == name]
        figures = []
        for _, part in here.groupby("as_of"):
            p, y = part["probability"].to_numpy(), part["outcome"].to_numpy()
            own = losses_at_own_level(clipped_logit(p)[:, None], y)[0]
            figures.append((evaluation.log_loss(p, y), own, evaluation.roc_auc(p, y)))
        loss, own, auc = pd.DataFrame(figures).mean() if figures else (np.nan, np.nan, np.nan)
        rows.append({"contestant": name, "log_loss": loss, "own_level_log_loss": own, "roc_auc": auc})
    table = pd.DataFrame(rows)
    return table.assign(regret=table["own_level_log_loss"].iloc[0] - table["own_level_log_loss"])


def at_own_level(margins: Floats, outcome: Floats) -> Floats:
    """Each column of log-odds of one date after the shift that gives it the observed level."""
    shift = np.zeros(margins.shape[1])
    share = (outcome.sum() + 0.5) / (len(outcome) + 1)
    for _ in range(_NEWTON_STEPS):
        p = special.expit(margins + shift)
        shift += np.clip((share - p.mean(axis=0)) / np.maximum((p * (1 - p)).mean(axis=0), 1e-6), -1, 1)
    return margins + shift


def losses_at_own_level(margins: Floats, outcome: Floats) -> Floats:
    """Log loss of each column of log-odds of one date at the observed level."""
    levelled = at_own_level(margins, outcome)
    return (np.logaddexp(0, levelled) - outcome[:, None] * levelled).mean(axis=0)


def _deciding_horizon(record: pd.DataFrame) -> int | None:
    """The longest horizon up to :data:`DECIDING_HORIZON` with both outcomes on enough matured dates."""
    if record.empty:
        return None
    for days in sorted((days for days in HORIZONS if days <= DECIDING_HORIZON), reverse=True):
        outcome = no_order_within(record, days).dropna()
        if record.loc[outcome.index, "as_of"].nunique() >= MIN_DATES and outcome.nunique() == 2:
            return days
    return None


def _losses_by_date(record: pd.DataFrame, days: int) -> pd.DataFrame:
    """Own-level log loss of every set of weights, one row per matured date."""
    outcome = no_order_within(record, days)
    rows, y = record[outcome.notna()], outcome.dropna().to_numpy()
    margins = rows[[f"{name}_{days}" for name in COMPONENTS]].to_numpy() @ np.array(_GRID).T
    places = rows.groupby("as_of").indices
    losses = {day: losses_at_own_level(margins[here], y[here]) for day, here in places.items()}
    return pd.DataFrame(losses.values(), index=pd.DatetimeIndex(losses))


def _as_blended_then(record: pd.DataFrame, rows: pd.DataFrame, days: int, latency_days: int) -> Floats:
    """The blend of each date with weights chosen on the dates that had matured by it; equal shares before any had."""
    losses = [_losses_by_date(record, horizon) for horizon in HORIZONS]
    place = HORIZONS.index(days)
    blended = np.zeros(len(rows))
    parts = rows[[f"{name}_{days}" for name in COMPONENTS]].to_numpy()
    for day in rows["as_of"].unique():
        here = (rows["as_of"] == day).to_numpy()
        pairs = zip(HORIZONS, losses, strict=True)
        then = [table[table.index <= day - pd.Timedelta(days=horizon + latency_days)] for horizon, table in pairs]
        blended[here] = parts[here] @ np.array(_lightest(then)[place])
    return blended


def _lightest(losses: Sequence[pd.DataFrame]) -> Weighting:
    """Per horizon the set of weights with the lowest mean loss over dates."""
    found: list[Weights] = []
    for table in losses:
        if len(table) >= MIN_DATES:
            found.append(_GRID[int(np.argmin(table.mean(axis=0).to_numpy()))])
        else:
            found.append(found[-1] if found else (0.5, 0.5, 0.0))
    return tuple(found)


def _judged(name: str, rows: pd.DataFrame, margin: Floats) -> pd.DataFrame:
    levelled = np.zeros(len(rows))
    for here in rows.groupby("as_of").indices.values():
        levelled[here] = at_own_level(margin[here, None], rows["outcome"].to_numpy()[here])[:, 0]
    table = rows[["customer_id", "as_of", "outcome"]].assign(contestant=name, probability=special.expit(levelled))
    return table.reset_index(drop=True)
