"""How precise and how early each rule was on the company's own past, at equal numbers of warnings.

Rules, the levels of the health and of the model, and all of them together stand in one table. Beside each stand three
policies that open as many warnings on the same dates: chance, the order of the silence in own cycles, and, where a
backtest is given, the model's probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import SettingsError
from features.snapshots import Progress, silent
from models import claims
from models.claims import Ahead, Leads
from models.earliness import USUAL, cut_for, days_of, lowest_before, openings, ranks, settled_dates
from models.figures import wilson
from models.folds import CHAMPION
from models.level_trust import HEALTH_LEVELS, THREE_FALLS
from models.levels import LEVELS
from models.rule_record import rule_record
from models.track_record import Share, first_alerts
from models.warning_rules import WarningRule
from pipelines.economics import OWN, read_predictions
from pipelines.intake import Intake
from pipelines.rule_replay import POTENTIAL_CHURN, Replay, replay, replay_dates

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Level of the model, or a louder one -> its name in the table.
MODEL_LEVELS = {level: f"model_{level}" for level in reversed(LEVELS[:-1])}
#: Several at once: rules with a level of their own, those or a level of the health, and any rule at all.
LEVEL_RULES, WARNED, ANY_RULE = "rules_with_a_level", "rules_or_health", "any_rule"
CYCLE, MODEL, RANDOM = "cycle", "model", "random"
_KEYS = ["customer_id", "as_of"]
#: The first warning of a loss is looked for in so many days before it.
TOLD_WITHIN_DAYS = 365
#: Draws of the lot that all warnings together are held against.
_LOTS = 20
#: What is taken of the policies that open as many warnings.
_BESIDE = ("precision", "warned_60")


@dataclass(frozen=True)
class Chance:
    """What as many warnings drawn by lot reached, means over draws.

    Attributes
    ----------
    lead_days
        Median days from the first warning to the loss.
    warned, long, in_time, or_earlier
        Shares: of the losses warned about; of those, at least 60 days before; of the losses that could be, three to six
        months before, and three months or more.
    """

    lead_days: float
    warned: float
    long: float
    in_time: float
    or_earlier: float


@dataclass(frozen=True)
class RuleReport:
    """What the past says.

    Attributes
    ----------
    table
        One row per rule, level or several together (`what`): ``kind`` (rule, own rule, health, model, together),
        ``row`` (of the requirements, where there is one), ``level``, and what :func:`models.rule_record.rule_record`
        tells, but for its lead times; ``lead_days`` (median over the losses that were warned about before they fell),
        ``lead_60_share`` (of those, at least 60 days before) and ``warned`` (share of the losses warned about);
        ``warned_60_low`` and ``warned_60_high``; ``cycle_`` and ``model_`` beside ``precision`` and ``warned_60``: as
        many warnings by the silence in own cycles, and by the model (NaN where no threshold opens so many).
        ``right_than_chance`` and ``early_than_chance`` are 1 where the whole interval of ``precision`` or ``warned_60``
        lies above that of chance, -1 where below, else 0, and NaN where there is nothing to tell by.
    silent
        Rules that could fire for nobody, with the columns they miss.
    dates
        The dates; warnings that stood at the first are not new.
    customers, rows, churned
        Customers, customers times dates after the first, and the share of those with no order in the own window.
    losses
        Losses that fell between the second date and a step after the last, of who could be warned about before.
    leads, ahead, stages
        Of rules with a level and of the health together: how long before the loss the first warning came, how many
        losses had one three to six months before, and in which stage it came.
    chance
        The same of as many warnings drawn by lot.
    window
        How the own window was chosen.
    with_model
        Whether a backtest stands beside.
    """

    table: pd.DataFrame
    silent: Mapping[str, tuple[str, ...]]
    dates: tuple[date, ...]
    customers: int
    rows: int
    churned: float
    losses: int
    leads: Leads
    ahead: Ahead
    stages: Mapping[str, Share]
    chance: Chance
    window: str
    with_model: bool

    @property
    def sources(self) -> pd.DataFrame:
        """The rows of what gives a level besides the model: rules, and falls of the health."""
        gives = self.table["kind"].isin(["rule", "own rule", "health"]) & (self.table["what"] != POTENTIAL_CHURN)
        return self.table[gives].reset_index(drop=True)


def rule_report(
    intake: Intake,
    *,
    first: date | None = None,
    last: date | None = None,
    every_days: int | None = None,
    predictions: Path | None = None,
    progress: Progress = silent,
) -> RuleReport:
    """Replay the company's past and judge everything that warned in it.

    Parameters
    ----------
    first, last
        Between which dates; by default the newest twelve months of which all is known.
    every_days
        Days from one date to the next; by default a month. With predictions their dates are taken.
    predictions
        A file of ``kizashi backtest``.

    Raises
    ------
    SettingsError, TooLittleData, InvalidPredictions
        If dates or predictions cannot be used.
    """
    given = None if predictions is None else _given(predictions, first, last)
    dates = replay_dates(intake, first, last, every_days) if given is None else _dates_of(given, intake)
    past = replay(intake, dates, progress=progress)
    progress("what each rule was worth", 0.9)
    return judged(past, given, np.random.default_rng(intake.settings.training.seed))


def judged(past: Replay, given: pd.DataFrame | None, rng: np.random.Generator) -> RuleReport:
    """The report of a past that was replayed; `given` has ``probability`` and ``level`` by customer and date."""
    rows = past.rows.sort_values(_KEYS, ignore_index=True)
    kinds = _kinds(past.rules, given is not None)
    fired = pd.concat([past.fired, *_together(past.fired, past.rules), *_levels_of(given)], ignore_index=True)
    record = rule_record(fired, rows, rules=list(kinds["what"]), rng=rng)
    panel = _Panel(rows)
    numbers = dict(zip(record["rule"], record["episodes"], strict=True))
    scores = {CYCLE: rows["cycles"].fillna(-1.0).to_numpy("float64")}
    if given is not None:
        known = rows[_KEYS].merge(given[[*_KEYS, "probability"]], on=_KEYS, how="left")
        scores[MODEL] = known["probability"].fillna(-1.0).to_numpy("float64")
    table = kinds.merge(record.rename(columns={"rule": "what"}), on="what", validate="1:1")
    for name, score in scores.items():
        table = table.merge(_at_equal_numbers(panel, name, score, numbers, rng), on="what", validate="1:1")
    losses = panel.losses(past.losses, 0)
    alerts = {what: panel.alerts(fired[fired["rule"] == what], losses) for what in table["what"]}
    leads = [claims.leads(one) for one in alerts.values()]
    ahead_of = panel.losses(past.losses, claims.AHEAD_DAYS[0])
    early = panel.alerts(fired[fired["rule"] == WARNED], ahead_of)
    inside = rows[panel.counted]
    return RuleReport(
        _with_leads(table, leads),
        past.silent,
        past.dates,
        inside["customer_id"].nunique(),
        len(inside),
        float(inside["churned"].mean()),
        len(losses),
        claims.leads(alerts[WARNED]),
        claims.ahead(early),
        claims.first_stages(alerts[WARNED]),
        _by_lot(panel, numbers[WARNED], losses, ahead_of, rng),
        past.choice.words,
        given is not None,
    )


def _with_leads(table: pd.DataFrame, leads: list[Leads]) -> pd.DataFrame:
    """The table with how long before the losses each warned, and on which side of chance it lies."""
    low, high = wilson((table["warned_60"] * table["losses_60"]).fillna(0).round(), table["losses_60"])
    told = table.drop(columns=["lead_days_median", "random_lead_days_median"]).assign(
        lead_days=[one.median_days for one in leads],
        lead_60_share=[one.long.value for one in leads],
        warned=[one.warned / one.losses if one.losses else np.nan for one in leads],
        warned_60_low=low,
        warned_60_high=high,
    )
    return told.assign(
        right_than_chance=_against_chance(told, "precision"), early_than_chance=_against_chance(told, "warned_60")
    )


def _against_chance(table: pd.DataFrame, name: str) -> pd.Series:
    """On which side of chance the whole interval of a figure lies."""
    chance = table[f"random_{name}"]
    told = (table[f"{name}_low"] > chance).astype("float64") - (table[f"{name}_high"] < chance).astype("float64")
    return told.where((table["matured"] > 0) & table[name].notna() & chance.notna())


def _by_lot(
    panel: _Panel, number: int, losses: pd.DataFrame, ahead_of: pd.DataFrame, rng: np.random.Generator
) -> Chance:
    found = []
    for _ in range(_LOTS if number else 0):
        flag = panel.firing(rng.random(len(panel.rows)), {WARNED: number}, rng).get(WARNED)
        if flag is None:
            break
        drawn = panel.rows.loc[flag, _KEYS]
        told = claims.leads(panel.alerts(drawn, losses))
        early = claims.ahead(panel.alerts(drawn, ahead_of))
        warned = told.warned / told.losses if told.losses else np.nan
        found.append((told.median_days, warned, told.long.value, early.in_time.value, early.or_earlier.value))
    return Chance(*(float(value) for value in np.array(found).mean(axis=0))) if found else Chance(*[float("nan")] * 5)


@dataclass(frozen=True)
class _Panel:
    """The judged rows, in order of customer and day, and how warnings open on them."""

    rows: pd.DataFrame

    @property
    def counted(self) -> Flags:
        """Rows after the run-in."""
        day = days_of(self.rows["as_of"])
        return np.isin(day, settled_dates(day, USUAL.closed_after_days)[0])

    def losses(self, losses: pd.DataFrame, least: int) -> pd.DataFrame:
        """Those of which a judged date lies at least so many days before, and no more than a warning may."""
        pairs = self.rows.loc[self.counted, _KEYS].merge(losses, on="customer_id")
        ahead = (pairs["lost_on"] - pairs["as_of"]).dt.days
        could = pairs.loc[(ahead >= least) & (ahead <= USUAL.hit_within_days), ["customer_id", "lost_on"]]
        dates = np.sort(self.rows["as_of"].unique())
        step = (dates[-1] - dates[0]) / max(len(dates) - 1, 1)
        found = could.drop_duplicates()
        return found[found["lost_on"] < dates[-1] + step].sort_values(["customer_id", "lost_on"], ignore_index=True)

    def alerts(self, fired: pd.DataFrame, losses: pd.DataFrame) -> pd.DataFrame:
        """Each loss with the first warning of it among those that opened."""
        on = pd.MultiIndex.from_frame(self.rows[_KEYS]).isin(pd.MultiIndex.from_frame(fired[_KEYS]))
        opened = self.rows.loc[self.opened(on.astype("float64"), int(on.sum())), [*_KEYS, "stage"]]
        return first_alerts(opened.rename(columns={"as_of": "opened_on"}), losses, TOLD_WITHIN_DAYS)

    def opened(self, score: Floats, cut: int) -> Flags:
        """Rows that open a warning where so many of the highest scores fire."""
        rank, _ = ranks(score, np.zeros(score.size))
        return self.counted & (rank < cut) & (self._before(rank) >= cut)

    def firing(self, score: Floats, numbers: Mapping[str, int], rng: np.random.Generator) -> dict[str, Flags]:
        """For each number the rows above the threshold of a score that opens so many warnings, where one does."""
        customer = pd.factorize(self.rows["customer_id"])[0]
        rank, between = ranks(score, rng.permutation(customer.max() + 1).astype("float64")[customer])
        opening = openings(rank, self._before(rank), self.counted)
        most = int(opening[between].max())
        reached = {name: number for name, number in numbers.items() if number <= most}
        return {name: rank < cut_for(opening, between, number) for name, number in reached.items()}

    def _before(self, rank: NDArray[np.int64]) -> NDArray[np.int64]:
        customer = pd.factorize(self.rows["customer_id"])[0].astype("int64")
        return lowest_before(rank, customer, days_of(self.rows["as_of"]), USUAL.closed_after_days)


def _at_equal_numbers(
    panel: _Panel, name: str, score: Floats, numbers: Mapping[str, int], rng: np.random.Generator
) -> pd.DataFrame:
    """What as many warnings by another score were worth: ``what`` and the figures under the score's name."""
    some = {what: number for what, number in numbers.items() if number}
    flags = panel.firing(score, some, rng)
    parts = [panel.rows.loc[flag, _KEYS].assign(rule=what) for what, flag in flags.items()]
    fired = pd.concat(parts) if parts else pd.DataFrame(columns=[*_KEYS, "rule"])
    found = rule_record(fired, panel.rows, rules=list(flags), draws=0, rng=rng).set_index("rule")
    columns = {f"{name}_{figure}": found[figure].reindex(list(numbers)).to_numpy() for figure in _BESIDE}
    return pd.DataFrame({"what": list(numbers), **columns})


