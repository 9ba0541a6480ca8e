"""What a contestant is given at one cutoff: a question, and plain tables that end at that cutoff."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Task:
    """P(no order in [as_of, as_of + horizon_days)) is asked of every row to be predicted.

    Attributes
    ----------
    as_of
        The midnight at which we pretend to stand.
    horizon_days, seed, threads
        The window after it; the seed of everything random; the threads that may be used.
    orders
        Order lines that had happened and were known before `as_of`: ``customer_id``, ``order_id``, ``ordered_at``,
        ``known_at``, ``amount`` (negative for a credit note), ``quantity``, ``product_id`` (both may be missing).
    train
        Earlier (customer_id, as_of) whose outcome was known by `as_of`: ``outcome`` (1.0 = no order within the
        horizon), ``days_to_next_order`` (NaN where none was seen), ``observed_days``.
    test
        The (customer_id, as_of) to be predicted.
    """

    as_of: pd.Timestamp
    horizon_days: int
    seed: int
    threads: int
    orders: pd.DataFrame
    train: pd.DataFrame
    test: pd.DataFrame


def read(folder: Path) -> Task:
    """The task that a folder of the exchange holds."""
    facts = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    rows = pd.read_parquet(folder / "rows.parquet")
    train, test = (rows[rows["role"] == role].reset_index(drop=True) for role in ("train", "test"))
    return Task(
        as_of=pd.Timestamp(facts["as_of"]),
        horizon_days=int(facts["horizon_days"]),
        seed=int(facts["seed"]),
        threads=int(facts["threads"]),
        orders=pd.read_parquet(folder / "orders.parquet"),
        train=train,
        test=test[["customer_id", "as_of"]],
    )
