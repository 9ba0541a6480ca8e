"""Features of the user's own: files outside the package, with the same decorator, probes and documentation.

A file is Python that declares features (and, where it needs them, relations and options) exactly as the shipped modules
do. It is code of the user's own, named by the user in the settings, and is run as such; it travels to workers as text,
so that they need no copy of the file.
"""

import hashlib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from features.errors import SettingsError
from features.options import OPTIONS
from features.registry import REGISTRY, registered
from features.relations import RELATIONS

_TABLES: tuple[dict, ...] = (REGISTRY, RELATIONS, OPTIONS)


@dataclass(frozen=True)
class OwnFile:
    """One file of features: where it came from and what it says."""

    path: str
    text: str

    @property
    def digest(self) -> str:
        """Hex digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class _Installed:
    """What a file has declared: names in the registry, the relations and the options."""

    file: OwnFile
    names: tuple[frozenset[str], ...]


_INSTALLED: dict[str, _Installed] = {}


def read_own(paths: Sequence[Path]) -> tuple[OwnFile, ...]:
    """Read files of features.

    Raises
    ------
    SettingsError
        If one cannot be read.
    """
    files = []
    for path in paths:
        try:
            files.append(OwnFile(str(path), path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"features.files: {path} cannot be read ({error}). Name a Python file, relative to kizashi.toml."
            ) from None
    return tuple(files)


def install(files: Sequence[OwnFile]) -> tuple[str, ...]:
    """Register exactly the features of these files besides the shipped ones; return their names.

    Files that were installed before and are not among them, or say something else now, are taken out first. Doing it
    again changes nothing.

    Raises
    ------
    SettingsError
        If a file fails: the message names the file, the line and what is wrong. Nothing of it stays registered.
    """
    registered()  # the shipped ones come first
    wanted = {file.path: file.digest for file in files}
    for path in [path for path, one in _INSTALLED.items() if wanted.get(path) != one.file.digest]:
        _take_out(_INSTALLED.pop(path).names)
    for file in files:
        if file.path not in _INSTALLED:
            _INSTALLED[file.path] = _Installed(file, _run(file))
    return own_names()


def installed() -> tuple[OwnFile, ...]:
    """The files whose features are registered now."""
    return tuple(one.file for one in _INSTALLED.values())


def own_names() -> tuple[str, ...]:
    """Names of the registered features of the user's own."""
    mine = {name for one in _INSTALLED.values() for name in one.names[0]}
    return tuple(one.name for one in registered() if one.name in mine)


def _run(file: OwnFile) -> tuple[frozenset[str], ...]:
    before = [set(table) for table in _TABLES]
    module = ModuleType(Path(file.path).stem)
    module.__file__ = file.path
    try:
        exec(compile(file.text, file.path, "exec"), module.__dict__)  # noqa: S102 - the user's own code, named by the user
    except Exception as error:  # a user's file may fail in any way
        _take_out([set(table) - old for table, old in zip(_TABLES, before, strict=True)])
        raise SettingsError(
            f"{file.path}{_line(error, file.path)}: {type(error).__name__}: {error}. Mend it."
        ) from None
    return tuple(frozenset(set(table) - old) for table, old in zip(_TABLES, before, strict=True))


def _line(error: Exception, path: str) -> str:
    """Where in the file it happened, as ``:12``."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f":{lines[-1]}" if lines else ""


def _take_out(names: Sequence[set[str] | frozenset[str]]) -> None:
    for table, gone in zip(_TABLES, names, strict=True):
        for name in gone:
            del table[name]