def _kinds(rules: tuple[WarningRule, ...], with_model: bool) -> pd.DataFrame:
    """What is judged, in the order of the table."""
    rows: list[tuple[str, str, str, str]] = [
        (rule.code, "own rule" if rule.source == "own" else "rule", rule.id, "one up" if rule.escalates else rule.level)
        for rule in rules
    ]
    rows += [(name, "health", "", level) for level, name in HEALTH_LEVELS.items()]
    rows += [(THREE_FALLS, "health", "HS-11", "red"), (POTENTIAL_CHURN, "health", "HS-11", "red")]
    rows += [(name, "model", "", level) for level, name in MODEL_LEVELS.items()] if with_model else []
    rows += [(name, "together", "", "") for name in (LEVEL_RULES, WARNED, ANY_RULE)]
    return pd.DataFrame(rows, columns=["what", "kind", "row", "level"], dtype="str")


def _together(fired: pd.DataFrame, rules: tuple[WarningRule, ...]) -> list[pd.DataFrame]:
    """Whoever fires first of several opens the warning."""
    loud = {rule.code for rule in rules if rule.level != "none"}
    fallen = set(HEALTH_LEVELS.values()) | {THREE_FALLS}
    sets = {LEVEL_RULES: loud, WARNED: loud | fallen, ANY_RULE: {rule.code for rule in rules}}
    return [fired.loc[fired["rule"].isin(names), _KEYS].drop_duplicates().assign(rule=name)
            for name, names in sets.items()]  # fmt: skip


