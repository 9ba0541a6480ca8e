"""BG/NBD of pymc-marketing, fitted by maximum a posteriori on the order days alone, without any outcome.

It is read as the probability of no order within the horizon, never as 1 - P(alive), which answers another question.
Times are in weeks, the scale of the library's default priors. The parameters are fitted on every customer who had
ordered by the cutoff.
"""

import os
import sys

import numpy as np
import pandas as pd
from history import order_days, postings
from task import Task

WEEK = 7.0


def predict(task: Task) -> np.ndarray:
    """P(no order within the horizon)."""
    # What PyTensor compiles is kept with the environment, not in the user's home.
    os.environ.setdefault("PYTENSOR_FLAGS", f"base_compiledir={sys.prefix}/compiled")
    from pymc_marketing.clv import BetaGeoModel

    days = order_days(postings(task.orders), task.as_of).groupby("customer_id")["days_ago"]
    first, last = days.max(), days.min()
    book = pd.DataFrame({"frequency": days.size() - 1, "recency": (first - last) / WEEK, "T": first / WEEK})
    model = BetaGeoModel()
    model.fit(data=book.rename_axis("customer_id").reset_index(), method="map", progressbar=False)
    # Of a customer who ordered once the formula has no value; all who are asked for have ordered twice.
    asked = book.loc[task.test["customer_id"]].reset_index()
    chance = model.expected_probability_no_purchase(t=task.horizon_days / WEEK, data=asked)
    by_customer = chance.mean(("chain", "draw")).to_series()
    return by_customer.loc[task.test["customer_id"]].to_numpy()
