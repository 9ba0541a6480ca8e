"""The folder that a champion is saved as: LightGBM's own texts, a manifest, and a checksum of every file.

Nothing in it can run code, and no file is parsed before its checksum has been verified.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from features.errors import ArtefactError
from features.labels import HORIZONS

FORMAT = 2
MANIFEST = "manifest.json"
LOGISTIC_FILE = "logistic.json"
OTHERS_FILE = "other_tracks.json"
EARLY_FILE = "early.json"
SECTIONS = frozenset(
    [
        "features",
        "rhythm",
        "bags",
        "bag_share",
        "selection",
        "calibrations",
        "level_spreads",
        "levels",
        "reference",
        "facts",
        "sha256",
    ]
)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest with the checksum of every file that is in the folder by now."""
    checksums = {path.name: sha256(path.read_bytes()) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    text = json.dumps({**manifest, "format": FORMAT, "sha256": checksums}, indent=1, sort_keys=True, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def compact(values: dict[str, Any]) -> str:
    """JSON for numbers that nobody reads."""
    return json.dumps(values, separators=(",", ":"), sort_keys=True, allow_nan=False) + "\n"


def section(texts: dict[str, str], name: str, folder: Path) -> dict[str, Any]:
    """A verified file of JSON.

    Raises
    ------
    ArtefactError
        If the manifest does not name it.
    """
    if name not in texts:
        raise ArtefactError(f"{folder}: no checksum for {name}. Train again or restore the folder.")
    return dict(json.loads(texts[name]))


def trees_file(days: int, bag: int) -> str:
    """Name of the file of one booster."""
    return f"lightgbm_{days}_{bag}.txt"


def trees(texts: dict[str, str], bags: list[int]) -> tuple[tuple[Any, ...], ...]:
    """The boosters of every horizon, from their verified texts."""
    import lightgbm

    return tuple(
        tuple(lightgbm.Booster(model_str=texts[trees_file(days, bag)]) for bag in range(count))
        for days, count in zip(HORIZONS, bags, strict=True)
    )


def sha256(content: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, whole.

    Raises
    ------
    ArtefactError
        If it is missing, unreadable, of another format, incomplete, or knows nothing of a file with a model.
    """
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
    # A model without a checksum would be left out without a word, and its customers to the label-free one.
    counted = zip(HORIZONS, manifest["bags"], strict=True)
    named = {trees_file(days, bag) for days, count in counted for bag in range(count)}
    there = {file.name for pattern in ("lightgbm_*.txt", OTHERS_FILE, EARLY_FILE) for file in folder.glob(pattern)}
    unknown = sorted((named | there) - set(manifest["sha256"]))
    if unknown:
        raise ArtefactError(f"{path}: no checksum for {unknown}. Train again or restore the folder.")
    return manifest


def verified(path: Path, digest: str) -> str:
    """The text of a file that is what its checksum says.

    Raises
    ------
    ArtefactError
        If it is missing or altered. LightGBM's reader is not safe with altered files, so it never sees one.
    """
    if not path.is_file():
        raise ArtefactError(f"{path}: missing although the manifest names it. Train again or restore the folder.")
    content = path.read_bytes()
    if sha256(content) != digest:
        raise ArtefactError(
            f"{path}: altered since training (its SHA-256 is not the manifest's). Train again or restore it."
        )
    return content.decode("utf-8")
