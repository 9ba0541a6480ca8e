"""The faithfulness bench: what each measure means, by hand; and one small company from its orders to the page."""

import itertools
from argparse import Namespace
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import faithfulness, faithfulness_made, faithfulness_speed
from benchmarks import faithfulness_drivers as drivers
from benchmarks import faithfulness_exact as exact
from benchmarks import faithfulness_stable as stable
from benchmarks.faithfulness_figures import Figure, Section, mean_of, table_of
from benchmarks.faithfulness_made import Company
from benchmarks.faithfulness_told import CONCEPTS, jaccard, ranked, told, warned
from features.registry import REGISTRY
from features.simulate.signals import DRIVERS, SIGNALS
from models import reasons as why
from models.classifiers import LIGHTGBM, BoostingOptions
from models.folds import WalkOptions
from models.selection import LABEL_FREE, LOGISTIC
from serving.words.names import CONCEPTS as NAMES

ROOT = Path(__file__).parents[1]


def test_every_signal_of_the_simulated_world_is_shown_by_a_feature():
    assert set(drivers.SHOWN_BY) == set(SIGNALS)
    assert set(drivers.SHOWN_BY.values()) <= set(REGISTRY)


def test_a_driver_owns_the_concepts_of_the_signals_that_it_moves_most():
    wide, narrow = drivers.concepts_of_drivers(), drivers.concepts_of_drivers(largest=False)
    assert set(wide) == {driver.name for driver in DRIVERS}
    assert all(narrow[name] <= wide[name] for name in wide)
    # Orders thin out 1.5 times as much for a lost relationship, complaints 2.6 times as much for bad service.
    assert [name for name, concepts in wide.items() if "order_rhythm" in concepts] == ["relationship"]
    assert "problems" in narrow["service"]
    # Maintenance answers most to a competitor, though 1.3 times only.
    assert "service_use" in wide["competitor"]
    assert "service_use" not in narrow["competitor"]


def test_a_hit_is_among_the_first_two_and_chance_is_exact():
    own = {"price": frozenset(CONCEPTS[:4]), "service": frozenset()}
    first, second, other = CONCEPTS[0], CONCEPTS[5], CONCEPTS[6]
    picked = [(first,), (second, first), (second, other, first), ()]
    assert drivers.hits(picked, ["price"] * 4, own).tolist() == [1.0, 1.0, 0.0, 0.0]
    pairs = list(itertools.combinations(CONCEPTS, 2))
    share = np.mean([bool(own["price"] & set(pair)) for pair in pairs])
    assert drivers.by_chance(["price"], own) == pytest.approx(share)
    assert drivers.by_chance(["price", "service"], own) == pytest.approx(share / 2)
    assert drivers.by_chance(["price"], own, [1]) == pytest.approx(4 / len(CONCEPTS))
    assert drivers.by_chance(["price"], own, [0]) == 0.0


def test_the_concepts_of_a_rule_are_those_of_the_features_that_it_reads():
    of = drivers.concepts_of_rules()
    assert of["order_late"] == ("order_rhythm",)
    assert set(itertools.chain(*of.values())) <= set(CONCEPTS)


def test_concepts_in_common_over_concepts_in_either():
    some = [("a", "b"), ("a", "b"), ("a",), (), ("a", "b", "c")]
    others = [("b", "a"), ("c", "d"), (), (), ("a", "d", "c")]
    assert jaccard(some, others).tolist() == [1.0, 0.0, 0.0, 1.0, 0.5]
    assert jaccard(some, others, 1).tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_the_largest_comes_first_and_of_equals_the_first():
    assert ranked(pd.DataFrame({"a": [1.0, 0.0], "b": [-2.0, 0.0], "c": [3.0, 0.5]})) == [
        ("c", "a", "b"),
        ("c", "a", "b"),
    ]


