"""What the rules, the health and the cycle would have said at past dates, as known then, beside what came of it.

Only the columns that rules, stages and the own window read are computed, for all dates in one pass over each bucket.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from features import building, cutoffs
from features.buckets import Events
from features.engines import map_buckets
from features.errors import SettingsError, TooLittleData
from features.labels import churned
from features.options import Value, resolved
from features.own import OwnFile, install, installed
from features.registry import registered
from features.rhythm_class import CLASSES
from features.snapshots import ELIGIBLE, Cohort, Progress, SnapshotTable, all_starts, monthly, silent
from features.tracks import told_apart
from features.windows import WindowChoice, choose_multiple, long_gaps, windows_of
from models import stages
from models.health_history import health_dates, health_rows, with_history
from models.level_trust import HEALTH_LEVELS, THREE_FALLS
from models.levels import LEVELS
from models.losses import derived_losses
from models.warning_rules import WarningRule, signals, silent_rules
from pipelines.intake import FIRST_LOOKBACK_DAYS, Intake
from pipelines.levelling import columns_read, company_frame, scheme_in_use
from pipelines.record_report import known_days
from pipelines.rule_sections import company_rules

#: Judged months where no dates are asked for; the one before them only shows what stood already.
MONTHS = 12
#: What track, rhythm class and own window are told by.
_OWN_WINDOW = {
    "order_days_ever", "days_since_last_order", "last_gap_days", "gap_q90_days_ever",
    *(name for names in CLASSES.values() for name in names),
}  # fmt: skip
#: What makes a customer potential churn besides the falls of the health: the requirement's two parts together.
POTENTIAL_CHURN, UNANSWERED = "potential_churn", "outreach_unanswered"


@dataclass(frozen=True)
class Replay:
    """Past dates replayed.

    Attributes
    ----------
    rows
        Everybody who could be warned about at each date: ``customer_id``, ``as_of``, ``churned`` (no order within the
        own window; NaN where that is not known yet), ``lost_at`` (the customer's next loss), ``stage`` and ``cycles``
        (the silence in own cycles, NaN where there is none).
    fired
        ``customer_id``, ``as_of``, ``rule``: rules, and the levels and falls of the health.
    losses
        Losses as far as orders tell them: ``customer_id``, ``lost_on``, the day on which the order that never came was
        due.
    silent
        Rules that could fire for nobody at any date, with what they miss.
    """

    dates: tuple[date, ...]
    rules: tuple[WarningRule, ...]
    rows: pd.DataFrame
    fired: pd.DataFrame
    losses: pd.DataFrame
    silent: Mapping[str, tuple[str, ...]]
    choice: WindowChoice


def replay_dates(intake: Intake, first: date | None, last: date | None, every_days: int | None = None) -> list[date]:
    """The dates of a report: a month apart (or so many days), counted back from the last one.

    By default the newest of which all is known, and the twelve months before it; never earlier than there is a past.

    Raises
    ------
    SettingsError
        If the dates are the wrong way round or reach beyond the data.
    TooLittleData
        If there are not two dates with a past.
    """
    end = last or intake.observed_until - timedelta(days=intake.settings.window.max_days)
    if end > intake.as_of:
        raise SettingsError(f"--to {end} is after {intake.as_of}, where the data ends: give that date or earlier.")
    start = first or (pd.Timestamp(end) - pd.DateOffset(months=MONTHS)).date()
    if start > end:
        raise SettingsError(f"--from {start} is after {end}, the last date: give the earlier date first.")
    start = max(start, intake.first_order() + timedelta(days=FIRST_LOOKBACK_DAYS))
    dates = monthly(start, end) if every_days is None else _steps(start, end, every_days)
    if len(dates) < 2:
        raise TooLittleData(
            f"rules are judged over two dates at least, the first of which only shows what stood already; from {start} "
            f"to {end} there are {len(dates)}. Give an earlier --from, a later --to, or a longer past."
        )
    return dates


def _steps(start: date, end: date, every_days: int) -> list[date]:
    number = (end - start).days // every_days
    return [end - timedelta(days=every_days * back) for back in range(number, -1, -1)]


def replay(intake: Intake, dates: Sequence[date], *, progress: Progress = silent) -> Replay:
    """Ask every rule of every customer at each of the dates."""
    rules, options = company_rules(intake.settings.rules, intake.events.further)
    progress("what rules read, at every date", 0.1)
    frame, table, choice = windowed(intake, dates, columns_read(rules))
    frames = []
    for number, day in enumerate(dates):
        progress(f"facts known on {day}", 0.3 + 0.4 * number / len(dates))
        here = _Taken(frame[frame["as_of"] == pd.Timestamp(day)])
        frames.append(company_frame(replace(intake, as_of=day), here, rules))
    told = pd.concat([one.dropna(axis="columns", how="all") for one in frames], ignore_index=True)
    named = list(dict.fromkeys(name for one in frames for name in one))
    told = told.reindex(columns=named)
    progress("rules at every date", 0.7)
    fired = pd.concat([signals(one, rules, options)[["customer_id", "as_of", "rule"]] for one in frames])
    progress("health and its past at every date", 0.75)
    fired = pd.concat([fired, _health(intake, dates)], ignore_index=True)
    unanswered = fired[fired["rule"].isin([THREE_FALLS, UNANSWERED])].drop_duplicates(["customer_id", "as_of"])
    fired = pd.concat([fired, unanswered.assign(rule=POTENTIAL_CHURN)], ignore_index=True)
    losses = losses_of(table.order_days, intake.observed_until)
    rows = _judged(frame, told, losses, intake.settings.warnings.lost_after_cycles)
    fired = fired.merge(rows[["customer_id", "as_of"]], on=["customer_id", "as_of"])
    return Replay(tuple(dates), rules, rows, fired, losses, silent_rules(told, rules, options), choice)


def windowed(
    intake: Intake, dates: Sequence[date], names: Collection[str] = ()
) -> tuple[pd.DataFrame, SnapshotTable, WindowChoice]:
    """Snapshots of all customers with some of their features, and what came of them.

    Returns
    -------
    tuple
        The snapshots, whose ``churn_window_days`` are those of the multiple that the company's own past chose, with
        ``days_to_next_order``, ``observed_days`` and ``churned``; the table they came from; and the choice.
    """
    window = intake.window()
    features = {one.name: one.over for one in registered()}
    if any(features.get(name) in ("segment", "peers") for name in names):
        table = intake.snapshots(dates)
    else:
        wanted = tuple(sorted((_OWN_WINDOW | set(names)) & set(features)))
        starts, options = all_starts(intake.events, intake.engine), resolved(intake.options())
        plan = _Pass(tuple(dates), intake.cohort(), starts, options, installed(), wanted)
        parts = map_buckets(plan, intake.events, intake.engine, "what rules read")
        frame, days = (pd.concat(list(one), ignore_index=True) for one in zip(*parts, strict=True))
        frame = frame.sort_values(["as_of", "customer_id"], ignore_index=True)
        usual = frame[frame["cohort"] == ELIGIBLE].groupby("as_of")["gap_q90_days_ever"].median()
        frame = frame.assign(long_gap_days=long_gaps(frame, window, frame["as_of"].map(usual)))
        table = SnapshotTable(frame, days, intake.events.data_end)
    found = table.outcomes(intake.observed_until)[["days_to_next_order", "observed_days"]]
    frame = table.frame.assign(**{str(name): found[name].to_numpy() for name in found})
    choice = choose_multiple(frame[frame["cohort"] == ELIGIBLE], window)
    frame = frame.assign(churn_window_days=windows_of(frame, window, choice.multiple))
    inside = frame["cohort"] == ELIGIBLE
    return frame.assign(churned=churned(frame[inside]).reindex(frame.index)), table, choice


def losses_of(order_days: pd.DataFrame, observed_until: date) -> pd.DataFrame:
    """Losses as the orders known by then tell them: ``customer_id`` and ``lost_on``, when the next order was due."""
    found = derived_losses(known_days(order_days, observed_until), observed_until)
    return found[["customer_id"]].assign(lost_on=found["expected_at"]).drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class _Taken:
    """Snapshots of one date that are already in memory."""

    frame: pd.DataFrame

    def columns(self, names: Collection[str]) -> pd.DataFrame:
        """Those of these columns that there are."""
        return self.frame[[name for name in self.frame if name in names]].reset_index(drop=True)


@dataclass(frozen=True)
class _Pass:
    """Snapshots of one bucket at all dates with some features, and its order days; another process can be handed it."""

    as_ofs: tuple[date, ...]
    cohort: Cohort
    starts: pd.DataFrame
    options: Mapping[str, Value]
    own: tuple[OwnFile, ...]
    only: tuple[str, ...]

    def __call__(self, events: Events, bucket: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read one bucket."""
        install(self.own)
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            days = con.execute(
                "SELECT customer_id, day, is_order, CAST(amount AS DOUBLE) AS amount, visible_from, visible_until "
                "FROM order_days ORDER BY customer_id, day, visible_from"
            ).df()
            frame = building.build(
                con, self.as_ofs, events.columns, starts=self.starts, options=self.options, only=self.only
            )
            frame = told_apart(con, frame, self.cohort, self.options)
        return frame.astype({"customer_id": "str"}).copy(), days.astype({"customer_id": "str"})


def _health(intake: Intake, dates: Sequence[date]) -> pd.DataFrame:
    """At which dates whose health had fallen to which level or a louder one, or three months in a row."""
    reference = intake.settings.health.reference.made()
    every = sorted({one for day in dates for one in (*health_dates(day, reference), day)})
    rows = health_rows(intake.events, every, scheme_in_use(intake), options=intake.options(), engine=intake.engine)
    found = []
    for day in dates:
        here = with_history(rows, day, reference)
        place = here["health_level"].map({level: number for number, level in enumerate(reversed(LEVELS))})
        fell = {name: place >= number for number, name in enumerate(HEALTH_LEVELS.values(), 1)}
        for name, flag in (fell | {THREE_FALLS: here["potential_churn"]}).items():
            found.append(here.loc[flag, ["customer_id", "as_of"]].assign(rule=name))
    return pd.concat(found, ignore_index=True).astype({"rule": "str"})


def _judged(frame: pd.DataFrame, told: pd.DataFrame, losses: pd.DataFrame, lost_after_cycles: float) -> pd.DataFrame:
    """The rows that are judged; see :class:`Replay`."""
    keys = ["customer_id", "as_of"]
    said = told[keys].assign(
        cycles=(told["days_since_last_order"] / told["order_cycle_days"].where(told["order_cycle_days"] > 0)),
        stage=stages.stages(told, lost_after_cycles).to_numpy(),
    )
    rows = frame.loc[frame["cohort"] == ELIGIBLE, [*keys, "churned"]].merge(said, on=keys, how="left")
    rows = rows.assign(at=rows["as_of"].astype("datetime64[us]")).sort_values("at", kind="stable")
    coming = losses.assign(lost_at=losses["lost_on"].astype("datetime64[us]")).sort_values("lost_at", kind="stable")
    rows = pd.merge_asof(
        rows,
        coming[["customer_id", "lost_at"]],
        left_on="at",
        right_on="lost_at",
        by="customer_id",
        direction="forward",
    )
    return rows.drop(columns="at").replace({"cycles": {np.inf: np.nan}}).sort_values(keys, ignore_index=True)
