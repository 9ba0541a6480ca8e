"""Texts of interactions in three languages: made of sentences of a known kind, and recognised again.

A text is one sentence of a kind, perhaps with an opening and a closing. The kind says what it shows: a deferral,
another supplier's name, pressure on prices, or nothing at all. Some sentences that show nothing hold the very words
of those that do, so that no single word is a sure sign.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from features.simulate import phrases_chinese, phrases_english, phrases_japanese
from features.simulate.arrays import Integers

KINDS = ("neutral", "deferral", "rival", "price", "inquiry", "ours", "invitation", "talk")
NEUTRAL, DEFERRAL, RIVAL, PRICE, INQUIRY, OURS, INVITATION, TALK = range(8)
VOICES = ("written", "noted")
WRITTEN, NOTED = range(2)
FRAMES = 9  # choices of an opening, and of a closing: none (0), or one of eight
_MODULES = {"latin": phrases_english, "japanese": phrases_japanese, "chinese": phrases_chinese}
LANGUAGES = tuple(_MODULES)
"""By the script of a region: English where names are Latin."""
RIVALS = {script: module.RIVALS for script, module in _MODULES.items()}
"""Invented names of other suppliers, by script."""


@dataclass(frozen=True)
class Wanted:
    """The texts to be written: parallel arrays.

    `kind` and `voice` are indexes into `KINDS` and `VOICES`. `turn` counts on from text to text of a customer, so
    that two neighbours never have the same sentence; `filling` is any number that chooses what a sentence speaks
    of; `opening` and `closing` are below `FRAMES`.
    """

    kind: Integers
    voice: Integers
    turn: Integers
    filling: Integers
    opening: Integers
    closing: Integers


@dataclass(frozen=True)
class Book:
    """All sentences of one language, gaps filled in, in order of kind and template."""

    sentences: tuple[str, ...]
    kind: Integers  # of every sentence
    first: Integers  # (kinds, templates) number of the first sentence of a template
    fillings: Integers  # (kinds, templates) sentences of a template; 0 beyond the last template
    openings: tuple[tuple[str, ...], ...]  # by voice; the first one is empty
    closings: tuple[tuple[str, ...], ...]
    joint: str

    def texts(self, wanted: Wanted) -> ExtensionArray:
        """The wanted texts, in their order."""
        templates = (self.fillings > 0).sum(axis=1)
        template = wanted.turn % templates[wanted.kind]
        sentence = self.first[wanted.kind, template] + wanted.filling % self.fillings[wanted.kind, template]
        shape = (len(VOICES), FRAMES, len(self.sentences), FRAMES)
        code = np.ravel_multi_index((wanted.voice, wanted.opening, sentence, wanted.closing), shape)
        distinct, place = np.unique(code, return_inverse=True)
        parts = zip(*(part.tolist() for part in np.unravel_index(distinct, shape)), strict=True)
        return pd.array([self._text(*part) for part in parts], dtype="str").take(place)

    def every_text(self) -> Iterator[tuple[str, int]]:
        """Every text that can be written, with its kind."""
        for voice, opening, sentence, closing in product(
            range(len(VOICES)), range(FRAMES), range(len(self.sentences)), range(FRAMES)
        ):
            yield self._text(voice, opening, sentence, closing), int(self.kind[sentence])

    def _text(self, voice: int, opening: int, sentence: int, closing: int) -> str:
        parts = (self.openings[voice][opening], self.sentences[sentence], self.closings[voice][closing])
        return self.joint.join(part for part in parts if part)


@cache
def book(script: str) -> Book:
    """The sentences of the language that is spoken where names have this script."""
    module = _MODULES[script]
    sentences: list[str] = []
    kinds: list[int] = []
    most = max(len(module.SENTENCES[kind]) for kind in KINDS)
    first, fillings = np.zeros((2, len(KINDS), most), dtype=np.int64)
    for kind, name in enumerate(KINDS):
        for number, template in enumerate(module.SENTENCES[name]):
            filled = _filled(template, module)
            first[kind, number], fillings[kind, number] = len(sentences), len(filled)
            sentences += filled
            kinds += [kind] * len(filled)
    openings, closings = (
        tuple(("", *frames[voice]) for voice in VOICES) for frames in (module.OPENINGS, module.CLOSINGS)
    )
    return Book(tuple(sentences), np.array(kinds), first, fillings, openings, closings, module.JOINT)


def _filled(template: str, module: ModuleType) -> list[str]:
    """A template with its gap filled in all ways; itself if it has none."""
    for gap, words in (("{item}", module.ITEMS), ("{rival}", module.RIVALS)):
        if gap in template:
            return [template.replace(gap, word) for word in words]
    return [template]


def kinds_of(texts: pd.Series) -> npt.NDArray[np.int64]:
    """The kind of each text, an index into `KINDS`; -1 for a missing text and for one that is none of ours."""
    known, kind = _recognised()
    place = known.get_indexer(pd.Index(texts))
    return np.where(place >= 0, kind[place], -1)


@cache
def _recognised() -> tuple[pd.Index, Integers]:
    # A sentence without a frame is the same text in both voices.
    kinds = dict(pair for script in LANGUAGES for pair in book(script).every_text())
    return pd.Index(list(kinds), dtype="str"), np.array(list(kinds.values()))
