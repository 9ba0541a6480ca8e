"""The lists of words and phrases that texts are searched for: those that come along, and a user's own.

A list is a file ``<language>/<list>.txt``, one phrase a line, "#" before a remark; the folder ``any`` is for every
language. docs/text.md says what each list is for and how to extend them.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from features.errors import SettingsError
from features.tokens import LANGUAGES, SHIPPED, fold

COUNTED = ("deferral", "refusal", "price_pressure", "competitor", "feature", "benchmark", "technical")
"""Lists whose phrases are counted, alone or beside a competitor."""

LISTS = (*COUNTED, "name", "request", "next_step", "time", "neutral", "negation", "condition", "function")
"""Every list that a language can have."""

ANY = "any"
UNIT = "unit"
"""The list of units of measure, of every language at once."""


@dataclass(frozen=True)
class Words:
    """The lists that a text is searched for.

    Two are equal, and give every text the same marks, where their versions are.

    Parameters
    ----------
    version
        Digest of all lists, so that results can be traced.
    lists
        Language, then list, then its phrases as they are written; those of ``any`` stand in every language.
    units
        Units of measure.
    """

    version: str
    lists: Mapping[str, Mapping[str, tuple[str, ...]]] = field(compare=False, repr=False)
    units: tuple[str, ...] = field(compare=False, repr=False)

    @classmethod
    def load(cls, extra: Path | None = None, competitors: Sequence[str] = ()) -> "Words":
        """Return the lists that come along, extended.

        Parameters
        ----------
        extra
            A folder of further lists, laid out as ``<language>/<list>.txt`` with ``any`` for every language. A line
            ``-phrase`` takes a phrase out of those that come along.
        competitors
            Names of competitors, each as people write it.

        Raises
        ------
        SettingsError
            For a folder, file or line that cannot be read, a list that there is not, a phrase to take out that is not
            there, and a name without letter and digit.
        """
        found = _folder(SHIPPED)
        if extra is not None:
            if not extra.is_dir():
                raise SettingsError(
                    f"{extra}: no such folder of word lists. Make it, or mend the setting that names it."
                )
            for key, lines in _folder(extra).items():
                _extend(found, key, lines)
        for name in competitors:
            if not any(map(str.isalnum, name)):
                raise SettingsError(f"competitors: {name!r} holds no letter and no digit. Take it out, or mend it.")
        names = [_Line(Path("competitors"), 0, name.strip()) for name in competitors]
        found[(ANY, "name")] = [*found.get((ANY, "name"), []), *names]
        return _words(found)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as plain dictionaries: another process may do the reading."""
        plain = {language: dict(lists) for language, lists in self.lists.items()}
        return (_restored, (self.version, plain, self.units))


def _restored(version: str, lists: dict[str, dict[str, tuple[str, ...]]], units: tuple[str, ...]) -> Words:
    return Words(version, _frozen(lists), units)


@dataclass(frozen=True)
class _Line:
    """One phrase and where it was written."""

    path: Path
    number: int
    phrase: str

    @property
    def key(self) -> str:
        """What two ways of writing the same phrase share."""
        return " ".join(fold(self.phrase).split())


_Found = dict[tuple[str, str], list[_Line]]


def _folder(folder: Path) -> _Found:
    """Every list of a folder."""
    found: _Found = {}
    for language in _seen(folder):
        if language.name not in (*LANGUAGES, ANY) or not language.is_dir():
            raise SettingsError(
                f"{language}: not a language of the word lists. Name the folder one of {', '.join((*LANGUAGES, ANY))}."
            )
        for path in _seen(language):
            if path == SHIPPED / "zh" / "traditional.txt":
                continue
            if path.suffix != ".txt" or path.stem not in _lists_of(language.name):
                names = ", ".join(_lists_of(language.name))
                raise SettingsError(f"{path}: there is no such word list. Name the file <list>.txt, of {names}.")
            found[(language.name, path.stem)] = _lines(path)
    return found


def _seen(folder: Path) -> list[Path]:
    """What lies in a folder, hidden files aside."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be read ({error.strerror}). Mend the folder's permissions.") from None


def _lists_of(language: str) -> tuple[str, ...]:
    return (*LISTS, UNIT) if language == ANY else LISTS


def _lines(path: Path) -> list[_Line]:
    """The phrases of a file with their line numbers."""
    try:
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}). Mend the file, or take it away.") from None
    lines = []
    for number, written in enumerate(raw, start=1):
        try:
            phrase = written.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise SettingsError(f"{path}, line {number}: not UTF-8. Save the file as UTF-8.") from None
        if not phrase or phrase.startswith("#"):
            continue
        if path.stem != UNIT and not any(map(str.isalnum, phrase)):
            raise SettingsError(
                f"{path}, line {number}: expected a phrase, found {phrase!r} without letter and digit. "
                'Take the line out, or begin it with "#".'
            )
        lines.append(_Line(path, number, phrase))
    return lines


def _extend(found: _Found, key: tuple[str, str], lines: Sequence[_Line]) -> None:
    """Add a user's lines to the lists that came along, and take out what they begin with a minus."""
    language, name = key
    shipped = dict(found)
    for line in lines:
        if not line.phrase.startswith("-") or not line.phrase[1:].strip():
            found[key] = [*found.get(key, []), line]
            continue
        out = _Line(line.path, line.number, line.phrase[1:]).key
        places = [(place, name) for place in ((*LANGUAGES, ANY) if language == ANY else (language,))]
        if not any(kept.key == out for place in places for kept in shipped.get(place, [])):
            raise SettingsError(
                f"{line.path}, line {line.number}: {line.phrase[1:].strip()!r} is not in the list {name} of "
                f"{language}, so it cannot be taken out. Write it as it stands there, or take the line out."
            )
        for place in places:
            found[place] = [kept for kept in found.get(place, []) if kept.key != out]


def _words(found: _Found) -> Words:
    lists = {
        language: {
            name: tuple({line.key: line.phrase for line in _both(found, language, name)}.values()) for name in LISTS
        }
        for language in LANGUAGES
    }
    units = tuple(sorted({line.key for line in found.get((ANY, UNIT), [])}))
    keys = {
        language: {name: sorted({line.key for line in _both(found, language, name)}) for name in LISTS}
        for language in LANGUAGES
    }
    digest = hashlib.sha256(json.dumps([keys, units], ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    return Words(digest[:16], _frozen(lists), units)


def _both(found: _Found, language: str, name: str) -> list[_Line]:
    """The lines of a list in its language, then those of any language."""
    return [*found.get((language, name), []), *found.get((ANY, name), [])]


def _frozen(lists: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    return MappingProxyType({language: MappingProxyType(dict(named)) for language, named in lists.items()})
