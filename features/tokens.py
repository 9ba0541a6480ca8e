"""A text as words: its language, its words in a form that phrases can be compared in, and where they begin.

Japanese is written without spaces and inflects: Sudachi cuts it (compound verbs whole, compound nouns apart) and
gives each word its normal form, so that 検討します and 検討いたします compare alike. Chinese is cut by jieba's
dictionary; its phrases are compared character by character and must begin and end where words do. Everything else
is words between spaces, compared as English. Both tokenizers carry their dictionaries with them and are loaded
once, when the first such text comes.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parent / "words"
LANGUAGES = ("en", "ja", "zh")

SENTENCE, QUESTION, CLAUSE = ".", "?", ","
"""What stands among the words where a sentence, a question or a part of a sentence ends."""

MARKS = frozenset((SENTENCE, QUESTION, CLAUSE))

_UNSEEN = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u2032\u0060\u00b4", "''''''")
_ADDRESS = re.compile(r"https?://[^\s\u3000-\u9fff]+|[\w.+-]{1,64}@[\w-]+\.[\w.-]+", re.ASCII)
_PARAGRAPH = re.compile(r"\n\s*(?=\n|[-*\u2022\u30fb\u25cf\u25a0]\s)")

_KANA = re.compile("[\u3041-\u309f\u30a1-\u30fa\u30fc]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")
_WORD = re.compile(r"[^\W\d_\u3041-\u30ff\u3400-\u9fff]+")
#: Characters that only Japan writes, and words of its short notes that are written without kana.
_JAPANESE = re.compile(
    "[検価発対図応変権実帰労転続読売様込働畑枠円広単戦渋済県剤歳圧圏囲塩壊団総増拡拠択沢駅訳釈関険験黒帯録鉄鋳歯観"
    "営覚挙従縦値査絵緑縁毎産歩焼絶継舗薬蔵覧譲賛軽遅雑駆廃楽桜渉頼戻稲隠砕両満悪亜壱仮気児処収摂聴庁縄繊浄郷辺払]"
    "|他社|弊社|御社|貴社|当社|先方|見積|納期|競合|割引|入札|打合"
)

_PUNCTUATION = {
    **dict.fromkeys("。.!;\n\u2026", SENTENCE),
    "?": QUESTION,
    **dict.fromkeys("、,:()[]「」『』\u2013\u2014", CLAUSE),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A text taken apart.

    Parameters
    ----------
    language
        "en", "ja" or "zh".
    words
        The words in the form in which they compare, with ``SENTENCE``, ``QUESTION`` and ``CLAUSE`` between them.
        Japanese leaves out particles of case, politeness and honorific prefixes.
    content
        The different words that can carry content, before the list of function words is taken off.
    letters
        Japanese and Chinese: the text itself without spaces; empty otherwise.
    starts
        Where in ``letters`` each of the words begins.
    edges
        Every offset in ``letters`` at which a word begins or ends.
    """

    language: str
    words: list[str]
    content: frozenset[str]
    letters: str = ""
    starts: tuple[int, ...] = ()
    edges: frozenset[int] = frozenset()


