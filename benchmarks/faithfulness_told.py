"""Who is warned about and what is told of them, in the form that the measures of faithfulness share; no command."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.registry import registered
from models import reasons as why
from models.churn_model import ChurnModel
from models.levels import loudness

#: From this level on a customer counts as warned about.
WARNED_FROM = "yellow"
#: So much of the queue of those not overdue counts as warned about early, be its mark on or off.
EARLY_SHARE = 0.1
CONCEPTS = tuple(sorted({feature.concept for feature in registered()}))


@dataclass(frozen=True)
class Told:
    """What is told of some customers, all of one length.

    Attributes
    ----------
    rows
        The snapshots, with a plain range index.
    sums
        Contribution of each of :data:`CONCEPTS`, on the index of `rows`.
    reasons
        The table of :func:`models.reasons.reasons`.
    split
        The contributions that both were made of.
    """

    rows: pd.DataFrame
    sums: pd.DataFrame
    reasons: pd.DataFrame
    split: why.Contributions

    @property
    def concepts(self) -> list[tuple[str, ...]]:
        """The concepts told of each row in their order: its reasons, then the small changes."""
        return told_of(self.reasons, self.rows["customer_id"])

    @property
    def ranked(self) -> list[tuple[str, ...]]:
        """All concepts of each row, the largest contribution first."""
        return ranked(self.sums)


def told(model: ChurnModel, rows: pd.DataFrame, spread: pd.DataFrame, count: int) -> Told:
    """What a model tells of snapshots of one date."""
    rows = rows.reset_index(drop=True)
    split = why.contributions(model, rows)
    reasons = why.reasons(model, rows, count=count, spread=spread, split=split)
    return Told(rows, concept_sums(split.values), reasons, split)


def concept_sums(values: pd.DataFrame) -> pd.DataFrame:
    """Contributions by concept: a column for each of :data:`CONCEPTS`, 0 where the model reads none of it."""
    held = why.Concepts.of(values)
    sums = pd.DataFrame(held.sums, index=values.index, columns=list(held.names))
    return sums.reindex(columns=list(CONCEPTS), fill_value=0.0)


def told_of(reasons: pd.DataFrame, customers: Sequence[str] | pd.Series) -> list[tuple[str, ...]]:
    """The concepts told of each customer, in their order."""
    rows = reasons[reasons["role"].isin([why.REASON, why.SMALL])]
    by = rows.groupby("customer_id", sort=False)["concept"].agg(tuple).to_dict()
    return [by.get(who, ()) for who in customers]


def ranked(sums: pd.DataFrame) -> list[tuple[str, ...]]:
    """The columns of each row, the largest value first."""
    order = (-sums.to_numpy()).argsort(axis=1, kind="stable")
    return [tuple(row) for row in sums.columns.to_numpy()[order]]


def warned(model: ChurnModel, cohort: pd.DataFrame) -> pd.DataFrame:
    """``loud`` (the level is :data:`WARNED_FROM` or louder) and ``early`` (among the first of those not overdue)."""
    scored, standing = model.score(cohort), model.standing(cohort)
    loud = loudness(scored["level"]) >= loudness(pd.Series([WARNED_FROM]))[0]
    place = standing["early_place"]
    return pd.DataFrame({"loud": loud, "early": (place > 1 - EARLY_SHARE).fillna(False)}, index=cohort.index)


def jaccard(some: Sequence[tuple[str, ...]], others: Sequence[tuple[str, ...]], first: int | None = None) -> np.ndarray:
    """Concepts in common over concepts in either, of the `first` of each; 1 where neither has one."""
    pairs = [(set(a[:first]), set(b[:first])) for a, b in zip(some, others, strict=True)]
    return np.array([len(a & b) / len(a | b) if a | b else 1.0 for a, b in pairs])
