"""One bucket of customers scored: probabilities, reasons and their sentences, from finished snapshots alone.

Everything here needs one bucket and what was learnt of all of them before (the model, the peers' medians), so that it
runs wherever the bucket does. What compares customers, the room of the levels, is left to the daily run.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from features.buckets import Events
from features.own import OwnFile, install
from features.passes import SnapshotParts
from features.registry import REGISTRY
from features.snapshots import ELIGIBLE
from features.tracks import funnel
from models import completeness, economics
from models import reasons as why
from models.churn_model import ChurnModel
from models.horizons import PROBABILITIES, curve, probability_frame
from models.levels import queue_of
from serving.records import INTERVAL, LEVEL_ALONE, PERCENT, SCORE_COLUMNS, SCORE_NUMBERS
from serving.wording import ReasonFacts, reason_text, rest_text

ENOUGH_ORDER_DAYS = 3


@dataclass(frozen=True)
class BucketScores:
    """What one bucket gives.

    Attributes
    ----------
    scores
        Columns of :mod:`serving.records` and ``early_margin``, the log-odds of a loss to come; levels are still
        ``none``.
    reasons
        As they leave the system, with their sentences.
    funnel
        The cohort's funnel of these customers.
    known
        Per feature of the model: of how many eligible customers it is known.
    digest
        Sum of the digests of all snapshots: the same whatever the order of rows and buckets.
    """

    scores: pd.DataFrame
    reasons: pd.DataFrame
    funnel: pd.DataFrame
    known: pd.Series
    digest: int


@dataclass(frozen=True)
class Peers:
    """What is told from all customers of a date before any of them is scored.

    Attributes
    ----------
    medians
        Median of each feature over the cohort.
    values
        Value at risk by customer (:func:`models.economics.value_at_risk`).
    stale
        Tables that are not delivered any more.
    """

    medians: pd.Series
    values: pd.Series
    stale: frozenset[str]

    @classmethod
    def of(cls, parts: SnapshotParts, as_of: date) -> "Peers":
        """Read from all finished snapshots, a few columns of each."""
        names = {"customer_id", *economics.READS, "margin_share_365d", *completeness.LATELY.values()}
        frame = parts.columns(names)
        values = economics.value_at_risk(frame).set_axis(frame["customer_id"])
        return cls(parts.medians(as_of), values, completeness.stale_tables(frame))


@dataclass(frozen=True)
class ScoreBucket:
    """The scoring of one bucket, in a form that another process can be handed."""

    model: ChurnModel
    parts: SnapshotParts
    peers: Peers = field(repr=False)
    as_of: date
    count: int
    currency: str
    own: tuple[OwnFile, ...] = ()

    def __call__(self, events: Events, bucket: int) -> BucketScores:
        """Score one bucket."""
        install(self.own)
        model = self.model
        snapshots = with_columns(self.parts.frame(bucket), model)
        here = snapshots[snapshots["cohort"] == ELIGIBLE]
        scored = model.probabilities(here)
        split = why.contributions(model, here)
        told = why.reasons(model, here, count=self.count, peers=self.peers.medians, split=split)
        scored = scored.assign(churn_window_days=here["churn_window_days"])
        ahead = np.full(len(here), np.nan) if model.early is None else model.early.margins(here)
        scored = scored.assign(base_margin=split.base, level="none", queue=queue_of(here), early_margin=ahead)
        inside = _rows(here, scored)
        outside, told_outside = _outside_cohort(model, snapshots)
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
        told = pd.concat([told, told_outside], ignore_index=True)
        covered = here[list(model.boosting.columns)].notna().sum()
        percent = set(here["customer_id"]) if model.shows_percentages else set()
        words = _sentences(told, snapshots, self.as_of, self.currency, percent)
        return BucketScores(scores, told.assign(text=words), funnel(snapshots), covered, digest_of(snapshots))


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


def _outside_cohort(model: ChurnModel, snapshots: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of the others with an order, by the model of their track. They get no level."""
    here = snapshots[(snapshots["cohort"] != ELIGIBLE) & (snapshots["order_days_ever"] >= 1)]
    window = here["churn_window_days"]
    if model.others is None:
        scored = probability_frame(model.rhythm.margins(here), window).assign(churn_window_days=window)
    else:
        scored = model.others.probabilities(here, model.rhythm)
    scored = scored.assign(level="none", churn_low=np.nan, churn_high=np.nan)
    _, base = curve(np.broadcast_to(np.array(model.reference), (len(here), len(PROBABILITIES))), window)
    contribution = scored["margin"].to_numpy() - base
    told = pd.DataFrame(
        {
            "customer_id": here["customer_id"].to_numpy(),
            "as_of": here["as_of"].to_numpy(),
            "position": 1,
            "concept": why.RHYTHM_CONCEPT,
            "feature": why.RHYTHM,
            "dimension": "transaction",
            "value": scored["churn_probability"].to_numpy(),
            "usual_value": np.nan,
            "peer_value": np.nan,
            "contribution": contribution,
            "contribution_points": special.expit(base + contribution) - special.expit(base),
        }
    )
    return _rows(here, scored.assign(base_margin=base)), told


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


def _sentences(told: pd.DataFrame, snapshots: pd.DataFrame, as_of: date, currency: str, percent: set[str]) -> list[str]:
    """The sentence of each reason; `percent` are the customers of whom percentages may be told."""
    facts = snapshots[snapshots["customer_id"].isin(told["customer_id"])].drop(columns=["as_of", "cohort"])
    rows = {row["customer_id"]: figures_of(row) for row in facts.to_dict("records")}
    return [
        sentence(one, rows[one["customer_id"]], as_of, currency, percent=one["customer_id"] in percent)
        for one in told.to_dict("records")
    ]


def figures_of(row: Mapping[Hashable, Any]) -> dict[str, float]:
    """What sentences may tell of a snapshot: its numbers, as far as they are known."""
    return {str(name): value for name, value in row.items() if not isinstance(value, str) and np.isfinite(value)}


def sentence(
    reason: Mapping[Hashable, Any], facts: Mapping[str, float], as_of: date, currency: str, *, percent: bool = True
) -> str:
    """One reason as an English sentence, from the figures of its customer.

    Without `percent` the order rhythm's own chance is not told.
    """
    if reason["feature"] == why.OTHER:
        return rest_text()
    since = facts.get("days_since_last_order")
    return reason_text(
        ReasonFacts(
            feature=reason["feature"],
            value=reason["value"] if percent or reason["feature"] != why.RHYTHM else None,
            usual=reason["usual_value"],
            contribution=reason["contribution"],
            window_days=facts.get("churn_window_days"),
            currency=currency,
            last_order_on=None if since is None else (pd.Timestamp(as_of) - pd.Timedelta(days=since)).date(),
            cycle_days=facts.get("gap_median_days_ever"),
            as_of=as_of,
            facts=facts,
        )
    )
