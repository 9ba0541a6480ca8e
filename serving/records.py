"""What leaves the system: the rows that a scoring run publishes, and the account of a run.

Everything that reads or writes results speaks in these names; they are the columns of the output tables
`scores` and `reasons`. A frame is checked here, before it reaches a database, because a database notices too
late and too quietly: SQLite stores NaN as NULL without a word.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from features.errors import StoreError
from features.tracks import ELIGIBLE

Floats = np.ndarray[tuple[int], np.dtype[np.floating[Any]]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

LEVELS = ("none", "blue", "yellow", "orange", "red")
QUEUES = ("early", "overdue")
STAGES = ("none", "cooling", "comparison", "decision", "lost")
HISTORIES = ("enough", "short", "none")

#: How complete the data of a customer are, the best first.
COMPLETENESS = ("A", "B", "C", "D")

#: What may be said of a probability: the percentage itself, or the level alone.
PERCENT, LEVEL_ALONE = "percent", "level"
SHOWN = (PERCENT, LEVEL_ALONE)

#: What a reason is: one that raises the risk, what speaks against the warning, one of several small changes where there
#: is no clear reason, or the sum of all the rest; those of :mod:`models.reasons`.
ROLES = ("reason", "against", "small", "rest")

#: The ends of the 90 % interval of `churn_probability`.
INTERVAL = ("churn_low", "churn_high")

#: Probabilities of the fixed horizons, in the order in which they may only fall.
HORIZON_PROBABILITIES = ("p_no_order_30", "p_no_order_60", "p_no_order_90", "p_no_order_180")


def day_of(as_of: date) -> date:
    """Return a cutoff as its day.

    Raises
    ------
    StoreError
        If `as_of` is a moment other than a midnight: a cutoff is the start of a day.
    """
    if not isinstance(as_of, datetime):
        return as_of
    if pd.Timestamp(as_of) != pd.Timestamp(as_of).normalize():
        raise StoreError(f"as_of must be a midnight, found {as_of.isoformat()}; give the day alone.")
    return as_of.date()


@dataclass(frozen=True)
class ScoringRun:
    """One scoring of every customer at one cutoff: what it stood on.

    Two runs with the same `as_of`, `model_version` and `input_fingerprint` say the same thing; the second one
    need not be published.
    """

    run_id: str
    as_of: date
    model_version: str
    input_fingerprint: str
    created_at: datetime

    def __post_init__(self) -> None:
        """Bring `as_of` to a day and refuse what would make the ledger ambiguous."""
        object.__setattr__(self, "as_of", day_of(self.as_of))
        for name in ("run_id", "model_version", "input_fingerprint"):
            if not getattr(self, name):
                raise StoreError(f"A scoring run needs a {name}, found {getattr(self, name)!r}.")
        zoned("A scoring run's created_at", self.created_at)


@dataclass(frozen=True)
class Published:
    """The published run of a day.

    `customers` and `reasons` are row counts. `unchanged` says that the call which returned this found the
    same result already published and wrote nothing. `supersedes` is the run that this one replaced, kept but
    no longer read. `stepped` says that the run moved the warnings and tasks; `late`, in the answer of a
    publication, that it did not because a newer day had moved them before.
    """

    run: ScoringRun
    customers: int
    reasons: int
    published_at: datetime
    unchanged: bool = False
    supersedes: str | None = None
    stepped: bool = False
    late: bool = False


@dataclass(frozen=True)
class Score:
    """One customer at one cutoff.

    Every number but the interval may be None only where `history` is "none". Probabilities are 0 to 1;
    those outside the cohort are the label-free model's own, which no outcome has calibrated, and bear no level
    and no interval. The interval says how far the model may be mistaken, not what the customer may do; it has
    both ends or none.
    """

    customer_id: str
    churn_probability: float | None  # no order within the customer's own window
    churn_window_days: float | None  # the length of that window
    churn_low: float | None  # the 90 % interval of churn_probability, inside the cohort alone
    churn_high: float | None
    p_no_order_30: float | None
    p_no_order_60: float | None
    p_no_order_90: float | None
    p_no_order_180: float | None
    level: str
    cohort: str  # "eligible", or the code of the first condition that the customer failed
    history: str
    completeness: str | None  # of the customer's data, A (best) to D; None exactly where history is "none"
    shown: str  # "percent" where the calibration certificate lets probabilities be shown as such, else "level"
    value_at_risk: float | None  # money
    expected_loss: float | None  # money
    margin: float | None  # calibrated log-odds of the own window
    base_margin: float | None  # margin = base_margin + all contributions
    queue: str | None  # "early" or "overdue" inside the cohort, None outside
    stage: str | None  # how far the customer has gone, None where it was not looked at
    level_parts: str | None  # what made the level: "model:yellow rule:role_imbalance:orange"; None where it is none
    early_place: float | None  # 0 to 1, 1 the first to warn about among those not overdue


@dataclass(frozen=True)
class Reason:
    """One row of what is told of one score; who was neither warned about nor has changed has none.

    From position 1 on: the reasons in the order in which they are told (or small changes where there is no clear
    reason), then what speaks against the warning, last the rest. All rows of a score together make
    margin - base_margin. `said` is the sentence in codes and numbers, for any language; `text` is the English one.
    """

    customer_id: str
    position: int
    feature: str
    dimension: str
    value: float | None
    usual_value: float | None  # the customer's own
    peer_value: float | None  # of comparable customers
    contribution: float  # log-odds
    contribution_points: float  # probability points
    text: str
    role: str  # one of ROLES
    concept: str  # what correlated features have in common and what is told once
    said: str | None  # a list as JSON; None where there is no sentence in codes


SCORE_COLUMNS = tuple(column.name for column in fields(Score))
REASON_COLUMNS = tuple(column.name for column in fields(Reason))
_SCORE_TEXTS = ("customer_id", "level", "cohort", "history", "shown")
_REASON_TEXTS = ("customer_id", "feature", "dimension", "text", "concept")
PROBABILITIES = ("churn_probability", *HORIZON_PROBABILITIES)
#: What may be unknown with a history, too: numbers, and texts.
_SCORE_UNKNOWN = (*INTERVAL, "early_place", "completeness", "queue", "stage", "level_parts")
#: What a model or a history gives: unknown only where there is no history.
SCORE_NUMBERS = tuple(column for column in SCORE_COLUMNS if column not in (*_SCORE_TEXTS, *_SCORE_UNKNOWN))
REASON_NUMBERS = ("value", "usual_value", "peer_value", "contribution", "contribution_points")


@dataclass(frozen=True)
class TableCount:
    """What became of the rows of one table; `reasons` counts the quarantined rows by reason."""

    rows_in: int
    clean: int
    quarantined: int
    duplicates: int
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class IngestReport:
    """The account of one ingest: no row may be lost between what came in and where it went."""

    run_id: str
    ingested_at: datetime
    input_fingerprint: str
    tables: Mapping[str, TableCount]

    def __post_init__(self) -> None:
        """Refuse an account that does not add up."""
        zoned("An ingest report's ingested_at", self.ingested_at)
        for name, count in self.tables.items():
            accounted = count.clean + count.quarantined + count.duplicates
            if min(count.rows_in, count.clean, count.quarantined, count.duplicates) < 0:
                raise StoreError(f"{name}: a row count is negative: {count}.")
            if count.rows_in != accounted:
                raise StoreError(
                    f"{name}: {count.rows_in} rows came in, {accounted} are accounted for "
                    f"(clean {count.clean}, quarantined {count.quarantined}, duplicates {count.duplicates}); "
                    "the two must be equal."
                )


def score_rows(frame: pd.DataFrame, as_of: date) -> list[dict[str, object]]:
    """Return the rows of `scores`, one mapping per customer, unknown values as None.

    `frame` has exactly `SCORE_COLUMNS`, in any order, and may have `as_of`. Numbers are of any numeric dtype,
    unknown as NaN; `completeness`, `queue`, `stage` and `level_parts` are text columns, unknown as None or NaN.

    Raises
    ------
    StoreError
        One line with every promise of the output tables that the frame breaks, with counts and the first
        customers.
    """
    check = Check("scores", frame, as_of, SCORE_COLUMNS)
    for column in _SCORE_TEXTS:
        check.text(column)
    check.among("level", LEVELS)
    check.among("history", HISTORIES)
    check.among("shown", SHOWN)
    numbers = {column: check.number(column) for column in (*SCORE_NUMBERS, *INTERVAL, "early_place")}
    known = (frame["history"] != "none").to_numpy()
    for column in SCORE_NUMBERS:
        check.none_where(known & np.isnan(numbers[column]), f"{column} is missing (NaN) though there is a history")
    for column in (*PROBABILITIES, *INTERVAL, "early_place"):
        check.none_where((numbers[column] < 0) | (numbers[column] > 1), f"{column} is outside 0 to 1")
    for shorter, longer in pairwise(HORIZON_PROBABILITIES):
        check.none_where(numbers[longer] > numbers[shorter], f"{longer} is above {shorter}")
        differ = np.isnan(numbers[longer]) != np.isnan(numbers[shorter])
        check.none_where(differ, f"only one of {shorter} and {longer} is missing")
    check.none_where(numbers["churn_window_days"] <= 0, "churn_window_days is not above 0")
    _check_certainty(check, known, numbers)
    _check_level(check)
    check.unique(["customer_id"])
    return check.rows(numbers)


def _check_certainty(check: "Check", known: Flags, numbers: Mapping[str, Floats]) -> None:
    """Hold the interval to its probability and its cohort, the grade to the history."""
    probability, low, high = (numbers[column] for column in ("churn_probability", *INTERVAL))
    given = ~(np.isnan(low) & np.isnan(high))
    check.none_where(np.isnan(low) != np.isnan(high), "only one of churn_low and churn_high is missing")
    check.none_where(low > probability, "churn_low is above churn_probability")
    check.none_where(high < probability, "churn_high is below churn_probability")
    check.none_where(given & np.isnan(probability), "churn_low and churn_high stand without a churn_probability")
    outside = (check.frame["cohort"] != ELIGIBLE).to_numpy()
    check.none_where(given & outside, "churn_low and churn_high are given outside the cohort")
    grade = check.frame["completeness"]
    graded = grade.isin(COMPLETENESS).to_numpy()
    check.none_where(known & ~graded, f"completeness is not one of {list(COMPLETENESS)} though there is a history")
    check.none_where(~known & grade.notna().to_numpy(), "completeness is given though there is no history")
    percent = (check.frame["shown"] == PERCENT).to_numpy()
    check.none_where(percent & np.isnan(probability), "shown is percent without a churn_probability")


def _check_level(check: "Check") -> None:
    """Hold the queue to the cohort and what made a level to the level."""
    frame = check.frame
    queued, inside = frame["queue"].isin(QUEUES).to_numpy(), (frame["cohort"] == ELIGIBLE).to_numpy()
    check.none_where(inside & ~queued, f"queue is not one of {list(QUEUES)} in the cohort")
    check.none_where(~inside & frame["queue"].notna().to_numpy(), "queue is given outside the cohort")
    strange = frame["stage"].notna() & ~frame["stage"].isin(STAGES)
    check.none_where(strange.to_numpy(), f"stage is not one of {list(STAGES)}")
    quiet, parted = (frame["level"] == "none").to_numpy(), frame["level_parts"].notna().to_numpy()
    told = np.array([isinstance(value, str) and value != "" for value in frame["level_parts"]], dtype=bool)
    check.none_where(~quiet & ~told, "level_parts is not a text though there is a level")
    check.none_where(quiet & parted, "level_parts is given though the level is none")


def reason_rows(frame: pd.DataFrame, as_of: date) -> list[dict[str, object]]:
    """Return the rows of `reasons`, one mapping per reason, unknown values as None.

    `frame` has exactly `REASON_COLUMNS`, in any order, and may have `as_of`; `said` is a text column, unknown as None
    or NaN.

    Raises
    ------
    StoreError
        As `score_rows`.
    """
    check = Check("reasons", frame, as_of, REASON_COLUMNS)
    for column in _REASON_TEXTS:
        check.text(column)
    check.among("role", ROLES)
    strange = [not _is_list(said) for said in frame["said"].astype(object).where(frame["said"].notna(), "[]")]
    check.none_where(np.array(strange, dtype=bool), "said is not a list as JSON")
    numbers = {column: check.number(column) for column in REASON_NUMBERS}
    for column in ("contribution", "contribution_points"):
        check.none_where(np.isnan(numbers[column]), f"{column} is missing (NaN)")
    positions = check.number("position")
    check.none_where(~((positions >= 1) & (positions == np.floor(positions))), "position is not 1, 2, 3, ...")
    check.unique(["customer_id", "position"])
    return [{**row, "position": int(str(row["position"]))} for row in check.rows(numbers)]


def _is_list(said: object) -> bool:
    """Whether it is JSON of a list, as every reader of JSON knows it: Python alone has words for NaN and infinity."""
    try:
        return isinstance(said, str) and isinstance(json.loads(said, parse_constant=_unknown_word), list)
    except ValueError:
        return False


def _unknown_word(word: str) -> None:
    raise ValueError(word)


class Check:
    """Collects what is wrong with one frame, to say it all in one error."""

    def __init__(self, name: str, frame: pd.DataFrame, as_of: date, columns: tuple[str, ...]) -> None:
        self.name, self.frame, self.as_of, self.columns = name, frame, as_of, columns
        self.problems: list[str] = []
        missing = [column for column in columns if column not in frame.columns]
        unknown = [str(column) for column in frame.columns if column not in (*columns, "as_of")]
        if missing or unknown:
            raise StoreError(
                f"{name} of {as_of}: expected the columns {list(columns)}; missing: {missing}, "
                f"unknown: {unknown}. Nothing was published."
            )
        if "as_of" in frame.columns:
            other = (pd.to_datetime(frame["as_of"]) != pd.Timestamp(as_of)).to_numpy()
            self.none_where(other, "as_of is of another day")

    def none_where(self, wrong: Flags, problem: str) -> None:
        """Note a problem where any row has it."""
        if wrong.any():
            first = [str(customer) for customer in self.frame["customer_id"][wrong].head(3)]
            self.problems.append(f"{problem} in {int(wrong.sum())} rows (customers {first})")

    def text(self, column: str) -> None:
        """Every value is a text and not empty."""
        bad = [not (isinstance(value, str) and value) for value in self.frame[column]]
        self.none_where(np.array(bad, dtype=bool), f"{column} is not a text")

    def among(self, column: str, allowed: tuple[str, ...]) -> None:
        """Every value is one of `allowed`."""
        self.none_where(~self.frame[column].isin(allowed).to_numpy(), f"{column} is not one of {list(allowed)}")

    def number(self, column: str) -> Floats:
        """Return a column as floats, unknown as NaN; infinite is never a value."""
        try:
            values = self.frame[column].astype("float64").to_numpy()
        except (TypeError, ValueError):
            self.problems.append(f"{column} is not a column of numbers")
            return np.zeros(len(self.frame))
        self.none_where(np.isinf(values), f"{column} is infinite")
        return values

    def unique(self, key: list[str]) -> None:
        """No key occurs twice."""
        self.none_where(self.frame.duplicated(key).to_numpy(), f"{' and '.join(key)} occurs more than once")

    def rows(self, numbers: Mapping[str, Floats]) -> list[dict[str, object]]:
        """Return the checked rows; raise where a problem was noted."""
        if self.problems:
            raise StoreError(f"{self.name} of {self.as_of}: {'; '.join(self.problems)}. Nothing was published.")
        lists: list[list[object]] = []
        for column in self.columns:
            if column in numbers:
                lists.append([None if value != value else value for value in numbers[column].tolist()])
            else:
                texts = self.frame[column].astype(object)
                lists.append(texts.where(texts.notna(), None).tolist())
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*lists, strict=True)]


def zoned(what: str, moment: datetime) -> None:
    """Refuse a moment that could be any of 24: the ledger keeps UTC."""
    if moment.tzinfo is None:
        raise StoreError(f"{what} must carry its time zone, found {moment.isoformat()}.")
