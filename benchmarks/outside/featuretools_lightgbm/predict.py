"""Deep feature synthesis of featuretools on customers, orders and lines, learnt by LightGBM as it comes.

Every row has its own cutoff time: featuretools uses a line only from the moment at which it was known. Features are
made three times, of everything before the cutoff and of the last 90 and 365 days.
"""

import warnings

import numpy as np
import pandas as pd
from history import with_visibility
from lightgbm import LGBMClassifier
from task import Task

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its release of 2024 warns of pandas and setuptools of later years; so below
    import featuretools as ft

WINDOWS = (None, "365 days", "90 days")
#: Without "trend", which takes six times as long as all of these together.
OF_MANY = ["count", "sum", "mean", "std", "max", "num_unique"]
#: Of orders alone: the lines of an order are of one moment.
OF_TIMES = ["time_since_last", "time_since_first", "avg_time_between"]
#: Learns from the newest dates that have at most so many rows together: making features takes 2 ms a row.
MOST_ROWS = 20_000


def predict(task: Task) -> np.ndarray:
    """P(no order within the horizon)."""
    sizes = task.train.groupby("as_of").size()[::-1].cumsum()
    dates = sizes.index[(sizes <= MOST_ROWS) | (sizes == sizes.iloc[0])]
    train = task.train[task.train["as_of"].isin(dates)].reset_index(drop=True)
    rows = pd.concat([train[["customer_id", "as_of"]], task.test], ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        columns = synthesised(task.orders, rows)
    model = LGBMClassifier(
        n_estimators=300,
        learning_rate=0.03,
        num_leaves=15,
        random_state=task.seed,
        n_jobs=task.threads,
        deterministic=True,
        verbose=-1,
    )
    model.fit(columns.iloc[: len(train)], train["outcome"])
    return model.predict_proba(columns.iloc[len(train) :])[:, 1]


def synthesised(orders: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """One row of features for each of `rows`, in their order."""
    seen = with_visibility(orders)
    lines = seen[["customer_id", "product_id", "amount", "visible_from"]].rename_axis("line").reset_index()
    lines["order"] = seen["customer_id"] + "/" + seen["order_id"]
    entities = ft.EntitySet("company")
    entities.add_dataframe(lines, "lines", index="line", time_index="visible_from")
    entities.normalize_dataframe("lines", "orders", index="order", additional_columns=["customer_id"])
    entities.normalize_dataframe("orders", "customers", index="customer_id", make_time_index=False)
    asked = rows.rename(columns={"as_of": "time"})
    parts = []
    for window in WINDOWS:
        table, _ = ft.dfs(
            entityset=entities,
            target_dataframe_name="customers",
            cutoff_time=asked,
            training_window=window,
            include_cutoff_time=True,
            agg_primitives=OF_MANY + OF_TIMES,
            trans_primitives=[],
            primitive_options={tuple(OF_TIMES): {"include_dataframes": ["orders"]}},
            max_depth=2,
            cutoff_time_in_index=True,
            n_jobs=1,
        )
        at = pd.MultiIndex.from_frame(asked[["customer_id", "time"]])
        parts.append(table.reindex(at).select_dtypes("number").add_suffix(f" {window or 'ever'}"))
    return pd.concat(parts, axis=1).astype("float64").set_axis(rows.index)