def test_a_customer_is_drawn_with_all_its_values_and_what_is_unknown_is_left_out():
    alike = mean_of("", [1.0, 1.0, np.nan], ["A", "B", "C"])
    assert (alike.value, alike.low, alike.high, alike.n) == (1.0, 1.0, 1.0, 2)
    # A hundred rows of one customer say as much as one.
    many = mean_of("", [0.0] * 100 + [1.0], ["A"] * 100 + ["B"])
    assert (many.low, many.high) == (0.0, 1.0)
    nothing = mean_of("", [], [], least=0.5)
    assert np.isnan(nothing.value)
    assert nothing.goal == ">= 0.5: **missed**"


def test_a_goal_is_met_or_printed_as_missed():
    assert Figure("", 0.6, least=0.6).goal == ">= 0.6: met"
    assert Figure("", 0.59, least=0.6).goal == ">= 0.6: **missed**"
    assert Figure("", 0.02, most=0.02).goal == "<= 0.02: met"
    assert Figure("", 0.03, most=0.02).goal == "<= 0.02: **missed**"
    assert Figure("", 0.03).goal == ""
    text = table_of(Section("", "", [Figure("of something", 0.25, 0.2, 0.3, 1200, (("beside", 3e-15),), 0.5)]))
    assert text.endswith("| of something | 0.250 | 0.200 to 0.300 | 1,200 | beside 3.0e-15 | >= 0.5: **missed** |")


def test_as_usual_is_the_own_usual_or_else_the_peers():
    rows = pd.DataFrame(
        {
            "days_since_first_order": [400.0, 400.0, 10.0],
            "days_since_last_order": [60.0, 5.0, 9.0],
            "gap_median_days_ever": [20.0, np.nan, 30.0],
            "days_since_last_order_vs_mean_gap": [3.0, 0.5, 1.0],
            "days_since_last_order_z": [4.0, np.nan, 1.0],
            "revenue_90d": [10.0, 20.0, 30.0],
            "revenue_90d_usual": [100.0, np.nan, 40.0],
            "revenue_90d_vs_usual": [0.1, np.nan, 0.75],
            "last_rating": [2.0, 3.0, np.nan],
            "last_rating_usual": [4.0, np.nan, 4.0],
            "last_rating_vs_usual": [-2.0, np.nan, np.nan],
            "products_90d": [1.0, 2.0, 3.0],
        }
    )
    medians = pd.Series({"gap_median_days_ever": 25.0, "revenue_90d": 50.0, "products_90d": 7.0, "last_rating": 5.0})
    found = exact.usual_rows(rows, medians)
    # The third customer has been there for ten days, and cannot have been silent for longer.
    assert found["days_since_last_order"].tolist() == [20.0, 25.0, 10.0]
    assert found["days_since_last_order_vs_mean_gap"].tolist() == pytest.approx([1.0, 2.5, 10 / 9])
    np.testing.assert_array_equal(found["days_since_last_order_z"], [0.0, np.nan, 0.0])
    assert found["revenue_90d"].tolist() == [100.0, 50.0, 40.0]
    np.testing.assert_array_equal(found["revenue_90d_vs_usual"], [1.0, np.nan, 1.0])
    np.testing.assert_array_equal(found["last_rating"], [4.0, 5.0, np.nan])
    np.testing.assert_array_equal(found["last_rating_vs_usual"], [0.0, np.nan, np.nan])
    assert found["products_90d"].tolist() == [7.0, 7.0, 7.0]
    for past in ("gap_median_days_ever", "revenue_90d_usual", "last_rating_usual"):
        pd.testing.assert_series_equal(found[past], rows[past])


