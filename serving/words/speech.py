"""Messages and the language they are said in.

A message is declared once, in English, where it is used: :func:`text`, :func:`plural` and :func:`say` mark it for
extraction, and the English words are its key in the catalogues under ``serving/locales``. Placeholders are named and in
braces. What is put into them are phrases that are words already ("42 days", "about 3,900"), made by
:mod:`serving.words.quantities`, so that a translator meets whole sentences and every count stands in one place with its
plural.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from features.errors import SettingsError

#: What `babel.messages.extract` has to look for, beside its own defaults.
KEYWORDS: dict[str, tuple[int, ...] | None] = {"text": None, "say": (1,), "plural": (1, 2)}
DOMAIN = "kizashi"
CATALOGUES = Path(__file__).parents[1] / "locales"
#: What is spoken: English, which stands in the code, and the languages that there are catalogues of.
LANGUAGES = ("en", "ja", "zh")

Figure = float | date
#: Finds a figure by its name; None where it is unknown.
Find = Callable[[str], Figure | None]

#: The kind of a slot that holds words: its figure is an English message without placeholders.
PHRASE = "phrase"
#: Languages that put no space between two sentences.
_UNSPACED = ("ja", "zh")

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Plural:
    """A count in words, for one and for many; the number itself is ``{n}``."""

    one: str
    many: str


@dataclass(frozen=True)
class Sentence:
    """One way to state a fact: it applies if all its figures are known and all its conditions hold.

    Attributes
    ----------
    message
        The English sentence.
    slots
        Placeholder -> ``"<figure> <kind>"``: a column (or ``value``, ``usual``, a number) and how it is put into words.
    when
        Comparisons such as ``"days_since_last_order <= gap_median_days_ever"``.
    phrases
        Placeholder -> an English message that is put in as words.
    peer
        ``"<column> <kind>"`` of the quantity that the sentence is about, which may be told of similar customers, too;
        "" where there is none.
    """

    message: str
    slots: Mapping[str, str] = field(default_factory=dict)
    when: tuple[str, ...] = ()
    phrases: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""


@dataclass(frozen=True)
class Part:
    """One sentence of a fact as codes and numbers: an English message, which is its key, and what is put into it.

    `slots` holds per placeholder the kind of the figure (:data:`serving.words.quantities.KINDS`, or `PHRASE`) and the
    figure: a finite number, a date as ISO text, or an English phrase.
    """

    message: str
    slots: Mapping[str, tuple[str, float | str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """A fact as it was told once, free of any language: it can be stored, and told later in each of them."""

    parts: tuple[Part, ...]

    def to_list(self) -> list[dict[str, Any]]:
        """Plain JSON values, which :meth:`from_list` reads back exactly."""
        return [
            {"message": part.message, "slots": {slot: [kind, told] for slot, (kind, told) in part.slots.items()}}
            for part in self.parts
        ]

    @classmethod
    def from_list(cls, parts: Sequence[Mapping[str, Any]]) -> "Said":
        """The fact from the values of :meth:`to_list`."""
        return cls(
            tuple(
                Part(part["message"], {slot: (kind, told) for slot, (kind, told) in part["slots"].items()})
                for part in parts
            )
        )


def text(message: str) -> str:
    """Mark a message without placeholders of its own count for extraction; returns it unchanged."""
    return message


def plural(one: str, many: str) -> Plural:
    """Mark a counted phrase for extraction."""
    return Plural(one, many)


def say(
    message: str,
    *,
    when: str | tuple[str, ...] = (),
    phrases: Mapping[str, str] | None = None,
    peer: str = "",
    **slots: str,
) -> Sentence:
    """Declare one way to state a fact; see :class:`Sentence`.

    Without `peer` a slot called ``actual`` or ``since`` is what may be told of similar customers, too.
    """
    conditions = (when,) if isinstance(when, str) else when
    return Sentence(message, slots, conditions, phrases or {}, peer or slots.get("actual") or slots.get("since", ""))


@dataclass(frozen=True)
class Language:
    """How one reader is spoken to: the words of a catalogue, and Babel's formats of the locale."""

    locale: Locale
    catalogue: NullTranslations = field(repr=False)

    def words(self, message: str, **phrases: str) -> str:
        """The message in the reader's language with its phrases put in."""
        return self.catalogue.gettext(message).format(**phrases)

    def named(self, phrase: str) -> str:
        """A phrase without placeholders in the reader's language; words of the user's own stay as they are."""
        return self.catalogue.gettext(phrase) if phrase else ""

    def count(self, message: Plural, number: int, shown: str) -> str:
        """The form of the message that goes with `number`, which is printed as `shown`."""
        return self.catalogue.ngettext(message.one, message.many, number).format(n=shown)


@lru_cache(maxsize=32)
def language(name: str) -> Language:
    """The language called `name` (``en``, ``ja``, ``zh_Hans_CN``, ``zh-CN``); English words where it has no catalogue.

    Raises
    ------
    SettingsError
        If there is no such locale.
    """
    try:
        locale = Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError) as error:
        raise SettingsError(
            f"a locale is a language, perhaps with a script or country; found {name!r}. Give en, ja or zh_Hans_CN."
        ) from error
    return Language(locale, _catalogue(locale.language))


@lru_cache(maxsize=32)
def _catalogue(name: str) -> NullTranslations:
    """The translations into a language, read from its file once; English words where there is none."""
    path = CATALOGUES / name / "LC_MESSAGES" / f"{DOMAIN}.po"
    if not path.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=name))
    compiled.seek(0)
    return Translations(compiled, DOMAIN)


class Voice(Protocol):
    """Who puts figures into words, in one language; see :class:`serving.words.quantities.Speaker`."""

    @property
    def language(self) -> Language:
        """The language spoken."""

    def phrase(self, kind: str, value: Figure) -> str:
        """The figure in words."""


def render(said: Said, speaker: Voice) -> str:
    """The fact in the speaker's language, its sentences joined as the language does it.

    A message that has no translation is said in English.
    """
    words = speaker.language
    sentences = [
        words.words(part.message, **{slot: _phrase(speaker, *told) for slot, told in part.slots.items()})
        for part in said.parts
    ]
    return ("" if words.locale.language in _UNSPACED else " ").join(sentences)


def _phrase(speaker: Voice, kind: str, told: float | str) -> str:
    """What is put into one slot."""
    if kind == PHRASE:
        return speaker.language.named(str(told))
    return speaker.phrase(kind, date.fromisoformat(told) if isinstance(told, str) else told)


def figure(name: str, find: Find) -> Figure | None:
    """The figure called `name`, or the number that the name is; None where it is unknown."""
    try:
        return float(name)
    except ValueError:
        return find(name)


def holds(condition: str, find: Find) -> bool:
    """Whether a comparison holds; one with an unknown side does not."""
    left, sign, right = condition.split()
    sides = [figure(name, find) for name in (left, right)]
    low, high = (side if isinstance(side, int | float) else None for side in sides)
    return low is not None and high is not None and _COMPARE[sign](low, high)