def _levels_of(given: pd.DataFrame | None) -> list[pd.DataFrame]:
    """At which dates the model gave which level or a louder one."""
    if given is None:
        return []
    place = given["level"].map({level: number for number, level in enumerate(reversed(LEVELS))}).fillna(0)
    return [given.loc[place >= number, _KEYS].assign(rule=name) for number, name in enumerate(MODEL_LEVELS.values(), 1)]


def _given(path: Path, first: date | None, last: date | None) -> pd.DataFrame:
    """Probability and level of the champion out of a backtest's file, at its dates between the two."""
    checked = read_predictions(path, OWN)
    whole = pd.read_parquet(path)
    champion = whole[whole["contestant"] == CHAMPION].astype({"customer_id": "str"})
    if "level" not in champion:
        raise SettingsError(f"--predictions {path}: has no column `level`. Write it with `kizashi backtest`.")
    found = checked.loc[checked["contestant"] == CHAMPION, [*_KEYS, "probability"]]
    found = found.merge(champion[[*_KEYS, "level"]], on=_KEYS, validate="1:1")
    found = found.assign(as_of=found["as_of"].astype("datetime64[s]"))
    inside = pd.Series(True, index=found.index)
    if first is not None:
        inside &= found["as_of"] >= pd.Timestamp(first)
    if last is not None:
        inside &= found["as_of"] <= pd.Timestamp(last)
    return found[inside].reset_index(drop=True)


def _dates_of(given: pd.DataFrame, intake: Intake) -> list[date]:
    """The dates of a backtest, which must be dates of these data."""
    dates = sorted(day.date() for day in given["as_of"].unique())
    if len(dates) < 2 or dates[-1] > intake.as_of:
        told = f"{len(dates)} dates" + (f" until {dates[-1]}" if dates else "")
        raise SettingsError(
            f"--predictions: expected two dates or more until {intake.as_of}, where the data ends; found {told}. Give "
            "the --data and the dates of the backtest."
        )
    return dates
