"""Customers outside the cohort: a chance for each of them, by the model of its track, and never a level.

New customers have the second-order model, customers of projects are asked for an order within a year, and all others,
dormant, closed or out of their season, have the label-free model's chance. No outcome has calibrated these; they stand
apart from the headline figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models import projects, second_order
from models.horizons import PROBABILITIES, probability_frame
from models.label_free import YEAR, FittedLabelFree
from models.projects import FittedProjects
from models.second_order import FittedSecondOrder

NEW, PROJECT = "few_order_days", "project"
_NAMES = {
    "label_free": "the label-free order rhythm",
    "label_free_by_segment": "the label-free order rhythm of the segment",
    "hazard": "the hazard of a second order by the age of the first",
    "facts": "a regression on the facts of the first order",
    "line": "the label-free order rhythm, read off a line",
    "pipeline": "a regression on quotes and inquiries",
}


@dataclass(frozen=True)
class OtherTracks:
    """The models of the tracks outside the cohort."""

    second_order: FittedSecondOrder
    projects: FittedProjects

    @property
    def reads(self) -> tuple[str, ...]:
        """Features that the models may read."""
        return (*second_order.READS, *projects.SIGNS)

    @property
    def words(self) -> tuple[str, ...]:
        """Which model each track has and what decided it, in sentences."""
        new, project = (
            f"by {_NAMES[fitted.in_use]} ({self._basis(fitted.evidence)})"
            for fitted in (self.second_order, self.projects)
        )
        return (
            f"Customers with one order day have the chance of a second order {new}; they are not in the figures above.",
            f"Customers of projects have the chance of an order within a year {project}: silences of months say "
            "nothing of them, and they are not in the figures above.",
        )

    @staticmethod
    def _basis(evidence: Mapping[str, Any]) -> str:
        if not evidence.get("steps"):
            return "too little has matured to try others"
        return f"tried on {evidence['dates']} earlier dates and {evidence['customers']:,} customers"

    def probabilities(self, frame: pd.DataFrame, rhythm: FittedLabelFree) -> pd.DataFrame:
        """`margin`, `churn_probability`, `p_no_order_*` and `churn_window_days` of snapshots outside the cohort."""
        margins = rhythm.margins(frame)
        new = ((frame["cohort"] == NEW) & (frame["order_days_ever"] == 1)).to_numpy()
        if new.any():
            margins[new] = self.second_order.margins(frame[new])
        scores = probability_frame(margins, frame["churn_window_days"])
        scores = scores.assign(churn_window_days=frame["churn_window_days"])
        project = (frame["cohort"] == PROJECT).to_numpy()
        if project.any():
            margin = self.projects.margin(frame[project])
            year = 1 / (1 + np.exp(-margin))
            scores.loc[project, "margin"] = margin
            scores.loc[project, "churn_probability"] = year
            scores.loc[project, "churn_window_days"] = YEAR
            # Whoever does not order within a year does not order within less of it.
            shorter = list(PROBABILITIES)
            scores.loc[project, shorter] = np.maximum(scores.loc[project, shorter].to_numpy(), year[:, None])
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the artefact."""
        return {"second_order": self.second_order.to_dict(), "projects": self.projects.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "OtherTracks":
        """The inverse of :meth:`to_dict`; ArtefactError where something is missing."""
        new, project = (values.get(name, {}) for name in ("second_order", "projects"))
        return cls(FittedSecondOrder.from_dict(new), FittedProjects.from_dict(project))


def learn(rows: pd.DataFrame, book: pd.DataFrame, rhythm: FittedLabelFree, seed: int) -> OtherTracks:
    """Learn the models of the other tracks from what was known at a cutoff.

    Parameters
    ----------
    rows
        Snapshots of all customers at earlier cutoffs with label-free log-odds (:func:`models.label_free.attach`),
        ``days_to_next_order`` and ``observed_days`` as known at the cutoff.
    book
        Every customer with an order at the cutoff itself.
    rhythm
        The label-free model of the cutoff.
    """
    new = rows[(rows["cohort"] == NEW) & (rows["order_days_ever"] == 1)]
    return OtherTracks(
        second_order.fit(new, book, seed), projects.fit(rows[rows["cohort"] == PROJECT], book, rhythm, seed)
    )
