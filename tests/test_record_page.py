"""The track record: figures are those of the day's reports, thresholds those of a count, and nothing is left unsaid."""

import csv
import io
import re
from datetime import date, timedelta

import pandas as pd
import pytest
from paged import Paged, words_of
from served import DAY, NINE, Served, day, scores
from test_threshold_record import counted, predictions

from models.figures import wilson
from models.threshold_record import EDGES, threshold_record
from serving.day_records import DayFrames
from serving.ledger import SYSTEM, Event, append
from serving.records import REASON_COLUMNS, ScoringRun
from serving.words.speech import LANGUAGES

pytest_plugins = ["served_company"]

NEXT = DAY + timedelta(days=120)
LEVEL = {
    "episodes": 30, "waiting": 2, "matured": 28, "hits": 14, "precision": 0.5, "low": 0.326, "high": 0.674,
    "undetermined": 3, "false_alarms": 14, "losses": 40, "warned": 10, "recall": 0.25, "recall_low": 0.142,
    "recall_high": 0.402, "null_precision": 0.11, "null_recall": 0.2,
}  # fmt: skip
FEW = {**LEVEL, "episodes": 4, "matured": 3, "hits": 3, "precision": 1.0, "low": 0.44, "high": 1.0}
TRACK_RECORD = {
    "first": "2024-07-01", "until": "2024-10-29", "observed_until": "2024-10-29", "customers": 3,
    "levels": [{"level": "red", **FEW}, *({"level": one, **LEVEL} for one in ("orange", "yellow", "blue", "all"))],
    "leads": {"losses": 40, "warned": 39},
}  # fmt: skip
OUTCOMES = {
    "episode_id": ["e-K-AOKI", "e-K-BOLT"], "lost": [1, 0], "lost_on": ["2024-08-30", None], "treated": [0, 0],
}  # fmt: skip
MISSES = {"n": 1, "losses": [{"customer_id": "K/CORD", "lost_on": "2024-09-02", "revenue": 1234.0}]}
ROWS = predictions(5)
LEVELS = [
    {"name": name, "threshold": threshold, "promised": 0.5}
    for name, threshold in (("red", 0.6), ("orange", 0.45), ("yellow", 0.3), ("blue", 0.2))
]
BIN = {"n": 50, "promised": 0.31, "observed": 0.42, "low": 0.29, "high": 0.56}
SIDE = {
    "dates": ["2024-01-01", "2024-02-01"], "n": 500, "customers": 60, "lost": 100, "bins": [BIN],
    "lift": [3.25] + [0.75] * 9, "captured": [0.33] + [1.0] * 9,
}  # fmt: skip
EQUAL = {
    "warnings": 20, "contestant": "champion", "opened": 20.0, "right": 12.0, "precision": 0.6, "low": 0.387,
    "high": 0.781, "lost": 30, "caught": 11.0, "recall": 0.367,
}  # fmt: skip
FIGURES = {f"{name}{end}": value for name in ("average_precision", "top_decile_lift", "brier", "log_loss")
           for end, value in (("", 0.5), ("_low", 0.4), ("_high", 0.6))}  # fmt: skip