def test_shuffled_columns_stay_together_within_their_date_and_nothing_else_moves():
    n = 40
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{i}" for i in range(2 * n)],
            "as_of": pd.to_datetime(["2025-01-01"] * n + ["2025-02-01"] * n),
            "cohort": "eligible",
            "a": np.arange(2.0 * n),
            "b": np.arange(2.0 * n) + 0.5,
            "kept": np.arange(2.0 * n),
        }
    )
    found = stable.shuffled(frame, ["a", "b"], np.random.default_rng(0))
    pd.testing.assert_frame_equal(found[["customer_id", "as_of", "kept"]], frame[["customer_id", "as_of", "kept"]])
    assert (found["b"] - found["a"] == 0.5).all()
    assert (found["a"] != frame["a"]).mean() > 0.8
    for _, day in found.groupby("as_of"):
        assert sorted(day["a"]) == frame.loc[day.index, "a"].tolist()


def test_rank_correlation_takes_what_is_known_and_knows_nothing_of_a_constant():
    assert exact.rank_correlation([1, 2, 3, np.nan], [2, 4, 80, 0]) == pytest.approx(1.0)
    assert exact.rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert np.isnan(exact.rank_correlation([1, 2, 3], [1, 1, 1]))


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Company:
    """Some 150 customers over 22 months, the champion trained after two warm-ups; few rounds."""
    work = tmp_path_factory.mktemp("faithfulness")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faithfulness_made, "MONTHS", 20)
        patch.setattr(faithfulness_made, "WARM_UP", (5, 3))
        patch.setattr(faithfulness_made, "RETRAINED", (1,))
        patch.setattr(faithfulness_made, "ASKED", 3)
        data = faithfulness_made.simulated(150, 7, work / "company")
        options = WalkOptions(boosting=BoostingOptions(rounds=10, learning_rate=0.2, bags=2), threads=1)
        return faithfulness_made.company(str(data), "", None, work / "out", options)


@pytest.fixture(scope="module")
def logistic(company):
    """The champion as if the regression had been chosen, and what it tells of the cohort."""
    model = exact.of_kind(company.model, LOGISTIC)
    rows = company.cohort(company.first)
    return model, told(model, rows, why.spread_of(rows), 5)


def test_the_champion_in_use_is_the_newest_and_learnt_from_nothing_later(company):
    first, second = company.champions
    assert company.first == first
    assert company.asked[:2] == [first, second]
    assert company.at(first + pd.Timedelta(days=20)) is company.champions[first]
    assert company.at(second + pd.Timedelta(days=20)) is company.champions[second]
    training = company.champions[first].training
    assert training.rows["as_of"].max() < first
    assert company.champions[second].training is None


def test_every_kind_of_champion_adds_up(company):
    section = exact.additivity(company)
    assert len(section.figures) == len(exact.KINDS)
    assert all(figure.goal == "<= 1e-09: met" for figure in section.figures)


def flags_of(rows: pd.DataFrame, *concepts: str) -> np.ndarray:
    numbers = [CONCEPTS.index(concept) for concept in concepts]
    return exact.taken_of(np.tile(np.array(numbers, dtype=np.intp), (len(rows), 1)))


def test_what_is_scored_again_unchanged_is_the_score_and_the_rhythm_moves_with_its_own_concept_alone(company, logistic):
    model, held = logistic
    rows = held.rows
    usual = exact.usual_rows(rows, why.spread_of(rows)["median"])
    score = model.probabilities(rows)["margin"].to_numpy()
    assert exact.rescored(model, rows, usual, flags_of(rows)) == pytest.approx(score)
    alone = exact.of_kind(company.model, LABEL_FREE)
    score = alone.probabilities(rows)["margin"].to_numpy()
    # The label-free model reads order days and the first order, which are background.
    assert exact.rescored(alone, rows, usual, flags_of(rows, "background", "payment")) == pytest.approx(score)
    moved = exact.rescored(alone, rows, usual, flags_of(rows, "order_rhythm"))
    late = (rows["days_since_last_order"] > 2 * rows["gap_median_days_ever"]).to_numpy()
    assert late.any()
    assert (moved[late] < score[late]).all()


