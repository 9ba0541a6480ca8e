"""What is kept of a date beside its results: all that a customer's snapshot and reasons know of the other customers.

With it one customer is looked at again, or as it would be under other circumstances, without a pass over the company.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pandas as pd

from features.passes import SnapshotParts
from features.population import Population
from features.registry import registered
from models.churn_model import ChurnModel
from pipelines.intake import Intake

_SPREAD = "spread.parquet"
#: A date is kept for so many days; a story of an older one takes a pass over the company.
KEPT_DAYS = 400


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of a date.

    Attributes
    ----------
    population
        What snapshots are compared with.
    spread
        Of :meth:`features.passes.SnapshotParts.spread`: what reasons are compared with.
    """

    population: Population = field(repr=False)
    spread: pd.DataFrame = field(repr=False)


def keep(intake: Intake, model: ChurnModel, parts: SnapshotParts) -> Kept:
    """Keep it in the output folder; what was kept of the date before is replaced, and what is too old goes."""
    found = Kept(parts.population, parts.spread(intake.as_of))
    folder = _folder(intake, model)
    folder.mkdir(parents=True, exist_ok=True)
    found.population.save(folder)
    aside = folder / f".{_SPREAD}"
    found.spread.to_parquet(aside)
    aside.replace(folder / _SPREAD)
    for old in folder.parent.iterdir():
        if old.name[:10] < str(intake.as_of - timedelta(days=KEPT_DAYS)):
            shutil.rmtree(old, ignore_errors=True)
    return found


def kept(intake: Intake, model: ChurnModel) -> Kept | None:
    """What was kept of the date for models of these terms; None where nothing was."""
    folder = _folder(intake, model)
    try:
        return Kept(Population.load(folder), pd.read_parquet(folder / _SPREAD))
    except FileNotFoundError:
        return None


def _folder(intake: Intake, model: ChurnModel) -> Path:
    """The place of a date, by what its snapshots depend on besides the rows: terms, columns, features."""
    terms = {name: model.facts[name] for name in ("cohort", "window", "options")}
    columns = {table: sorted(names) for table, names in intake.events.columns.items()}
    features = [(one.name, one.expression) for one in registered()]
    told = json.dumps([terms, columns, features], sort_keys=True, default=str)
    digest = hashlib.sha256(told.encode()).hexdigest()[:8]
    return intake.request.out / "populations" / f"{intake.as_of}-{digest}"
