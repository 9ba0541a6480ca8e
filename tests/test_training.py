"""What becomes of a month: a training through its command, the gate, the history, and scores of what was chosen."""

import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import DAY, SHORT, TRAINED, Company, Run, kizashi, written

from features.contract import CONTRACT
from features.simulate import simulate
from features.snapshots import ELIGIBLE, Cohort
from features.windows import Window, windows_of
from models.evaluation import differences, roc_auc
from models.rules import RULES
from models.tracking import Tracking
from pipelines.intake import Intake, Request, take_in
from pipelines.replay import backtest
from pipelines.score import Scored, score
from pipelines.scoring import snapshots_of
from pipelines.settings import tracking_folder
from pipelines.train import Asked, judged_rows, train
from serving.store import Store

pytest_plugins = ["trained"]

WHEN = datetime(2026, 8, 1, 6, 0, tzinfo=UTC)


def shuffled(company: Company) -> dict[str, pd.DataFrame]:
    """Every order belongs to somebody else."""
    lines = company.orders()
    orders = lines.drop_duplicates("order_id").set_index("order_id")["customer_id"]
    others = pd.Series(np.random.default_rng(3).permutation(orders.to_numpy()), index=orders.index)
    return {"transactions": lines.assign(customer_id=lines["order_id"].map(others))}


def in_yen(company: Company, month: str = "2026-07") -> dict[str, pd.DataFrame]:
    """The amounts of the newest month are a thousand times as large."""
    lines = company.orders()
    newest = lines["ordered_at"].dt.strftime("%Y-%m") == month
    return {"transactions": lines.assign(amount=lines["amount"].where(~newest, lines["amount"] * 1000))}


#: What happened to the month, and what is said of it.
POISONED = {
    "shuffled": (shuffled, r"a month of the past: "),
    "table gone": (lambda _: {}, r"Table interactions is gone; it had [\d,]+ rows at the last training"),
    "thousandfold": (in_yen, r"2026-07: usual value of an order day [\d,]+; in the champion's 12 months it was "),
}


def poisoned(company: Company, how: str, folder: Path) -> Path:
    data = company.changed(folder, **POISONED[how][0](company))
    if how == "table gone":
        (data / "interactions.parquet").unlink()
    shutil.copy(company.data / "kizashi.toml", data / "kizashi.toml")
    return data


@pytest.fixture
def out(scored: tuple[Intake, Scored], tmp_path: Path) -> Path:
    """An output folder in which the company's champion is in use and has scored `DAY`."""
    assert scored[1].published.run.as_of == DAY
    shutil.copytree(scored[0].request.out, tmp_path / "out")
    return tmp_path / "out"


def published(out: Path) -> pd.DataFrame:
    with Store.open(f"sqlite:///{out / 'kizashi.db'}", create=False) as store:
        return store.scores(DAY)


def aliases(out: Path) -> dict[int, tuple[str, ...]]:
    return {version.number: version.aliases for version in Tracking(tracking_folder(out)).versions()}


def nothing_has_changed(out: Path, before: pd.DataFrame) -> None:
    assert aliases(out) == {1: ("champion",)}
    assert [path.name for path in (out / "walks").iterdir()] == ["1.parquet"]
    pd.testing.assert_frame_equal(published(out), before, check_exact=True)


@pytest.mark.parametrize("how", POISONED)
def test_ml_06_a_poisoned_month_is_refused_before_anything_is_learnt(
    company: Company, out: Path, tmp_path: Path, run: Run, how: str
) -> None:
    data, before = poisoned(company, how, tmp_path / "data"), published(out)
    said = POISONED[how][1]
    done = run("train", "--data", str(data), "--as-of", str(DAY), "--out", "out", "--by", "yuki")
    assert done.code == 2
    assert f"the data are not those of the champion (version 1, trained as of {TRAINED}) any more" in done.err
    assert re.search(said, done.err), done.err
    assert '--accept-data "why"' in done.err
    assert "learning what was known" not in done.err
    nothing_has_changed(out, before)
    told = " ".join(run("models", "--out", "out").out.split())
    assert "yuki: data were refused and nothing was trained; version 1 stays the champion" in told
    assert f"because: data as of {DAY} are not those of version 1" in told
    assert re.search(said, told), told


