"""What is said in a text: how deep the talk goes, and which listed phrases stand in it.

Each text is judged alone, whatever the cutoff: the same text and the same lists give the same row. docs/text.md states
the formula with worked examples and says how the lists are extended.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from features.errors import SettingsError
from features.tokens import MARKS, QUESTION, SENTENCE, Reading, fold, language_of, read_as
from features.wordlists import COUNTED, Words

__all__ = ["COUNTS", "Depth", "Words", "depth", "marks"]

COUNTS = (
    "deferral",
    "competitor",
    "competitor_feature",
    "benchmark",
    "price_pressure",
    "refusal",
    "technical",
)
"""The columns of counts, in order."""

#: How many words before a phrase (Japanese: after it) a negation may stand. Lists without a number know none.
_REACH = {"deferral": 1, "refusal": 1, "next_step": 1, "price_pressure": 2, "competitor": 2}
#: 検討した, 検討して, 検討したい and 検討すれば are not yet, or no longer, 検討します.
_UNFINISHED = {"deferral": frozenset(("た", "て", "たい", "ば")), "next_step": frozenset(("た", "て", "ば"))}
#: Lists of which only the longer of two counts where one phrase holds another: 不接受涨价 is no refusal besides.
_ANSWERS = frozenset(("deferral", "refusal", "price_pressure", "next_step"))
#: No phrase, and no part of a sentence in which a condition is looked for, is longer than so many words.
_LONGEST = 30
_COVERING = _ANSWERS | {"neutral", "name"}
_SEARCHED = (*COUNTED, "name", "request", "next_step", "time", "neutral")


@dataclass(frozen=True)
class Depth:
    """What the depth index of a text is made of; docs/text.md says why.

    Parameters
    ----------
    content_words
        Different words with content.
    specifics
        Different quantities with a unit, codes, dates, expressions of time and technical words.
    asks
        Sentences that ask a question or make a request.
    next_steps
        Different phrases that commit to a next step.
    setbacks
        Different phrases that put off or refuse.
    """

    content_words: int
    specifics: int
    asks: int
    next_steps: int
    setbacks: int

    @property
    def index(self) -> float:
        """The communication depth index, 0 to 100."""
        points = (
            min(30.0, 0.5 * self.content_words)
            + min(30.0, 3.0 * self.specifics)
            + min(20.0, 5.0 * self.asks)
            + min(20.0, 10.0 * self.next_steps)
            - min(30.0, 10.0 * self.setbacks)
        )
        return max(0.0, points)


def marks(texts: Sequence[str | None], words: Words) -> pd.DataFrame:
    """Return what is said in each text.

    Parameters
    ----------
    texts
        As they were written; None, NaN and "" are empty.
    words
        The lists to search for.

    Returns
    -------
    pandas.DataFrame
        One row per text in order, RangeIndex. ``language`` (str): "en", "ja", "zh", or "" for a text without letter
        and digit. ``depth`` (float64): the communication depth index, 0 to 100, NaN for an empty text. ``deferral``,
        ``competitor``, ``competitor_feature``, ``benchmark``, ``price_pressure``, ``refusal``, ``technical`` (int64):
        how many different phrases of that kind the text holds; 0 for an empty text.
    """
    codes, different = pd.factorize(np.array([_plain(text) for text in texts], dtype=object))
    judged = [_judge(text, words) for text in different]
    language = np.array([row[0] for row in judged], dtype=object)
    depths = np.array([np.nan if row[1] is None else row[1].index for row in judged], dtype=np.float64)
    counts = np.array([row[2] for row in judged], dtype=np.int64).reshape(-1, len(COUNTS))
    columns = {name: counts[codes, position] for position, name in enumerate(COUNTS)}
    return pd.DataFrame({"language": pd.array(language[codes], dtype="str"), "depth": depths[codes], **columns})


def depth(text: str | None, words: Words) -> Depth | None:
    """Return what the depth index of a text is made of; None for a text without letter and digit."""
    return _judge(_plain(text), words)[1]


def _plain(text: object) -> str:
    if isinstance(text, str):
        return text
    if text is None or text is pd.NA or text != text:  # NaN
        return ""
    raise TypeError(f"a text is a str or None, not {type(text).__name__}")


_Row = tuple[str, Depth | None, tuple[int, ...]]


def _judge(text: str, words: Words) -> _Row:
    folded = fold(text)
    language = language_of(folded)
    if not language:
        return "", None, (0,) * len(COUNTS)
    book = _book(words, language)
    reading = read_as(language, folded)
    hits = _hits(reading, book)
    said: dict[str, set[str]] = {name: set() for name in _SEARCHED}
    for hit in hits:
        said[hit.list].add(hit.phrase)
    feature, benchmark = _beside_competitors(reading, hits)
    technical, deferral, refusal = len(said["technical"]), len(said["deferral"]), len(said["refusal"])
    judged = Depth(
        content_words=len(reading.content - book.function),
        specifics=technical + len(said["time"]) + _figures(folded, words.units),
        asks=_asks(reading, hits),
        next_steps=len(said["next_step"]),
        setbacks=deferral + refusal,
    )
    competitor = len(said["competitor"]) + len(said["name"])
    counts = (deferral, competitor, feature, benchmark, len(said["price_pressure"]), refusal, technical)
    return language, judged, counts


# Phrases


@dataclass(frozen=True, slots=True)
class _Hit:
    """A phrase found: its list, its comparable form, and the words [start, end) that it takes."""

    list: str
    phrase: str
    start: int
    end: int


#: By first word (or letter): the phrases that begin so, longest first, as (form, list, name of the form).
_Index = dict[str, list[tuple[list[str] | str, str, str]]]


@dataclass(frozen=True)
class _Book:
    """The lists of one language, ready to be found in its readings."""

    by_word: _Index
    by_letter: _Index
    function: frozenset[str]
    negation: frozenset[str]
    condition: frozenset[str]


@lru_cache(maxsize=12)
def _book(words: Words, language: str) -> _Book:
    """Read the phrases as texts of the language are read, so that they compare."""
    by_word: _Index = {}
    by_letter: _Index = {}
    for name in _SEARCHED:
        # Words are cut by their neighbours: Chinese phrases and foreign names are compared letter by letter.
        letters = language == "zh" or (language == "ja" and name == "name")
        for phrase in words.lists[language][name]:
            form = _form(language, phrase, letters)
            if form:
                index = by_letter if letters else by_word
                index.setdefault(form[0], []).append((form, name, " ".join(form)))
    for index in (by_word, by_letter):
        for entries in index.values():
            entries.sort(key=lambda entry: (-len(entry[0]), entry[1], entry[2]))
    single = {name: _single_words(words, language, name) for name in ("function", "negation", "condition")}
    return _Book(by_word, by_letter, **single)


def _form(language: str, phrase: str, letters: bool) -> list[str] | str:
    reading = read_as(language, fold(phrase))
    if letters:
        return reading.letters.strip("".join(MARKS))
    words = reading.words
    while words and words[-1] in MARKS:
        words.pop()
    return words


def _single_words(words: Words, language: str, name: str) -> frozenset[str]:
    """The entries of a list of single words; one that is cut in two would mean something else in its parts."""
    read = [(phrase, read_as(language, fold(phrase)).words) for phrase in words.lists[language][name]]
    if name != "function":
        for phrase, cut in read:
            if len(cut) != 1:
                raise SettingsError(
                    f"word list {name} of {language}: {phrase!r} is not one word but {len(cut)} ({' + '.join(cut)}). "
                    "Only single words can stand there: take it out."
                )
    return frozenset(word for _, cut in read for word in cut)


def _hits(reading: Reading, book: _Book) -> list[_Hit]:
    """Every listed phrase in a reading: in each list the longest from the left, none inside another."""
    unfinished = _UNFINISHED if reading.language == "ja" else {}
    found = list(_in_words(reading.words, book.by_word, unfinished)) if book.by_word else []
    if book.by_letter:
        found += _in_letters(reading, book)
    covers: dict[int, list[_Hit]] = {}
    for hit in found:
        if hit.list in _COVERING:
            covers.setdefault(hit.start, []).append(hit)
    taken = {place for hit in found for place in range(hit.start, hit.end)}
    return [hit for hit in found if not _covered(hit, covers) and _stands(hit, reading, book, taken)]


def _in_words(stream: list[str], index: _Index, unfinished: Mapping[str, frozenset[str]]) -> Iterable[_Hit]:
    ends: dict[str, int] = {}
    for start, word in enumerate(stream):
        for form, name, phrase in index.get(word, ()):
            end = start + len(form)
            if stream[start:end] == form and start >= ends.get(name, 0):
                if name in unfinished and end < len(stream) and stream[end] in unfinished[name]:
                    continue
                ends[name] = end
                yield _Hit(name, phrase, start, end)


def _in_letters(reading: Reading, book: _Book) -> Iterable[_Hit]:
    stream, index, edges = reading.letters, book.by_letter, reading.edges
    ends: dict[str, int] = {}
    for start, letter in enumerate(stream):
        entries = index.get(letter)
        if not entries or start not in edges:
            continue
        for form, name, phrase in entries:
            end = start + len(form)
            if end in edges and stream.startswith(str(form), start) and start >= ends.get(name, 0):
                ends[name] = end
                first = bisect_right(reading.starts, start) - 1
                yield _Hit(name, phrase, first, bisect_left(reading.starts, end))


def _covered(hit: _Hit, covers: Mapping[int, Collection[_Hit]]) -> bool:
    """Whether a hit begins in a neutral phrase, lies inside a name, or, being an answer, inside a longer answer."""
    for start in range(max(0, hit.start - _LONGEST), hit.start + 1):
        for cover in covers.get(start, ()):
            if cover.list == hit.list or hit.start >= cover.end:
                continue
            if cover.list == "neutral":
                return True
            longer = cover.end - cover.start > hit.end - hit.start
            if hit.end <= cover.end and (cover.list == "name" or (longer and hit.list in _ANSWERS)):
                return True
    return False


def _stands(hit: _Hit, reading: Reading, book: _Book, taken: Collection[int]) -> bool:
    """Whether a phrase means what it says here: no negation turns it round."""
    words = reading.words
    reach = _REACH.get(hit.list, 0)
    if reading.language == "ja":
        near: Iterable[int] = range(hit.end, min(hit.end + reach, len(words)))
    else:
        near = range(hit.start - 1, max(hit.start - 1 - reach, -1), -1)
    for place in near:
        if words[place] in MARKS:
            return True
        if words[place] in book.negation and place not in taken:
            return _asked_or_conditional(hit, words, book)
    return True


def _asked_or_conditional(hit: _Hit, words: Sequence[str], book: _Book) -> bool:
    """Whether a negation at a phrase turns nothing round: 値下げできませんか, "if you do not lower the price"."""
    first, last = hit.start, hit.end - 1
    while first > max(0, hit.start - _LONGEST) and words[first - 1] not in MARKS:
        first -= 1
    while last + 1 < min(len(words), hit.end + _LONGEST) and words[last + 1] not in MARKS:
        last += 1
    asked = last + 1 < len(words) and words[last + 1] == QUESTION
    return asked or not book.condition.isdisjoint(words[first : last + 1])


# Beside competitors, questions, figures


def _beside_competitors(reading: Reading, hits: Collection[_Hit]) -> tuple[int, int]:
    """How many features of products are spoken of beside a competitor, and how many names are to be matched."""
    names = [hit for hit in hits if hit.list == "name"]
    if not names and not any(hit.list == "competitor" for hit in hits):
        return 0, 0
    ends = _ends(reading.words)
    of_competitors = {bisect_left(ends, hit.start) for hit in hits if hit.list in ("competitor", "name")}
    of_benchmarks = {bisect_left(ends, hit.start) for hit in hits if hit.list == "benchmark"}
    features = {hit.phrase for hit in hits if hit.list == "feature" and bisect_left(ends, hit.start) in of_competitors}
    return len(features), len({hit.phrase for hit in names if bisect_left(ends, hit.start) in of_benchmarks})


def _asks(reading: Reading, hits: Collection[_Hit]) -> int:
    """How many sentences ask."""
    requests = [hit.start for hit in hits if hit.list == "request"]
    if not requests and QUESTION not in reading.words:
        return 0
    ends = _ends(reading.words)
    asking = {bisect_left(ends, start) for start in requests}
    asking |= {
        number for number, end in enumerate(ends) if reading.words[end] == QUESTION and _speaks(reading, ends, number)
    }
    return len(asking)


def _speaks(reading: Reading, ends: Sequence[int], number: int) -> bool:
    """Whether a sentence has a word at all: か and a question mark after it end one question, not two."""
    return any(word not in MARKS for word in reading.words[ends[number - 1] + 1 if number else 0 : ends[number]])


def _ends(words: Sequence[str]) -> list[int]:
    return [place for place, word in enumerate(words) if word in (SENTENCE, QUESTION)]


_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d{2}[-/.年]\s?\d{1,2}(?:[-/.月]\s?\d{1,2}日?)?|\d{1,2}月\s?\d{1,2}[日号]?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}"
    r"|\d{1,2}:\d{2}|\d{1,2}/\d{1,2}(?!\d))"
    r"|\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?\s\d{1,2}\b"
    r"|\b\d{1,2}(?:st|nd|rd|th)?\s(?:of\s)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\b"
)
_CODE = re.compile(r"[a-z0-9]+(?:[-_/][a-z0-9]+)*")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")


@lru_cache(maxsize=12)
def _quantity(units: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = "|".join(re.escape(unit) for unit in sorted(units, key=lambda unit: (-len(unit), unit)))
    number = r"(?<!\d)(?<!\d[.,])\d{1,12}(?:[.,]\d{1,12}){0,4}"
    return re.compile(rf"[±$€£¥øφ]\s?{number}|{number}\s?(?:{longest_first})(?![a-z])")


def _figures(folded: str, units: tuple[str, ...]) -> int:
    """How many different dates, quantities and codes (letters and figures in one) a text holds."""
    if not any(map(str.isdigit, folded)):
        return 0
    dates = {_tight(date) for date in _DATE.findall(folded)}
    rest = _DATE.sub(" ", folded) if dates else folded
    pattern = _quantity(units)
    quantities = {_tight(quantity) for quantity in pattern.findall(rest)}
    rest = pattern.sub(" ", rest) if quantities else rest
    codes = {code for code in _CODE.findall(rest) if not code.isalpha() and _mixed(code)}
    return len(dates) + len(quantities) + len(codes)


def _tight(found: str) -> str:
    return "".join(found.split())


def _mixed(code: str) -> bool:
    letters = any(character.isalpha() for character in code)
    return letters and any(character.isdigit() for character in code) and not _ORDINAL.fullmatch(code)
