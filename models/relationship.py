"""How strong the relationship is: as strong as its weakest role, so that one weak link is not averaged away."""

import numpy as np
import pandas as pd

from features.contract import ROLES

#: What :func:`relationship` tells.
COLUMNS = ("relationship_score", "weakest_role")


def relationship(frame: pd.DataFrame, least_usual: float) -> pd.DataFrame:
    """The relationship's score and the role that it is the score of.

    A role's score is its contacts of the last 90 days as a share of its own usual, 0 to 100. The relationship's score
    is the lowest of them: with 90, 90, 90 and 20 it is 20, not 72.5.

    Parameters
    ----------
    frame
        ``<role>_interactions_90d`` and ``<role>_interactions_90d_usual`` of :data:`features.contract.ROLES`, as far as
        there are such.
    least_usual
        Usual contacts per 90 days from which on a role is judged.

    Returns
    -------
    DataFrame
        On the frame's index: ``relationship_score`` (float64) and ``weakest_role`` (str); both missing where no role
        can be judged. Of roles that are equally weak the first of :data:`features.contract.ROLES` is named.
    """
    scores = pd.DataFrame(np.nan, index=frame.index, columns=list(ROLES))
    for role in ROLES:
        recent, usual = f"{role}_interactions_90d", f"{role}_interactions_90d_usual"
        if recent in frame.columns and usual in frame.columns:
            judged = frame[usual].where(frame[usual] >= least_usual)
            scores[role] = (100 * frame[recent] / judged).clip(0, 100)
    known = scores.notna().any(axis=1)
    weakest = pd.Series(ROLES, dtype="str").to_numpy()[scores.fillna(np.inf).to_numpy().argmin(axis=1)]
    return pd.DataFrame(
        {
            "relationship_score": scores.min(axis=1),
            "weakest_role": pd.Series(weakest, index=frame.index, dtype="str").where(known),
        }
    )
