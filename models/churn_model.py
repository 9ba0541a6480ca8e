"""The champion: one object from features to probabilities, intervals, levels and contributions, saved as one artefact.

LightGBM, logistic regression, the label-free model or their blend in the log-odds, whichever earned its place; each
horizon calibrated by an affine map, made coherent over the horizons, read at the customer's own window. Every step is
linear in the log-odds, so the contributions of the parts add up to the margin exactly.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.errors import ArtefactError
from features.labels import HORIZONS, churned
from features.registry import registered
from features.snapshots import ELIGIBLE
from features.windows import Window
from models import artefact, calibration
from models.btyd import BTYD
from models.calibration import Affine
from models.classifiers import LIGHTGBM, FittedBoosting
from models.contestants import Fitted, Training
from models.early import FittedEarly, standing
from models.horizons import own_weights, probability_frame
from models.label_free import FittedLabelFree, Variant
from models.level_capacity import within_capacity
from models.levels import Levels, Promise, queue_of, solve
from models.logistic import LOGISTIC, FittedLogistic
from models.other_tracks import OtherTracks
from models.record import in_window, matured
from models.selection import Selection, Weighting, select
from models.verdict import PERCENTAGES

Floats = NDArray[np.float64]

#: Half the width of the interval in standard deviations: the middle 90 %.
INTERVAL = float(special.ndtri(0.95))


def feature_names() -> tuple[str, ...]:
    """Names of all registered features, in order."""
    return tuple(feature.name for feature in registered())


@dataclass(frozen=True)
class ChurnModel:
    """A fitted champion.

    Attributes
    ----------
    boosting, logistic
        The learners, each on the label-free model `rhythm`.
    selection
        Which of them is in use, with the evidence.
    calibrations
        One affine map per horizon.
    level_spreads
        Per horizon the standard deviation, in log-odds, by which the level of a date is uncertain.
    levels
        Thresholds and records.
    reference
        Mean label-free log-odds of the cohort at training, per horizon: what contributions are counted from.
    facts
        What the manifest says besides: training date, fingerprint of the data, rows, versions.
    others
        The models of the tracks outside the cohort; None where only the cohort was learnt from.
    early
        What warns of losses to come among those not overdue; None where there was nothing to learn it from.
    """

    boosting: FittedBoosting
    logistic: FittedLogistic
    selection: Selection
    calibrations: tuple[Affine, ...]
    level_spreads: tuple[float, ...]
    levels: Levels
    reference: tuple[float, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    others: OtherTracks | None = None
    early: FittedEarly | None = None

    @property
    def rhythm(self) -> FittedLabelFree:
        """The label-free model that the learners build on."""
        return self.boosting.rhythm

    @property
    def weights(self) -> Weighting:
        """Per horizon the weights of LightGBM, logistic regression and the label-free model."""
        return self.selection.weights

    @property
    def shows_percentages(self) -> bool:
        """Whether the calibration certificate lets the probabilities be shown as percentages."""
        return bool(self.facts.get("certificate", {}).get("verdict") == PERCENTAGES)

    def components(self, frame: pd.DataFrame) -> Floats:
        """Uncalibrated log-odds of the three components, shape (3, n, horizons)."""
        return np.stack([self.boosting.margins(frame), self.logistic.margins(frame), self.rhythm.margins(frame)])

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Calibrated log-odds of no order within each horizon, shape (n, horizons), before they are made coherent."""
        return self.calibrated(self.components(frame))

    def calibrated(self, components: Floats) -> Floats:
        """The same from the log-odds of the components."""
        blended = np.einsum("hc,cnh->nh", np.array(self.weights), components)
        return np.column_stack([affine(blended[:, i]) for i, affine in enumerate(self.calibrations)])

    def probabilities(self, frame: pd.DataFrame) -> pd.DataFrame:
        """`margin`, `churn_probability`, `p_no_order_*`, `churn_low` and `churn_high` of snapshots, on their index; no
        other snapshot matters.

        The interval holds the probability itself with 90 %, not the outcome: it is the spread over the bags of
        customers and over the levels of past dates, put together.
        """
        margins = self.margins(frame)
        scores = probability_frame(margins, frame["churn_window_days"])
        half = INTERVAL * self.spread(frame, margins)
        margin = scores["margin"].to_numpy()
        return scores.assign(churn_low=special.expit(margin - half), churn_high=special.expit(margin + half))

    def spread(self, frame: pd.DataFrame, margins: Floats) -> Floats:
        """Standard deviation of the own window's log-odds, shape (n,), by who was learnt from and by the season.

        That of the bags is scaled from their share f of the customers to all of them, f / (1 - f) (the delete-d
        jackknife; Shao & Wu 1989, Annals of Statistics 17, 1176-1197), and their number adds its own 1 / bags.
        """
        share = own_weights(margins, frame["churn_window_days"])
        level = share @ np.array(self.level_spreads)
        bags = max((len(bag) for bag in self.boosting.bags), default=0)
        if not any(weights[0] for weights in self.weights) or bags < 2:
            return level
        own = np.zeros((bags, len(frame)))
        for i, affine in enumerate(self.calibrations):
            if self.boosting.bags[i]:
                own += self.weights[i][0] * affine.slope * share[:, i] * self.boosting.corrections(frame, i)
        seen = min(self.boosting.share, 0.99)
        return np.sqrt(level**2 + own.var(axis=0, ddof=1) * (seen / (1 - seen) + 1 / bags))

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """:meth:`probabilities` and `level` of the whole cohort of one date, on its index."""
        scores = self.probabilities(frame)
        return scores.assign(level=self.levels.of(scores["churn_probability"], queue_of(frame)))

    def standing(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Who comes first in the queues of the whole cohort of one date, see :func:`models.early.standing`."""
        margin = None if self.early is None else pd.Series(self.early.margins(frame), index=frame.index)
        return standing(self.early, queue_of(frame), self.probabilities(frame)["churn_probability"], margin)

    def save(self, folder: Path, files: Mapping[str, str] | None = None) -> None:
        """Write the artefact, with more `files` of text by name; `folder` must not exist yet."""
        folder.mkdir(parents=True)
        for name, text in (files or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
        if self.others is not None:
            (folder / artefact.OTHERS_FILE).write_text(artefact.compact(self.others.to_dict()), encoding="utf-8")
        if self.early is not None:
            (folder / artefact.EARLY_FILE).write_text(artefact.compact(self.early.to_dict()), encoding="utf-8")
        for days, bag in zip(HORIZONS, self.boosting.bags, strict=True):
            for place, booster in enumerate(bag):
                text = booster.model_to_string()
                (folder / artefact.trees_file(days, place)).write_text(text, encoding="utf-8")
        (folder / artefact.LOGISTIC_FILE).write_text(artefact.compact(self.logistic.to_dict()), encoding="utf-8")
        manifest = {
            "features": list(self.boosting.columns),
            "rhythm": {"variant": asdict(self.rhythm.variant), "model": self.rhythm.model.to_dict()},
            "bags": [len(bag) for bag in self.boosting.bags],
            "bag_share": self.boosting.share,
            "selection": self.selection.to_dict(),
            "calibrations": [asdict(affine) for affine in self.calibrations],
            "level_spreads": list(self.level_spreads),
            "levels": self.levels.to_dict(),
            "reference": list(self.reference),
            "facts": dict(self.facts),
        }
        artefact.write_manifest(folder, manifest)

    @classmethod
    def load(cls, folder: Path) -> "ChurnModel":
        """Read an artefact.

        Raises
        ------
        ArtefactError
            If it is missing, of another format, asks for a feature that is not registered, says something of itself
            that no model can be, or a file is not what its checksum says.
        """
        try:
            return cls._read(folder, artefact.read_manifest(folder))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(
                f"{folder}: not readable as a model ({type(error).__name__}: {error}). Train again or restore the "
                "folder."
            ) from error

    @classmethod
    def _read(cls, folder: Path, manifest: Mapping[str, Any]) -> "ChurnModel":
        """The model of a folder whose manifest is complete."""
        texts = {name: artefact.verified(folder / name, digest) for name, digest in manifest["sha256"].items()}
        logistic = artefact.section(texts, artefact.LOGISTIC_FILE, folder)
        early = artefact.section(texts, artefact.EARLY_FILE, folder) if artefact.EARLY_FILE in texts else None
        read = {*manifest["features"], *logistic["columns"], *(early["columns"] if early else ())}
        unknown = sorted(read - set(feature_names()))
        if unknown:
            raise ArtefactError(
                f"{folder}: the model needs features that this version does not have: {unknown}. Train again."
            )
        variant = Variant(**manifest["rhythm"]["variant"])
        rhythm = FittedLabelFree(variant, BTYD.from_dict(manifest["rhythm"]["model"]))
        bags = artefact.trees(texts, manifest["bags"])
        return cls(
            FittedBoosting(rhythm, tuple(manifest["features"]), bags, manifest["bag_share"]),
            FittedLogistic.from_dict(logistic, rhythm),
            Selection.from_dict(manifest["selection"]),
            tuple(Affine(**affine) for affine in manifest["calibrations"]),
            tuple(manifest["level_spreads"]),
            Levels.from_dict(manifest["levels"]),
            tuple(manifest["reference"]),
            manifest["facts"],
            OtherTracks.from_dict(artefact.section(texts, artefact.OTHERS_FILE, folder))
            if artefact.OTHERS_FILE in texts
            else None,
            FittedEarly.from_dict(early) if early else None,
        )

    def with_facts(self, **facts: Any) -> "ChurnModel":
        """The same model with more facts for its manifest."""
        return replace(self, facts={**self.facts, **facts})


def assemble(
    fitted: Mapping[str, Fitted],
    record: pd.DataFrame,
    training: Training,
    promises: Mapping[str, Promise],
    rule: Window,
    multiple: float,
    capacity: Mapping[str, float] | None = None,
) -> ChurnModel:
    """Make the champion of a date from fitted components and the matured part of the record.

    Parameters
    ----------
    rule, multiple
        The customer's own window, for the levels.
    capacity
        New episodes a week that there is room for, by level, see :func:`models.level_capacity.within_capacity`.
    """
    boosting, logistic = fitted[LIGHTGBM], fitted[LOGISTIC]
    if not isinstance(boosting, FittedBoosting) or not isinstance(logistic, FittedLogistic):
        raise TypeError("the champion is made of a FittedBoosting and a FittedLogistic")
    as_of = pd.Timestamp(training.book["as_of"].iloc[0])
    cohort = training.book[training.book["cohort"] == ELIGIBLE]
    reference = tuple(map(float, boosting.rhythm.margins(cohort).mean(axis=0)))
    plain = (Affine(),) * len(HORIZONS)
    levels = _levels(record, promises, rule, multiple, capacity or {})
    facts = {
        "trained_as_of": str(as_of.date()),
        "rows": {str(days): len(training.matured(days)[0]) for days in HORIZONS},
        "record_dates": 0 if record.empty else int(record["as_of"].nunique()),
    }
    chosen = select(record, training.seed, training.latency_days)
    model = ChurnModel(boosting, logistic, chosen, plain, (0.0,) * len(HORIZONS), levels, reference, facts)
    components = model.components(cohort)
    blended = model.calibrated(components)
    calibrations, spreads = [], []
    for i, days in enumerate(HORIZONS):
        rows = matured(record, chosen.weights[i], days)
        here = pd.DataFrame({"margin": blended[:, i], "label_free": components[-1, :, i]})
        calibrations.append(calibration.choose(rows, here, days + training.latency_days, as_of))
        spreads.append(calibration.level_spread(rows, calibrations[-1]))
    return replace(model, calibrations=tuple(calibrations), level_spreads=tuple(spreads))


def _levels(
    record: pd.DataFrame,
    promises: Mapping[str, Promise],
    rule: Window,
    multiple: float,
    capacity: Mapping[str, float],
) -> Levels:
    none = pd.Series(dtype="float64")
    if record.empty:
        return solve(none, none, none, promises, none)
    here = in_window(record, rule, multiple)
    here = here.assign(lost=churned(here))
    known = here[here["lost"].notna()]
    levels = solve(known["probability"], known["lost"], known["as_of"], promises, known["queue"])
    return within_capacity(levels, here, capacity) if capacity else levels
