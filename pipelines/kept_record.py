"""The record that the daily run holds rules and health to: one file in the output folder, put there by a person.

Without it every rule and every fall of the health score gives the level that it was declared with.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from features.errors import ArtefactError
from models.level_trust import RECORD, allowed
from models.levels import Promise
from pipelines.files import with_folder

FILE = "rules.json"
#: What is kept of each source beside, for people to read; None where it was not told.
MORE = (
    "kind", "episodes", "right", "precision", "precision_low", "random_precision", "cycle_precision",
    "model_precision", "lead_days",
)  # fmt: skip


@dataclass(frozen=True)
class KeptRecord:
    """A record that was put in use.

    Attributes
    ----------
    as_of
        The date until which it was told; days before it are not held to it, for they could not know it.
    at, by
        When it was put in use, and by whom.
    rows
        Columns :data:`models.level_trust.RECORD`, and :data:`MORE` where they were told.
    """

    as_of: date
    at: datetime
    by: str
    rows: pd.DataFrame

    def limits(self, promises: Mapping[str, Promise]) -> dict[str, str]:
        """The loudest level of each rule and fall that may not give its own, see :func:`models.level_trust.allowed`."""
        return allowed(self.rows, promises)


def keep(out: Path, record: KeptRecord) -> Path:
    """Put a record in use in the place of the one before; returns its file."""
    taken = record.rows.reindex(columns=[*RECORD, *(name for name in MORE if name in record.rows)]).astype(object)
    rows = taken.where(taken.notna(), None)
    told = {"as_of": str(record.as_of), "at": record.at.isoformat(), "by": record.by, "rows": rows.to_dict("records")}
    path = with_folder(out / FILE)
    held = path.with_suffix(".tmp")
    held.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    held.replace(path)
    return path


def kept(out: Path, as_of: date) -> KeptRecord | None:
    """The record in use on a date; None where there is none, or it is told from later days.

    Raises
    ------
    ArtefactError
        If the file is not what :func:`keep` wrote.
    """
    path = out / FILE
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        rows = pd.DataFrame(told["rows"], columns=[*RECORD, *MORE])
        rows = rows.astype({"what": "str", "level": "str", "matured": "int64", "precision_high": "float64"})
        found = KeptRecord(date.fromisoformat(told["as_of"]), datetime.fromisoformat(told["at"]), told["by"], rows)
    except (ValueError, KeyError, TypeError) as fault:
        raise ArtefactError(
            f"{path}: expected the record that `kizashi rules --keep` writes; it cannot be read ({fault}). "
            "Write it again, or remove the file."
        ) from None
    return found if found.as_of <= as_of else None