def test_the_top_concept_lowers_the_score_more_than_others(logistic):
    model, held = logistic
    section = exact.deletion(model, held, why.spread_of(held.rows)["median"])
    assert section.figures[1].value > 0
    assert section.figures[2].value > 0.5


def test_told_facts_have_a_side_and_the_table_says_of_how_many_customers(logistic):
    _, held = logistic
    told_on, rising = exact.signs(held, held, why.spread_of(held.rows)["median"]).figures
    reasons = held.reasons[held.reasons["role"] == why.REASON]
    assert 0 < told_on.n <= reasons["customer_id"].nunique()
    assert told_on.value > 0.5
    assert 0 < rising.value <= 1


def test_halves_share_no_customer_and_the_bags_no_booster(company):
    training = company.champions[company.first].training
    one, other = stable.halves_of(training)
    assert not set(one.rows["customer_id"]) & set(other.rows["customer_id"])
    assert len(one.rows) + len(other.rows) == len(training.rows)
    with pytest.raises(ValueError, match="kept what it learnt from"):
        stable.halves_of(None)
    whole = exact.of_kind(company.model, LIGHTGBM).boosting.bags
    halves = [stable.half_of_bags(company.model, half).boosting.bags for half in (0, 1)]
    for all_of, some, others in zip(whole, *halves, strict=True):
        assert sorted(map(id, [*some, *others])) == sorted(map(id, all_of))


def test_stability_and_placebo_speak_of_every_pair_and_every_dimension(company, logistic):
    _, held = logistic
    section = stable.stability(company, held)
    assert [figure.words for figure in section.figures][-2:] == [
        "1 day later, without news",
        "7 days later, without news",
    ]
    assert section.figures[-1].n <= section.figures[-2].n < len(held.rows)
    assert all(0 <= figure.value <= 1 for figure in section.figures)
    words = [figure.words for figure in stable.placebo(company).figures]
    assert [text.split(":")[0] for text in words] == [name for name in stable.SHUFFLED for _ in range(2)]


def test_an_early_warning_comes_before_the_decision_and_the_loss(company):
    found = drivers.early_warnings(company)
    assert len(found)
    assert set(found["stage"]) <= set(drivers.EARLY_STAGES)
    assert found["driver"].isin([driver.name for driver in DRIVERS]).all()
    assert (found["loud"] | found["early"]).all()
    assert not (found["lost_at"] <= found["as_of"]).any()
    stages = company.stages
    for row in found.head(20).itertuples():
        own = stages[(stages["customer_id"] == row.customer_id) & (stages["starts_at"] <= row.as_of)]
        assert own.iloc[-1]["stage"] == row.stage


def test_the_first_warning_of_a_loss_counts_once(company, monkeypatch):
    day = company.first
    rows = pd.DataFrame(
        {
            "customer_id": ["A", "A", "B", "C"],
            "as_of": [day, day + pd.Timedelta(days=31), day, day],
            "driver": ["price", "price", "service", "demand"],
            "lost_at": [day + pd.Timedelta(days=60)] * 2 + [day + pd.Timedelta(days=40), pd.NaT],
            "told": [("prices",), ("order_rhythm",), ("order_rhythm", "spending", "problems"), ("payment",)],
            "largest": [CONCEPTS] * 4,
            "ahead": [()] * 4,
            "rules": [()] * 4,
        }
    )
    monkeypatch.setattr(drivers, "early_warnings", lambda _: rows)
    section, ceiling = drivers.driver_sections(company)
    as_told = section.figures[0]
    assert (as_told.value, as_told.n, as_told.goal) == (0.5, 2, ">= 0.6: **missed**")
    assert ceiling.figures[0].value == 0.5  # A has one reason
    assert ceiling.figures[-1].value == 1.0  # B's third is the one
    assert "Hit as told by driver: price 1.00 of 1; service 0.00 of 1." in ceiling.remarks


