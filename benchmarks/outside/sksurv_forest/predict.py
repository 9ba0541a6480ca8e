"""Random survival forest of scikit-survival on the time to the next order, with the wide columns.

P(no order within h days) is the survival function at h, times as in lifelines_cox. The forest keeps a curve in every
leaf, so times end one horizon after the horizon asked for, and it learns from a sample of the rows.
"""

import numpy as np
from history import logarithms, wide
from sksurv.ensemble import RandomSurvivalForest
from sksurv.util import Surv
from task import Task

MOST_ROWS = 12_000
TREES = 100
LEAF_ROWS = 40


def predict(task: Task) -> np.ndarray:
    """P(no order within the horizon)."""
    train = task.train
    if len(train) > MOST_ROWS:
        train = train.sample(MOST_ROWS, random_state=task.seed).reset_index(drop=True)
    end = 2 * task.horizon_days
    days = train["days_to_next_order"].fillna(np.inf) + 1
    seen = days <= np.minimum(train["observed_days"], end)
    times = np.where(seen, days, np.minimum(train["observed_days"], end))
    columns = logarithms(wide(task.orders, train))
    usual = columns.median()
    forest = RandomSurvivalForest(
        TREES, min_samples_leaf=LEAF_ROWS, max_features="sqrt", n_jobs=task.threads, random_state=task.seed
    )
    forest.fit(columns.fillna(usual), Surv.from_arrays(seen.to_numpy(), times))
    asked = logarithms(wide(task.orders, task.test)).fillna(usual)
    curves = forest.predict_survival_function(asked, return_array=True)
    at = np.searchsorted(forest.unique_times_, task.horizon_days, side="right") - 1
    return curves[:, at] if at >= 0 else np.ones(len(asked))
