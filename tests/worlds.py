"""One small simulated company, walked once per process, a company drawn from a rule, and drawn training rows: what
tests of the models share."""

from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from narrowed import registry_of
from orders import ingested
from scipy.special import expit, logit

from features import registry
from features.simulate import simulate
from features.snapshots import ELIGIBLE, Cohort, SnapshotTable, Window, monthly, take
from models import label_free, second_order
from models.classifiers import BoostingOptions
from models.contestants import Training
from models.folds import Walk, WalkOptions, walk_forward
from models.health import MARKS
from models.rules import RULES, Rule

#: A quarter apart: the oldest two have wholly matured at the last one, so that its levels have a record.
CUTOFFS = (date(2024, 4, 1), date(2024, 7, 1), date(2024, 10, 1), date(2025, 1, 1))
#: What drawn rows have for features.
COLUMNS = (
    "days_since_last_order",
    "days_since_first_order",
    "order_days_90d",
    "order_days_365d",
    "order_days_ever",
    "gap_mean_days_ever",
    "gap_cv_ever",
    "longer_gap_probability",
    "revenue_90d",
    "revenue_365d",
    "order_value_mean_ever",
)
#: Some of the features of orders: what is learnt from hundreds costs its time and tells a test nothing more.
SOME_FEATURES = (
    *COLUMNS,
    *(rule.feature for rule in RULES if isinstance(rule, Rule)),
    *(mark.feature for mark in MARKS if mark.dimension == "transaction"),
    *second_order.READS,
    "order_days_180d",
    "order_days_90d_vs_usual",
    "order_cycle_days",
    "days_since_last_order_vs_median_gap",
    "days_since_last_order_vs_q90_gap_vs_peers",
    "products_365d",
    "revenue_90d_vs_usual",
    "revenue_90d_vs_peers",
    "return_share_365d",
    "time_of_year_cos",
    "time_of_year_sin",
    "order_days_next_90d_last_year",
)
#: Few rounds, and one thread, because several processes share the machine.
QUICK = WalkOptions(boosting=BoostingOptions(rounds=20, learning_rate=0.15, bags=2), warm_up=0, threads=1)


def table_of(lines: pd.DataFrame, as_ofs: list[date], some: Iterable[str] | None = None) -> SnapshotTable:
    """Snapshots of these order lines, through a real ingest; of `some` features and what those read, or of all."""
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        if some is not None:
            patch.setattr(registry, "REGISTRY", registry_of(also=some))
        return take(ingested(lines, Path(place)), as_ofs, cohort=Cohort(), window=Window())


@cache
def walk() -> Walk:
    """A walk over 800 simulated customers, with every contestant. Not to be changed in place."""
    lines = simulate(800, 30, seed=3, end=date(2025, 7, 1)).tables["transactions"]
    table = table_of(lines, monthly(date(2023, 9, 1), CUTOFFS[-1]), SOME_FEATURES)
    return walk_forward(table, CUTOFFS, QUICK)


def latest() -> pd.DataFrame:
    """Every snapshot of the walk's last cutoff."""
    frame = walk().table.frame
    return frame[frame["as_of"] == pd.Timestamp(CUTOFFS[-1])]


def latest_cohort() -> pd.DataFrame:
    """The snapshots that the champion has to score at the walk's last cutoff."""
    return latest()[latest()["cohort"] == ELIGIBLE]


@cache
def drawn_rows(dates: int = 4, customers: int = 120, seed: int = 0) -> pd.DataFrame:
    """Eligible snapshots 30 days apart with label-free log-odds and outcomes that depend on the days of silence.

    Every horizon of every row has matured. Not to be changed in place.
    """
    rng = np.random.default_rng(seed)
    n = dates * customers
    age = rng.integers(200, 700, n).astype("float64")
    frame = pd.DataFrame(
        {name: rng.gamma(2.0, 2.0, n) for name in COLUMNS},
    ).assign(
        customer_id=np.tile([f"D{i:04d}" for i in range(customers)], dates),
        as_of=np.repeat(pd.date_range("2024-01-01", periods=dates, freq="30D").to_numpy(), customers),
        days_since_first_order=age,
        days_since_last_order=np.ceil(rng.uniform(0.01, 0.6, n) * age),
        order_days_ever=rng.integers(2, 20, n).astype("float64"),
        cohort=ELIGIBLE,
        churn_window_days=rng.integers(45, 181, n),
    )
    frame["long_gap_days"] = frame["churn_window_days"] / 1.5
    usual = 20 + 0.6 * frame["days_since_last_order"] * np.where(frame["revenue_90d"] > 4, 0.5, 1.5)
    frame["days_to_next_order"] = np.floor(rng.exponential(usual))
    frame["observed_days"] = 400
    return label_free.attach(frame, seed=0)


@cache
def told_company(dates: int = 21, customers: int = 150, seed: int = 0, season: float = 0.0) -> SnapshotTable:
    """A company whose customers tell by `revenue_90d` whether they leave, 30 days apart. Not to be changed in place.

    Every snapshot is a customer of its own, with a long gap of 60 days. Of those with more than 4 one in ten leaves, of
    the others six in ten. On the oldest three dates half of those who leave come back after 130 days, later nobody.
    `season` is the standard deviation, in log-odds, by which each date departs from that for everybody alike.
    """
    rng = np.random.default_rng(seed)
    n = dates * customers
    as_of = np.repeat(pd.date_range("2024-01-01", periods=dates, freq="30D").to_numpy("datetime64[s]"), customers)
    age = rng.integers(200, 700, n).astype("float64")
    frame = pd.DataFrame({name: rng.gamma(2.0, 2.0, n) for name in COLUMNS}).assign(
        customer_id=[f"T{i:05d}" for i in range(n)],
        as_of=as_of,
        segment="trade",
        days_since_first_order=age,
        days_since_last_order=np.ceil(rng.uniform(0.01, 0.3, n) * age),
        order_days_ever=rng.integers(2, 20, n).astype("float64"),
        cohort=ELIGIBLE,
        gap_median_days_ever=40.0,
        long_gap_days=60.0,
        churn_window_days=90,
    )
    level = np.repeat(season * np.random.default_rng([seed, 1]).normal(size=dates), customers)
    leaves = rng.random(n) < expit(logit(np.where(frame["revenue_90d"] > 4, 0.1, 0.6)) + level)
    back = (np.arange(n) < 3 * customers) & (rng.random(n) < 0.5)
    after = np.where(leaves, np.where(back, 130, 2000), np.floor(rng.uniform(0, 80, n)))
    day = pd.Series(as_of + after.astype("timedelta64[D]"))
    orders = pd.DataFrame(
        {
            "customer_id": frame["customer_id"],
            "day": day,
            "is_order": True,
            "amount": 100.0,
            "visible_from": day + pd.Timedelta(days=1),
            "visible_until": pd.Timestamp("2200-01-01"),
        }
    )
    return SnapshotTable(frame, orders, (frame["as_of"].max() + pd.Timedelta(days=400)).date())


def training(rows: pd.DataFrame, columns: tuple[str, ...] = COLUMNS) -> Training:
    """These rows to learn from; the book of the cutoff is that of their newest date."""
    return Training(rows, rows[rows["as_of"] == rows["as_of"].max()], columns, seed=0, threads=1)


def matured_until(rows: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """The same rows with their outcomes as known at a cutoff."""
    observed = (cutoff - rows["as_of"]).dt.days
    seen = rows["days_to_next_order"].where(rows["days_to_next_order"] < observed)
    return rows.assign(observed_days=observed, days_to_next_order=seen)