def test_the_loud_and_the_first_of_the_others_are_warned_about(company):
    cohort = company.cohort(company.first)
    about = warned(company.model, cohort)
    scored = company.model.score(cohort)
    assert (about["loud"] == scored["level"].isin(["yellow", "orange", "red"])).all()
    assert not about.loc[cohort["days_since_last_order"] > cohort["churn_window_days"], "early"].any()


def test_one_part_of_the_customers_is_explained_in_a_process_of_its_own(logistic, tmp_path):
    model, held = logistic
    model.save(tmp_path / faithfulness_speed.MODEL)
    held.rows.to_parquet(tmp_path / faithfulness_speed.ROWS)
    why.spread_of(held.rows).to_parquet(tmp_path / faithfulness_speed.SPREAD)
    took = faithfulness_speed.explain(tmp_path, 1, 40)
    assert took["seconds"] > 0
    assert took["cpu_seconds"] > 0
    assert not took["peak_mb"] < 50  # NaN where the system does not tell


def test_a_date_without_a_past_is_refused_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(faithfulness_made, "MONTHS", 6)
    given = ["--customers", "30", "--seed", "3", "--as-of", "2026-07-01", "--out", str(tmp_path / "out")]
    assert faithfulness.main(given) == 2
    assert "Give another date, or more history." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_page_names_its_command_and_the_document_takes_what_has_a_goal_or_a_baseline():
    asked = Namespace(data="", layout="", customers=1500, seed=302, as_of=None)
    assert faithfulness.command_of(asked) == "python benchmarks/faithfulness.py --customers 1500 --seed 302"
    other = replace_of(asked, data="x/online.parquet", layout="online-retail-ii", as_of=date(2011, 9, 1))
    assert faithfulness.command_of(other).endswith("--data online.parquet --layout online-retail-ii --as-of 2011-09-01")
    sections = [Section("Adding up", "How.", [Figure("gap", 0.0, most=1e-9), Figure("no goal", 0.5)], ["Remark."])]
    text = faithfulness.page(sections, faithfulness.head(asked, ["a fact"], 1.0))
    assert "- a fact" in text
    assert "## Adding up" in text
    assert text.endswith("Remark.\n")
    short = faithfulness.summary(sections)
    assert "| Adding up | gap |" in short
    assert "no goal" not in short
    taken = faithfulness.update_doc("before\n<!-- faithfulness -->\nold\n<!-- /faithfulness -->\nafter\n", short)
    assert taken == f"before\n<!-- faithfulness -->\n{short}\n<!-- /faithfulness -->\nafter\n"
    with pytest.raises(ValueError, match="markers"):
        faithfulness.update_doc("nothing", short)


def replace_of(asked: Namespace, **other: object) -> Namespace:
    return Namespace(**{**vars(asked), **other})


def test_the_document_has_the_figures_of_the_last_run_and_every_concept():
    doc = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    page = (ROOT / "benchmarks" / "results" / "faithfulness" / "simulated.md").read_text(encoding="utf-8")
    table = doc.partition("<!-- faithfulness -->")[2].partition("<!-- /faithfulness -->")[0]
    assert table.split("\n")[1] in page  # the command
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    for row in rows:
        assert row.removeprefix("| ").partition(" | ")[2] in page
    for code in CONCEPTS:
        dimension = next(one.dimension for one in REGISTRY.values() if one.concept == code)
        assert f"| {NAMES[code]} | `{code}` | {dimension} |" in doc


def test_what_is_relearnt_keeps_weights_and_calibration(company):
    champion = company.champions[company.first]
    training = replace(champion.training, columns=("days_since_last_order", "order_days_90d"))
    learnt = faithfulness_made.relearnt(champion, training, company.options)
    assert learnt.model.logistic.columns == training.columns
    assert learnt.model.selection == champion.model.selection
    assert learnt.model.calibrations == champion.model.calibrations
