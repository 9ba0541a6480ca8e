"""Features of what is said: depth, deferral, competitors, price; and the marks that they are made of."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from orders import laid_out, lines, present

from features import building, conversations, cutoffs
from features.options import resolved, set_options
from features.registry import REGISTRY, available, registered
from features.relations import RELATIONS
from features.text import Words, marks

AS_OF = date(2024, 7, 1)
OF_INTERACTIONS = {one.name for one in registered() if one.source == "interactions"}
NEUTRAL = "The meeting is on Monday."
PHRASES = {"en": "Maybe next time.", "zh": "我们再看看", "ja": "検討します"}
ORDERED = "customer_id order_id ordered_at amount\nA a1 2022-01-01 10\nA a2 2024-06-20 10"


def day(days_ago: int) -> str:
    return f"{AS_OF - timedelta(days=days_ago)}T10:00"


def talks(*said: tuple[int, str], columns: str = "", begins: int = 800) -> pd.DataFrame:
    """What was said at contacts of customer A, each so many days ago; `columns` have their values before the text."""
    head, own = f"customer_id interaction_id occurred_at {columns} text", len(columns.split())
    rows = []
    for number, (ago, written) in enumerate(said):
        *values, text = written.split(" ", own)
        rows.append(" ".join([f"A i{number} {day(ago)}", *values, text.replace(" ", "_")]))
    nothing = " ".join("-" for _ in f"{columns} text".split())
    return lines("\n".join([head, f"B begin {day(begins)} {nothing}", *rows]))


def features(interactions: pd.DataFrame, *, as_of: date = AS_OF, options: dict[str, Any] | None = None) -> pd.Series:
    """What needs no other customer, of customer A."""
    ordered = lines(ORDERED)
    with laid_out(ordered, interactions=interactions) as con:
        held = present(ordered, interactions=interactions)
        frame = building.build(con, [as_of], held, options=resolved(options or {}), only=OF_INTERACTIONS)
    return frame.set_index("customer_id").drop(columns=["as_of", "segment"]).loc["A"].astype("float64")


@pytest.mark.parametrize(("language", "said"), [("en", "Well, {}."), ("zh", "好的。{}。"), ("ja", "はい。{}。")])
def test_fe_04_each_listed_phrase_that_puts_off_is_counted_once(language, said):
    listed = Words.load().lists[language]["deferral"]
    written = [(1 + number % 90, said.format(phrase)) for number, phrase in enumerate(listed)]
    row = features(talks(*written, (20, NEUTRAL)))
    assert row["deferrals_90d"] == len(listed)
    assert row["deferral_share_90d"] == pytest.approx(len(listed) / (len(listed) + 1))


def test_fe_04_a_phrase_said_twice_in_one_talk_counts_once_and_neutral_talk_not_at_all():
    row = features(talks((10, "Maybe next time. Well, maybe next time."), (20, NEUTRAL), (91, "Maybe next time.")))
    assert row["deferrals_90d"] == 1
    assert row["deferral_share_90d"] == 0.5
    neutral = features(talks((10, NEUTRAL)))
    assert neutral[["deferrals_90d", "deferral_share_90d"]].eq(0).all()


def test_fe_04_the_share_is_set_against_the_customer_s_own_usual():
    before = [(ago, NEUTRAL) for ago in range(100, 260, 20)]
    row = features(talks((10, PHRASES["en"]), (20, PHRASES["ja"]), (30, NEUTRAL), (40, PHRASES["zh"]), *before))
    assert row["deferral_share_90d"] == 0.75
    assert row["deferral_share_90d_usual"] == 0
    assert row["deferral_share_90d_vs_usual"] == 0.75
    assert row["deferral_share_90d_z"] > 1.5


def test_fe_05_first_mention_of_a_listed_competitor_sets_the_flag_and_none_before():
    said, options = talks((400, NEUTRAL), (11, "BrandX was here."), (60, NEUTRAL)), {"competitors": ["BrandX"]}
    flags = {}
    for days_ago in (11, 10, -80):
        row = features(said, as_of=AS_OF - timedelta(days=days_ago), options=options)
        flags[days_ago] = (row["competitor_mentions_90d"], row["competitor_newly_mentioned"])
    assert flags == {11: (0, 0), 10: (1, 1), -80: (0, 0)}
    assert features(said)["competitor_mentions_90d"] == 0


def test_fe_05_a_competitor_who_came_up_before_is_not_new():
    said = talks((11, "BrandX was here."), (91, "We also buy from BrandX."))
    row = features(said, options={"competitors": ["BrandX"]})
    assert row["competitor_mentions_90d"] == 1
    assert row["competitor_newly_mentioned"] == 0


def test_fe_06_price_talks_that_went_from_1_to_4_a_quarter_are_3_more():
    earlier = [(ago, "Can you lower the price?") for ago in (100, 190, 280, 370)]
    recent = [(ago, "Please lower the price, it is too high.") for ago in (5, 20, 50, 90)]
    row = features(talks(*earlier, *recent, (30, NEUTRAL)))
    assert row["price_talks_90d"] == 4
    assert row["price_talks_more_than_usual"] == 3
    assert row["price_talks_90d_vs_usual"] == pytest.approx(5 / (4 * 90 / 365 + 1))
    assert REGISTRY["price_talks_more_than_usual"].dimension == "interaction"


def test_fe_12_and_fe_13_put_off_and_pressed_for_price_are_told_apart():
    shown = ["deferrals_90d", "price_talks_90d", "competitor_mentions_90d", "refusals_90d"]
    cold = features(talks((10, PHRASES["zh"]), (12, NEUTRAL)))
    pressed = features(talks((10, "値下げしてください"), (12, NEUTRAL)))
    refused = features(talks((10, "We are not interested."), (12, NEUTRAL)))
    assert cold[shown].tolist() == [1, 0, 0, 0]
    assert pressed[shown].tolist() == [0, 1, 0, 0]
    assert refused[shown].tolist() == [0, 0, 0, 1]


def test_fe_25_depth_of_recent_talks_is_set_against_the_usual():
    long = "Please send the drawing M8x20 by Friday, 20 pcs."
    deep, flat = marks([long, NEUTRAL], Words.load())["depth"]
    assert deep > flat > 0
    row = features(talks(*((ago, long) for ago in (100, 150, 200)), (20, NEUTRAL), (10, NEUTRAL), (5, "...")))
    assert row["talk_depth_90d"] == flat
    assert row["talk_depth_90d_usual"] == deep
    assert row["talk_depth_90d_vs_usual"] == flat - deep


def test_fe_25_a_talk_without_words_has_no_depth_and_is_no_talk():
    row = features(talks((10, "..."), (20, "-")))
    assert row[["talk_depth_90d", "deferral_share_90d", "talk_depth_falls_in_a_row"]].isna().all()
    assert row["interactions_90d"] == 2
    assert row["deferrals_90d"] == 0


def test_fe_25_without_texts_everything_said_is_unknown():
    told = talks((10, "-"), columns="channel").drop(columns="text").assign(channel="visit")
    of_text = [
        one.name for one in available(present(lines(ORDERED), interactions=told)) if "interactions.text" in one.needs
    ]
    shown = [name for name in features(told).index if name in of_text]
    assert len(shown) > 20
    assert features(told)[shown].isna().all()


def in_a_row(depths: Sequence[float], fall_share: float = 0.15) -> tuple[float, float]:
    """Falls in a row, and the fall over three, of talks of these depths, oldest first."""
    said = talks(*((100 - number, f"text {number}") for number in range(len(depths))))
    known = {f"text {number}": float(depth) for number, depth in enumerate(depths)}
    with laid_out(lines(ORDERED), interactions=said) as con:
        set_options(con, resolved({"depth_fall_share": fall_share}))
        cutoffs.set_cutoffs(con, [AS_OF])
        con.register("depths", pd.DataFrame({"text": list(known), "depth": list(known.values())}))
        con.execute("CREATE TEMP TABLE text_marks AS SELECT * FROM depths")
        names = ("talk_depth_falls_in_a_row", "talk_depth_fall_share_over_3")
        expressions = ", ".join(REGISTRY[name].expression for name in names)
        found: tuple[float, float] = con.execute(
            f"SELECT {expressions} FROM ({RELATIONS['talks'].sql}) GROUP BY as_of, customer_id"
        ).fetchall()[0]
    return found


def test_rb_11_three_falls_of_15_percent_in_a_row_are_counted_up_to_the_newest_talk():
    assert in_a_row([100, 85, 72, 61]) == (3, pytest.approx(0.39))
    assert in_a_row([100, 85, 80, 68])[0] == 1
    assert in_a_row([100, 85, 72, 61.5])[0] == 0
    assert in_a_row([100, 85, 72, 61, 70])[0] == 0
    assert in_a_row([100, 90, 80, 70], fall_share=0.1)[0] == 3
    assert in_a_row([50, 60, 70, 80])[1] == 0
    assert in_a_row([80, 40]) == (1, None)


def test_fe_30_a_request_to_match_a_listed_brand_what_it_can_do_and_technical_demands():
    said = talks(
        (10, "inquiry Please quote a pump equivalent to BrandX."),
        (20, "visit BrandX is faster and has more accurate sensors."),
        (30, f"visit {NEUTRAL}"),
        columns="channel",
    )
    shown = ["benchmark_requests_90d", "competitor_feature_mentions_90d", "competitor_mentions_90d"]
    assert features(said, options={"competitors": ["BrandX"]})[shown].tolist() == [1, 1, 2]
    assert features(said)[shown].tolist() == [0, 0, 0]


def test_fe_30_technical_demands_are_set_against_the_usual():
    before = [(ago, NEUTRAL) for ago in range(100, 456, 30)]
    demand = "The spec and drawing for the pump are needed."
    row = features(talks(*before, *((ago, demand) for ago in (5, 10, 15, 20))))
    assert row["technical_demands_90d"] == 4
    assert row["technical_demands_90d_usual"] == 0
    assert row["technical_demands_90d_vs_usual"] == 5
    assert row["technical_demands_90d_z"] > 2


def test_what_we_wrote_ourselves_says_nothing_of_the_account():
    said = talks(
        (10, "email outbound Maybe next time."),
        (12, "email inbound Maybe next time."),
        (14, "visit outbound Maybe next time."),
        columns="channel direction",
    )
    assert features(said)["deferrals_90d"] == 2
    assert features(said, options={"own_text_channels": []})["deferrals_90d"] == 3
    assert features(said, options={"own_text_channels": ["email", "visit"]})["deferrals_90d"] == 1


def test_word_lists_and_names_of_competitors_follow_the_options_of_each_call(tmp_path):
    said = talks((10, "The parrot sleeps on the roof."), (20, "Acme was here."))
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "deferral.txt").write_text("the parrot sleeps\n", encoding="utf-8")
    shown = ["deferrals_90d", "competitor_mentions_90d"]
    assert features(said)[shown].tolist() == [0, 0]
    assert features(said, options={"words": str(tmp_path), "competitors": ["Acme"]})[shown].tolist() == [1, 1]
    (tmp_path / "en" / "deferral.txt").write_text("the parrot sings\n", encoding="utf-8")
    assert features(said, options={"words": str(tmp_path)})[shown].tolist() == [0, 0]


def marked(con: duckdb.DuckDBPyConnection, as_ofs: Sequence[date]) -> pd.DataFrame:
    options = resolved({})
    set_options(con, options)
    cutoffs.set_cutoffs(con, as_ofs)
    conversations.mark_texts(con, options)
    return con.execute("SELECT * FROM text_marks ORDER BY text").df()


def test_each_text_that_a_cutoff_sees_is_marked_once_in_whatever_pieces(monkeypatch):
    texts = ["Maybe next time.", "検討します", "我们再看看", NEUTRAL, "..."]
    said = talks(*((number, text) for number, text in enumerate(texts * 3, start=1)), (-1, "to come"), (460, "too old"))
    with laid_out(lines(ORDERED), interactions=said) as con:
        whole = marked(con, [AS_OF])
        monkeypatch.setattr(conversations, "CHUNK", 2)
        pieces = marked(con, [AS_OF])
        older = marked(con, [AS_OF - timedelta(days=30), AS_OF])
    assert whole["text"].tolist() == sorted(texts)
    pd.testing.assert_frame_equal(pieces, whole)
    assert older["text"].tolist() == sorted([*texts, "too old"])
    assert whole["depth"].isna().tolist() == [text == "..." for text in sorted(texts)]
    assert whole["deferral"].sum() == 3


def test_our_own_words_are_not_even_read():
    said = talks((10, "email outbound Maybe next time."), (12, f"email inbound {NEUTRAL}"), columns="channel direction")
    with laid_out(lines(ORDERED), interactions=said) as con:
        assert marked(con, [AS_OF])["text"].tolist() == [NEUTRAL]


def test_without_texts_there_are_no_marks():
    told = talks((10, "-"))
    with laid_out(lines(ORDERED), interactions=told) as con:
        assert marked(con, [AS_OF]).empty


def test_a_fresh_process_marks_texts_too():
    code = "from test_conversation_features import *\nprint(features(talks((10, PHRASES['en'])))['deferrals_90d'])"
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=here.parent,
        env={"PYTHONPATH": f"{here}:{here.parent}", "PATH": ""},
    )
    assert done.stdout.strip() == "1.0"
