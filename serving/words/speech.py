"""Messages and the language they are said in.

A message is declared once, in English, where it is used: :func:`text`, :func:`plural` and :func:`say` mark it for
extraction, and the English words are its key in the catalogues under ``serving/locales``. Placeholders are named and in
braces. What is put into them are phrases that are words already ("42 days", "about 3,900"), made by
:mod:`serving.words.quantities`, so that a translator meets whole sentences and every count stands in one place with its
plural.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.support import Translations

from features.errors import SettingsError

#: What `babel.messages.extract` has to look for, beside its own defaults.
KEYWORDS: dict[str, tuple[int, ...] | None] = {"text": None, "say": (1,), "plural": (1, 2)}
DOMAIN = "kizashi"
CATALOGUES = Path(__file__).parents[1] / "locales"

Figure = float | date
Figures = Mapping[str, Figure]

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
    """

    message: str
    slots: Mapping[str, str] = field(default_factory=dict)
    when: tuple[str, ...] = ()


def text(message: str) -> str:
    """Mark a message without placeholders of its own count for extraction; returns it unchanged."""
    return message


def plural(one: str, many: str) -> Plural:
    """Mark a counted phrase for extraction."""
    return Plural(one, many)


def say(message: str, *, when: str | tuple[str, ...] = (), **slots: str) -> Sentence:
    """Declare one way to state a fact; see :class:`Sentence`."""
    return Sentence(message, slots, (when,) if isinstance(when, str) else when)


@dataclass(frozen=True)
class Language:
    """How one reader is spoken to: the words of a catalogue, and Babel's formats of the locale."""

    locale: Locale
    catalogue: NullTranslations = field(repr=False)

    def words(self, message: str, **phrases: str) -> str:
        """The message in the reader's language with its phrases put in."""
        return self.catalogue.gettext(message).format(**phrases)

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
    return Language(locale, Translations.load(CATALOGUES, [str(locale), locale.language], DOMAIN))


def figure(name: str, figures: Figures) -> Figure | None:
    """The figure called `name`, or the number that the name is; None where it is unknown."""
    try:
        return float(name)
    except ValueError:
        return figures.get(name)


def holds(condition: str, figures: Figures) -> bool:
    """Whether a comparison holds; one with an unknown side does not."""
    left, sign, right = condition.split()
    sides = [figure(name, figures) for name in (left, right)]
    low, high = (side if isinstance(side, int | float) else None for side in sides)
    return low is not None and high is not None and _COMPARE[sign](low, high)
