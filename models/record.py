"""The record of a walk: what was predicted at earlier dates, from which weights, calibration and levels are learnt.

It holds log-odds per component and horizon and no probability of the own window, so that a window that is chosen later
can be read off it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import windows
from features.labels import HORIZONS, no_order_within
from models.contestants import Training
from models.horizons import curve
from models.levels import queue_of
from models.selection import COMPONENTS, Weights

Floats = NDArray[np.float64]

#: What a window of any multiple and a queue are told from; only some companies have customers with open months.
_KEPT = ("customer_id", "days_since_last_order", *windows.READS)


@dataclass(frozen=True)
class Record:
    """Out-of-time log-odds of the components and the champion at earlier dates; None where there are none."""

    rows: pd.DataFrame | None = None

    def with_predictions(self, eligible: pd.DataFrame, components: Floats, champion: Floats) -> "Record":
        """The record with the predictions of one more date.

        Parameters
        ----------
        eligible
            Its cohort.
        components
            Log-odds of :data:`models.selection.COMPONENTS`, shape (3, n, horizons).
        champion
            The champion's calibrated log-odds, shape (n, horizons).
        """
        here = eligible[[name for name in _KEPT if name in eligible]].reset_index(drop=True)
        columns = {
            f"{name}_{days}": values[:, h]
            for name, values in (*zip(COMPONENTS, components, strict=True), ("champion", champion))
            for h, days in enumerate(HORIZONS)
        }
        here = pd.concat([here, pd.DataFrame(columns)], axis=1)
        return Record(here if self.rows is None else pd.concat([self.rows, here], ignore_index=True))

    def known_at(self, training: Training) -> pd.DataFrame:
        """The record with the outcomes that were known at the cutoff of `training`; empty where there are none."""
        if self.rows is None:
            return pd.DataFrame()
        outcome = training.rows[["customer_id", "as_of", "days_to_next_order", "observed_days"]]
        return self.rows.merge(outcome, on=["customer_id", "as_of"], how="inner", validate="one_to_one")


def in_window(record: pd.DataFrame, rule: windows.Window, multiple: float) -> pd.DataFrame:
    """The record read at windows of a multiple: with ``churn_window_days``, ``queue`` and ``probability``."""
    here = record.assign(churn_window_days=windows.windows_of(record, rule, multiple))
    margins = here[[f"champion_{days}" for days in HORIZONS]].to_numpy()
    _, margin = curve(margins, here["churn_window_days"])
    return here.assign(queue=queue_of(here), probability=1 / (1 + np.exp(-margin)))


def matured(record: pd.DataFrame, weights: Weights, days: int) -> pd.DataFrame:
    """Predictions of one horizon whose outcome is known: ``as_of``, ``margin`` of the blend, ``label_free``,
    ``outcome``."""
    if record.empty:
        return pd.DataFrame({name: [] for name in ("as_of", "margin", "label_free", "outcome")}, dtype="float64")
    outcome = no_order_within(record, days)
    rows = record[outcome.notna()]
    parts = rows[[f"{name}_{days}" for name in COMPONENTS]].to_numpy()
    return pd.DataFrame(
        {
            "as_of": rows["as_of"].to_numpy(),
            "margin": parts @ np.array(weights),
            "label_free": parts[:, -1],
            "outcome": outcome.dropna().to_numpy(),
        }
    )
