"""One company read with fewer tables: snapshots, quarterly training, monthly predictions.

The tables that a set leaves out are not there for it at all: a folder with the others is taken in as a company's own
would be. Everything else is the same for all sets: rows, dates, settings, label-free log-odds (they read order days
only). The champion is trained every third month on snapshots three months apart and predicts until the next training.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from features.errors import SettingsError
from features.snapshots import ELIGIBLE, SnapshotTable, monthly, take
from models import label_free
from models.churn_model import ChurnModel, assemble, feature_names
from models.classifiers import LIGHTGBM, Boosting
from models.columns import informative
from models.contestants import Fitted, Training
from models.folds import CHAMPION, KEYS, WalkOptions
from models.horizons import probability_frame
from models.label_free import VARIANTS, column
from models.levels import OVERDUE, queue_of
from models.logistic import LOGISTIC, Logistic
from models.record import Record
from models.rules import RULES
from pipelines.intake import Intake, Request, take_in

#: Read by every set: the orders, and who the customers are.
ALWAYS = ("transactions", "customers")
TALKS = ("interactions", "contacts")
OTHERS = ("quotes", "partnerships", "account_changes", "promotions", "contracts", "absences", "market_events")
ORDERS, ALL = "orders", "all"
#: Set -> the tables that it has besides the orders, in the order of the page.
SETS: dict[str, tuple[str, ...]] = {
    ORDERS: (),
    "interactions": TALKS,
    "interactions_services": (*TALKS, "services"),
    "interactions_services_finances": (*TALKS, "services", "finances"),
    ALL: (*TALKS, "services", "finances", *OTHERS),
    "services": ("services",),
    "finances": ("finances",),
    "others": OTHERS,
    "without_interactions": ("services", "finances", *OTHERS),
    "without_services": (*TALKS, "finances", *OTHERS),
    "without_finances": (*TALKS, "services", *OTHERS),
}
#: Months between two trainings, and between the snapshots that they learn from.
STEP_MONTHS = 3
#: Trainings before the first cutoff, whose predictions weights and calibration are learnt from.
WARM_UP = 3
#: What the page needs of every row besides the predictions.
FACTS = ("overdue", "revenue_365d", "churn_window_days", "days_to_next_order", "observed_days")


@dataclass(frozen=True)
class Dates:
    """The cutoffs that are judged, and the dates that are learnt from, both oldest first."""

    cutoffs: tuple[date, ...]
    learnt: tuple[date, ...]

    @classmethod
    def between(cls, first: date, last: date, earliest: date) -> "Dates":
        """One cutoff a month; learnt from every third month, the first cutoff among them.

        Raises
        ------
        SettingsError
            If nothing lies before the first cutoff that could be learnt from.
        """
        cutoffs = monthly(first, last)
        months = monthly(earliest, last) if cutoffs else []
        start = months.index(cutoffs[0]) if cutoffs and cutoffs[0] in months else 0
        learnt = tuple(day for place, day in enumerate(months) if (place - start) % STEP_MONTHS == 0)
        if not cutoffs or start < STEP_MONTHS * (WARM_UP + 1):
            raise SettingsError(
                f"from {first} to {last}: expected a cutoff a month with {STEP_MONTHS * (WARM_UP + 1)} months of "
                f"snapshots before the first; they begin on {earliest}. Give later dates, or more history."
            )
        return cls(tuple(cutoffs), learnt)

    @property
    def trainings(self) -> tuple[date, ...]:
        """Those learnt dates on which a champion is trained: some for warming up, then all from the first cutoff on."""
        before = [day for day in self.learnt if day < self.cutoffs[0]]
        return tuple(day for day in self.learnt if day >= before[-WARM_UP])


def narrowed(data: Path, tables: Collection[str], folder: Path) -> Path:
    """A folder with links to the files of some tables only.

    Raises
    ------
    SettingsError
        If a table has no Parquet file in `data`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table in (*ALWAYS, *tables):
        file = data.resolve() / f"{table}.parquet"
        if not file.is_file():
            raise SettingsError(f"{data}: expected {file.name} there. Give a folder that `kizashi simulate` wrote.")
        link = folder / file.name
        if not link.is_symlink():
            link.symlink_to(file)
    return folder


def intake_of(data: Path, tables: Collection[str], work: Path) -> Intake:
    """The company as one that has only these tables beside the orders."""
    return take_in(Request(str(narrowed(data, tables, work / "data")), work))


