"""What is said in texts: phrases that count and neutral ones that do not, and the depth index as its page states it."""

# ruff: noqa: RUF001 - full-width characters are what is tested

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import SettingsError
from features.text import COUNTS, Depth, Words, depth, marks
from features.tokens import LANGUAGES

DOCS = Path(__file__).parents[1] / "docs" / "text.md"
WORDS = Words.load(competitors=["BrandX", "A&B Co., Ltd.", "山田製作所", "华信精工"])

AROUND = {
    "en": "Thank you for your visit last week: {}. Best regards",
    "ja": "先週はご訪問ありがとうございました。{}。以上です。",
    "zh": "感谢上周的来访，{}。祝好！",
}

NEUTRAL = {
    "en": """Please find attached the minutes of yesterday's meeting.
Thank you for the quick delivery, everything arrived in good condition.
We will see you on Friday at our plant.
Could you send the certificate for lot 4711?
The truck arrived at 8:30 and was unloaded by ten.
Our new buyer, Ms Weber, starts on 1 March.
The invoice was paid last week.
We need 200 pieces of SUS304 flange by the end of the month.
Please confirm the purchase order by Thursday.
The price list for 2026 is in the portal.
We rushed the samples to the lab and they passed.
Consider the attached drawing as the valid revision.
Hurry Street 5 is our new address.
We'll see to it that the pallets are returned.""",
    "ja": """昨日の議事録を添付いたしますので、ご確認ください。
商品を無事に受け取りました。ありがとうございました。
来週の金曜日に工場でお待ちしております。
ロット4711の証明書をお送りいただけますか。
SUS304のフランジを月末までに200個お願いします。
請求書は先週お支払いしました。
試作は順調に進み、お客様にも満足いただきました。
2026年の価格表をポータルに掲載しました。
検討した結果、正式に採用することにしました。
導入を検討してください。
急いでいるので、すぐに送ってください。
急がなければなりません。
考えておいてください。
納期に間に合っています。
今度の会議は水曜日です。""",
    "zh": """附件是昨天的会议纪要，请查收。
货已收到，包装完好，谢谢。
请问批号4711的合格证能发一下吗？
下周三上午十点在贵司开会。
我们需要200件SUS304法兰，月底前到货。
新来的采购经理是李小姐，三月一日上任。
发票上周已经付款。
试产很顺利，客户很满意。
请周四之前确认采购订单。
2026年的价格表已经上传。
请考虑一下我们的建议。
客户急需这批货，请尽快安排。
王经理对手机壳的样品很满意。
这个问题我们正在研究图纸。""",
}