def fold(text: str) -> str:
    """A text without what makes no difference: case, width, kinds of apostrophe, unseen characters, addresses.

    The end of a paragraph or of a point in a list ends a sentence; a mere line break does not.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).translate(_APOSTROPHES)
    text = _CONTROL.sub(" ", text.replace("\r\n", "\n")).casefold()
    if "http" in text or "@" in text:
        text = _ADDRESS.sub(" ", text)
    return _PARAGRAPH.sub("\u3002 ", text) if "\n" in text else text


def language_of(folded: str) -> str:
    """The language by script: "ja" with kana, "zh" with Han and no kana, else "en"; "" without letter and digit.

    A few strange characters decide nothing: Chinese or Japanese needs one such character to every four words of
    another script, Japanese one kana (or what only Japan writes) to every twenty.
    """
    if folded.isascii():
        return "en" if any(map(str.isalnum, folded)) else ""
    kana, han = len(_KANA.findall(folded)), len(_HAN.findall(folded))
    if (kana + han) * 4 < len(_WORD.findall(folded)) or kana + han == 0:
        return "en" if any(map(str.isalnum, folded)) else ""
    japanese = kana + len(_JAPANESE.findall(folded))
    return "ja" if japanese * 20 >= kana + han else "zh"


def read(text: str) -> Reading | None:
    """Take a text apart; None where it holds neither letter nor digit."""
    folded = fold(text)
    language = language_of(folded)
    return read_as(language, folded) if language else None


def read_as(language: str, folded: str) -> Reading:
    """Take a folded text apart as that language."""
    return _READERS[language](folded)


# English, and every language with spaces

_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:'[^\W_]+)*|[?!;:,()\[\]\u3002\u2013\u2014\u2026]|\.(?=\s|$)")
_TAILS = {"ll": "will", "re": "are", "ve": "have", "m": "am", "d": "would", "t": "not"}
_STEMS = {"ca": "can", "wo": "will", "sha": "shall"}
_WHOLE = {
    "cannot": ("can", "not"),
    "let's": ("let", "us"),
    "dont": ("do", "not"),
    "doesnt": ("doe", "not"),
    "didnt": ("did", "not"),
    "cant": ("can", "not"),
    "wont": ("will", "not"),
    "isnt": ("is", "not"),
}
_WITH_IS = frozenset(("it", "that", "he", "she", "what", "there", "here", "who", "where"))


@lru_cache(maxsize=65_536)
def english_words(token: str) -> tuple[str, ...]:
    """The words of one token: contractions written out, a plural or third-person -s taken off."""
    if token in _WHOLE:
        return _WHOLE[token]
    first, *tails = token.split("'")
    if tails and tails[-1] == "t" and first.endswith("n"):
        stem = first[:-1]
        return (_singular(_STEMS.get(stem, stem)), "not")
    words = [_singular(first)]
    for tail in tails:
        if tail == "s":
            words += ["is"] if first in _WITH_IS else []
        else:
            words.append(_TAILS.get(tail, tail))
    return tuple(words)


def _singular(word: str) -> str:
    """The word without a plural or third-person -s; the same for phrase and text, so it need not be a real word."""
    if len(word) <= 3 or word[-1] != "s" or word[-2] in "sui" or word[-2:] == "as":
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses", "zzes")) else word[:-1]


def _english(folded: str) -> Reading:
    words: list[str] = []
    for token in _TOKEN.findall(folded):
        mark = _PUNCTUATION.get(token)
        if mark is None:
            words.extend(english_words(token))
        else:
            words.append(mark)
    return Reading("en", words, _content(words))


def _content(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in set(words) - MARKS if not word[0].isdigit())


# Chinese

_A_NOT_A = re.compile(r"([\u4e00-\u9fff])[不没]\1")


@lru_cache(maxsize=1)
def _simplified() -> dict[int, str]:
    lines = (SHIPPED / "zh" / "traditional.txt").read_text(encoding="utf-8").splitlines()
    return {ord(pair[0]): pair[1] for line in lines if not line.startswith("#") for pair in line.split()}


@lru_cache(maxsize=1)
def _cut() -> Callable[[str, bool], list[str]]:
    import rjieba

    cut: Callable[[str, bool], list[str]] = rjieba.cut
    return cut


def _chinese(folded: str) -> Reading:
    # 能不能 asks and denies nothing: written 能否 it holds no negation that a phrase after it could be turned by.
    text = _A_NOT_A.sub(r"\1否", folded.translate(_simplified()))
    words: list[str] = []
    pieces: list[str] = []
    # Only dictionary words: words that jieba would guess swallow the ends of phrases.
    tokens = _cut()(text, False)
    for token, following in zip(tokens, [*tokens[1:], " "], strict=True):
        mark = _PUNCTUATION.get(token[0])
        if token[0].isalnum():
            words.append(token)
            pieces.append(token)
        elif mark and token[0] != "\n" and (token[0] != "." or following.isspace()):
            words.append(mark)
            pieces.append(mark)
    offsets = (0, *accumulate(map(len, pieces)))
    return Reading("zh", words, _content(words), "".join(pieces), offsets[:-1], frozenset(offsets))


# Japanese

_CHUNK = 12_000  # characters: Sudachi takes 49,149 bytes at a time
_CONTENT = frozenset(("名詞", "動詞", "形容詞", "形状詞", "副詞"))
_DROP, _FORM, _PLAIN, _CASE, _JOIN, _FINAL, _COPULA, _POLITE, _STOP = range(9)


@lru_cache(maxsize=1)
def _sudachi() -> tuple[Any, dict[int, tuple[int, bool]]]:
    """The tokenizer, and what is known by now of the parts of speech, by Sudachi's number for them."""
    from sudachipy import Dictionary, SplitMode  # type: ignore[import-untyped]

    return Dictionary().tokenizer(SplitMode.B), {}