RECORD = {
    "horizon_days": 90, "fixed": SIDE, "own": None, "measure": "revenue",
    "compared": {"dates": ["2024-02-01", "2024-03-01"], "customers": 60, "lost": 30, "rows": [EQUAL]},
    "standing": [{"contestant": "champion", "roc_auc": 0.81, "roc_auc_low": 0.77, "roc_auc_high": 0.84, **FIGURES}],
    "thresholds": threshold_record(ROWS, EDGES),
}  # fmt: skip
CERTIFICATE = {
    "verdict": "percentages",
    "overall": {"n": 500, "promised": 0.3, "base_rate": 0.33, "ece": 0.04, "slope": 1.1, "slope_low": 0.9,
                "slope_high": 1.3},
}  # fmt: skip
WINDOW = {
    "multiple": 2.0, "reached": False, "max_false_churn": 0.25,
    "tried": [{"multiple": 2.0, "share": 0.38, "low": 0.33, "high": 0.43, "positives": 1212, "customers": 225}],
}  # fmt: skip
MODEL = {
    "trained_as_of": "2024-06-01", "in_use": "blend", "certificate": CERTIFICATE, "levels": LEVELS, "window": WINDOW,
    "economics": {"contact_cost": None, "offer_cost": 0.0, "save_rate": None, "margin_share": None,
                  "replacement_multiple": None},
    "record": RECORD,
}  # fmt: skip
RULES = {
    "as_of": "2024-06-30", "at": "2024-07-01T09:00:00+00:00", "by": "Kim",
    "rows": [{"what": "order_late", "level": "yellow", "matured": 416, "precision": 0.209, "precision_low": 0.173,
              "precision_high": 0.251, "random_precision": 0.276, "cycle_precision": 0.21, "lead_days": 152.0}],
}  # fmt: skip
ALL = {
    "track_record": TRACK_RECORD, "warnings": OUTCOMES, "misses": MISSES, "model_record": MODEL, "rule_record": RULES,
    "held_down": {"order_late": "blue"},
}  # fmt: skip


@pytest.fixture
def paged(served: Served) -> Paged:
    return Paged(served)


def publish(paged: Paged, reports: dict) -> None:
    """Another day, on which the company stands as before, with these reports."""
    frames = day()
    run = ScoringRun("run-2", NEXT, "m1", "f2", NINE)
    nothing = pd.DataFrame([], columns=list(REASON_COLUMNS))
    same = DayFrames(frames.profiles, frames.health, frames.signals, reports)
    paged.served.service.store.publish(run, scores(), nothing, day=same, clock=lambda: NINE)


def test_the_first_day_says_what_will_be_known_when_and_which_command_makes_it(paged: Paged) -> None:
    words = words_of(paged.get("manager", "/record"))
    for said in (
        "Only Jul 1, 2024 is published so far.",
        "Of 2 warnings the outcome is not known yet: the first on Aug 15, 2024",
        "It shows from the next `kizashi score` on.", "`kizashi train` makes it from two dates",
        "`kizashi rules --keep` replays it", "Nobody has judged a warning yet.", "Warnings opened2", "Outcome known0",
    ):  # fmt: skip
        assert said in words, said
    assert "The model in use was trained before this was kept." in words_of(paged.get("viewer", "/record/thresholds"))


def test_figures_are_those_of_the_reports(paged: Paged) -> None:
    publish(paged, ALL)
    answer = paged.get("manager", "/record")
    words = words_of(answer)
    for said in (
        "50% (33% to 67%)", "11%", "25% (14% to 40%)", "too few to tell, 3 of 3", "1 of 40 losses had no warning",
        "Sep 2, 2024", "1,230", "31%42%29% to 56%50", "Promised 30% on average, 33% came true", "1.1 (0.9 to 1.3)",
        "0.81 (0.77 to 0.84)", "500 predictions of 60 customers of the cohort on 2 dates",
        "60% (39% to 78%); 11 caught",
        "20 new warnings", "21% (17% to 25%)", "Blue", "38% (33% to 43%)", "2 (in use)", "1,212",
        "No multiple kept to the share", "1 right warnings",
    ):  # fmt: skip
        assert said.replace(" ", "") in words.replace(" ", ""), said
    assert 'href="/customers/K%2FCORD"' in answer.text
    assert "is published so far" not in words


