"""Customers scored bucket by bucket: probabilities from finished snapshots alone.

:class:`ScoreBucket` needs one bucket and what was learnt of all of them before (the model, the values at risk), so that
it runs wherever the bucket does. What compares customers, the room of the levels, is left to the daily run; why a
customer stands so is told afterwards, of those of whom it is asked (:mod:`pipelines.explaining`).
"""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from features.buckets import Events
from features.engines import map_buckets
from features.own import OwnFile, install, installed
from features.passes import SnapshotParts, take_parts
from features.registry import REGISTRY
from features.snapshots import ELIGIBLE, Cohort, Progress, Window, silent
from features.tracks import funnel, funnels_together
from models import completeness, economics
from models import reasons as why
from models.churn_model import ChurnModel
from models.horizons import PROBABILITIES, curve, probability_frame
from models.levels import queue_of
from pipelines.intake import Intake
from serving.records import INTERVAL, LEVEL_ALONE, PERCENT, SCORE_COLUMNS, SCORE_NUMBERS

ENOUGH_ORDER_DAYS = 3


@dataclass(frozen=True)
class BucketScores:
    """What one bucket gives.

    Attributes
    ----------
    scores
        Columns of :mod:`serving.records` and ``early_margin``, the log-odds of a loss to come; levels are still
        ``none``.
    funnel
        The cohort's funnel of these customers.
    known
        Per feature of the model: of how many eligible customers it is known.
    digest
        Sum of the digests of all snapshots: the same whatever the order of rows and buckets.
    """

    scores: pd.DataFrame
    funnel: pd.DataFrame
    known: pd.Series
    digest: int


@dataclass(frozen=True)
class Peers:
    """What is told from all customers of a date before any of them is scored.

    Attributes
    ----------
    values
        Value at risk by customer (:func:`models.economics.value_at_risk`).
    stale
        Tables that are not delivered any more.
    """

    values: pd.Series
    stale: frozenset[str]

    @classmethod
    def of(cls, parts: SnapshotParts) -> "Peers":
        """Read from all finished snapshots, a few columns of each."""
        names = {"customer_id", *economics.READS, "margin_share_365d", *completeness.LATELY.values()}
        frame = parts.columns(names)
        values = economics.value_at_risk(frame).set_axis(frame["customer_id"])
        return cls(values, completeness.stale_tables(frame))


@dataclass(frozen=True)
class ScoreBucket:
    """The scoring of one bucket, in a form that another process can be handed."""

    model: ChurnModel
    parts: SnapshotParts
    peers: Peers = field(repr=False)
    own: tuple[OwnFile, ...] = ()

    def __call__(self, events: Events, bucket: int) -> BucketScores:
        """Score one bucket."""
        install(self.own)
        model = self.model
        snapshots = with_columns(self.parts.frame(bucket), model)
        here = snapshots[snapshots["cohort"] == ELIGIBLE]
        scored = model.probabilities(here).assign(churn_window_days=here["churn_window_days"])
        ahead = np.full(len(here), np.nan) if model.early is None else model.early.margins(here)
        scored = scored.assign(base_margin=why.bases(model, here), level="none", queue=queue_of(here))
        scored = scored.assign(early_margin=ahead)
        inside = _rows(here, scored)
        outside = outside_cohort(model, snapshots)
        known = pd.concat([inside, outside], ignore_index=True)
        grades = completeness.completeness(snapshots, events.columns, self.peers.stale)["grade"]
        grades = grades.set_axis(snapshots["customer_id"])
        value = self.peers.values.reindex(known["customer_id"]).to_numpy()
        known = known.assign(
            value_at_risk=value,
            expected_loss=value * known["churn_probability"],
            completeness=grades.reindex(known["customer_id"]).to_numpy(),
            shown=LEVEL_ALONE,
        )
        if model.shows_percentages:
            known.loc[known["cohort"] == ELIGIBLE, "shown"] = PERCENT
        scores = pd.concat([known, _without_orders(events, bucket, snapshots)], ignore_index=True)
        covered = here[list(model.boosting.columns)].notna().sum()
        return BucketScores(scores, funnel(snapshots), covered, digest_of(snapshots))


def digest_of(frame: pd.DataFrame) -> int:
    """Sum of the rows' digests, below 2 to the 64."""
    named = pd.util.hash_pandas_object(pd.Series(sorted(frame.columns)), index=False).to_numpy()
    rows = pd.util.hash_pandas_object(frame[sorted(frame.columns)], index=False).to_numpy()
    return (int(rows.sum(dtype="uint64")) + int(named.sum(dtype="uint64")) * len(rows)) % 2**64


