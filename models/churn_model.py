"""The champion: one object from features to probabilities, levels and contributions, saved as one artefact.

A blend of LightGBM, logistic regression and the label-free model in the log-odds, each horizon calibrated by an
affine map, made coherent over the horizons, read at the customer's own window. Every step is linear in the log-odds,
so the contributions of the parts add up to the margin exactly.

The artefact is a folder: LightGBM's own text per horizon and ``manifest.json`` with everything else and the SHA-256
of each file. Nothing in it can run code, and no file is parsed before its checksum has been verified.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from features.errors import ArtefactError
from features.labels import HORIZONS, churned, no_order_within
from features.registry import registered
from features.snapshots import ELIGIBLE
from models import calibration
from models.btyd import BTYD
from models.calibration import Affine
from models.classifiers import LIGHTGBM, LOGISTIC, FittedBoosting, FittedLogistic, Line
from models.contestants import Fitted, Training
from models.horizons import curve, probability_frame
from models.label_free import FittedLabelFree, Variant
from models.levels import Levels, Promise, queue_of, solve

Floats = NDArray[np.float64]

FORMAT = 1
MANIFEST = "manifest.json"
SECTIONS = frozenset(
    ["features", "rhythm", "logistic", "weights", "calibrations", "levels", "reference", "facts", "sha256"]
)
COMPONENTS = (LIGHTGBM, LOGISTIC, "label_free")
#: Used until enough has matured to choose: the label-free model needs no labels, the learners do.
DEFAULT_WEIGHTS = (0.5, 0.0, 0.5)
MIN_DATES_FOR_WEIGHTS = 3
NEWTON_STEPS = 12


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
    weights
        Of LightGBM, logistic regression and the label-free model; they sum to 1.
    calibrations
        One affine map per horizon.
    levels
        Thresholds and records.
    reference
        Mean label-free log-odds of the cohort at training, per horizon: what contributions are counted from.
    facts
        What the manifest says besides: training date, fingerprint of the data, rows, versions.
    """

    boosting: FittedBoosting
    logistic: FittedLogistic
    weights: tuple[float, float, float]
    calibrations: tuple[Affine, ...]
    levels: Levels
    reference: tuple[float, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rhythm(self) -> FittedLabelFree:
        """The label-free model that the learners build on."""
        return self.boosting.rhythm

    def weights_by_name(self) -> dict[str, float]:
        """The weights, named."""
        return dict(zip(COMPONENTS, self.weights, strict=True))

    def components(self, frame: pd.DataFrame) -> Floats:
        """Uncalibrated log-odds of the three components, shape (3, n, horizons)."""
        return np.stack([self.boosting.margins(frame), self.logistic.margins(frame), self.rhythm.margins(frame)])

    def blended(self, frame: pd.DataFrame, weights: tuple[float, float, float]) -> Floats:
        """Uncalibrated log-odds under other weights, shape (n, horizons)."""
        return np.einsum("c,cnh->nh", np.array(weights), self.components(frame))

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Calibrated log-odds of no order within each horizon, shape (n, horizons), before they are made coherent."""
        return self._calibrated(self.blended(frame, self.weights))

    def _calibrated(self, margins: Floats) -> Floats:
        return np.column_stack([affine(margins[:, i]) for i, affine in enumerate(self.calibrations)])

    def probabilities(self, frame: pd.DataFrame) -> pd.DataFrame:
        """`margin`, `churn_probability` and `p_no_order_*` of snapshots, on their index; no other snapshot matters."""
        return probability_frame(self.margins(frame), frame["churn_window_days"])

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """`margin`, `churn_probability`, `p_no_order_*` and `level` of the whole cohort of one date, on its index."""
        scores = self.probabilities(frame)
        return scores.assign(level=self.levels.of(scores["churn_probability"], queue_of(frame)))

    def save(self, folder: Path) -> None:
        """Write the artefact; `folder` must not exist yet."""
        folder.mkdir(parents=True)
        for days, booster in zip(HORIZONS, self.boosting.boosters, strict=True):
            if booster is not None:
                (folder / _booster_file(days)).write_text(booster.model_to_string(), encoding="utf-8")
        checksums = {path.name: _sha256(path.read_bytes()) for path in sorted(folder.iterdir())}
        manifest = {
            "format": FORMAT,
            "features": list(self.boosting.columns),
            "rhythm": {"variant": asdict(self.rhythm.variant), "model": self.rhythm.model.to_dict()},
            "logistic": [None if line is None else asdict(line) for line in self.logistic.lines],
            "weights": self.weights_by_name(),
            "calibrations": [asdict(affine) for affine in self.calibrations],
            "levels": self.levels.to_dict(),
            "reference": list(self.reference),
            "facts": dict(self.facts),
            "sha256": checksums,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ChurnModel":
        """Read an artefact.

        Raises
        ------
        ArtefactError
            If it is missing, of another format, asks for a feature that is not registered, or a file is not what its
            checksum says. The checksum is compared before LightGBM sees the file, because its reader is not safe with
            altered ones.
        """
        manifest = _read_manifest(folder)
        texts = {name: _verified(folder / name, digest) for name, digest in manifest["sha256"].items()}
        unknown = sorted(set(manifest["features"]) - set(feature_names()))
        if unknown:
            raise ArtefactError(
                f"{folder}: the model needs features that this version does not have: {unknown}. Train again."
            )
        variant = Variant(**manifest["rhythm"]["variant"])
        rhythm = FittedLabelFree(variant, BTYD.from_dict(manifest["rhythm"]["model"]))
        boosters = tuple(_booster(texts.get(_booster_file(days))) for days in HORIZONS)
        lines = tuple(
            None if line is None else Line(**{k: _frozen(v) for k, v in line.items()}) for line in manifest["logistic"]
        )
        return cls(
            FittedBoosting(rhythm, tuple(manifest["features"]), boosters),
            FittedLogistic(rhythm, lines),
            tuple(manifest["weights"][name] for name in COMPONENTS),
            tuple(Affine(**affine) for affine in manifest["calibrations"]),
            Levels.from_dict(manifest["levels"]),
            tuple(manifest["reference"]),
            manifest["facts"],
        )

    def with_facts(self, **facts: Any) -> "ChurnModel":
        """The same model with more facts for its manifest."""
        return replace(self, facts={**self.facts, **facts})


@dataclass(frozen=True)
class Record:
    """Out-of-time log-odds of the components and the champion at earlier dates: what weights, calibration and levels
    are learnt from."""

    rows: pd.DataFrame | None = None

    def with_predictions(self, eligible: pd.DataFrame, components: Floats, champion: Floats) -> "Record":
        """The record with the predictions of one more date."""
        here = eligible[["customer_id", "as_of", "churn_window_days"]].assign(queue=queue_of(eligible))
        here = here.reset_index(drop=True)
        columns = {
            f"{name}_{days}": components[c, :, h]
            for c, name in enumerate(COMPONENTS)
            for h, days in enumerate(HORIZONS)
        }
        _, margin = curve(champion, here["churn_window_days"])
        here = here.assign(**columns, champion=1 / (1 + np.exp(-margin)))
        return Record(here if self.rows is None else pd.concat([self.rows, here], ignore_index=True))

    def known_at(self, training: Training) -> pd.DataFrame:
        """The record with the outcomes that were known at the cutoff of `training`; empty where there are none."""
        if self.rows is None:
            return pd.DataFrame()
        outcome = training.rows[["customer_id", "as_of", "days_to_next_order", "observed_days"]]
        return self.rows.merge(outcome, on=["customer_id", "as_of"], how="inner", validate="one_to_one")


def assemble(
    fitted: Mapping[str, Fitted], record: pd.DataFrame, training: Training, promises: Mapping[str, Promise]
) -> ChurnModel:
    """Make the champion of a date from fitted components and the matured part of the record."""
    boosting, logistic = fitted[LIGHTGBM], fitted[LOGISTIC]
    if not isinstance(boosting, FittedBoosting) or not isinstance(logistic, FittedLogistic):
        raise TypeError("the champion is made of a FittedBoosting and a FittedLogistic")
    weights = best_weights(record)
    as_of = pd.Timestamp(training.book["as_of"].iloc[0])
    late = training.latency_days
    calibrations = tuple(_calibration(record, weights, days, late, as_of) for days in HORIZONS)
    probability = outcome = dates = queue = pd.Series(dtype="float64")
    if not record.empty:
        lost = churned(record)
        matured = record[lost.notna()]
        probability, outcome = matured["champion"], lost.dropna()
        dates, queue = matured["as_of"], matured["queue"]
    levels = solve(probability, outcome, dates, promises, queue)
    facts = {
        "trained_as_of": str(as_of.date()),
        "rows": {str(days): len(training.matured(days)[0]) for days in HORIZONS},
        "record_dates": 0 if record.empty else int(record["as_of"].nunique()),
    }
    cohort = training.book[training.book["cohort"] == ELIGIBLE]
    reference = tuple(map(float, boosting.rhythm.margins(cohort).mean(axis=0)))
    return ChurnModel(boosting, logistic, weights, calibrations, levels, reference, facts)


def best_weights(record: pd.DataFrame) -> tuple[float, float, float]:
    """Weights in quarters with the lowest log loss over matured dates and horizons; a default before three dates."""
    grid = [(i / 4, j / 4, (4 - i - j) / 4) for i in range(5) for j in range(5 - i)]
    total, dates = np.zeros(len(grid)), 0
    for days in HORIZONS:
        rows, outcome = _matured(record, days)
        if rows.empty:
            continue
        dates = max(dates, rows["as_of"].nunique())
        margins = np.column_stack([rows[f"{name}_{days}"] for name in COMPONENTS]) @ np.array(grid).T
        groups = rows.groupby("as_of").indices.values()
        losses = [_loss_at_own_level(margins[here], outcome.to_numpy()[here]) for here in groups]
        total += np.mean(losses, axis=0)
    return DEFAULT_WEIGHTS if dates < MIN_DATES_FOR_WEIGHTS else grid[int(np.argmin(total))]


def _loss_at_own_level(margins: Floats, outcome: Floats) -> Floats:
    """Log loss of each column of log-odds after the shift that gives it the observed level: only its shape counts.

    The level moves from date to date for all contestants alike; judged with it, the weights would follow the season.
    """
    shift = np.zeros(margins.shape[1])
    share = (outcome.sum() + 0.5) / (len(outcome) + 1)
    for _ in range(NEWTON_STEPS):
        p = special.expit(margins + shift)
        shift += np.clip((share - p.mean(axis=0)) / np.maximum((p * (1 - p)).mean(axis=0), 1e-6), -1, 1)
    levelled = margins + shift
    return (np.logaddexp(0, levelled) - outcome[:, None] * levelled).mean(axis=0)


def _calibration(
    record: pd.DataFrame, weights: tuple[float, float, float], days: int, late: int, as_of: pd.Timestamp
) -> Affine:
    rows, outcome = _matured(record, days)
    if rows.empty:
        return Affine()
    margin = np.column_stack([rows[f"{name}_{days}"] for name in COMPONENTS]) @ np.array(weights)
    return calibration.choose(rows[["as_of"]].assign(margin=margin, outcome=outcome), days + late, as_of)


def _matured(record: pd.DataFrame, days: int) -> tuple[pd.DataFrame, pd.Series]:
    if record.empty:
        return record, pd.Series(dtype="float64")
    outcome = no_order_within(record, days)
    return record[outcome.notna()], outcome.dropna()


def _booster_file(days: int) -> str:
    return f"lightgbm_{days}.txt"


def _booster(text: str | None) -> Any:
    if text is None:
        return None
    import lightgbm

    return lightgbm.Booster(model_str=text)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtefactError(f"{folder}: no {MANIFEST} there, so it is not a model. Run `kizashi train`.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtefactError(f"{path}: not readable as JSON ({error}). Train again or restore the folder.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtefactError(f"{path}: expected a manifest of format {FORMAT}. Train again with this version.")
    missing = sorted(SECTIONS - set(manifest))
    if missing:
        raise ArtefactError(f"{path}: sections are missing: {missing}. Train again or restore the folder.")
    # Trees without a checksum would be left out without a word, and their horizon to the label-free model.
    unknown = sorted(file.name for file in folder.glob("lightgbm_*.txt") if file.name not in manifest["sha256"])
    if unknown:
        raise ArtefactError(f"{path}: no checksum for {unknown}. Train again or restore the folder.")
    return manifest


def _verified(path: Path, digest: str) -> str:
    if not path.is_file():
        raise ArtefactError(f"{path}: missing although the manifest names it. Train again or restore the folder.")
    content = path.read_bytes()
    if _sha256(content) != digest:
        raise ArtefactError(
            f"{path}: altered since training (its SHA-256 is not the manifest's). Train again or restore it."
        )
    return content.decode("utf-8")
