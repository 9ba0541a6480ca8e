"""The daily run: everybody has a row, the rows add up, a date is published once, and nothing later is seen."""

import json
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date
from os import killpg
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import DAY, TRAINED, Company, finished, started, written
from scipy.special import expit
from two_clocks import as_it_was

from features.errors import StoreError
from features.snapshots import ELIGIBLE
from models.reasons import SMALL_TOLD
from models.verdict import LEVELS_ONLY, PERCENTAGES
from pipelines.champions import champion_of
from pipelines.intake import Intake, Request, take_in
from pipelines.populations import kept
from pipelines.score import ForesightWarning, Scored, score, score_day
from pipelines.scoring import MissingFeatures
from pipelines.settings import database_url
from serving.records import (
    HORIZON_PROBABILITIES,
    INTERVAL,
    LEVEL_ALONE,
    PERCENT,
    REASON_COLUMNS,
    ROLES,
    SCORE_COLUMNS,
    SCORE_NUMBERS,
)
from serving.store import Store
from serving.wording import fact_text
from serving.words.speech import Said

pytest_plugins = ["trained"]

Done = tuple[Intake, Scored]


def visible(lines: pd.DataFrame, as_of: date) -> pd.DataFrame:
    return lines[lines[["ordered_at", "recorded_at"]].max(axis=1) < pd.Timestamp(as_of)]


def store_of(intake: Intake) -> Store:
    return Store.open(database_url(intake.settings, intake.request.out), create=False)


def runs_in(intake: Intake) -> dict[str, int]:
    """Runs of the ledger by state."""
    with closing(sqlite3.connect(intake.request.out / "kizashi.db")) as con:
        return dict(con.execute("SELECT state, count(*) FROM scoring_run GROUP BY state").fetchall())


def test_every_customer_of_the_book_has_exactly_one_row(company: Company, scored: Done) -> None:
    scores = scored[1].day.scores
    assert scores["customer_id"].is_unique
    assert set(scores["customer_id"]) == set(company.customers()["customer_id"])
    assert set(scores["cohort"]) == {ELIGIBLE, "dormant", "few_order_days", "no_order", "project", "off_season"}


def test_without_a_table_of_customers_the_book_is_who_has_ordered(company: Company, tmp_path: Path) -> None:
    data = written(company.orders(), tmp_path / "data")
    intake = take_in(Request(str(data), company.register_at(tmp_path / "out"), DAY))
    with pytest.warns(MissingFeatures, match=r"of the \d+ features that the champion has learnt from are unknown"):
        day = score_day(intake, champion_of(intake.request.out))
    assert day.scores["customer_id"].tolist() == sorted(set(visible(company.orders(), DAY)["customer_id"]))


