"""Warnings that do not move: where they stand, for how long, and whose they are."""

from datetime import datetime

import pandas as pd

from serving.loop import STEPS
from serving.rows import records


def stuck(episodes: pd.DataFrame, at: datetime, after_days: int) -> pd.DataFrame:
    """Warnings that have not moved for so many whole days or more, and have not gone all their way.

    A warning that is closed has still to be evaluated and learned from, so that closing it takes it off no list.

    Parameters
    ----------
    episodes
        The table.
    at
        The moment at which it is asked.

    Returns
    -------
    DataFrame
        ``step``, ``episode_id``, ``customer_id``, ``owner``, ``days`` and ``unowned``, in order of the steps and,
        within one, the longest first.
    """
    rows = [
        (row["step"], row["episode_id"], row["customer_id"], row["owner"], (at - row["step_since"]).days)
        for row in records(episodes)
        if row["step"] != STEPS[-1]
    ]
    found = pd.DataFrame(rows, columns=["step", "episode_id", "customer_id", "owner", "days"], dtype="object")
    found = found[found["days"] >= after_days].assign(place=found["step"].map(STEPS.index))
    found = found.sort_values(["place", "days", "customer_id"], ascending=[True, False, True], ignore_index=True)
    return found.assign(unowned=found["owner"].isna()).drop(columns="place")
