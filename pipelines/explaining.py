"""Why customers of one bucket stand as they do: their reasons with their sentences, from finished snapshots.

TreeSHAP costs more than the score itself, so the daily run asks for those who are warned about and those whose level
moved, and for nobody else.
"""

import json
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
from features.snapshots import ELIGIBLE
from models import reasons as why
from models.churn_model import ChurnModel
from pipelines.scoring import outside_cohort, with_columns
from serving.wording import ReasonFacts, fact_of, fact_text, rest_text


@dataclass(frozen=True)
class Terms:
    """What reasons are told with.

    Attributes
    ----------
    as_of
        The cutoff.
    count
        Reasons that are told of a customer at most.
    currency
        ISO code, "" for none.
    spread
        Of :func:`models.reasons.spread_of`: the eligible customers of the date.
    """

    as_of: date
    count: int
    currency: str
    spread: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class ExplainBucket:
    """The reasons of some customers of one bucket, in a form that another process can be handed.

    `customers` are those who are asked about; of those in `percent` the chances themselves may be told.
    """

    model: ChurnModel
    parts: SnapshotParts
    terms: Terms
    customers: frozenset[str] = field(repr=False)
    percent: frozenset[str] = field(repr=False)
    own: tuple[OwnFile, ...] = ()

    def __call__(self, _events: Events, bucket: int) -> pd.DataFrame:
        """Explain those of one bucket."""
        install(self.own)
        snapshots = self.parts.frame(bucket)
        here = snapshots[snapshots["customer_id"].isin(self.customers)].reset_index(drop=True)
        return explained(self.model, with_columns(here, self.model), self.terms, self.percent)


def explained(
    model: ChurnModel,
    frame: pd.DataFrame,
    terms: Terms,
    percent: frozenset[str] = frozenset(),
    background: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Reasons of snapshots, with ``said`` (JSON text) and ``text`` (English).

    Parameters
    ----------
    frame
        Snapshots of one date, with every column that the model reads (:func:`pipelines.scoring.with_columns`).
    percent
        Customers of whom the chance by the order rhythm alone may be told.
    background
        As for :func:`models.reasons.contributions`.

    Returns
    -------
    DataFrame
        The columns of :func:`models.reasons.reasons`, ``said`` and ``text``. Customers outside the cohort have one row:
        the rest, which is all of their log-odds.
    """
    inside = frame[frame["cohort"] == ELIGIBLE]
    split = why.contributions(model, inside, background)
    told = why.reasons(model, inside, count=terms.count, spread=terms.spread, split=split)
    told = pd.concat([told, _outside(model, frame)], ignore_index=True)
    rows = frame.set_index("customer_id")
    medians = {str(name): value for name, value in terms.spread["median"].dropna().items()}
    facts = {who: figures_of(rows.loc[who].to_dict()) for who in dict.fromkeys(told["customer_id"])}
    said = [
        None
        if one["feature"] == why.OTHER
        else fact_of(facts_of(one, facts[one["customer_id"]], medians, terms, percent=one["customer_id"] in percent))
        for one in told.to_dict("records")
    ]
    text = [rest_text() if fact is None else fact_text(fact, "en", terms.currency) for fact in said]
    kept = [None if fact is None else json.dumps(fact.to_list(), ensure_ascii=False) for fact in said]
    return told.assign(said=pd.Series(kept, dtype="object"), text=text)


def _outside(model: ChurnModel, frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each customer outside the cohort with an order: the model of its track knows no parts."""
    scored = outside_cohort(model, frame)
    contribution = scored["margin"] - scored["base_margin"]
    return pd.DataFrame(
        {
            "customer_id": scored["customer_id"].to_numpy(),
            "as_of": frame.loc[scored.index, "as_of"].to_numpy(),
            "position": 1,
            "role": why.REST,
            "concept": why.OTHER,
            "feature": why.OTHER,
            "dimension": "transaction",
            "value": np.nan,
            "usual_value": np.nan,
            "peer_value": np.nan,
            "contribution": contribution.to_numpy(),
            "contribution_points": special.expit(scored["margin"]) - special.expit(scored["base_margin"]),
        }
    )


def figures_of(row: Mapping[Hashable, Any]) -> dict[str, float]:
    """What sentences may tell of a snapshot: its numbers, as far as they are known."""
    return {
        str(name): float(value)
        for name, value in row.items()
        if isinstance(value, int | float | np.number) and np.isfinite(value)
    }


def facts_of(
    reason: Mapping[Hashable, Any],
    facts: Mapping[str, float],
    peers: Mapping[str, float],
    terms: Terms,
    *,
    percent: bool = True,
) -> ReasonFacts:
    """One reason as what its sentence may draw on.

    Without `percent` the order rhythm's own chance is not told.
    """
    since = facts.get("days_since_last_order")
    return ReasonFacts(
        feature=reason["feature"],
        value=reason["value"] if percent or reason["feature"] != why.RHYTHM else None,
        usual=reason["usual_value"],
        contribution=reason["contribution"],
        window_days=facts.get("churn_window_days"),
        currency=terms.currency,
        last_order_on=None if since is None else (pd.Timestamp(terms.as_of) - pd.Timedelta(days=since)).date(),
        cycle_days=facts.get("gap_median_days_ever"),
        as_of=terms.as_of,
        facts=facts,
        peer=reason["peer_value"],
        peers=peers,
    )