def test_the_real_command_refuses_it_just_so(company: Company, out: Path, tmp_path: Path) -> None:
    data, before = poisoned(company, "thousandfold", tmp_path / "data"), published(out)
    done = kizashi("train", "--data", str(data), "--as-of", str(DAY), "--out", "out", folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert re.search(POISONED["thousandfold"][1], done.err)
    assert "Traceback" not in done.err
    nothing_has_changed(out, before)


def test_a_month_that_somebody_accepts_is_learnt_promoted_and_taken_back_on_record(
    company: Company, out: Path, tmp_path: Path, run: Run
) -> None:
    data, why = company.changed(tmp_path / "data", **in_yen(company, "2026-06")), "prices are in yen now"
    options = ["--data", str(data), "--as-of", str(TRAINED), "--config", str(company.data / "kizashi.toml")]
    done = run("train", *options, "--out", "out", "--by", "yuki", "--accept-data", why)
    assert done.code == 0, done.err
    assert "Registered version 2 as challenger" in done.out
    assert 'The old champion stays in use; `kizashi promote --because "..."` replaces it.' in " ".join(done.out.split())
    assert aliases(out) == {1: ("champion",), 2: ("challenger",)}
    folder = Tracking(tracking_folder(out)).champion_folder("challenger")
    card = (folder.parent / "card.md").read_text(encoding="utf-8")
    assert str(TRAINED) in card
    assert why in (folder / "manifest.json").read_text(encoding="utf-8")

    promoted = run("promote", "--because", "the yen month is real", "--by", "kenji", "--out", "out")
    assert promoted.code == 0, promoted.err
    assert f"Data accepted ({why})" in " ".join(promoted.out.split())
    assert aliases(out) == {1: (), 2: ("champion",)}
    returned = run("rollback", "--because", "too many warnings in the north", "--by", "aiko", "--out", "out")
    assert returned.code == 0, returned.err
    assert "Version 1 is the champion again, in place of version 2." in returned.out
    assert aliases(out) == {1: ("champion",), 2: ()}

    told = " ".join(run("models", "--out", "out").out.split())
    history = told[told.index("History, the newest first:") :]
    places = [
        history.index(line)
        for line in (
            "aiko: back to version 1 in place of version 2 because: too many warnings in the north",
            "kenji: version 2 became the champion in place of version 1 because: the yen month is real",
            f"yuki: data were accepted although they are not as they were; version 1 stays the champion because: {why}",
            "version 1 became the champion because: the first model",
        )
    ]
    assert places == sorted(places)


#: Whoever goes on ordering does so every 20 days and pauses for 60 after each twelfth order; the others end for good.
ON, GONE, PAUSE = 40, 30, 60
PAUSING = """
[cohort]
max_days_since_last_order = 60
[window]
min_days = 30
max_days = 90
max_false_churn = 0.1
"""


def pausing() -> pd.DataFrame:
    """Order lines of customers of whom every silence of 30 days but the last ends soon."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(ON + GONE):
        day = date(2023, 9, 1) + timedelta(days=int(rng.integers(0, 200)))
        end = date(2025, 3, 1) if number < ON else date(2024, 6, 1) + timedelta(days=int(rng.integers(0, 80)))
        place = int(rng.integers(0, 12))
        while day < end:
            rows.append((f"P{number:02d}", f"{number}-{len(rows)}", pd.Timestamp(day), 100.0))
            place += 1
            day += timedelta(days=PAUSE if place % 12 == 0 else 20)
    return pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at", "amount"])


def test_the_window_that_the_companys_past_chooses_reaches_the_published_scores(tmp_path: Path) -> None:
    settings = SHORT.replace("slice_every_months = 3\n", "").replace("max_slices = 3", "max_slices = 9") + PAUSING
    data = written(pausing(), tmp_path / "data", settings)
    intake = take_in(Request(str(data), tmp_path / "out"))
    trained = train(intake, Asked("yuki", WHEN))
    assert trained.choice.reached
    assert trained.choice.multiple > Window().multiples[0], trained.choice.words
    scored = score(intake)
    with snapshots_of(intake, scored.champion.model) as parts:
        found = parts.columns({"customer_id", "as_of", "cohort", "long_gap_days", "open_months"})
    assert Cohort(**scored.champion.model.facts["cohort"]).max_days_since_last_order == 60
    rule = Window(**scored.champion.model.facts["window"])
    found = found[found["cohort"] == ELIGIBLE].set_index("customer_id")
    expected = windows_of(found, rule, trained.choice.multiple)
    assert expected.nunique() > 1
    here = scored.day.scores.set_index("customer_id")["churn_window_days"]
    assert (here[expected.index] == expected).all()


#: The end of the small book's year of orders; the quarter after it says who was right.
TODAY = date(2026, 6, 1)
LATER = date(2026, 9, 1)
OTHERS = tuple(name for name in CONTRACT if name not in ("transactions", "customers"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Intake, Intake]:
    """80 customers of whom nothing but orders is known: for a year, and for the quarter after it, too."""
    folder = tmp_path_factory.mktemp("small")
    lines = simulate(80, 15, seed=4, end=LATER, without=OTHERS).tables["transactions"]
    known = lines[lines[["ordered_at", "recorded_at"]].max(axis=1) < pd.Timestamp(TODAY)]
    columns = ["customer_id", "order_id", "ordered_at", "amount"]
    settings = SHORT.replace("slice_every_months = 3\n", "").replace("max_slices = 3", "max_slices = 9")
    found = []
    for name, part in (("year", known), ("later", lines)):
        data = written(part[columns].drop_duplicates(), folder / name, settings)
        found.append(take_in(Request(str(data), folder / f"{name}-out")))
    return found[0], found[1]


def test_a_small_book_without_labels_is_scored_by_the_label_free_model_and_told_why(
    small: tuple[Intake, Intake],
) -> None:
    trained = train(small[0], Asked("yuki", WHEN))
    assert trained.version.aliases == ("champion",)
    assert trained.champion.facts["profile"]["tables"].keys() == {"transactions"}
    assert trained.champion.selection.in_use == "label_free"
    assert trained.champion.selection.words.startswith("In use is the order rhythm alone, which needs no past losses")
    assert trained.champion.selection.words in trained.card
    certificate = trained.judged.certificate
    assert not certificate.shows_percentages
    assert {"few_customers", "few_cutoffs"} <= {one.code for one in certificate.findings if one.withholds}
    scores = score(small[0]).day.scores
    here = scores[scores["cohort"] == ELIGIBLE]
    assert len(here) > 40
    assert set(scores["shown"]) == {"level"}
    assert (here["churn_low"] <= here["churn_probability"]).all()
    assert set(here["completeness"]) <= {"B", "C", "D"}, "orders alone reach no further"
    assert (scores.loc[scores["cohort"] != ELIGIBLE, "level"] == "none").all()


def test_a_small_book_is_ranked_as_well_as_by_its_best_rule(small: tuple[Intake, Intake]) -> None:
    today = small[0].as_of
    assert small[1].as_of - today > timedelta(days=90)
    predictions = backtest(small[1], today, today).predictions
    judged = judged_rows(predictions, 90)
    aucs = {name: roc_auc(rows["probability"], rows["outcome"]) for name, rows in judged.groupby("contestant")}
    best = max((rule.name for rule in RULES), key=lambda name: aucs[name])
    [gap] = differences(judged, [("champion", best)], ["roc_auc"], repeats=500, rng=np.random.default_rng(1))
    assert gap.high >= 0, (aucs, gap)
    assert aucs["champion"] > 0.5
