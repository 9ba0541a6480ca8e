"""What faithfulness is measured on: a company, its snapshots, and champions trained on them; no command.

The champion is made as `kizashi train` makes it: learners on what had matured, weights, calibration and levels from
predictions of earlier trainings. Those lie two months apart instead of one, which costs half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from benchmarks import standing_truth
from benchmarks.standing_truth import Truth
from features.errors import SettingsError
from features.simulate import simulate, write
from features.snapshots import ELIGIBLE, SnapshotTable, monthly, silent
from features.windows import choose_multiple, windows_of
from models import churn_model, early
from models.churn_model import ChurnModel
from models.classifiers import LIGHTGBM, Boosting
from models.contestants import Fitted, Training
from models.folds import WalkOptions, training_at, with_rhythms
from models.logistic import LOGISTIC, Logistic
from models.record import Record
from pipelines.intake import FIRST_LOOKBACK_DAYS, Intake, Request, take_in
from pipelines.scoring import with_columns

MONTHS, END = 36, date(2026, 10, 1)
#: Months before the champion's date at which others are trained, for its weights, calibration and levels.
WARM_UP = (9, 7, 5, 3)
#: Months after it at which the next ones are trained, as a company would.
RETRAINED = (1, 3, 5, 7, 9)
#: Months after it of whose customers reasons are asked, itself included.
ASKED = 12
#: Days after it at which customers without a new event are looked at again.
NEXT_DAYS = (1, 7)


@dataclass(frozen=True)
class Champion:
    """A champion with what it was learnt from.

    Attributes
    ----------
    model, multiple
        The model; of the long gap that makes a window.
    training
        What it learnt from, of the first champion alone.
    """

    model: ChurnModel
    multiple: float
    training: Training | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Company:
    """A company with its champions.

    Attributes
    ----------
    intake, table
        Its clean events; monthly snapshots with label-free log-odds.
    near
        Snapshots :data:`NEXT_DAYS` after the first champion's date.
    champions
        By the date of their training, oldest first.
    options
        What they were trained with.
    truth, stages
        Of a simulated company: its losses, with ``driver`` and ``cooling_at``, and in which stage a customer was.
    """

    intake: Intake
    table: SnapshotTable
    near: SnapshotTable
    champions: Mapping[pd.Timestamp, Champion]
    options: WalkOptions
    truth: Truth | None = None
    stages: pd.DataFrame | None = None

    @property
    def first(self) -> pd.Timestamp:
        """The date of the first champion."""
        return min(self.champions)

    @property
    def asked(self) -> list[pd.Timestamp]:
        """The dates of whose customers reasons are asked."""
        days = [pd.Timestamp(day) for day in sorted(self.table.frame["as_of"].unique())]
        return [day for day in days if day >= self.first]

    @property
    def model(self) -> ChurnModel:
        """The first champion."""
        return self.champions[self.first].model

    def at(self, day: pd.Timestamp) -> Champion:
        """The champion that was in use on a day."""
        return self.champions[max(one for one in self.champions if one <= day)]

    def cohort(self, day: pd.Timestamp, champion: Champion | None = None) -> pd.DataFrame:
        """Who is warned about on a day, with every column that the champion reads and its windows."""
        champion = self.at(day) if champion is None else champion
        table = self.near if day in self.near.frame["as_of"].to_numpy() else self.table
        frame = table.frame[(table.frame["as_of"] == day) & (table.frame["cohort"] == ELIGIBLE)]
        windows = windows_of(frame, self.options.window, champion.multiple)
        return with_columns(frame.assign(churn_window_days=windows), champion.model).reset_index(drop=True)


def simulated(customers: int, seed: int, folder: Path) -> Path:
    """The folder of a simulated company, which is made where it is not there yet."""
    if not (folder / "truth").is_dir():
        write(simulate(customers, MONTHS, seed=seed, end=END), folder)
    return folder


def company(data: str, layout: str, as_of: date | None, work: Path, options: WalkOptions | None = None) -> Company:
    """Take in the data, take the snapshots and train.

    Parameters
    ----------
    as_of
        Of the first champion; None for twelve months before the end of the data.
    options
        Of the training; by default those of the settings.

    Raises
    ------
    SettingsError
        If too little lies before `as_of`, or nothing after it.
    """
    intake = take_in(Request(data, work, layout=layout))
    earliest, end = intake.first_order() + timedelta(days=FIRST_LOOKBACK_DAYS), intake.observed_until
    as_of = monthly(earliest - timedelta(days=31 * ASKED), end)[-1 - ASKED] if as_of is None else as_of
    before, after = monthly(earliest, as_of), _months_after(as_of, end)
    if len(before) <= WARM_UP[0] + 3 or not after:
        raise SettingsError(
            f"--as-of {as_of}: expected {WARM_UP[0] + 3} months of snapshots before it and one after; they can be "
            f"taken from {earliest} to {end}. Give another date, or more history."
        )
    months, place = [*before, *after], len(before) - 1
    options = intake.walk_options() if options is None else options
    whole = with_rhythms(intake.snapshots(months), options, silent)
    learnt = [place - back for back in WARM_UP] + [place + ahead for ahead in (0, *RETRAINED)]
    days = [pd.Timestamp(months[i]) for i in learnt if i < len(months)]
    near = intake.snapshots([months[place] + timedelta(days=days_on) for days_on in NEXT_DAYS])
    champions = trained(whole, days, pd.Timestamp(months[place]), options)
    stages = Path(data) / "truth" / "stages.parquet"
    known = "://" not in data and stages.is_file()
    return Company(
        intake, whole, near, champions, options,
        _truth(data) if known else None, pd.read_parquet(stages) if known else None,
    )  # fmt: skip


def _months_after(day: date, end: date) -> list[date]:
    """The dates up to the end on which reasons are asked besides."""
    later = [(pd.Timestamp(day) + pd.DateOffset(months=ahead)).date() for ahead in range(1, ASKED)]
    return [one for one in later if one <= end]


def _truth(data: str) -> Truth | None:
    truth = standing_truth.read(data)
    if truth is None:
        return None
    return replace(truth, losses=pd.read_parquet(Path(data) / "truth" / "losses.parquet"))


def trained(
    table: SnapshotTable, days: Sequence[pd.Timestamp], first: pd.Timestamp, options: WalkOptions
) -> dict[pd.Timestamp, Champion]:
    """The champions of the days from `first` on; those before give the record that they choose and calibrate by."""
    champions = {}
    record, places = Record(), early.EarlyRecord()
    for day in days:
        training = training_at(table, day, options)
        multiple = choose_multiple(training.rows, options.window).multiple
        here = table.frame[(table.frame["as_of"] == day) & (table.frame["cohort"] == ELIGIBLE)]
        here = here.assign(churn_window_days=windows_of(here, options.window, multiple))
        known, window = record.known_at(training), (options.window, multiple)
        model = churn_model.assemble(
            learners(training, options), known, training, options.promises, *window, options.capacity
        )
        model = replace(model, early=early.learn(training, model.rhythm, places, options.early_promise))
        places = places.with_places(here, model.early)
        components = model.components(here)
        record = record.with_predictions(here, components, model.calibrated(components))
        if day >= first:
            champions[day] = Champion(model, multiple, training if day == first else None)
    return champions


def learners(training: Training, options: WalkOptions) -> dict[str, Fitted]:
    """The fitted learners that a champion is made of."""
    contestants = (Boosting(LIGHTGBM, options.boosting), Logistic(LOGISTIC))
    return {one.name: one.fit(training) for one in contestants}


def relearnt(champion: Champion, training: Training, options: WalkOptions) -> Champion:
    """The same champion with learners fitted on something else; weights and calibration stay, so only those differ."""
    fitted = learners(training, options)
    model = replace(champion.model, boosting=fitted[LIGHTGBM], logistic=fitted[LOGISTIC])
    return replace(champion, model=model, training=None)
