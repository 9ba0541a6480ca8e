"""Golden rows: a few snapshots that a model keeps with the log-odds it gave them, to be scored again wherever it goes.

A model that was copied, restored, or read by another version of a library has to give the very same log-odds. It is
asked in a process of its own, because LightGBM's reader can end the interpreter over an altered file and no ``except``
would see that.

The rows say nothing of who somebody is: customers are numbered, and only what a model reads is kept.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ArtefactError
from features.own import OwnFile
from models.admission import PERSONAL

GOLDEN = "golden.json"
FORMAT = 1
#: Snapshots that are kept.
ROWS = 20
#: Log-odds of the same model on the same row differ by rounding at most.
LARGEST_DIFFERENCE = 1e-9
#: What a child may take: a model of a thousand trees loads in seconds and a few hundred megabytes.
SECONDS = 120.0
MEGABYTES = 4096
_DECLINED = 1

Floats = NDArray[np.float64]


class Scorer(Protocol):
    """Whatever gives log-odds to snapshots."""

    def margins(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of no order, shape (rows of `frame`, horizons)."""
        ...


def golden_rows(model: Scorer, frame: pd.DataFrame, seed: int, count: int = ROWS) -> dict[str, Any]:
    """Some diverse snapshots without any id, and the log-odds that the model gives them; ready for JSON.

    Half of them are spread evenly over the model's own ranking, both ends included; the others are drawn.

    Parameters
    ----------
    frame
        Snapshots that the model may score, at least one.
    seed
        Of those that are drawn.
    count
        How many at most.

    Raises
    ------
    ArtefactError
        If the rows as they are kept would not score as the snapshots do.
    """
    if frame.empty:
        raise ValueError("there is no snapshot to keep as a golden row")
    kept = frame.iloc[_diverse(model.margins(frame), seed, count)].reset_index(drop=True)
    columns = {name: _packed(kept[name]) for name in kept.columns if name.lower() not in PERSONAL}
    rows = {"count": len(kept), "columns": columns, "margins": model.margins(kept).tolist()}
    _check(model, json.loads(text_of(rows))["golden"], "the golden rows")
    return rows


def text_of(rows: dict[str, Any]) -> str:
    """The text of ``golden.json``: the rows and the SHA-256 of what they say."""
    content = {"format": FORMAT, "sha256": _digest(rows), "golden": rows}
    return json.dumps(content, sort_keys=True, allow_nan=False) + "\n"


def check(folder: Path) -> int:
    """Load the model in `folder` and score its golden rows; returns how many scored as recorded.

    Raises
    ------
    ArtefactError
        If the model or its golden rows are missing or altered, or a row scores otherwise than recorded.
    """
    from models.churn_model import ChurnModel

    path = folder / GOLDEN
    if not path.is_file():
        raise ArtefactError(f"{folder}: no {GOLDEN} there, so nothing says how the model should score. Train again.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        sound = content["format"] == FORMAT and _digest(content["golden"]) == content["sha256"]
    except (ValueError, TypeError, KeyError) as error:
        raise ArtefactError(f"{path}: not readable ({type(error).__name__}). Train again or restore it.") from None
    if not sound:
        raise ArtefactError(f"{path}: altered since training, or of another format. Train again or restore it.")
    _check(ChurnModel.load(folder), content["golden"], str(folder))
    return int(content["golden"]["count"])


def check_in_child(
    folder: Path, *, own: Sequence[OwnFile] = (), seconds: float = SECONDS, megabytes: int = MEGABYTES
) -> str:
    """Have another process load the model and score its golden rows; returns its one line.

    The child sees nothing of this process: no environment, no working folder, no files of the user but the model's.

    Parameters
    ----------
    own
        The user's own features, which the model may have learnt from.
    seconds, megabytes
        What the child may take; beyond that it is ended.

    Raises
    ------
    ArtefactError
        If the model is refused, does not load, ends the interpreter, or takes too much.
    """
    command = [sys.executable, "-I", "-m", "models.golden_child", str(folder.absolute()), str(megabytes)]
    given = json.dumps([[file.path, file.text] for file in own])
    with tempfile.TemporaryDirectory() as place:
        environment = {"HOME": place, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            child = subprocess.run(  # noqa: S603 - this interpreter, a module of ours, and a folder
                command,
                input=given,
                cwd=place,
                env=environment,
                capture_output=True,
                timeout=seconds,
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            raise ArtefactError(
                f"{folder}: the model did not load and score within {seconds:g} seconds. Train again or restore it."
            ) from None
    said = (child.stdout.strip() or child.stderr.strip() or "it said nothing").splitlines()[-1]
    if child.returncode < 0:
        raise ArtefactError(
            f"{folder}: loading the model ended the interpreter (signal {-child.returncode}). "
            "Train again or restore it."
        )
    if child.returncode > _DECLINED or (child.returncode and not child.stdout.strip()):
        raise ArtefactError(f"{folder}: the model does not load: {said}. Train again or restore it.")
    if child.returncode:
        raise ArtefactError(said)
    return said


def _diverse(margins: Floats, seed: int, count: int) -> NDArray[np.int64]:
    """Places of the rows that are kept, in their own order."""
    by_risk = np.argsort(margins.mean(axis=1), kind="stable")
    even = by_risk[np.unique(np.linspace(0, len(by_risk) - 1, min(count // 2, len(by_risk))).round().astype("int64"))]
    others = np.setdiff1d(by_risk, even)
    more = np.random.default_rng(seed).permutation(others)[: count - len(even)]
    return np.sort(np.concatenate([even, more]))


def _packed(column: pd.Series) -> dict[str, Any]:
    """A column as its type and plain values; None where it is unknown."""
    unknown = column.isna()
    if pd.api.types.is_datetime64_any_dtype(column):
        kind, values = "datetime64[ns]", [str(value) for value in column]
    elif pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        kind = str(column.dtype)
        values = [
            value if np.isfinite(value) or lost else str(value) for value, lost in zip(column, unknown, strict=True)
        ]
        values = [value.item() if hasattr(value, "item") else value for value in values]
    else:
        kind, values = "str", [str(value) for value in column]
    return {"type": kind, "values": [None if lost else value for value, lost in zip(values, unknown, strict=True)]}


def _unpacked(golden: dict[str, Any]) -> pd.DataFrame:
    columns = {}
    for name, packed in golden["columns"].items():
        values = packed["values"]
        if packed["type"].startswith("float"):
            values = [np.nan if value is None else float(value) for value in values]
        columns[name] = pd.Series(values, dtype=packed["type"])
    return pd.DataFrame({"customer_id": [f"golden-{row:02d}" for row in range(golden["count"])], **columns})


def _check(model: Scorer, golden: dict[str, Any], what: str) -> None:
    recorded = np.array(golden["margins"], dtype="float64")
    found = model.margins(_unpacked(golden))
    if found.shape != recorded.shape:
        raise ArtefactError(
            f"{what}: golden rows score in shape {found.shape}, recorded are {recorded.shape}. Train again."
        )
    wrong = ~(np.abs(found - recorded) <= LARGEST_DIFFERENCE)
    if wrong.any():
        rows = int(wrong.any(axis=1).sum())
        largest = float(np.nanmax(np.abs(found - recorded)[wrong], initial=0.0))
        raise ArtefactError(
            f"{what}: {rows} of {len(recorded)} golden rows do not score as recorded at training; the log-odds differ "
            f"by up to {largest:.3g}. Was a library changed, or the model altered? Train again."
        )


def _digest(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True, allow_nan=False).encode()).hexdigest()
