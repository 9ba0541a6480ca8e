"""The model in use, and the versions before it, read from the registry with their checksums verified."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.artefact import MANIFEST
from models.churn_model import ChurnModel
from models.tracking import Tracking
from pipelines.settings import tracking_folder


@dataclass(frozen=True)
class Champion:
    """The model in use and the version that it is registered as."""

    model: ChurnModel
    version: str


def champion_of(out: Path) -> Champion:
    """The registered champion, its checksums verified.

    Raises
    ------
    ArtefactError
        If there is none, or its files are not what was registered.
    """
    tracking = Tracking(tracking_folder(out))
    folder = tracking.champion_folder()
    number = next(entry.number for entry in tracking.versions() if entry.folder == folder)
    return Champion(ChurnModel.load(folder), _name_of(number, folder))


def version_of(out: Path, name: str) -> Champion | None:
    """The registered version of that name (``kizashi/3@0a1b2c3d``); None where it, or its files, are not there."""
    for entry in Tracking(tracking_folder(out)).versions():
        manifest = entry.folder / MANIFEST
        if manifest.is_file() and _name_of(entry.number, entry.folder) == name:
            return Champion(ChurnModel.load(entry.folder), name)
    return None


def _name_of(number: int, folder: Path) -> str:
    """A version's number, and a digest of what it holds."""
    return f"kizashi/{number}@{hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:8]}"