def _kind(part: tuple[str, ...]) -> tuple[int, bool]:
    """How a part of speech is treated, and whether it carries content."""
    main, sub = part[0], part[1]
    if main in ("補助記号", "空白", "感動詞"):
        return (_PLAIN if main == "感動詞" else _STOP), False
    if main == "接頭辞":
        return _POLITE, False
    if main == "助詞":
        return {"格助詞": _CASE, "係助詞": _CASE, "接続助詞": _JOIN, "終助詞": _FINAL}.get(sub, _PLAIN), False
    if main == "助動詞":
        return _COPULA, False
    return _FORM, main in _CONTENT and sub != "数詞"


def _japanese_word(kind: int, surface: str, form: str) -> str:
    """The word as it compares, a mark, or "" for what says nothing."""
    if kind == _FORM:
        return _SAME.get(form, form)
    if kind == _STOP:
        # Sudachi takes rare characters for signs.
        return surface if surface[0].isalnum() else _PUNCTUATION.get(surface[0], "")
    if kind == _CASE:
        return "" if surface in ("は", "が", "を", "も") else surface
    if kind == _JOIN:
        return CLAUSE if surface == "が" else surface
    if kind == _FINAL:
        return QUESTION if surface == "か" else ""
    if kind == _COPULA:
        if form == "だ":
            return surface if surface in ("で", "に", "なら") else ""
        return {"ます": "", "です": "", "ず": "ない", "ぬ": "ない"}.get(form, form)
    if kind == _POLITE:
        return "" if form == "御" else form
    return surface


def _japanese(folded: str) -> Reading:
    tokenizer, kinds = _sudachi()
    words: list[str] = []
    content: set[str] = set()
    starts: list[int] = []
    offsets = [0]
    pieces: list[str] = []
    for chunk in _chunks(folded):
        for morpheme in tokenizer.tokenize(chunk):
            number, surface = morpheme.part_of_speech_id(), morpheme.surface()
            if number not in kinds:
                kinds[number] = _kind(morpheme.part_of_speech())
            kind, substantial = kinds[number]
            word = _japanese_word(kind, surface, morpheme.normalized_form() if kind in _WITH_FORM else "")
            if word:
                if word == "ない" and words and words[-1] == "有る":
                    words[-1] = word  # ありません is ない
                else:
                    words.append(word)
                    starts.append(offsets[-1])
                if substantial:
                    content.add(word)
            if kind != _STOP or word:
                piece = word if kind == _STOP else surface
                pieces.append(piece)
                offsets.append(offsets[-1] + len(piece))
    return Reading("ja", words, frozenset(content), "".join(pieces), tuple(starts), frozenset(offsets))


_SAME = {"無い": "ない", "致す": "為る", "おる": "居る"}
_WITH_FORM = frozenset((_FORM, _COPULA, _POLITE))


def _chunks(text: str) -> Iterable[str]:
    """The text in pieces that Sudachi takes, cut after the last sentence that fits."""
    while len(text) > _CHUNK:
        end = max(text.rfind(mark, 0, _CHUNK) for mark in "。?!\n ") + 1 or _CHUNK
        yield text[:end]
        text = text[end:]
    yield text


_READERS: dict[str, Callable[[str], Reading]] = {"en": _english, "ja": _japanese, "zh": _chinese}
