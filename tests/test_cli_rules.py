"""``kizashi rules`` and ``kizashi health`` as a stranger meets them: what is printed, written, logged and refused."""

import os
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import Finished

from features.errors import SettingsError
from features.simulate import simulate, write
from models.health import Weights
from models.health_weight_history import read_changes
from models.health_weights import Learned
from models.levels import DEFAULT_PROMISES
from pipelines import cli, health_learning
from pipelines.intake import Request, take_in
from pipelines.kept_record import kept
from pipelines.levelling import scheme_in_use

Run = Callable[..., Finished]

LACKING = ("partnerships", "quotes", "services", "contracts", "promotions")
AT = datetime(2026, 7, 1, tzinfo=UTC)
DATES = ("--from", "2025-06-01", "--to", "2025-10-01")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company") / "data"
    write(simulate(120, 26, seed=5, end=date(2026, 7, 1), without=LACKING), folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `main` in this process, in a folder of its own."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "_leave", sys.exit)
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["kizashi", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(end.value.code or 0), said.out, said.err)

    return called


def test_rb_13_hr_01_wl_09_the_report_is_printed_and_written(run, data):
    told = run("rules", "--data", str(data), *DATES, "--csv", "told/rules.csv", "--markdown", "rules.md")
    assert told.code == 0, told.err
    words = " ".join(told.out.split())
    for said in ("order_late", "health_blue", "RB-13", "HR-01", "WL-09", "No model stands beside", "Silent: "):
        assert said in words
    table = pd.read_csv("told/rules.csv").set_index("what")
    assert table.loc["order_late", "episodes"] > 0
    assert {"precision_low", "random_precision", "cycle_precision", "warned_60", "lead_days"} <= set(table)
    page = Path("rules.md").read_text(encoding="utf-8")
    assert "Made by `kizashi rules --data data --from 2025-06-01 --to 2025-10-01`." in page
    assert str(data) not in page


def test_rules_are_held_to_the_record_that_is_kept_and_a_day_before_it_is_not(run, data, tmp_path):
    told = run("rules", "--data", str(data), *DATES, "--keep", "--by", "kim", "--out", "out")
    assert told.code == 0, told.err
    assert "From now on health_yellow gives blue at most" in " ".join(told.out.split())
    record = kept(tmp_path / "out", date(2026, 7, 1))
    assert record is not None
    assert record.by == "kim"
    assert {"order_late", "health_blue", "health_three_falls"} <= set(record.rows["what"])
    assert not {"potential_churn", "any_rule"} & set(record.rows["what"])
    assert record.limits(DEFAULT_PROMISES) == {"health_yellow": "blue"}
    assert kept(tmp_path / "out", date(2026, 6, 30)) is None


def test_ml_08_with_a_backtest_the_model_s_levels_stand_beside(run, data):
    days = pd.date_range("2025-06-01", "2025-10-01", freq="MS").as_unit("s")
    said = pd.DataFrame({"customer_id": sorted(pd.read_parquet(data / "customers.parquet")["customer_id"])})
    said = said.merge(pd.DataFrame({"as_of": days}), how="cross").assign(contestant="champion", churned=np.nan)
    said["churn_probability"] = np.random.default_rng(1).random(len(said))
    said["level"] = np.where(said["churn_probability"] > 0.9, "red", "none")
    said.to_parquet("predictions.parquet")
    told = run("rules", "--data", str(data), "--predictions", "predictions.parquet", "--csv", "rules.csv")
    assert told.code == 0, told.err
    table = pd.read_csv("rules.csv").set_index("what")
    assert table.loc["model_red", "episodes"] == table.loc["model_blue", "episodes"] > 0
    assert "No model stands beside" not in told.out
    outside = run("rules", "--data", str(data), "--predictions", "predictions.parquet", "--from", "2025-10-01")
    assert outside.code == 2
    assert "expected two dates or more" in outside.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("rules", "--from", "2025-10-01", "--to", "2025-06-01"), "give the earlier date first"),
        (("rules", "--weekly", "--predictions", "p.parquet"), "exclude each other"),
        (("rules", "--predictions", "none.parquet"), "there is no such file. Write it with `kizashi backtest`"),
        (("health", "weights", "--use"), "--why with the reason"),
    ],
)
def test_a_mistake_is_one_line_and_a_way_out(run, data, arguments, expected):
    told = run(*arguments, "--data", str(data))
    assert told.code == 2
    assert expected in " ".join(told.err.split())


def test_hs_07_old_and_new_weights_are_shown_put_in_use_logged_and_taken_back(run, data):
    shown = run("health", "weights", "--data", str(data))
    assert shown.code == 0, shown.err
    words = " ".join(shown.out.split())
    assert all(said in words for said in ("set", "in use", "learned", "transaction", "matured snapshots"))
    assert read_changes(Path("var")) == ()
    used = run("health", "weights", "--data", str(data), "--use", "--by", "Kim", "--why", "a year of our own")
    assert used.code == 0, used.err
    assert "learned = true under [health]" in " ".join(used.out.split())
    (change,) = read_changes(Path("var"))
    assert (change.who, change.what, change.why) == ("Kim", "learned", "a year of our own")
    assert sum(change.new.values()) == pytest.approx(100)
    assert change.facts["n_lost"] >= 30
    assert "a year of our own" in run("health", "history").out
    assert run("health", "revert", "--by", "Kim", "--why", "too loud").code == 0
    assert read_changes(Path("var"))[-1].new == change.old
    nothing = run("health", "revert", "--why", "again")
    assert nothing.code == 2
    assert "expected an earlier set" in nothing.err
    assert "too loud" in run("health", "history").out


@pytest.mark.parametrize("learned", [True, False])
def test_hs_07_the_daily_run_uses_them_where_the_settings_say_so(data, tmp_path, learned):
    settings = tmp_path / "kizashi.toml"
    settings.write_text(f"[health]\nlearned = {str(learned).lower()}\n", encoding="utf-8")
    intake = take_in(Request(str(data), tmp_path / "out", config=settings))
    found = health_learning.learn(intake)
    health_learning.use(
        tmp_path / "out",
        intake.settings.health,
        found,
        who="Kim",
        why="losses",
        at=AT,
    )
    assert found.new != found.old
    assert scheme_in_use(intake).weights == (found.new if learned else Weights())


def test_weights_that_were_not_learned_are_not_put_in_use(data, tmp_path):
    section = take_in(Request(str(data), tmp_path / "out")).settings.health
    nothing = Learned(Weights(), Weights(), "too few losses", 10, 5, 1)
    with pytest.raises(SettingsError, match=r"nothing was learned \(too few losses\)"):
        health_learning.use(tmp_path, section, nothing, who="Kim", why="x", at=AT)
    assert read_changes(tmp_path) == ()


def test_without_data_the_weights_are_shown_as_they_stand(run):
    told = run("health", "weights")
    assert told.code == 0, told.err
    assert "The daily run uses those that are set" in " ".join(told.out.split())
    assert run("health", "weights", "--as-of", "2026-01-01").code == 2
    assert "No weights were ever changed" in run("health", "history").out
