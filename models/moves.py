"""Why a score moved: the difference of one model's log-odds between two snapshots, exactly, feature by feature.

Every part of the champion has an exact share of its own: the trees by interventional TreeSHAP with the earlier snapshot
as the only background (:mod:`models.paired_trees`), the regression by its coefficients, the label-free model as a
whole. How the horizons weigh in the customer's own window moves, too; of a product of two factors that both move, each
gets its move times the mean of the other (Shapley's value of two players), so that nothing is left over.
"""

import numpy as np
import pandas as pd

from features.labels import HORIZONS
from models.churn_model import ChurnModel
from models.horizons import own_weights
from models.reasons import RHYTHM, WINDOW


def moves(model: ChurnModel, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """What each feature's move adds to the calibrated log-odds of the own window.

    Parameters
    ----------
    before, after
        Snapshots with the columns that the model reads, row by row of the same customer; n rows each.

    Returns
    -------
    DataFrame
        Shape (n, features + 2): one column per feature of the model, :data:`~models.reasons.RHYTHM` and
        :data:`~models.reasons.WINDOW`;
        index of `after`. Each row sums to margin(after) - margin(before).

    Raises
    ------
    ValueError
        If there are not as many rows before as after.
    """
    if len(before) != len(after):
        raise ValueError(f"expected a row before for each row after; found {len(before)} and {len(after)}")
    columns = [*dict.fromkeys((*model.boosting.columns, *model.logistic.columns)), RHYTHM, WINDOW]
    place = {name: i for i, name in enumerate(columns)}
    margins = [model.margins(frame) for frame in (before, after)]
    windows = [frame["churn_window_days"] for frame in (before, after)]
    weights = [own_weights(margin, window) for margin, window in zip(margins, windows, strict=True)]
    share, level = (weights[0] + weights[1]) / 2, (margins[0] + margins[1]) / 2
    found = np.zeros((len(after), len(columns)))
    rhythm = model.rhythm.margins(after) - model.rhythm.margins(before)
    ranked = model.logistic.ranks.places(after) - model.logistic.ranks.places(before)
    for i in range(len(HORIZONS)):
        weight_boosting, weight_logistic, weight_rhythm = model.weights[i]
        part = np.zeros_like(found)
        part[:, place[RHYTHM]] = (weight_boosting + weight_logistic + weight_rhythm) * rhythm[:, i]
        if weight_boosting and model.boosting.bags[i]:
            trees = model.boosting.moved(before, after, i)
            part[:, [place[name] for name in model.boosting.columns]] += weight_boosting * trees
        if weight_logistic:
            added = model.logistic.contributions(ranked, i)
            part[:, [place[name] for name in model.logistic.columns]] += weight_logistic * added
        found += share[:, [i]] * model.calibrations[i].slope * part
    found[:, place[WINDOW]] = ((weights[1] - weights[0]) * level).sum(axis=1)
    return pd.DataFrame(found, index=after.index, columns=columns)