def with_columns(snapshots: pd.DataFrame, model: ChurnModel) -> pd.DataFrame:
    """The snapshots with a column for every feature that the model reads: unknown where its source is not there."""
    others = () if model.others is None else model.others.reads
    ahead = () if model.early is None else model.early.columns
    names = dict.fromkeys((*model.boosting.columns, *model.logistic.columns, *others, *ahead))
    read = [REGISTRY[name] for name in names]
    wanted = dict.fromkeys([*(one.name for one in read), *(one.usual for one in read if one.usual)])
    absent = [name for name in wanted if name not in snapshots]
    return pd.concat([snapshots, pd.DataFrame(np.nan, index=snapshots.index, columns=absent)], axis=1)


def outside_cohort(model: ChurnModel, snapshots: pd.DataFrame) -> pd.DataFrame:
    """Scores of the others with an order, by the model of their track. They get no level."""
    here = snapshots[(snapshots["cohort"] != ELIGIBLE) & (snapshots["order_days_ever"] >= 1)]
    window = here["churn_window_days"]
    if model.others is None:
        scored = probability_frame(model.rhythm.margins(here), window).assign(churn_window_days=window)
    else:
        scored = model.others.probabilities(here, model.rhythm)
    base = curve(np.broadcast_to(np.array(model.reference), (len(here), len(PROBABILITIES))), window)[1]
    return _rows(here, scored.assign(level="none", churn_low=np.nan, churn_high=np.nan, base_margin=base))


def _rows(here: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Scores with what the output table says besides."""
    return scored.assign(
        customer_id=here["customer_id"],
        cohort=here["cohort"],
        history=np.where(here["order_days_ever"] >= ENOUGH_ORDER_DAYS, "enough", "short"),
    )


def _without_orders(events: Events, bucket: int, snapshots: pd.DataFrame) -> pd.DataFrame:
    """Customers that are known but never ordered: they have a row that says so, and no probability."""
    known = set(snapshots.loc[snapshots["order_days_ever"] < 1, "customer_id"])
    if "customers" in events.columns:
        with events.connect(bucket) as con:
            known |= {row[0] for row in con.execute("SELECT customer_id FROM customers").fetchall()}
        known -= set(snapshots.loc[snapshots["order_days_ever"] >= 1, "customer_id"])
    blank = pd.DataFrame({"customer_id": sorted(known)}).reindex(columns=list(SCORE_COLUMNS))
    blank = blank.astype(dict.fromkeys([*SCORE_NUMBERS, *INTERVAL], "float64"))
    return blank.assign(level="none", cohort="no_order", history="none", completeness=None, shown=LEVEL_ALONE)


@contextmanager
def snapshots_of(intake: Intake, model: ChurnModel, *, progress: Progress = silent) -> Iterator[SnapshotParts]:
    """The snapshots of the intake's date as the model was trained on them, in a folder that is gone afterwards."""
    intake.request.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=intake.request.out.absolute(), prefix=".snapshots-") as folder:
        yield take_parts(
            intake.events,
            [intake.as_of],
            Path(folder),
            cohort=Cohort(**model.facts["cohort"]),
            window=Window(**model.facts["window"]),
            options=model.facts["options"],
            engine=intake.engine,
            progress=progress,
        )


def score_buckets(intake: Intake, model: ChurnModel, parts: SnapshotParts) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Scores of all customers, ordered by id, with the levels of the probability alone; the funnel of the cohort; the
    digest of the snapshots.
    """
    work = ScoreBucket(model, parts, Peers.of(parts), installed())
    found = map_buckets(work, intake.events, intake.engine, "scores")
    _warn_of_missing(pd.concat([one.known for one in found], axis=1).sum(axis=1))
    scores = pd.concat([one.scores for one in found], ignore_index=True)
    scores = scores.sort_values("customer_id", ignore_index=True)
    scores = scores.assign(level_parts=None, stage=None, early_place=np.nan)
    eligible = scores[scores["cohort"] == ELIGIBLE]
    scores.loc[eligible.index, "level"] = model.levels.of(eligible["churn_probability"], eligible["queue"])
    return scores, funnels_together(one.funnel for one in found), f"{sum(one.digest for one in found) % 2**64:016x}"


class MissingFeatures(UserWarning):
    """Features that the champion has learnt from are unknown for everybody."""


def _warn_of_missing(known: pd.Series) -> None:
    """Say it once where the data lack what the champion has learnt from."""
    missing = list(known.index[known == 0])
    if missing and known.any():
        warnings.warn(
            f"{len(missing)} of the {len(known)} features that the champion has learnt from are unknown for "
            f"everybody, such as {missing[0]}. Does a column lack that the training had? Mend that, or train again.",
            MissingFeatures,
            stacklevel=2,
        )
