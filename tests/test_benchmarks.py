"""The benchmarks: who is judged on what, that nobody's win is hidden, and that the README quotes the last run."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import resources, standing_field, standing_page, standing_table
from features.errors import SettingsError
from models.figures import InvalidPredictions

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MEASURE = standing_table.Measure(repeats=20, capacity=10)
CONTEXT = standing_page.Context(
    "orders of 40 invented customers", "at least 2 order days", "python benchmarks/standing_table.py", "kizashi 0"
)


def predictions(skill):
    """Forty customers at two cutoffs; contestant -> how strongly its probabilities follow the outcome."""
    rng = np.random.default_rng(5)
    who = pd.DataFrame({"customer_id": [f"C{i:02}" for i in range(40)]})
    rows = who.merge(pd.DataFrame({"as_of": pd.to_datetime(["2011-05-01", "2011-06-01"])}), how="cross")
    outcome = (rng.random(len(rows)) < 0.4).astype(float)
    rows = rows.assign(
        no_order_90=outcome,
        churned=outcome,
        days_since_last_order=rng.permutation(np.linspace(1, 360, len(rows))),
        days_since_first_order=rng.permutation(np.linspace(100, 600, len(rows))),
        order_days_ever=rng.permutation(np.tile([2.0, 3, 4, 9, 10, 11, 20, 30], len(rows) // 8)),
    )
    noise = rng.normal(size=len(rows))
    parts = []
    for name, strength in skill.items():
        chance = 1 / (1 + np.exp(-(strength * (outcome - 0.5) + noise)))
        parts.append(rows.assign(contestant=name, p_no_order_90=chance, churn_probability=chance))
    return pd.concat(parts, ignore_index=True)


def judged(rows):
    return rows.rename(columns={"p_no_order_90": "probability", "no_order_90": "outcome"})


SKILL = {"days_since_last_order": 0.3, "bgnbd": 0.6, "champion": 2.0}


def test_a_contestant_that_beats_the_champion_stands_above_it_and_is_named():
    result = standing_table.page(predictions({**SKILL, "bgnbd": 9.0}), CONTEXT, MEASURE)
    first = result.blocks[0]
    assert list(first.table["contestant"]) == ["bgnbd", "champion", "days_since_last_order"]
    auc, brier, elsewhere = first.verdict(standing_page.RANKING).split(". ")
    assert auc == "AUC: the champion is ahead of days since last order; behind BG/NBD"
    assert brier.endswith("behind BG/NBD")
    assert "AUC (BG/NBD); AP (BG/NBD)" in elsewhere
    assert first.verdict((*standing_page.RANKING, *standing_page.CALIBRATION)) in standing_page.summary(result)


def test_the_champion_s_lead_is_its_own_figure_minus_that_of_the_other():
    table = standing_table.page(predictions(SKILL), CONTEXT, MEASURE).blocks[0].table.set_index("contestant")
    for metric in ("roc_auc", "brier"):
        gap = table.loc["champion", metric] - table[metric]
        assert np.allclose(table[f"{metric}_lead"].drop("champion"), gap.drop("champion"))
        assert np.isnan(table.loc["champion", f"{metric}_lead"])


def test_set_b_keeps_who_ordered_within_180_days_and_leaves_the_predictions_as_they_are():
    rows = predictions(SKILL)
    edge = rows["customer_id"].map({"C00": 179.0, "C01": 180.0, "C02": 181.0})
    rows["days_since_last_order"] = edge.fillna(rows["days_since_last_order"])
    result = standing_table.page(rows, CONTEXT, MEASURE)
    letters = [block.letter for block in result.blocks]
    assert letters == ["A", "A", "B", "B"]
    recent = rows[(rows["contestant"] == "champion") & (rows["days_since_last_order"] <= 180)]
    assert {"C00", "C01"} <= set(recent["customer_id"])
    assert "C02" not in set(recent["customer_id"])
    assert result.blocks[2].table["n"].tolist() == [len(recent)] * 3
    assert "learnt from the cohort of set A" in standing_page.summary(result)


def test_the_own_window_is_judged_only_on_dates_that_have_wholly_matured():
    rows = predictions(SKILL)
    later = rows["as_of"] == "2011-06-01"
    some = standing_table.page(rows.assign(churned=rows["churned"].mask(later)), CONTEXT, MEASURE)
    assert [block.cutoffs for block in some.blocks if "own window" in block.outcome] == [(date(2011, 5, 1),)] * 2
    none = standing_table.page(rows.assign(churned=np.nan), CONTEXT, MEASURE)
    assert [block.outcome for block in none.blocks] == ["no order within 90 days"] * 2


def test_every_customer_is_in_one_group_by_tenure_and_in_one_by_order_days():
    rows = predictions(SKILL)
    table = standing_table.by_history(judged(rows), MEASURE)
    champion = table[table["contestant"] == "champion"].set_index("group")["n"]
    assert champion[["2 to 3 order days", "4 to 9 order days", "10 or more order days"]].tolist() == [20, 20, 40]
    assert champion.iloc[:2].sum() == champion.iloc[2:].sum() == 80


def test_a_ranking_is_not_called_calibrated_in_a_group_either(monkeypatch):
    monkeypatch.setattr(standing_table, "MIN_SEGMENT_ROWS", 20)
    rows = judged(predictions(SKILL)).assign(region="North")
    for table in (
        standing_table.by_history(rows, MEASURE, ranks_only=["champion"]),
        standing_table.by_segment(rows, MEASURE, ranks_only=["champion"]),
    ):
        assert table.loc[table["contestant"] == "champion", ["brier", "ece"]].isna().all(axis=None)
        assert table.loc[table["contestant"] == "bgnbd", ["brier", "ece"]].notna().all(axis=None)


def test_a_report_without_a_cutoff_of_both_outcomes_says_so():
    result = standing_table.page(predictions(SKILL).assign(no_order_90=0.0, churned=0.0), CONTEXT, MEASURE)
    assert "No cutoff has both outcomes." in standing_page.detail(result)


def test_a_report_points_to_the_details_that_lie_beside_it():
    elsewhere = standing_table._shown_folder(RESULTS / "world-null"), standing_table._shown_folder(Path("/var/judged"))
    assert elsewhere == ("benchmarks/results/world-null", "judged")
    page = standing_table.page(predictions(SKILL), replace(CONTEXT, folder="judged"), MEASURE)
    assert "`judged/standing_detail.md`" in standing_page.summary(page)
    assert standing_table._shown_folder(standing_table.RESULTS) == CONTEXT.folder


@pytest.mark.parametrize(("tenure", "group"), [(364, "under a year"), (365, "a year or more"), (366, "a year or more")])
def test_a_customer_of_365_days_is_one_of_a_year(tenure, group):
    rows = judged(predictions(SKILL)).assign(days_since_first_order=tenure)
    table = standing_table.by_history(rows, MEASURE)
    assert table["group"].iloc[0] == f"customer for {group}"


def test_rhythm_classes_and_segments_are_shown_where_they_have_rows_enough(monkeypatch):
    monkeypatch.setattr(standing_table, "MIN_SEGMENT_ROWS", 20)
    rows = judged(predictions(SKILL))
    cv = np.resize([0.49, 0.5, 1.0, 1.01, np.nan, np.nan], len(rows) // 3)
    rows["gap_cv_ever"] = np.tile(cv, 3)
    rows["region"] = np.where(rows["customer_id"] < "C30", "North", "South")
    table = standing_table.by_segment(rows, MEASURE)
    counts = table[table["contestant"] == "champion"].set_index("group")["n"].to_dict()
    assert counts == {"irregular rhythm": 27, "rhythm unknown": 26, "region: North": 60, "region: South": 20}
    assert standing_table.by_segment(rows.drop(columns=["gap_cv_ever", "region"]), MEASURE).empty


def test_predictions_of_other_data_are_refused():
    rows = predictions(SKILL)
    facts = rows.loc[rows["contestant"] == "champion", ["customer_id", "as_of", *standing_field.FACTS]]
    bare = rows.drop(columns=[*standing_field.FACTS])
    assert len(standing_field.with_facts(bare, facts)) == len(rows)
    with pytest.raises(InvalidPredictions, match=r"3 predictions are of customers .* such as 'C00'"):
        standing_field.with_facts(bare, facts.iloc[1:])


def test_the_page_says_on_what_every_figure_stands_and_comes_out_the_same_again():
    rows = predictions(SKILL)
    result = standing_table.page(rows, CONTEXT, MEASURE)
    text = standing_page.summary(result)
    for said in (CONTEXT.command, CONTEXT.data, CONTEXT.versions, "80 predictions of 40 customers", "base rate 0."):
        assert said in text
    for block in result.blocks:
        assert f"**{block.title}.** {block.scope()}" in text
    again = standing_table.page(rows.sample(frac=1, random_state=3), CONTEXT, MEASURE)
    assert standing_page.detail(again) == standing_page.detail(result)


def test_the_readme_s_block_is_replaced_and_nothing_else(tmp_path):
    start, end = standing_table.MARKERS
    readme, table = tmp_path / "README.md", tmp_path / "standing_table.md"
    readme.write_text(f"# Before\n{start}\nold\n{end}\nafter\n", encoding="utf-8")
    table.write_text("new\n\nlines\n", encoding="utf-8")
    assert standing_table.update_readme(readme, table)
    assert readme.read_text(encoding="utf-8") == f"# Before\n{start}\nnew\n\nlines\n{end}\nafter\n"
    assert not standing_table.update_readme(readme, table)
    readme.write_text(f"{end}\n{start}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"README\.md: expected"):
        standing_table.update_readme(readme, table)


def test_the_readme_quotes_the_last_run_unchanged():
    start, end = standing_table.MARKERS
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert start in text, f"README.md needs {start} ... {end}"
    quoted = text.split(start)[1].split(end)[0].strip()
    table = (RESULTS / "standing_table.md").read_text(encoding="utf-8").strip()
    assert quoted == table, "run: python benchmarks/standing_table.py --update-readme"


def test_the_last_run_is_complete_and_names_no_place_of_a_machine():
    found = {path.name for path in RESULTS.iterdir()}
    assert {"standing_table.md", "standing_detail.md", "resources.md", "reliability.png", "lift.png"} <= found
    index = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(found) if f"`{name}`" not in index] == []
    for path in RESULTS.glob("*.md"):
        assert re.findall(r"(?<![\w.])/(?:home|tmp|work|root|mnt|Users)\b", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("script", ["standing_table.py", "resources.py"])
def test_a_benchmark_says_how_it_is_run(script):
    call = [sys.executable, f"benchmarks/{script}", "--help"]
    answer = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"Example: python benchmarks/{script} --data" in " ".join(answer.stdout.split())


def test_without_data_a_benchmark_ends_with_2_and_one_line(capsys):
    assert standing_table.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


SPENT = """
import sys
from pathlib import Path
from benchmarks import resources
log = Path(sys.argv[1])
small = resources.spent([sys.executable, "-c", "pass"], log)
large = resources.spent([sys.executable, "-c", f"bytes({10**9})[::4096]; b'x' * {10**9}"], log)
print(small.peak_mb, large.peak_mb, large.cpu_seconds)
"""


def test_a_step_s_memory_is_that_of_its_own_process(tmp_path):
    # From a small process: what forks bears the size of its parent until it becomes another program.
    call = [sys.executable, "-c", SPENT, str(tmp_path / "log")]
    answer = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    small, large, cpu_seconds = map(float, answer.stdout.split())
    assert large > max(1000, small)
    assert cpu_seconds > 0


def test_a_step_that_fails_says_with_which_words(tmp_path):
    with pytest.raises(resources.StepFailedError, match=r"ended with 3: no such layout"):
        resources.spent([sys.executable, "-c", "import sys; print('no such layout'); sys.exit(3)"], tmp_path / "log")


def test_the_table_of_resources_has_a_line_per_step():
    text = resources.page([("check", resources.Usage(2.04, 1.5, 1234.4)), ("train", resources.Usage(9, 8, 7))], ["x"])
    assert text.splitlines()[2:4] == ["| check | 2.0 | 1.5 | 1,234 |", "| train | 9.0 | 8.0 | 7 |"]