def found(text: str | None, words: Words = WORDS) -> dict[str, int]:
    """What a text counts, technical words and zeros aside."""
    row = marks([text], words).iloc[0]
    return {name: int(row[name]) for name in COUNTS if name != "technical" and row[name]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_fe_04_a_text_with_a_listed_deferral_counts_it_once_and_neutral_text_none(language: str) -> None:
    texts = [AROUND[language].format(phrase) for phrase in WORDS.lists[language]["deferral"]]
    counted = marks(texts, WORDS)
    assert counted.loc[counted["deferral"] != 1].index.map(texts.__getitem__).tolist() == []
    assert set(counted["language"]) == {language}
    assert found(AROUND[language].format("OK")) == {}


@pytest.mark.parametrize("list_name", ["refusal", "price_pressure", "competitor"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_other_listed_phrase_counts_once_as_well(language: str, list_name: str) -> None:
    texts = [AROUND[language].format(phrase) for phrase in WORDS.lists[language][list_name]]
    counted = marks(texts, WORDS)
    assert counted.loc[counted[list_name] != 1].index.map(texts.__getitem__).tolist() == []


@pytest.mark.parametrize("text", [text for texts in NEUTRAL.values() for text in texts.splitlines()])
def test_fe_04_neutral_business_text_counts_nothing(text: str) -> None:
    assert found(text) == {}


@pytest.mark.parametrize(
    ("text", "deferrals"),
    [
        ("We’ll see. Maybe next time!", 2),
        ("WE WILL SEE, we'll see, we will see.", 1),
        ("Let us wait\nand see how it goes.", 1),
        ("Not now, maybe later.", 2),
        ("また今度。社内で検討いたします。", 2),
        ("ご提案は社内で検討させていただきます", 1),
        ("検討しておくとのことでした。", 1),
        ("もう少し様子を見てから決めたいです。", 1),
        ("検討いたしました。", 0),
        ("検討しません。", 0),
        ("这个不着急，我们再看看吧。", 2),
        ("領導說我們再看看，不著急。", 2),
        ("我们不急于下单", 0),
    ],
)
def test_fe_12_deferrals_are_found_in_any_inflection_and_script(text: str, deferrals: int) -> None:
    assert marks([text], WORDS)["deferral"].item() == deferrals


@pytest.mark.parametrize(
    "before_and_after",
    [
        ("The last samples were fine.", "We also had BRANDX here last week."),
        ("サンプルは問題ありません。", "ＢｒａｎｄＸの営業も来ました。"),
        ("样品没有问题。", "听说他们也在用brandx的设备。"),
        ("The last samples were fine.", "A&B Co., Ltd. has sent samples too."),
        ("サンプルは問題ありません。", "山田製作所さんも来ています。"),
        ("样品没有问题。", "华信精工也来过。"),
    ],
)
def test_fe_05_a_text_that_names_a_listed_competitor_counts_it_and_one_before_does_not(
    before_and_after: tuple[str, str],
) -> None:
    counted = marks(before_and_after, WORDS)
    assert counted["competitor"].tolist() == [0, 1]
    assert marks(before_and_after, Words.load())["competitor"].tolist() == [0, 0]


def test_fe_05_a_name_inside_another_word_is_no_mention() -> None:
    words = Words.load(competitors=["Bran", "Rand", "山田", "华信"])
    assert marks(["Our brand BrandX", "大山田部長のブランド", "中华信息有限公司"], words)["competitor"].tolist() == [
        0,
        0,
        0,
    ]


def test_fe_05_a_generic_word_inside_a_name_is_not_a_second_mention() -> None:
    assert found("Rival Tools is cheaper.", Words.load(competitors=["Rival Tools"])) == {
        "competitor": 1,
        "price_pressure": 1,
    }


@pytest.mark.parametrize(
    ("text", "pressure"),
    [
        ("Can you give us a better price and longer payment terms?", 2),
        ("If you do not lower the price, we stop here.", 1),
        ("Can't you lower your price?", 1),
        ("The price is not too high.", 0),
        ("We did not ask for a discount.", 0),
        ("値下げできませんか。", 1),
        ("値下げできないなら、やめます。", 1),
        ("値引きはできません。", 0),
        ("単価の見直しと支払条件の変更をお願いします。", 2),
        ("价格能不能再便宜一点？", 2),
        ("不降价就停止合作。", 1),
        ("我们没有要求降价。", 0),
        ("价格偏高，希望账期延长。", 2),
    ],
)
def test_fe_06_haggling_over_price_and_terms_counts_unless_it_is_denied(text: str, pressure: int) -> None:
    assert found(text).get("price_pressure", 0) == pressure


@pytest.mark.parametrize("language", LANGUAGES)
def test_fe_25_a_long_specific_technical_text_scores_above_a_polite_refusal(language: str) -> None:
    texts = {
        row["text"]: row["depth"] for row in examples() if marks([row["text"]], WORDS)["language"].item() == language
    }
    refusal, *_, technical = texts
    got = marks([refusal, technical], WORDS)
    assert got["refusal"].tolist() == [1, 0]
    assert got["depth"].iloc[1] > 60 > 10 > got["depth"].iloc[0]


@pytest.mark.parametrize("empty", [None, "", "  \n", "…！？", "👍", "\x00\u200b", float("nan"), pd.NA])
def test_fe_25_an_empty_text_has_no_depth_and_counts_nothing(empty: str | None) -> None:
    row = marks([empty], WORDS).iloc[0]
    assert np.isnan(row["depth"])
    assert row["language"] == ""
    assert [row[name] for name in COUNTS] == [0] * len(COUNTS)
    assert depth(empty, WORDS) is None


def test_fe_25_the_same_text_has_the_same_depth_wherever_it_stands() -> None:
    texts = [text for lines in NEUTRAL.values() for text in lines.splitlines()]
    once = marks(texts, WORDS)
    again = marks([None, *reversed(texts), *texts], Words.load(competitors=["华信精工", "BrandX"]))["depth"]
    assert again.tolist()[1:] == [*reversed(once["depth"].tolist()), *once["depth"].tolist()]


def examples() -> list[dict[str, str]]:
    """The worked examples of the page."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| text |"))
    names = [name.strip() for name in lines[head].strip("|").split("|")]
    rows = []
    for line in lines[head + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, (cell.strip() for cell in line.strip("|").split("|")), strict=True)))
    return rows


def test_fe_25_the_page_s_examples_come_out_as_it_says() -> None:
    assert len(examples()) == 12
    parts = ("content words", "specifics", "asks", "next steps", "setbacks")
    said = {row["text"]: (Depth(*(int(row[part]) for part in parts)), float(row["depth"])) for row in examples()}
    assert {text: (depth(text, WORDS), marks([text], WORDS)["depth"].item()) for text in said} == said


def test_fe_25_one_message_in_three_languages_comes_out_within_a_few_points() -> None:
    scores = [float(row["depth"]) for row in examples()]
    spreads = [max(scores[first : first + 3]) - min(scores[first : first + 3]) for first in range(0, len(scores), 3)]
    assert max(spreads) <= 5


def test_the_depth_index_adds_its_parts_and_stops_at_each_part_s_limit() -> None:
    assert Depth(11, 3, 2, 1, 1).index == 5.5 + 9 + 10 + 10 - 10
    assert Depth(1_000, 1_000, 1_000, 1_000, 0).index == 100
    assert Depth(60, 0, 0, 0, 9).index == 0
    assert Depth(60, 10, 0, 0, 9).index == 30


def test_specifics_are_counted_once_each_and_bare_numbers_not_at_all() -> None:
    def specifics(text: str) -> int:
        judged = depth(text, WORDS)
        assert judged is not None
        return judged.specifics

    assert specifics("We talked about 7 and 12 and the 2nd one") == 0
    assert specifics("12 mm, 12mm and 5 kg") == 2
    assert specifics("on 2026-03-12 at 14:30, or 3月12日") == 3
    assert specifics("AX-200 and ax-200 in SUS304") == 2
    assert specifics("Our phone is 03 1234 5678") == 0
    assert specifics("12 meetings, 3 inches") == 1


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("Please quote a bearing equivalent to BrandX.", {"competitor": 1, "benchmark": 1}),
        ("BrandX FX-200 or equivalent.", {"competitor": 1, "benchmark": 1}),
        ("BrandX同等品でお見積もりください。", {"competitor": 1, "benchmark": 1}),
        ("请按照华信精工的水平报价。", {"competitor": 1, "benchmark": 1}),
        ("Please quote a bearing equivalent to BrandZ.", {}),
        ("We met BrandX. The grade is equivalent to last year's.", {"competitor": 1}),
        ("BrandX offers a higher accuracy and a longer service life.", {"competitor": 1, "competitor_feature": 2}),
        ("The accuracy is fine. We also met BrandX.", {"competitor": 1}),
        ("The accuracy and the service life are fine.", {}),
        ("他社製品のほうが耐久性が高いです。", {"competitor": 1, "competitor_feature": 1}),
        ("别家的精度更高，寿命也长。", {"competitor": 1, "competitor_feature": 2}),
    ],
)
def test_fe_30_a_listed_brand_to_be_matched_and_features_beside_a_competitor_count(
    text: str, counts: dict[str, int]
) -> None:
    assert found(text) == counts


def test_technical_words_are_counted_once_each() -> None:
    texts = ["The drawing, the drawings and the tolerance", "図面と公差と図面", "图纸、公差和图纸", "See you soon"]
    assert marks(texts, WORDS)["technical"].tolist() == [2, 2, 2, 0]


def test_a_phrase_inside_a_neutral_one_or_inside_a_longer_answer_does_not_count() -> None:
    assert found("我们不接受涨价。") == {"price_pressure": 1}
    assert found("今のところ必要ありません。") == {"deferral": 1}
    assert found("納期に間に合っていますが、今回は見送ります。") == {"refusal": 1}


def test_a_user_s_phrases_count_and_those_taken_out_do_not(tmp_path: Path) -> None:
    for name, lines in {"en/deferral": "let it rest\n-we will see", "any/name": "Acme"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(lines, encoding="utf-8")
    texts = ["We'll let it rest.", "We will see.", "Acme war hier"]
    mine = marks(texts, Words.load(tmp_path))
    assert mine[["deferral", "competitor"]].to_numpy().tolist() == [[1, 0], [0, 0], [0, 1]]


def test_a_negation_of_two_words_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "negation.txt").write_text("far from\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"word list negation of en: 'far from' is not one word but 2"):
        marks(["fine"], Words.load(tmp_path))


def test_the_frame_has_one_row_per_text_in_order_with_the_promised_types() -> None:
    got = marks(pd.Series(["No hurry.", None, "不着急", "No hurry."], index=[7, 7, 8, 9]), WORDS)
    assert got.columns.tolist() == ["language", "depth", *COUNTS]
    assert got["language"].tolist() == ["en", "", "zh", "en"]
    assert got["deferral"].tolist() == [1, 0, 1, 1]
    assert isinstance(got.index, pd.RangeIndex)
    assert got.dtypes.astype(str).tolist() == ["str", "float64", *["int64"] * len(COUNTS)]
    assert marks([], WORDS).dtypes.astype(str).tolist() == got.dtypes.astype(str).tolist()


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="a text is a str or None, not int"):
        marks([5], WORDS)  # type: ignore[list-item]


@pytest.mark.parametrize(
    "text",
    [
        "no discount if we will see another supplier " * 20_000,
        "検討しますが値下げはできない他社" * 10_000,
        "不降价我们再看看别家的报价" * 20_000,
        "a-" * 400_000,
        "1," * 400_000,
        "か？" * 20_000,
        "abc漢字かな한글кир 12mm👍\x00 " * 10_000,
        "\ud83d\x00 fine",
    ],
)
def test_huge_and_odd_texts_are_judged_too(text: str) -> None:
    row = marks([text], WORDS).iloc[0]
    assert 0 <= row["depth"] <= 100
