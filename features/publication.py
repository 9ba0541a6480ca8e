"""How clean events on disk go from one state to the next: in one step, whatever kills the writer.

New files get names that no manifest knows yet; then the manifest is replaced in one rename; then what it does not
name is deleted. A reader sees the events before or the events after. A writer that is killed leaves files that nobody
reads, and the next one clears them away. Writers of one folder wait for each other.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from features.batches import TableState
from features.buckets import MANIFEST, part_path
from features.contract import CONTRACT

TAKEN_FOLDER = "taken"
QUARANTINE_FOLDER = "quarantine"


@contextmanager
def alone_with(out: Path) -> Iterator[Path]:
    """Wait until nobody else writes events beside ``out``; yield a new folder for work, which goes in the end.

    What killed writers left is deleted first. Where the system has no locks on folders, nobody waits, and what they
    left stays.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}-ingest-"
    with _locked(out.parent) as alone:
        for left in out.parent.iterdir() if alone else ():
            if left.name.startswith(prefix):
                shutil.rmtree(left)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=prefix))
        try:
            yield work
        finally:
            shutil.rmtree(work)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether nobody else is here now."""
    try:
        import fcntl
    except ImportError:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            alone = True
        except OSError:  # a file system of a network that locks no folders
            alone = False
        yield alone
    finally:
        os.close(handle)


def publish(new: Path, out: Path, tables: Mapping[str, TableState], manifest: str) -> None:
    """Make a new state of the events the one that readers see.

    Parameters
    ----------
    new
        Folder with the files that are new, under the paths that they get in ``out``.
    tables
        What the new state consists of.
    manifest
        Its text.
    """
    first = not (out / MANIFEST).is_file()
    if first:
        # The whole folder appears at once: there is no moment at which it is there without its manifest.
        _written(new / MANIFEST, manifest)
        _sync_below(new)
        if out.exists():
            out.rmdir()
        new.rename(out)
        _sync(out.parent)
        return
    _move([path for path in _files(new) if path.relative_to(new).parts[0] != QUARANTINE_FOLDER], new, out)
    _written(new / MANIFEST, manifest)
    _move([new / MANIFEST], new, out)
    # After the manifest, which says of which quarantine it is: see mend_quarantine in quarantine.py.
    _move(_files(new / QUARANTINE_FOLDER), new, out)
    clear(out, tables)


def _move(paths: list[Path], new: Path, out: Path) -> None:
    """Put files in their places so that after a power cut each is there whole or not at all."""
    folders = {out}
    for path in paths:
        _sync(path)
        target = out / path.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        folders |= {folder for folder in target.parents if folder.is_relative_to(out)}
    for folder in folders:
        _sync(folder)


def clear(out: Path, tables: Mapping[str, TableState]) -> None:
    """Delete what the tables do not consist of: what is replaced, and what killed writers left."""
    named = set(files_of(out, tables))
    for place in (*CONTRACT, TAKEN_FOLDER, QUARANTINE_FOLDER):
        for path in _files(out / place):
            if path not in named:
                path.unlink()
        folders = [path for path in (out / place).rglob("*") if path.is_dir()] + [out / place]
        for folder in sorted(folders, reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def files_of(out: Path, tables: Mapping[str, TableState], *, shown: bool = True) -> Iterator[Path]:
    """Every file of which clean events consist, but the manifest; `shown` with the quarantine that people read."""
    for name, state in tables.items():
        if shown:
            yield quarantine_path(out, name)
        for remembered in (*state.hashes, state.refused):
            yield taken_path(out, name, remembered)
        for bucket, names in enumerate(state.parts):
            for part in names:
                yield part_path(out, CONTRACT[name], bucket, part)


def taken_path(out: Path, table: str, name: str) -> Path:
    """A file of what the next ingest has to know of a table's rows."""
    return out / TAKEN_FOLDER / table / name


def quarantine_path(out: Path, table: str) -> Path:
    """The file of a table's rows that were set aside, as people read it."""
    return out / QUARANTINE_FOLDER / f"{table}.parquet"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _written(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _sync(path)


def _sync_below(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    """Make a file or a folder's list of names outlive a power cut."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folder, and needs not
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