def snapshots(intake: Intake, dates: Dates) -> SnapshotTable:
    """The snapshots at all dates that are judged or learnt from."""
    wanted = sorted({*dates.cutoffs, *dates.learnt})
    return take(intake.events, wanted, cohort=intake.cohort(), window=intake.window(), options=intake.options())


def rhythms(table: SnapshotTable, seed: int) -> pd.DataFrame:
    """The label-free log-odds of every row; the same whatever other tables there are."""
    held = label_free.attach(table.frame, seed)
    names = [name for name in held if name not in table.frame]
    return held[[*KEYS, *names]]


def base_rows(table: SnapshotTable, cutoffs: Sequence[date], observed_until: date) -> pd.DataFrame:
    """Who is judged at the cutoffs, with the facts, what came of it and what the rules rank by."""
    outcome = table.outcomes(observed_until)[["days_to_next_order", "observed_days"]]
    rows = table.frame.join(outcome)
    rows = rows[rows["as_of"].isin(pd.to_datetime(list(cutoffs))) & (rows["cohort"] == ELIGIBLE)]
    rows = rows.reset_index(drop=True)
    facts = {"overdue": queue_of(rows) == OVERDUE} | {rule.name: rule.score(rows) for rule in RULES}
    return rows[[*KEYS, *(name for name in FACTS if name not in facts)]].assign(**facts)[
        [*KEYS, *FACTS, *(rule.name for rule in RULES)]
    ]


def predictions(table: SnapshotTable, dates: Dates, options: WalkOptions) -> pd.DataFrame:
    """What the champion and LightGBM by itself say of the cohort at each cutoff.

    Parameters
    ----------
    table
        Snapshots with label-free log-odds.

    Returns
    -------
    DataFrame
        One row per (contestant, customer, cutoff): the keys, ``churn_probability`` and ``p_no_order_*``.
    """
    frame, record = table.frame, Record()
    window = (options.window, options.window.multiples[0])
    models: Mapping[str, Fitted | ChurnModel] = {}
    parts = []
    for day in sorted({*dates.trainings, *dates.cutoffs}):
        here = frame[frame["as_of"] == pd.Timestamp(day)]
        eligible = here[here["cohort"] == ELIGIBLE]
        if day in dates.learnt:
            training = _training(table, day, dates.learnt, here, options)
            learners = (Boosting(LIGHTGBM, options.boosting), Logistic(LOGISTIC))
            fitted = {learner.name: learner.fit(training) for learner in learners}
            champion = assemble(fitted, record.known_at(training), training, options.promises, *window)
            record = record.with_predictions(eligible, champion.components(eligible), champion.margins(eligible))
            models = {CHAMPION: champion, LIGHTGBM: fitted[LIGHTGBM]}
        if day in dates.cutoffs:
            for name, model in models.items():
                said = probability_frame(model.margins(eligible), eligible["churn_window_days"])
                parts.append(eligible[KEYS].join(said).assign(contestant=name))
    return pd.concat(parts, ignore_index=True)


def _training(
    table: SnapshotTable, day: date, learnt: Sequence[date], here: pd.DataFrame, options: WalkOptions
) -> Training:
    """What may be learnt from on a day: the cohort at the earlier learnt dates, with what was known of it by then."""
    frame = table.frame
    outcome = table.outcomes(day)[["days_to_next_order", "observed_days"]]
    earlier = pd.to_datetime([one for one in learnt if one < day])
    past = frame["as_of"].isin(earlier) & (frame["cohort"] == ELIGIBLE)
    eligible = here[here["cohort"] == ELIGIBLE]
    known = tuple(name for name in feature_names() if name in eligible and eligible[name].notna().any())
    book, rows = here[here["order_days_ever"] >= 1], frame[past].join(outcome[past])
    return Training(rows, book, informative(rows, known, options.seed), options.seed, options.threads)


def with_rhythms(table: SnapshotTable, held: pd.DataFrame) -> SnapshotTable:
    """The table with log-odds that :func:`rhythms` told of the same rows."""
    names = [column(variant, days) for variant in VARIANTS for days in (30, 60, 90, 180)]
    joined = table.frame.merge(held[[*KEYS, *names]], on=KEYS, how="left", validate="one_to_one")
    return SnapshotTable(joined, table.order_days, table.data_end)
