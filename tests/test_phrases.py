"""What is said in the simulated world: enough of it, in three languages, and never told by a single word."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from features.simulate import phrases
from features.simulate.phrases import DEFERRAL, KINDS, LANGUAGES, NEUTRAL, PRICE, RIVAL, RIVALS, Wanted, book, kinds_of

LEAST = {"neutral": 30, "deferral": 12, "rival": 10, "price": 10, "inquiry": 8, "ours": 10, "invitation": 5, "talk": 6}
# Words that a rule would look for; each also stands in sentences that show nothing.
WORDS = {
    "latin": ("quarter", "budget", "price", "cheaper", "supplier", "postponed", "discount", "compared", "internal"),
    "japanese": ("来期", "予算", "価格", "安価", "仕入先", "延期", "値引き", "検討", "社内"),
    "chinese": ("季度", "预算", "价格", "便宜", "供应商", "推迟", "折扣", "研究", "内部"),
}


def wanted(kind: int, count: int, *, frame: int = 0) -> Wanted:
    """`count` texts of a kind in a row, as a customer writes them."""
    same = np.full(count, frame)
    turn = np.arange(count) * 43
    return Wanted(np.full(count, kind), np.zeros(count, dtype=np.int64), turn, np.arange(count), same, same)


@pytest.mark.parametrize("script", LANGUAGES)
def test_every_kind_has_enough_sentences_and_the_same_number_in_every_language(script: str) -> None:
    templates = (book(script).fillings > 0).sum(axis=1)
    assert all(number >= LEAST[kind] for kind, number in zip(KINDS, templates, strict=True))
    assert templates.tolist() == (book("latin").fillings > 0).sum(axis=1).tolist()
    for frames in (book(script).openings, book(script).closings):
        assert [len(frame) for frame in frames] == [phrases.FRAMES] * len(phrases.VOICES)


@pytest.mark.parametrize("script", LANGUAGES)
def test_no_gap_is_left_open_and_no_sentence_stands_twice(script: str) -> None:
    sentences = book(script).sentences
    assert len(set(sentences)) == len(sentences)
    assert not any("{" in sentence for sentence in sentences)


def test_every_text_that_can_be_written_is_of_one_kind_and_recognised() -> None:
    pairs = [pair for script in LANGUAGES for pair in book(script).every_text()]
    texts = pd.Series([text for text, _ in pairs], dtype="str")
    assert (kinds_of(texts) == np.array([kind for _, kind in pairs])).all()


def test_a_missing_text_and_one_of_somebody_else_are_of_no_kind() -> None:
    texts = pd.Series(["Let us talk about it again when things are calmer here.", "See you.", None], dtype="str")
    assert kinds_of(texts).tolist() == [DEFERRAL, -1, -1]


@pytest.mark.parametrize("script", LANGUAGES)
def test_neighbours_of_one_kind_are_different_sentences_until_all_have_been_used(script: str) -> None:
    for kind, name in enumerate(KINDS):
        templates = int((book(script).fillings[kind] > 0).sum())
        texts = list(book(script).texts(wanted(kind, templates)))
        assert len(set(texts)) == templates, name
        assert all(first != second for first, second in pairwise(texts))


@pytest.mark.parametrize("script", LANGUAGES)
def test_a_frame_makes_a_text_longer_and_leaves_its_kind(script: str) -> None:
    bare = pd.Series(book(script).texts(wanted(PRICE, 10)), dtype="str")
    framed = pd.Series(book(script).texts(wanted(PRICE, 10, frame=3)), dtype="str")
    assert all(inner in outer for inner, outer in zip(bare, framed, strict=True))
    assert (framed.str.len() > bare.str.len()).all()
    assert kinds_of(framed).tolist() == [PRICE] * 10


@pytest.mark.parametrize("script", LANGUAGES)
def test_the_names_of_other_suppliers_and_the_words_of_a_sign_stand_in_neutral_sentences_too(script: str) -> None:
    of = book(script)
    neutral = [text for text, kind in zip(of.sentences, of.kind, strict=True) if kind == NEUTRAL]
    signs = [text for text, kind in zip(of.sentences, of.kind, strict=True) if kind in (DEFERRAL, RIVAL, PRICE)]
    for name in RIVALS[script]:
        assert any(name in text for text in neutral)
    assert all(any(word in text for text in neutral) for word in WORDS[script])
    # Some of these words do stand in a sign; the others are what a cautious rule would add.
    assert sum(any(word in text for text in signs) for word in WORDS[script]) >= 4
