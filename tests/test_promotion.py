"""Who becomes the champion, who does not, and what the history says of it."""

import json
import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import DAY, TRAINED, Company
from typer.testing import CliRunner

from features.errors import SettingsError
from models.golden import GOLDEN, golden_rows, text_of
from models.tracking import Tracking
from pipelines import cli
from pipelines.caller import user
from pipelines.data_gate import DataRefused
from pipelines.data_profile import profile
from pipelines.intake import Request, take_in
from pipelines.model_gate import Candidate, Limits, Verdict, on_record
from pipelines.promotion import PromotionRefused, admit_data, after_training, judge, keep_walk, promote, rollback
from pipelines.settings import tracking_folder

pytest_plugins = ["trained"]

WHEN = datetime(2026, 8, 1, 6, 0, tzinfo=UTC)
BY = {"who": "yuki", "when": WHEN}
DATES = [date(2026, 1, 1), date(2026, 2, 1)]


def walk(mistakes: int, rule: int = 4, dates: list[date] | None = None) -> pd.DataFrame:
    """Judged predictions of 300 customers at two dates, of whom every third is lost.

    Whoever is lost has higher odds, but for one in `mistakes` of either kind; of the rule's, one in `rule`.
    """
    rows = []
    for as_of in dates or DATES:
        for number in range(300):
            outcome = float(number % 3 == 0)
            for contestant, wrong in (("champion", mistakes), ("cycle", rule), ("lightgbm", 100)):
                side = (1 if outcome else -1) * (-1 if number // 3 % wrong == 0 else 1)
                margin = -0.7 + side * (0.5 + number % 7 / 7)
                rows.append((contestant, f"C{number}", pd.Timestamp(as_of), 1 / (1 + np.exp(-margin)), outcome))
    return pd.DataFrame(rows, columns=["contestant", "customer_id", "as_of", "probability", "outcome"])


@pytest.fixture(scope="session")
def kept(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with the company's champion, version 1, its profile, golden rows and walk."""
    out = company.register_at(tmp_path_factory.mktemp("kept") / "out")
    folder = Tracking(tracking_folder(out)).champion_folder()
    if not (folder / GOLDEN).is_file():
        from models.churn_model import ChurnModel

        table = pd.read_parquet(company.folder / "out" / "snapshots" / f"{TRAINED}.parquet")
        eligible = table[(table["as_of"] == pd.Timestamp(TRAINED)) & (table["cohort"] == "eligible")]
        rows = golden_rows(ChurnModel.load(folder), eligible, seed=1)
        (folder / GOLDEN).write_text(text_of(rows), encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    intake = company.taken_in(out, TRAINED)
    manifest["facts"]["profile"] = profile(intake.events, TRAINED)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    keep_walk(out, 1, walk(9))
    return out


@pytest.fixture
def out(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept / "mlflow", tmp_path / "out" / "mlflow")
    shutil.copytree(kept / "walks", tmp_path / "out" / "walks")
    return tmp_path / "out"


def register(out: Path) -> Tracking:
    return Tracking(tracking_folder(out))


def challenger(out: Path, judged: pd.DataFrame | None = None, **facts: object) -> int:
    """Register the champion's files again, with other predictions and facts; the version's number."""
    tracking = register(out)
    folder = Path(shutil.copytree(tracking.versions()[-1].folder, out / "made"))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["facts"] |= facts
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    version = tracking.log_training(
        name=str(DAY),
        params={},
        data_fingerprint="5f",
        folds=pd.DataFrame({"auc": [0.8]}),
        metrics=[],
        figures={},
        model=folder,
        alias="challenger",
    )
    shutil.rmtree(folder)
    if judged is not None:
        keep_walk(out, version.number, judged)
    return version.number


def champion(out: Path) -> int:
    [number] = [version.number for version in register(out).versions() if "champion" in version.aliases]
    return number


def newest(out: Path):
    return register(out).history()[-1]


def test_a_challenger_that_is_not_worse_takes_the_place_and_one_can_return(out: Path) -> None:
    number = challenger(out, walk(10))
    decided = promote(out, why="better in spring", **BY)
    assert decided.verdict.passed
    assert (champion(out), newest(out)) == (number, decided.change)
    line = newest(out)
    assert (line.at, line.who, line.what, line.why, line.before, line.after) == (
        WHEN,
        "yuki",
        "promoted",
        "better in spring",
        1,
        number,
    )
    assert any(
        "not worse than the champion (version 1) on 600 shared predictions of 2 cutoffs" in f for f in line.findings
    )
    assert Verdict.from_json(register(out).versions()[0].tags["gate"]) == decided.verdict

    back = rollback(out, why="too loud", **BY)
    assert (champion(out), back.before, back.after, newest(out)) == (1, number, 1, back)
    with pytest.raises(SettingsError, match="no champion before the present one"):
        rollback(out, why="further", **BY)


def test_a_worse_challenger_is_refused_with_the_figures_and_can_be_forced_on_record(out: Path) -> None:
    number = challenger(out, walk(3))
    with pytest.raises(PromotionRefused, match="version 2 did not pass the gate, and version 1 stays") as caught:
        promote(out, number, why="it is newer", **BY)
    assert "is worse in log loss" in str(caught.value)
    assert champion(out) == 1
    assert (newest(out).what, newest(out).version, newest(out).before) == ("refused", number, 1)
    assert "log loss +" in newest(out).findings[0]

    promote(out, number, why="the old one knows a closed branch", force=True, **BY)
    assert champion(out) == number
    assert (newest(out).what, newest(out).why) == ("forced", "the old one knows a closed branch")


def test_a_model_that_does_not_load_cannot_even_be_forced_or_returned_to(out: Path) -> None:
    number = challenger(out, walk(10))
    (register(out).versions()[0].folder / GOLDEN).unlink()
    with pytest.raises(PromotionRefused, match="--force does not help against that"):
        promote(out, number, why="please", force=True, **BY)
    assert champion(out) == 1
    good = challenger(out, walk(10))
    promote(out, good, why="loads", **BY)
    (register(out).versions()[-1].folder / GOLDEN).unlink()
    with pytest.raises(PromotionRefused, match="version 1 cannot be returned to"):
        rollback(out, why="back", **BY)
    assert champion(out) == good


def test_the_first_model_of_all_becomes_the_champion_if_its_own_checks_pass(out: Path) -> None:
    from mlflow import MlflowClient  # noqa: TID251 - puts the register back to where it had no champion

    address = f"sqlite:///{tracking_folder(out)}/mlflow.db"
    MlflowClient(address, address).delete_registered_model_alias("kizashi", "champion")
    worse_than_the_rule = challenger(out, walk(3, rule=10))
    assert after_training(out, worse_than_the_rule, **BY).change is None
    assert (newest(out).what, newest(out).after) == ("refused", None)
    after_training(out, 1, **BY)
    assert champion(out) == 1
    assert (newest(out).what, newest(out).why, newest(out).before) == ("promoted", "the first model", None)


def candidate(judged: pd.DataFrame | None, number: int = 1) -> Candidate:
    return Candidate(number, Path("nowhere"), "2026-07-01", walk=judged)


def asked(challenger: Candidate, incumbent: Candidate | None, limits: Limits | None = None) -> Verdict:
    return on_record(challenger, incumbent, limits or Limits())


def words(verdict: Verdict, name: str) -> tuple[bool, str]:
    [check] = [check for check in verdict.checks if check.name == name]
    return check.passed, check.words


def test_without_a_champion_the_rule_must_not_surely_be_better() -> None:
    assert asked(candidate(walk(10)), None).passed
    passed, said = words(asked(candidate(walk(3, rule=10)), None), "beats_rule")
    assert (passed, "does not beat the cycle rule on 600 predictions" in said) == (False, True)
    alike = words(asked(candidate(walk(10).assign(outcome=0.0)), None), "beats_rule")[1]
    assert "log loss" in alike, alike
    assert "AUC" not in alike, alike
    # before anything has matured there is nothing to refuse it for
    assert asked(candidate(walk(10).iloc[:0]), None).passed
    assert not asked(candidate(None), None).passed


def test_without_a_shared_cutoff_the_challenger_has_to_beat_the_rule() -> None:
    old = candidate(walk(9, dates=[date(2025, 1, 1)]))
    verdict = asked(candidate(walk(10), 2), old)
    assert verdict.passed
    assert "share no cutoff" in words(verdict, "not_worse")[1]
    assert words(verdict, "beats_rule")[0]
    assert not asked(candidate(walk(5, rule=10), 2), old).passed
    assert not asked(candidate(walk(10).iloc[:0], 2), old).passed
    assert asked(candidate(walk(10), 2), candidate(None)).passed  # a champion of before there was a gate


def test_outcomes_that_were_restated_count_for_each_as_it_had_them() -> None:
    old, new = walk(9), walk(9)
    restated = new["customer_id"].isin(["C0", "C3"]) & (new["as_of"] == pd.Timestamp(DATES[0]))
    new.loc[restated, "outcome"] = 0.0
    verdict = asked(candidate(new, 2), candidate(old))
    assert "2 of them with an outcome that was restated since" in words(verdict, "not_worse")[1]
    mine, theirs = (
        float(-np.log(np.where(one["outcome"] == 1, one["probability"], 1 - one["probability"])).mean())
        for one in (new[new["contestant"] == "champion"], old[old["contestant"] == "champion"])
    )
    assert verdict.figures["log_loss"] == pytest.approx(mine - theirs)
    assert verdict.figures["log_loss_low"] <= verdict.figures["log_loss"] <= verdict.figures["log_loss_high"]


def test_the_same_predictions_differ_by_nothing_on_every_resample() -> None:
    figures = asked(candidate(walk(9), 2), candidate(walk(9))).figures
    assert figures == dict.fromkeys(figures, 0.0)


def test_a_difference_within_the_tolerance_is_none() -> None:
    old, new = candidate(walk(10)), candidate(walk(5), 2)
    figures = asked(new, old).figures
    assert figures["log_loss_low"] > 0  # surely worse
    assert not asked(new, old, Limits(log_loss_tolerance=figures["log_loss"] - 1e-9, auc_tolerance=1)).passed
    assert asked(new, old, Limits(log_loss_tolerance=figures["log_loss"] + 1e-9, auc_tolerance=1)).passed


def test_the_gate_after_a_training_leaves_a_challenger_unless_it_is_asked_to_promote(out: Path) -> None:
    number = challenger(out, walk(10))
    assert after_training(out, number, **BY).verdict.passed
    assert champion(out) == 1
    assert after_training(out, number, promote_it=True, **BY).change is not None
    assert champion(out) == number
    worse = challenger(out, walk(3))
    assert after_training(out, worse, promote_it=True, **BY).change is None
    assert (champion(out), newest(out).what) == (number, "refused")


@pytest.mark.parametrize("why", ["", "  "])
def test_no_change_goes_without_a_reason(out: Path, why: str) -> None:
    for change in (promote, rollback):
        with pytest.raises(SettingsError, match="needs its reason"):
            change(out, why=why, **BY)


def test_what_cannot_be_promoted_is_told(out: Path) -> None:
    with pytest.raises(SettingsError, match="there is no challenger to promote"):
        promote(out, why="x", **BY)
    with pytest.raises(SettingsError, match="version 1 is the champion already"):
        promote(out, 1, why="x", **BY)
    with pytest.raises(SettingsError, match="there is no version 7 of the model; registered: 1"):
        promote(out, 7, why="x", **BY)


def poisoned(company: Company, how: str, folder: Path) -> Path:
    """The company's data in which July is not what it was."""
    data = Path(shutil.copytree(company.data, folder))
    orders = company.orders()
    july = (orders["ordered_at"] >= "2026-07-01") & (orders["ordered_at"] < "2026-08-01")
    if how == "a missing table":
        (data / "interactions.parquet").unlink()
    elif how == "units times 1,000":
        orders.loc[july, "amount"] *= 1000
    else:
        who = orders["customer_id"].to_numpy()
        orders.loc[july, "customer_id"] = np.random.default_rng(1).permutation(who)[: july.sum()]
    orders.to_parquet(data / "transactions.parquet", index=False)
    return data


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("shuffled orders", "2026-07: share of "),
        ("a missing table", "Table interactions is gone; it had "),
        ("units times 1,000", "2026-07: usual value of an order day "),
    ],
)
def test_ml_06_a_poisoned_month_is_refused_the_champion_stays_and_the_reason_is_on_record(
    company: Company, out: Path, tmp_path: Path, how: str, said: str
) -> None:
    data = poisoned(company, how, tmp_path / "data")
    intake = take_in(Request(str(data), out, DAY, company.data / "kizashi.toml"))
    found = profile(intake.events, DAY)
    with pytest.raises(DataRefused, match="It stays in use, and nothing was trained") as caught:
        admit_data(out, found, **BY)
    assert said in str(caught.value)
    assert champion(out) == 1
    line = newest(out)
    assert (line.what, line.who, line.before, line.after) == ("data refused", "yuki", 1, 1)
    assert any(finding.startswith(said) for finding in line.findings)


def test_a_model_of_such_data_passes_only_if_somebody_said_why_they_are_right(
    company: Company, out: Path, tmp_path: Path
) -> None:
    data = poisoned(company, "units times 1,000", tmp_path / "data")
    found = profile(take_in(Request(str(data), out, DAY, company.data / "kizashi.toml")).events, DAY)
    number = challenger(out, walk(10), profile=found, trained_as_of=str(DAY))
    with pytest.raises(PromotionRefused, match="The data are not those of the champion"):
        promote(out, number, why="newer", **BY)
    assert champion(out) == 1

    accepted = admit_data(out, found, accept="prices are in yen now", **BY)
    assert (newest(out).what, newest(out).why) == ("data accepted", "prices are in yen now")
    assert tuple(finding.words for finding in accepted) == newest(out).findings
    number = challenger(out, walk(10), profile=found, trained_as_of=str(DAY), data_accepted="prices are in yen now")
    assert promote(out, number, why="newer", **BY).verdict.passed


def test_clean_data_are_admitted_without_a_word(company: Company, out: Path) -> None:
    before = register(out).history()
    assert admit_data(out, profile(company.taken_in(out, DAY).events, DAY), **BY) == []
    assert register(out).history() == before


def test_the_commands_show_versions_verdicts_and_the_history(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.chdir(out.parent)
    challenger(out, walk(10))
    judge(out, challenger(out, walk(3)))
    run = CliRunner()

    def said(*arguments: str) -> str:
        answer = run.invoke(cli.app, [*arguments, "--out", str(out)])
        assert answer.exit_code == 0, answer.output
        return " ".join(answer.output.split())

    promoted = said("promote", "2", "--because", "better in spring", "--by", "Yuki")
    assert "passed: Load test" in promoted
    assert "Version 2 became the champion in place of version 1." in promoted
    rolled = said("rollback", "--because", "too loud")
    assert "Version 1 is the champion again, in place of version 2." in rolled
    shown = said("models")
    assert "passed against version 1" in shown
    assert "refused against version 1: worse" in shown
    assert f"UTC, {user()}: back to version 1 in place of version 2" in shown
    assert "Yuki: version 2 became the champion in place of version 1" in shown
    assert "because: better in spring" in shown