def test_a_champion_without_a_record_says_how_to_get_one(paged: Paged) -> None:
    publish(paged, {**ALL, "model_record": {**MODEL, "record": None}})
    words = words_of(paged.get("manager", "/record"))
    assert "The model in use was trained before its record was kept" in words
    assert "38% (33% to 43%)" in words, "the purity of the label is known all the same"


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_chart_is_an_image_with_a_table_of_its_figures(paged: Paged, locale: str) -> None:
    publish(paged, ALL)
    for path in ("/record", "/record/thresholds"):
        page = paged.get("manager", path, locale).text
        charts = re.findall(r"<svg[^>]*>", page)
        assert charts
        assert all('role="img"' in one for one in charts)
        assert page.count("<table>") >= len(charts)
        assert "style=" not in page
        assert len(page.encode()) < 60_000


@pytest.mark.parametrize("path", ["/record", "/record/warnings", "/record/thresholds"])
def test_pages_of_all_are_not_for_a_rep_nor_for_strangers(paged: Paged, path: str) -> None:
    assert [paged.get(who, path).status_code for who in ("viewer", "manager", "admin")] == [200] * 3
    assert paged.get("rep", path).status_code == 403
    assert paged.get("", path).status_code == 303


# The book of warnings


def book(paged: Paged, **asked: str) -> str:
    return words_of(paged.get("manager", "/record/warnings?" + "&".join(f"{k}={v}" for k, v in asked.items())))


def test_the_book_tells_of_each_warning_what_became_of_it(paged: Paged) -> None:
    publish(paged, ALL)
    words = book(paged)
    for said in ("Aoki Works", "Bolt [2]", "Jul 1, 2024", "Orders", "Ann", "▲ Orange"):
        assert said in words, said
    assert "Aoki Works" in book(paged, outcome="right")
    assert "Bolt [2]" not in book(paged, outcome="right")
    assert "Bolt [2]" in book(paged, outcome="false")
    assert "No warning fits what was chosen." in book(paged, level="red")
    assert "No warning fits what was chosen." in book(paged, state="closed")
    right = paged.get("manager", "/record/warnings?outcome=right")
    assert re.search(r'data-label="Days ahead of the loss">60<', right.text), "from July 1 to August 30"


def test_a_warning_that_has_not_matured_says_when_it_will(paged: Paged) -> None:
    assert "Not known yet known from Aug 15, 2024 on" in book(paged).replace("yetknown", "yet known")


def test_the_file_holds_the_rows_that_were_chosen_and_a_rep_gets_the_own_ones(paged: Paged) -> None:
    publish(paged, ALL)

    def customers(who: str, query: str = "") -> list[str]:
        answer = paged.get(who, f"/record/warnings/export?format=csv{query}")
        assert answer.status_code == 200
        return [row["Customer"] for row in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))]

    assert customers("manager") == ["K-AOKI", "K-BOLT"]
    assert customers("manager", "&outcome=false") == ["K-BOLT"]
    assert customers("rep") == ["K-AOKI"]
    assert paged.get("viewer", "/record/warnings/export").status_code == 403
    events = [told.event for told in paged.served.service.store.history(kinds=["export_made"])]
    assert [event.payload["rows"] for event in events] == [2, 1, 1]


def test_verdicts_are_counted(paged: Paged) -> None:
    said = {"verdict": "false", "note": ""}
    assert paged.served.post("ann", "/episodes/e-K-AOKI/feedback", said).status_code == 200
    words = words_of(paged.get("manager", "/record"))
    assert "1 verdicts on 1 of 2 warnings" in words
    assert "False alarm1100%" in words.replace(" alarm 1 100%", " alarm1100%")


def test_a_warning_that_another_run_made_void_is_in_no_count(paged: Paged) -> None:
    with paged.served.service.store.writing() as connection:
        gone = {"closed_on": date(2024, 7, 1), "close_reason": "superseded", "version": 2}
        append(connection, [Event("episode_closed", SYSTEM, NINE, gone, "K-BOLT", "e-K-BOLT")])
    assert "Bolt [2]" not in book(paged)


# The simulator


def cells_of(page: str) -> list[list[str]]:
    """The cells of all rows of tables."""
    rows = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]


