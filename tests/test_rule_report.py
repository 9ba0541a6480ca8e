"""The report of rules on the company's own past, against a company done by hand and one that goes the whole way."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import SettingsError, TooLittleData
from features.simulate import simulate, write
from features.windows import FalseChurn, WindowChoice
from models.level_trust import THREE_FALLS
from models.warning_rule_list import WARNING_RULES
from pipelines.console_rules import markdown
from pipelines.intake import Intake, Request, take_in
from pipelines.rule_replay import Replay, replay, replay_dates
from pipelines.rule_report import RuleReport, judged

DATES = tuple(date(2025, month, 1) for month in range(1, 10))
#: customer -> (dates on which the own window stayed empty afterwards, day of the loss)
BY_HAND: Mapping[str, tuple[tuple[int, ...], str | None]] = {
    "A": ((5, 6, 7, 8, 9), "2025-07-10"),
    "B": ((7, 8, 9), "2025-08-20"),
    "C": ((), None),
    "D": ((), None),
}
RULES = tuple(rule for rule in WARNING_RULES if rule.code in ("order_late", "role_imbalance", "milestone_late"))
CHOICE = WindowChoice(1.5, None, 0.25, (FalseChurn(1.5, None, None, None, 0, 0),))


def rows() -> pd.DataFrame:
    found = pd.DataFrame(
        [
            (who, pd.Timestamp(day), float(day.month in empty), pd.Timestamp(lost) if lost else pd.NaT, "cooling", 0.5)
            for who, (empty, lost) in BY_HAND.items()
            for day in DATES
        ],
        columns=["customer_id", "as_of", "churned", "lost_at", "stage", "cycles"],
    )
    return found.assign(lost_at=found["lost_at"].where(found["lost_at"] >= found["as_of"]))


def fired(rule: str, **months: list[int]) -> pd.DataFrame:
    told = [(who, pd.Timestamp(2025, month, 1), rule) for who, held in months.items() for month in held]
    return pd.DataFrame(told, columns=["customer_id", "as_of", "rule"])


def past(*signals: pd.DataFrame, **changed: object) -> Replay:
    losses = [(who, pd.Timestamp(lost)) for who, (_, lost) in BY_HAND.items() if lost]
    told = {
        "dates": DATES, "rules": RULES, "rows": rows(), "fired": pd.concat(signals, ignore_index=True),
        "losses": pd.DataFrame(losses, columns=["customer_id", "lost_on"]),
        "silent": {"milestone_late": ("longest_overdue_milestone_days",)}, "choice": CHOICE,
    }  # fmt: skip
    return Replay(**(told | changed))


def report(*signals: pd.DataFrame, given: pd.DataFrame | None = None, **changed: object) -> RuleReport:
    return judged(past(*signals, **changed), given, np.random.default_rng(0))


@pytest.fixture(scope="module")
def found() -> RuleReport:
    return report(
        fired("order_late", A=[4, 5, 6], C=[3], D=[1, 2]),
        fired("role_imbalance", A=[5], B=[3]),
        fired("health_blue", A=[2], B=[7]),
        fired(THREE_FALLS, B=[7]),
    )


def test_rb_13_a_rule_is_told_with_its_precision_and_how_many_days_before_the_loss_it_spoke(found):
    late = found.table.set_index("what").loc["order_late"]
    # A from April on, C in March; D stood at the first date already
    assert (late["row"], late["episodes"], late["right"], late["precision"]) == ("RB-01", 2, 0, 0.0)
    # 1 April to 10 July, of the losses of A and B
    assert (late["lead_days"], late["lead_60_share"], late["warned"]) == (100, 1.0, 0.5)
    assert (late["losses_60"], late["warned_60"]) == (2, 0.5)
    imbalance = found.table.set_index("what").loc["role_imbalance"]
    assert (imbalance["episodes"], imbalance["right"]) == (2, 1)
    # A on 1 May (70 days), B on 1 March (172 days)
    assert (imbalance["lead_days"], imbalance["warned"]) == ((70 + 172) / 2, 1.0)


def test_rb_13_the_distribution_of_lead_times_has_a_median_and_a_share_of_60_days_and_more_beside_the_lot(found):
    # rules with a level and health: A first on 1 February (159 days), B on 1 March (172)
    assert (found.leads.losses, found.leads.warned) == (2, 2)
    assert found.leads.median_days == (159 + 172) / 2
    assert (found.leads.long.hits, found.leads.long.n) == (2, 2)
    assert 0 <= found.chance.warned <= 1
    text = " ".join(markdown(found, "a company", "kizashi rules").split())
    assert "2 of 2 losses were warned about before they fell" in text
    assert "the median 166 days ahead" in text


@pytest.mark.parametrize(("day", "in_time"), [("2025-06-29", 1), ("2025-06-30", 2), ("2025-09-27", 2)])
def test_hr_01_a_first_warning_90_days_before_the_loss_counts_and_one_of_89_does_not(day, in_time):
    # the other loss lies 91 days after its warning on 1 April
    losses = pd.DataFrame([("A", pd.Timestamp(day)), ("B", pd.Timestamp("2025-07-01"))], columns=["customer_id", "at"])
    told = report(
        fired("role_imbalance", A=[4], B=[4]), losses=losses.rename(columns={"at": "lost_on"}), dates=DATES
    ).ahead
    assert (told.in_time.hits, told.in_time.n) == (in_time, 2)


def test_wl_09_each_loss_has_the_stage_of_its_first_warning_or_none(found):
    told = {name: share.hits for name, share in found.stages.items()}
    assert told == {"cooling": 2, "comparison": 0, "decision": 0, "other": 0, "never": 0}
    never = report(fired("role_imbalance", A=[5])).stages
    assert (never["cooling"].hits, never["never"].hits, never["never"].n) == (1, 1, 2)


def test_ml_08_levels_of_the_health_and_several_rules_together_stand_beside_each_rule(found):
    table = found.table.set_index("what")
    assert list(table.index[-3:]) == ["rules_with_a_level", "rules_or_health", "any_rule"]
    # order_late has no level
    assert table.loc[["role_imbalance", "rules_with_a_level", "rules_or_health"], "episodes"].tolist() == [2, 2, 4]
    assert table.loc["health_blue", ["kind", "episodes", "right"]].tolist() == ["health", 2, 1]
    assert table.loc["potential_churn", "episodes"] == 0, "what nobody handed in did not fire"


def test_ml_08_the_model_the_cycle_and_chance_are_held_at_as_many_warnings():
    given = rows()[["customer_id", "as_of"]].assign(probability=0.1, level="none")
    seen = (given["customer_id"] == "A") & (given["as_of"] >= "2025-05-01")
    given.loc[seen, ["probability", "level"]] = [0.9, "red"]
    told = report(fired("order_late", C=[3]), given=given).table.set_index("what")
    late = told.loc["order_late"]
    # one warning each: the rule on C, who stays; the model on A in May, who is lost 70 days later
    assert (late["precision"], late["model_precision"], late["model_warned_60"]) == (0, 1, 0.5)
    assert told.loc[["model_blue", "model_red"], "episodes"].tolist() == [1, 1]
    assert 0 < late["random_precision"] < 1
    assert {"cycle_precision", "cycle_warned_60"} <= set(told)


def test_rules_that_cannot_speak_are_named_with_what_they_miss_and_empty_ones_with_a_dash(found):
    text = markdown(found, "a company", "kizashi rules --data orders")
    assert "Silent: milestone_late, because nothing tells longest_overdue_milestone_days." in text
    row = next(line for line in text.splitlines() if line.startswith("| `milestone_late`"))
    assert row.split(" | ")[3:5] == ["0", "-"]
    assert "Made by `kizashi rules --data orders`." in text


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Intake:
    """A simulated company, orders and contacts alone."""
    folder = tmp_path_factory.mktemp("company")
    lacking = ("finances", "partnerships", "quotes", "services", "contracts", "promotions", "market_events")
    write(simulate(60, 26, seed=3, end=date(2026, 7, 1), without=lacking), folder / "data")
    return take_in(Request(str(folder / "data"), folder / "out"))


def test_everything_is_asked_as_it_was_known_then(intake, tmp_path):
    dates = [date(2025, 10, 1), date(2025, 11, 1)]
    whole = replay(intake, dates)
    cut = take_in(Request(str(_until(intake, date(2025, 11, 1), tmp_path)), tmp_path / "out"))
    then = replay(cut, dates)
    keys = ["customer_id", "as_of", "rule"]
    pd.testing.assert_frame_equal(*(one.fired.sort_values(keys, ignore_index=True) for one in (whole, then)))
    assert len(whole.fired) > 20
    assert then.rows["churned"].isna().all()
    assert whole.rows["churned"].notna().all()
    assert "milestone_late" in whole.silent


def _until(intake: Intake, day: date, folder: Path) -> Path:
    """The data of an intake without what became known from a day on."""
    data = folder / "cut"
    data.mkdir()
    for file in Path(intake.request.data).glob("*.parquet"):
        table = pd.read_parquet(file)
        late = pd.Series(False, index=table.index)
        for name in ("ordered_at", "occurred_at", "changed_at", "recorded_at"):
            if name in table:
                late |= pd.to_datetime(table[name]) >= pd.Timestamp(day)
        if "replied_at" in table:
            table["replied_at"] = table["replied_at"].where(pd.to_datetime(table["replied_at"]) < pd.Timestamp(day))
        table[~late].to_parquet(data / file.name, index=False)
    return data


def test_by_default_the_newest_year_of_which_all_is_known_and_never_before_there_is_a_past(intake):
    dates = replay_dates(intake, None, None)
    assert dates[-1] == intake.observed_until - timedelta(days=180)  # the longest window
    assert (len(dates), dates[0]) == (13, dates[-1].replace(year=dates[-1].year - 1))
    weekly = replay_dates(intake, date(2025, 10, 1), date(2025, 11, 1), 7)
    assert weekly == [date(2025, 10, day) for day in (4, 11, 18, 25)] + [date(2025, 11, 1)]


def test_dates_that_cannot_be_judged_are_refused_with_a_way_out(intake):
    with pytest.raises(SettingsError, match=r"--from 2025-11-01 is after 2025-10-01.*give the earlier date first"):
        replay_dates(intake, date(2025, 11, 1), date(2025, 10, 1))
    with pytest.raises(SettingsError, match=r"--to 2027-01-01 is after .*, where the data ends"):
        replay_dates(intake, None, date(2027, 1, 1))
    with pytest.raises(TooLittleData, match="two dates at least"):
        replay_dates(intake, date(2025, 10, 1), date(2025, 10, 20))
