"""Texts as words: the language by script, and words in the form in which they compare."""

# ruff: noqa: RUF001 - full-width characters are what is tested

import pytest

from features.tokens import CLAUSE, QUESTION, SENTENCE, Reading, fold, language_of, read, read_as


def words(language: str, text: str) -> list[str]:
    return read_as(language, fold(text)).words


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Thank you for the samples", "en"),
        ("Vielen Dank für die Muster", "en"),
        ("Спасибо за образцы", "en"),
        ("サンプルを受け取りました", "ja"),
        ("見積書送付の件", "ja"),
        ("我们收到了样品", "zh"),
        ("我們收到了樣品", "zh"),
        ("2026", "en"),
        ("", ""),
        (" \n\t", ""),
        ("...!?", ""),
        ("👍👍", ""),
    ],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    assert language_of(fold(text)) == language


def test_a_few_characters_of_another_script_decide_nothing() -> None:
    signed = "Please send the drawing of the flange and the test report by Friday at noon, as we agreed. Regards, 王明"
    assert language_of(fold(signed)) == "en"
    assert language_of(fold("我们收到了优の良品公司寄来的三个样品，正在安排测试，请把图纸发给我们")) == "zh"
    assert language_of(fold("请报价 SUS304 flange DN50 PN16")) == "zh"


def test_short_japanese_without_kana_is_known_by_what_only_japan_writes() -> None:
    assert [language_of(fold(note)) for note in ("価格交渉", "見積依頼", "他社訪問")] == ["ja"] * 3
    assert language_of(fold("价格谈判")) == "zh"


def test_case_width_and_apostrophes_make_no_difference() -> None:
    assert (
        words("en", "ＷＥ’ＬＬ　ＳＥＥ")
        == words("en", "we'll see")
        == words("en", "We will see")
        == ["we", "will", "see"]
    )
    assert words("ja", "ﾒｰｶｰ") == words("ja", "メーカー")


def test_contractions_are_written_out_and_plurals_taken_off() -> None:
    assert words("en", "can't") == words("en", "cannot") == ["can", "not"]
    assert words("en", "won't") == ["will", "not"]
    assert words("en", "It's the supplier's prices") == ["it", "is", "the", "supplier", "price"]
    assert words("en", "this is less business, plus gas") == ["this", "is", "less", "business", CLAUSE, "plus", "gas"]


def test_a_point_inside_a_number_or_an_address_ends_no_sentence() -> None:
    text = "Use 0.05 mm. See https://example.com/a.b?c or mail a.b@example.com! Why?"
    assert words("en", text) == ["use", "0.05", "mm", SENTENCE, "see", "or", "mail", SENTENCE, "why", QUESTION]


def test_a_line_break_ends_no_sentence_but_a_paragraph_and_a_point_of_a_list_do() -> None:
    assert words("en", "maybe next\ntime") == ["maybe", "next", "time"]
    assert words("en", "one\n\ntwo\r\n- three") == ["one", SENTENCE, "two", SENTENCE, "three"]


def test_japanese_words_compare_whatever_their_politeness() -> None:
    plain = words("ja", "検討する")
    assert words("ja", "検討します") == words("ja", "ご検討いたします") == plain
    assert words("ja", "検討させていただきます")[:2] == plain
    assert words("ja", "予算がありません") == words("ja", "予算はない") == words("ja", "予算もないです")


def test_the_particle_that_asks_is_a_question_mark() -> None:
    assert words("ja", "可能ですか。")[-2:] == [QUESTION, SENTENCE]


def test_chinese_offsets_fit_the_letters() -> None:
    reading = read("我们 不着急，BrandX的价格能不能再低一点？")
    assert reading is not None
    assert "".join(reading.words) == reading.letters == "我们不着急,brandx的价格能否再低一点?"
    spelled = [reading.letters[start:][: len(word)] for start, word in zip(reading.starts, reading.words, strict=True)]
    assert spelled == reading.words
    assert {0, 2, 5} <= reading.edges


def test_traditional_characters_are_read_as_simplified() -> None:
    assert words("zh", "我們再看看，價格太貴") == words("zh", "我们再看看，价格太贵")


def test_numbers_and_marks_are_no_content() -> None:
    reading = read("We need 20 pieces, 20!")
    assert reading == Reading(
        "en", ["we", "need", "20", "piece", CLAUSE, "20", SENTENCE], frozenset(("we", "need", "piece"))
    )


def test_unseen_and_control_characters_fall_out() -> None:
    assert words("en", "may\u200bbe\x00next\ud83d time\ufeff") == ["maybe", "next", "time"]


def test_japanese_longer_than_the_tokenizer_takes_is_read_in_pieces() -> None:
    sentence = "図面を送ります。"
    assert words("ja", sentence * 10_000) == words("ja", sentence) * 10_000
    assert len("".join(words("ja", "𠮷" * 50_000))) == 50_000


def test_a_text_without_letter_and_digit_is_not_read() -> None:
    assert read("…！？") is None
