"""Is a result too good to be true? Probes that need outcomes: single features, shuffled outcomes, the end of the data.

An AUC above .90 on an honest risk set is a reason to look for a leak, not to celebrate (Kaufman et al. 2012, Leakage in
data mining, ACM TKDD 6(4)). A model that learns something from shuffled outcomes has seen them elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.errors import TooLittleData
from features.labels import no_order_within
from features.snapshots import ELIGIBLE
from models.classifiers import BoostingOptions
from models.figures import roc_auc

#: A single feature that ranks better than this knows the outcome rather than a sign of it.
TOO_GOOD = 0.90
#: Customers of the rarer outcome below which a feature's AUC says nothing: three customers are ranked well by chance.
MIN_RARER = 30
#: Standard errors of an AUC within which shuffled outcomes must stay around one half.
SHUFFLED_ERRORS = 4.0
HORIZON = 90


@dataclass(frozen=True)
class Single:
    """How well one feature alone ranks, whichever way round; `auc` is at least one half."""

    feature: str
    auc: float
    customers: int


def auc_error(n: int, m: int) -> float:
    """Standard error of the AUC of a score that knows nothing: sqrt((n + m + 1) / (12 n m)), Mann & Whitney 1947."""
    return float(np.sqrt((n + m + 1) / (12 * n * m)))


def singles(rows: pd.DataFrame, outcome: pd.Series, names: Sequence[str]) -> list[Single]:
    """Every feature as a ranking by itself, mean over dates, the best first.

    Rows where it is unknown are left out; a feature that is known of fewer than :data:`MIN_RARER` rows of either
    outcome has no say.
    """
    found = []
    for name in names:
        known = outcome[rows[name].notna()]
        if min(known.sum(), (1 - known).sum()) < MIN_RARER:
            continue
        values, weights = [], []
        for _, here in rows.groupby("as_of"):
            known = here[name].notna()
            score, truth = here.loc[known, name].to_numpy(), outcome.loc[here.index[known]].to_numpy()
            value = roc_auc(score, truth) if len(set(truth)) == 2 else np.nan
            if np.isfinite(value):
                values.append(value)
                weights.append(len(score))
        if values:
            mean = float(np.average(values, weights=weights))
            found.append(Single(name, max(mean, 1 - mean), int(sum(weights))))
    return sorted(found, key=lambda one: (-one.auc, one.feature))


def matured(frame: pd.DataFrame, outcomes: pd.DataFrame, days: int = HORIZON) -> tuple[pd.DataFrame, pd.Series]:
    """Eligible snapshots whose outcome is known, and that outcome: no order within the horizon."""
    lost = no_order_within(outcomes, days)
    kept = (frame["cohort"] == ELIGIBLE) & lost.notna()
    return frame[kept], lost[kept].astype("float64")


def shuffled_auc(rows: pd.DataFrame, outcome: pd.Series, names: Sequence[str], seed: int) -> tuple[float, float]:
    """AUC and its standard error of boosted trees that learnt shuffled outcomes of all dates but the newest.

    Outcomes are shuffled among the customers of each date, in training and at the newest date alike.
    """
    import lightgbm

    rng = np.random.default_rng(seed)
    newest = rows["as_of"] == rows["as_of"].max()
    mixed = outcome.groupby(rows["as_of"]).transform(lambda held: rng.permutation(held.to_numpy()))
    data = lightgbm.Dataset(rows.loc[~newest, list(names)], mixed[~newest])
    model = lightgbm.train(BoostingOptions().parameters(seed, 1), data, 100)
    truth = mixed[newest].to_numpy()
    score = np.asarray(model.predict(rows.loc[newest, list(names)], num_threads=1))
    n, m = int(truth.sum()), int((1 - truth).sum())
    return roc_auc(score, truth), auc_error(n, m) if n and m else float("nan")


def end_of_data(frame: pd.DataFrame, names: Sequence[str]) -> list[Single]:
    """How well each feature alone tells the newest date from the one before, among the same eligible customers.

    A feature that can has seen where the data end: an export that was cut off, a source that is no longer fed, a value
    that exists for today's customers only.

    Raises
    ------
    TooLittleData
        If there is no date before the newest.
    """
    last = sorted(frame["as_of"].unique())[-2:]
    if len(last) < 2:
        raise TooLittleData("the end of the data cannot be probed: there is one date only. Give a longer history.")
    rows = frame[frame["as_of"].isin(last) & (frame["cohort"] == ELIGIBLE)]
    stayed = rows["customer_id"].duplicated(keep=False)
    rows = rows[stayed].reset_index(drop=True)
    newest = (rows["as_of"] == last[-1]).astype("float64")
    # what is the same for all customers of a date is a calendar, not a leak
    varying = [name for name in names if (rows.groupby("as_of")[name].nunique() > 1).all()]
    return singles(rows.assign(as_of=0), newest, varying)
