"""What may go into the register of models: finite figures of many customers, and files that cannot run code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from features.errors import ArtefactError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Columns that say who somebody is; a register of models holds aggregates only.
PERSONAL = frozenset({"customer_id", "customer", "name", "owner", "contact_id", "text"})
#: Every pickle since protocol 2 starts with this byte; no text and no Parquet file can.
_PICKLE = b"\x80"
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".skops"})


@dataclass(frozen=True)
class Metric:
    """A figure of a training with its interval, logged as ``name``, ``name_low`` and ``name_high``.

    `low` and `high` are None where no interval was computed. All three must be finite.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None

    def entries(self) -> dict[str, float]:
        """MLflow's names and numbers of this figure."""
        bounds = {self.name: self.value, f"{self.name}_low": self.low, f"{self.name}_high": self.high}
        return {name: float(number) for name, number in bounds.items() if number is not None}


def check_model(model: Path) -> None:
    """Refuse a folder that is no saved model or has a pickle in it.

    Raises
    ------
    ArtefactError
        With the file that is missing or looks like a pickle.
    """
    if not (model / "manifest.json").is_file():
        raise ArtefactError(f"{model}: expected a saved model, found no manifest.json; save the model first")
    for file in sorted(path for path in model.rglob("*") if path.is_file()):
        with file.open("rb") as content:
            pickled = content.read(1) == _PICKLE
        if pickled or file.suffix.lower() in _PICKLE_SUFFIXES:
            raise ArtefactError(f"{file}: looks like a pickle, which runs code when read; save text and JSON only")


def checked_entries(metrics: Sequence[Metric]) -> dict[str, float]:
    """Every figure under its name; ``ValueError`` where one is not finite or given twice."""
    entries: dict[str, float] = {}
    for metric in metrics:
        for name, number in metric.entries().items():
            if name in entries:
                raise ValueError(f"metric {name!r} is given twice")
            if not isfinite(number):
                raise ValueError(f"metric {name!r} is {number}; leave out what could not be computed")
            entries[name] = number
    return entries


def checked_files(tables: Mapping[str, pd.DataFrame], texts: Mapping[str, str]) -> dict[str, str]:
    """Text by file name: every table as ``<name>.csv``, and `texts` as they are.

    Raises
    ------
    ValueError
        If a table has a column that says who somebody is, or a name is no plain one of its own.
    """
    for what, table in tables.items():
        personal = sorted(PERSONAL & {str(column).lower() for column in table.columns})
        if personal:
            raise ValueError(f"table {what!r} has {personal}: log figures of many customers, never who they are")
    files = {f"{name}.csv": table.to_csv(index=False) for name, table in tables.items()}
    for name in (*files, *texts):
        if Path(name).name != name or name in ("figures", "model") or (name in files and name in texts):
            raise ValueError(f"{name!r} cannot be a file of a training: give it a plain name of its own")
    return files | dict(texts)


def write_files(folder: Path, files: Mapping[str, str], figures: Mapping[str, "Figure"]) -> None:
    """Write the texts of a training, and its figures as ``figures/<name>.png``."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, figure in figures.items():
        (folder / "figures").mkdir(exist_ok=True)
        figure.savefig(folder / "figures" / f"{name}.png", dpi=120, metadata={"Software": None})
