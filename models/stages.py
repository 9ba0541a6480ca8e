"""How far a customer has gone on the way out: none, cooling, comparison, decision, and lost behind them.

The first four are the feature ``relationship_stage``, which says what speaks for each. Lost is told from the orders:
silent for more than two of its own cycles *and* for longer than its own window. Two cycles alone (the rule that marks a
customer as churned) would call a weekly customer lost after fifteen days, where its own gaps may well be as long; the
window alone would call somebody lost within two cycles where it is cut at its upper bound. Where no cycle can be told
yet nobody is lost, however long the silence: the levels speak for it.
"""

import pandas as pd

from features.stages import stage_of

LOST = "lost"
#: In the order in which they are gone through.
STAGES = ("none", "cooling", "comparison", "decision", LOST)
#: Silent for more than so many own cycles, as in the rule that marks a customer as churned.
LOST_AFTER_CYCLES = 2.0
READS = ("relationship_stage", "days_since_last_order", "order_cycle_days", "churn_window_days")


def stages(frame: pd.DataFrame, lost_after_cycles: float = LOST_AFTER_CYCLES) -> pd.Series:
    """The stage of each snapshot, one of :data:`STAGES`.

    Parameters
    ----------
    frame
        Snapshots: :data:`READS`. An unknown ``relationship_stage`` supports no stage.
    lost_after_cycles
        A customer can only be lost after more than so many of its cycles.

    Returns
    -------
    Series of str
        ``stage`` on the index of `frame`.
    """
    silence = frame["days_since_last_order"]
    lost = (silence > lost_after_cycles * frame["order_cycle_days"]) & (silence > frame["churn_window_days"])
    return stage_of(frame).mask(lost, LOST).rename("stage")
