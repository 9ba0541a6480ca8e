"""All sentences about features in one table, and which of them tell a given feature."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from serving.words import (
    amounts,
    breadth,
    contact,
    conversation,
    goods,
    pace,
    partnership,
    payments,
    people,
    prices,
    rhythm,
    service,
    terms,
)
from serving.words.patterns import VIEWS, Quantity, comparison, ways
from serving.words.speech import Sentence

_SUBJECTS = (contact, conversation, goods, pace, partnership, payments, people, prices, service)

#: Feature, or family with ``{days}`` for its window -> the ways to state it, fullest first.
SENTENCES: Mapping[str, tuple[Sentence, ...]] = {
    **rhythm.SENTENCES,
    **amounts.SENTENCES,
    **terms.SENTENCES,
    **breadth.SENTENCES,
    **{name: said for subject in _SUBJECTS for name, said in subject.SENTENCES.items()},
}
#: Family -> what it measures, where general patterns say it, or compare it where no sentence does.
QUANTITIES: Mapping[str, Quantity] = {
    name: measured for subject in _SUBJECTS for name, measured in subject.QUANTITIES.items()
}

_WINDOW = re.compile(r"_(\d+)d(?=_|$)")
_VIEW = re.compile(rf"_({'|'.join(VIEWS)})$")


@dataclass(frozen=True)
class Telling:
    """How a feature is told.

    Attributes
    ----------
    ways
        The ways to state it, fullest first; none of a feature of the user's own.
    days
        The number for ``{days}`` in them, "" where the feature has no window or several.
    told
        The feature whose value is called ``value`` in them: for a comparison, what it compares.
    """

    ways: tuple[Sentence, ...]
    days: str
    told: str


@lru_cache(maxsize=4096)
def telling(feature: str) -> Telling:
    """How the feature is told; it need not be registered."""
    days = set(_WINDOW.findall(feature))
    window = days.pop() if len(days) == 1 else ""
    own = _of(feature, SENTENCES)
    if own:
        return Telling(SENTENCES[own], window, feature)
    whole = _of(feature, QUANTITIES)
    if whole:
        return Telling(ways(QUANTITIES[whole], whole), window, feature)
    found = _VIEW.search(feature)
    base = feature[: found.start()] if found else ""
    measured = _of(base, QUANTITIES)
    if not found or not measured:
        return Telling((), window, feature)
    view = found.group(1)
    # The fact behind a deviation, or a comparison with peers, is what is and what is usual for the customer.
    for told in (f"{base}_vs_usual", base):
        spoken = _of(told, SENTENCES)
        if spoken:
            return Telling((*SENTENCES[spoken], *comparison(QUANTITIES[measured], measured, view)), window, told)
    return Telling(ways(QUANTITIES[measured], measured, view), window, base)


def _of(feature: str, table: Mapping[str, object]) -> str:
    """The feature's entry: under its own name, or under that of its family; "" where it has none."""
    family = _WINDOW.sub("_{days}d", feature)
    return next((name for name in (feature, family) if name in table), "")
