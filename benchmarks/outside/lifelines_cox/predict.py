"""Cox proportional hazards of lifelines on the time to the next order, with the four plain columns.

P(no order within h days) is the survival function at h: a day is added to every time, so that an order on the day of
the cutoff itself has one, and the next order comes within h days exactly where its time is at most h.
"""

import numpy as np
from history import logarithms, rfm
from lifelines import CoxPHFitter
from task import Task


def predict(task: Task) -> np.ndarray:
    """P(no order within the horizon), learnt from all matured rows; those without a later order are censored."""
    columns = logarithms(rfm(task.orders, task.train))
    seen = task.train["days_to_next_order"].notna()
    days = (task.train["days_to_next_order"] + 1).fillna(task.train["observed_days"])
    model = CoxPHFitter(penalizer=0.001)
    model.fit(columns.assign(days=days, seen=seen), duration_col="days", event_col="seen")
    asked = logarithms(rfm(task.orders, task.test))
    return model.predict_survival_function(asked, times=[task.horizon_days]).to_numpy()[0].clip(0, 1)
