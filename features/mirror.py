"""Clean events on object storage too, for workers on other machines: put there whole, fetched bucket by bucket.

Below the URL::

    latest.json                       which catalogue holds, written last
    catalogues/<digest>.json          every file of one state of the events, by its path in their folder
    files/<path>.<digest>.parquet     contents, named for what is in them

No object but ``latest.json`` is ever written over, so that a reader meets one state of the events or the next and
never half of each, and a file that did not change is not sent again. The files of the state before stay for those who
still read them; what is older is deleted.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from features.errors import SourceError
from features.storage import Storage, altered, at_once

LATEST = "latest.json"
FORMAT = 1

_FILES, _CATALOGUES = "files/", "catalogues/"


class _Content(NamedTuple):
    """What one file holds: the object, its length in bytes, its digest."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Mirror:
    """One state of the events on object storage; can be sent to any process whose environment lets it read there.

    Parameters
    ----------
    url
        The folder that they lie in.
    catalogue
        Hex digest of their catalogue: a later state does not change what is read by this one.
    """

    url: str
    catalogue: str

    def __str__(self) -> str:
        """The URL."""
        return self.url

    @property
    def names(self) -> frozenset[str]:
        """The files, as their paths in the folder of events."""
        return frozenset(_catalogue(self))

    def read(self, name: str) -> bytes:
        """The content of a small file."""
        content = self._content(name)
        held = Storage(self.url).read(content.name)
        if hashlib.sha256(held).hexdigest() != content.sha256:
            raise altered(f"{self.url}/{content.name}")
        return held

    def fetch(self, names: Iterable[str], folder: Path) -> None:
        """Write files to a folder, under their paths.

        Raises
        ------
        SourceError
            For a file that cannot be fetched, or is not what was put there.
        """
        storage = Storage(self.url)

        def fetch(name: str) -> None:
            content, path = self._content(name), folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            storage.fetch(path, content.name, content.sha256)

        at_once(fetch, list(names))

    def _content(self, name: str) -> _Content:
        try:
            return _catalogue(self)[name]
        except KeyError:
            raise SourceError(f"{self.url}: {name} is not among the events there. Ingest the data again.") from None


def mirror(folder: Path, names: Iterable[str], url: str) -> Mirror:
    """Put files of a folder on object storage, as the next state of the events there.

    Parameters
    ----------
    names
        Their paths in the folder.
    url
        A folder on object storage that is empty or holds earlier events. One writer at a time.

    Raises
    ------
    SourceError
        Where it holds something else, or cannot be written; readers then go on with the state before.
    """
    storage = Storage(url)
    there = {one.key: one.size for one in storage.inside(below=True) if one.is_file()}
    if there and LATEST not in there:
        raise SourceError(f"{storage}: holds something else than clean events. Name an empty folder for them.")
    before = latest(url) if there else None
    old = set(_catalogue(before).values()) if before else set()
    new = {name: _content(folder, name) for name in sorted(names)}

    def send(name: str) -> None:
        content = new[name]
        if content not in old or there.get(content.name) != content.size:
            storage.put(folder / name, content.name)

    at_once(send, list(new))
    text = json.dumps({"format": FORMAT, "files": new}, separators=(",", ":"), ensure_ascii=False).encode()
    now = Mirror(str(storage), hashlib.sha256(text).hexdigest())
    storage.write(text, _object_of(now.catalogue))
    if now == before:
        return now
    storage.write(json.dumps({"format": FORMAT, "catalogue": now.catalogue}).encode() + b"\n", LATEST)
    kept = {content.name for content in (*old, *new.values())}
    kept |= {_object_of(one.catalogue) for one in (before, now) if one}
    at_once(storage.delete, [name for name in there if name.startswith((_FILES, _CATALOGUES)) and name not in kept])
    return now


def latest(url: str) -> Mirror:
    """The newest state of the events at a URL.

    Raises
    ------
    SourceError
        Where there are none, or they cannot be read.
    """
    storage = Storage(url)
    if not storage.find(LATEST):
        raise SourceError(f"{storage}: no clean events here ({LATEST} is missing). Ingest the data first.")
    return Mirror(str(storage), str(_json(storage, LATEST, storage.read(LATEST)).get("catalogue")))


def _object_of(catalogue: str) -> str:
    return f"{_CATALOGUES}{catalogue}.json"


# A catalogue is named for its content: once read, it holds for ever.
@lru_cache(maxsize=4)
def _catalogue(of: Mirror) -> dict[str, _Content]:
    """What the files of a state hold, by their paths."""
    storage, name = Storage(of.url), _object_of(of.catalogue)
    text = storage.read(name)
    if hashlib.sha256(text).hexdigest() != of.catalogue:
        raise altered(f"{of.url}/{name}")
    return {path: _Content(*content) for path, content in _json(storage, name, text)["files"].items()}


def _json(storage: Storage, name: str, text: bytes) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise SourceError(
            f"{storage}/{name}: not clean events of format {FORMAT}. Empty its folder and ingest the data again."
        )
    return read


def _content(folder: Path, name: str) -> _Content:
    with (folder / name).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    place = PurePosixPath(name)
    return _Content(
        f"{_FILES}{place.with_suffix(f'.{sha256[:20]}{place.suffix}')}", (folder / name).stat().st_size, sha256
    )