def rows_of(answer) -> list[list[str]]:
    """The cells of the first table, level by level."""
    return cells_of(re.search(r"<tbody>(.*?)</tbody>", answer.text, re.DOTALL).group(1))


@pytest.mark.parametrize("asked", [(70, 50, 40, 25), (60, 45, 30, 20), (90, 60, 35, 5)])
def test_thresholds_give_what_a_count_of_the_predictions_gives(paged: Paged, asked: tuple[int, ...]) -> None:
    publish(paged, ALL)
    names = ("red", "orange", "yellow", "blue")
    query = "&".join(f"{name}={value}" for name, value in zip(names, asked, strict=True))
    found = rows_of(paged.get("manager", f"/record/thresholds?{query}"))
    louder = {"rows": 0, "rows_lost": 0}
    for cells, percent in zip(found, asked, strict=True):
        direct = counted(ROWS, percent / 100)
        missed = direct["lost"] - direct["caught"] - direct["under_older"]
        weekly = direct["warnings"] / 90 * 7
        assert cells[1] == f"{percent}%"
        assert float(cells[2]) == pytest.approx(weekly, abs=0.051), "February 1 to April 1, three months of 30 days"
        assert float(cells[3]) == pytest.approx(weekly / 2, abs=0.051), "two sales persons"
        if direct["warnings"] >= 10:
            low, high = wilson(direct["right"], direct["warnings"])
            assert [int(one) for one in re.findall(r"(\d+)%", cells[4])] == pytest.approx(
                [100 * direct["right"] / direct["warnings"], 100 * float(low), 100 * float(high)], abs=0.51
            )
        else:
            assert cells[4] == "too few to tell"
        assert cells[6] == f"{direct['caught']} / {direct['under_older']} / {missed}"
        assert cells[8].endswith(f" of {direct['rows'] - louder['rows']}")
        louder = direct


def test_without_a_question_the_thresholds_in_use_are_shown_once(paged: Paged) -> None:
    publish(paged, ALL)
    page = paged.get("manager", "/record/thresholds")
    assert [cells[1] for cells in rows_of(page)] == ["60%", "45%", "30%", "20%"]
    assert "As chosen" not in words_of(page)
    assert "As chosen" in words_of(paged.get("manager", "/record/thresholds?red=70"))


def test_thresholds_that_rise_are_refused_with_what_to_do(paged: Paged) -> None:
    publish(paged, ALL)
    words = words_of(paged.get("manager", "/record/thresholds?red=20&orange=50"))
    assert "The thresholds have to fall from red to blue." in words
    for bad in ("red=0", "red=100", "red=nan", "red=inf", "red=abc", "red="):
        assert paged.get("manager", f"/record/thresholds?{bad}").status_code in (200, 422), bad


def test_money_is_told_where_the_company_has_set_its_numbers(paged: Paged) -> None:
    publish(paged, ALL)
    assert "Not set: economics.contact_cost, economics.save_rate, economics.margin_share." in words_of(
        paged.get("manager", "/record/thresholds")
    )


def test_expected_profit_is_that_of_the_company_s_numbers(paged: Paged) -> None:
    numbers = {**MODEL["economics"], "contact_cost": 5.0, "save_rate": 0.2, "margin_share": 0.4}
    publish(paged, {**ALL, "model_record": {**MODEL, "economics": numbers}})
    direct = counted(ROWS, 0.2)
    profit = 0.2 * 0.4 * direct["caught_value"] - 5.0 * direct["warnings"]
    words = words_of(paged.get("manager", "/record/thresholds"))
    assert "Not set" not in words
    page = paged.get("manager", "/record/thresholds").text
    [blue] = [cells for cells in cells_of(page) if cells[0] == "Blue, as in use"]
    assert int(blue[1]) == direct["warnings"]
    assert float(blue[3].replace(",", "")) == pytest.approx(profit, abs=0.51)