def test_the_probabilities_of_a_customer_agree_with_each_other(scored: Done) -> None:
    known = scored[1].day.scores.query("history != 'none'")
    horizons = known[list(HORIZON_PROBABILITIES)]
    assert horizons.ge(0).all(axis=None)
    assert horizons.le(1).all(axis=None)
    assert (horizons.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
    np.testing.assert_array_equal(known["churn_probability"], expit(known["margin"]))
    # the own window lies between 30 and 180 days, and so does its probability; that of a project is a year
    own = known[known["cohort"] != "project"]
    assert own["churn_probability"].between(own["p_no_order_180"] - 1e-12, own["p_no_order_30"] + 1e-12).all()
    year = known[known["cohort"] == "project"]
    assert set(year["churn_window_days"]) == {365.0}
    assert (year["churn_probability"] <= year["p_no_order_180"]).all()
    np.testing.assert_array_equal(known["expected_loss"], known["value_at_risk"] * known["churn_probability"])


def test_reasons_are_told_of_the_warned_alone_and_everybody_has_a_base(scored: Done) -> None:
    known = scored[1].day.scores.query("history != 'none'")
    warned = set(known.loc[known["level"] != "none", "customer_id"])
    assert 10 < len(warned) < len(known) / 2
    assert set(scored[1].day.reasons["customer_id"]) == warned, "on the first day nobody has moved"
    assert np.isfinite(known[["base_margin", "margin"]]).all(axis=None)


def test_reasons_add_up_to_the_margin_and_points_to_the_probability(scored: Done) -> None:
    sums = scored[1].day.reasons.groupby("customer_id")[["contribution", "contribution_points"]].sum()
    scores = scored[1].day.scores.set_index("customer_id").loc[sums.index]
    np.testing.assert_allclose(scores["base_margin"] + sums["contribution"], scores["margin"], rtol=0, atol=1e-9)
    total = expit(scores["base_margin"]) + sums["contribution_points"]
    np.testing.assert_allclose(total, scores["churn_probability"], rtol=0, atol=1e-9)


def test_every_reason_has_its_place_and_its_sentence(scored: Done) -> None:
    reasons = scored[1].day.reasons
    order = ["reason", "small", "against", "rest"]
    for _, told in reasons.groupby("customer_id"):
        assert told["position"].tolist() == list(range(1, len(told) + 1))
        counted = told["role"].value_counts().reindex(order, fill_value=0)
        assert counted["reason"] <= scored[0].settings.reasons.count
        assert counted["small"] == 0 or counted["reason"] + counted["small"] <= SMALL_TOLD
        assert counted["rest"] == 1
        assert told["role"].map(order.index).is_monotonic_increasing
    assert set(reasons["role"]) == set(ROLES)
    assert reasons["text"].str.endswith(".").all()
    assert not reasons["text"].str.contains(r"\bnan\b|None|_", regex=True).any()
    rest = reasons["role"] == "rest"
    assert (reasons["said"].isna() == rest).all()
    told = [fact_text(Said.from_list(json.loads(said)), "en") for said in reasons.loc[~rest, "said"]]
    assert told == reasons.loc[~rest, "text"].tolist()


@pytest.mark.parametrize(
    ("cohort", "history", "probable"),
    [
        ("dormant", {"enough", "short"}, True),
        ("few_order_days", {"enough", "short"}, True),
        ("project", {"enough"}, True),
        ("off_season", {"enough"}, True),
        ("no_order", {"none"}, False),
    ],
)
def test_whoever_is_outside_the_cohort_has_a_row_without_a_level(
    scored: Done, cohort: str, history: set[str], probable: bool
) -> None:
    rows = scored[1].day.scores.loc[lambda frame: frame["cohort"] == cohort]
    assert len(rows) > 0
    assert set(rows["level"]) == {"none"}
    assert set(rows["history"]) <= history
    assert rows[list(SCORE_NUMBERS)].notna().all(axis=None) == probable
    assert rows[list(SCORE_NUMBERS)].isna().all(axis=None) != probable
    assert rows[list(INTERVAL)].isna().all(axis=None)
    assert set(rows["shown"]) == {LEVEL_ALONE}
    assert rows["completeness"].notna().all() == probable


def test_the_certificate_decides_whether_percentages_are_shown(scored: Done) -> None:
    champion, days = scored[1].champion, {LEVELS_ONLY: scored[1].day}
    assert champion.model.facts["certificate"]["verdict"] == LEVELS_ONLY, "two cutoffs prove no calibration"
    proved = replace(champion, model=champion.model.with_facts(certificate={"verdict": PERCENTAGES}))
    days[PERCENTAGES] = score_day(scored[0], proved)
    said = {verdict: day.scores.query("cohort == 'eligible'")["shown"].unique() for verdict, day in days.items()}
    assert {verdict: list(shown) for verdict, shown in said.items()} == {
        LEVELS_ONLY: [LEVEL_ALONE],
        PERCENTAGES: [PERCENT],
    }
    outside = days[PERCENTAGES].scores.query("cohort != 'eligible'")
    assert set(outside["shown"]) == {LEVEL_ALONE}
    numbers = [*SCORE_NUMBERS, *INTERVAL]
    pd.testing.assert_frame_equal(
        days[PERCENTAGES].scores[numbers], days[LEVELS_ONLY].scores[numbers], check_exact=True
    )
    assert not days[LEVELS_ONLY].reasons["text"].str.contains("the chance of no order").any()


def test_every_eligible_customer_has_an_interval_around_its_probability(scored: Done) -> None:
    here = scored[1].day.scores.query("cohort == 'eligible'")
    assert (here["churn_low"] < here["churn_probability"]).all()
    assert (here["churn_probability"] < here["churn_high"]).all()
    assert here["completeness"].isin(["A", "B", "C", "D"]).all()


def test_what_is_stored_is_what_was_computed(scored: Done) -> None:
    intake, done = scored
    with store_of(intake) as store:
        scores, reasons, changes = store.scores(DAY), store.reasons(DAY), store.changes(DAY)
    columns = list(SCORE_COLUMNS)
    pd.testing.assert_frame_equal(scores[columns], done.day.scores[columns], check_exact=True, check_dtype=False)
    [version] = scores["model_version"].unique()
    assert version == done.champion.version
    assert version.startswith("kizashi/1@")
    told = done.day.reasons[list(REASON_COLUMNS)]
    pd.testing.assert_frame_equal(reasons[list(told)], told, check_exact=True, check_dtype=False)
    assert len(reasons) == done.published.reasons
    assert changes.empty, "no day was published before"


def test_what_customers_are_compared_with_is_kept_beside_the_results(scored: Done) -> None:
    intake, done = scored
    held = kept(intake, done.champion.model)
    assert held is not None
    assert held.population.as_ofs == (DAY,)
    silence = done.day.working.today.facts.query("cohort == 'eligible'")["days_since_last_order"]
    assert held.spread.loc["days_since_last_order", "median"] == silence.median()
    assert kept(replace(intake, as_of=TRAINED), done.champion.model) is None


@pytest.fixture
def published(scored: Done, tmp_path: Path) -> Path:
    """An output folder with the register and the published scores of `DAY`."""
    return Path(shutil.copytree(scored[0].request.out, tmp_path / "out"))


def test_a_second_run_finds_the_date_published_and_changes_nothing(
    company: Company, scored: Done, published: Path
) -> None:
    first = scored[1]
    intake = company.taken_in(published, DAY)
    again = score(intake)
    assert (first.published.unchanged, again.published.unchanged) == (False, True)
    assert again.published.run == first.published.run
    pd.testing.assert_frame_equal(again.day.scores, first.day.scores, check_exact=True)
    assert runs_in(intake) == {"published": 1}


def test_other_data_for_a_published_date_needs_to_be_asked_for(
    company: Company, scored: Done, published: Path, tmp_path: Path
) -> None:
    first = scored[1]
    lines = company.orders()
    lines.loc[lines["ordered_at"] < pd.Timestamp(2026, 1, 1), "amount"] *= 2
    data = company.changed(tmp_path / "corrected", transactions=lines)
    intake = company.taken_in(published, DAY, data)
    with pytest.raises(StoreError, match=r"already published by run score-\w+: input_fingerprint .* --supersede"):
        score(intake)
    with store_of(intake) as store:
        assert set(store.scores(DAY)["run_id"]) == {first.published.run.run_id}
    replaced = score(intake, supersede=True)
    assert replaced.published.supersedes == first.published.run.run_id
    with store_of(intake) as store:
        assert set(store.scores(DAY)["run_id"]) == {replaced.published.run.run_id}
    assert runs_in(intake) == {"published": 1, "superseded": 1}


def test_a_date_is_scored_the_same_when_its_future_is_deleted(company: Company, scored: Done, tmp_path: Path) -> None:
    past = as_it_was(company.tables(), DAY)
    assert len(past["transactions"]) < len(company.orders())
    data = company.changed(tmp_path / "past", **past)
    intake = company.taken_in(company.register_at(tmp_path / "out"), DAY, data)
    day = score_day(intake, champion_of(intake.request.out))
    full = scored[1].day
    assert day.digest == full.digest
    for name in ("scores", "reasons", "funnel"):
        pd.testing.assert_frame_equal(getattr(day, name), getattr(full, name), check_exact=True, obj=name)


def test_the_smallest_change_of_the_past_is_seen(company: Company, scored: Done, tmp_path: Path) -> None:
    # the comparison above can fail
    past = visible(company.orders(), DAY)
    past.loc[past["ordered_at"].idxmax(), "amount"] += 0.01
    data = company.changed(tmp_path / "past", transactions=past)
    intake = company.taken_in(company.register_at(tmp_path / "out"), DAY, data)
    day = score_day(intake, champion_of(intake.request.out))
    assert day.digest != scored[1].day.digest


@pytest.mark.parametrize(("as_of", "warns"), [("2026-06-30", True), ("2026-07-01", False)])
def test_a_date_before_the_training_is_scored_with_a_warning(
    company: Company, tmp_path: Path, as_of: str, warns: bool
) -> None:
    intake = company.taken_in(company.register_at(tmp_path / "out"), date.fromisoformat(as_of))
    if warns:
        with pytest.warns(ForesightWarning, match=f"known on {TRAINED}, which is after {as_of}"):
            score(intake)
    else:
        score(intake)  # a warning would be an error here
    assert runs_in(intake) == {"published": 1}


def rows_in(out: Path) -> dict[str, int]:
    """Published runs and the rows that readers see of them, and all rows that there are, whoever wrote them."""
    queries = {
        "runs": "SELECT count(*) FROM scoring_run WHERE state = 'published'",
        "scores": "SELECT count(*) FROM scores",
        "reasons": "SELECT count(*) FROM reasons",
        "all_runs": "SELECT count(*) FROM scoring_run",
        "all_scores": "SELECT count(*) FROM score",
        "all_reasons": "SELECT count(*) FROM reason",
    }
    with closing(sqlite3.connect(out / "kizashi.db", timeout=60)) as con:
        if not con.execute("SELECT 1 FROM sqlite_master WHERE name = 'reasons'").fetchall():
            return dict.fromkeys(queries, 0)
        return {name: con.execute(query).fetchone()[0] for name, query in queries.items()}


def test_a_killed_run_leaves_the_date_whole_or_unpublished(company: Company, scored: Done, tmp_path: Path) -> None:
    out = company.register_at(tmp_path / "out")
    arguments = ["score", "--data", str(company.data), "--as-of", str(DAY), "--out", str(out)]
    whole = {"runs": 1, "scores": scored[1].published.customers, "reasons": scored[1].published.reasons}
    random = np.random.default_rng(7)
    # what it has said last, and how many seconds later it dies
    deaths = [("", random.uniform(0.5, 6)), ("- features", random.uniform(0, 1)), ("- publishing", 0.1)]
    servers = []
    try:
        for stage, seconds in deaths:
            with started(arguments, tmp_path) as process:
                servers.append(process.pid)
                if stage:
                    next(line for line in process.stderr or () if line.startswith(stage))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
                process.kill()
            seen = rows_in(out)
            assert {name: seen[name] for name in whole} in (whole, dict.fromkeys(whole, 0))
        last = finished(started(arguments, tmp_path))
    finally:
        for server in servers:  # Prefect's have outlived the killed
            with suppress(ProcessLookupError):
                killpg(server, signal.SIGKILL)
    assert (last.code, last.err.count("kizashi:")) == (0, 0), last.err
    assert rows_in(out) == whole | {f"all_{name}": count for name, count in whole.items()}
