"""Predictions that the product did not make: files of anybody's, the reference rules, chance.

A file is a Parquet table with ``customer_id``, ``as_of`` (a midnight) and ``probability``, one row per customer and
cutoff; with a column ``outcome`` one row per customer, cutoff and outcome that it names. Beside it a JSON file of the
same name may say what it cost: ``{"seconds": 12.5, "peak_mb": 300}``.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import SettingsError
from models.earliness import RANDOM
from models.evaluation import InvalidPredictions
from models.folds import KEYS
from models.rules import RULES

#: Outcome -> the column of a prediction that speaks of it. Without the column `outcome` a file speaks of the first.
SCORES = {"no_order_90": "p_no_order_90", "own_window": "churn_probability", "lost_90": "p_lost_90"}
#: What a warning goes by: the prediction that is nearest to a loss.
WARNS_BY = "warns_by"
NEAREST = ("lost_90", "no_order_90", "own_window")
COLUMNS = [*KEYS, *SCORES.values(), WARNS_BY]


@dataclass(frozen=True)
class Cost:
    """What a contestant's predictions took, as far as it says."""

    seconds: float | None = None
    peak_mb: float | None = None


@dataclass(frozen=True)
class Given:
    """A contestant's predictions.

    Attributes
    ----------
    name
        As printed.
    frame
        ``customer_id``, ``as_of``, a score for each outcome (:data:`SCORES`) and the one that it warns by.
    ranks_only
        Outcomes of which its score is no probability: it is judged as a ranking there.
    cost
        Run time and peak memory.
    """

    name: str
    frame: pd.DataFrame
    ranks_only: frozenset[str] = frozenset()
    cost: Cost | None = None


def read_all(specs: Sequence[str], taken: Collection[str]) -> list[Given]:
    """The contestants of the words ``NAME=FILE``; `taken` are names that are spoken for.

    Raises
    ------
    SettingsError
        For words that are no such pair, and names that are taken.
    InvalidPredictions
        For files that cannot be judged, in one line with the first offender.
    """
    found: list[Given] = []
    for spec in specs:
        name, sign, file = spec.partition("=")
        if not (name and sign and file):
            raise SettingsError(f"--contestant {spec!r}: expected NAME=FILE, such as mine=mine.parquet.")
        if name in {*taken, *(given.name for given in found)}:
            raise SettingsError(f"--contestant {spec!r}: there is a contestant {name!r} already. Choose another name.")
        found.append(read(name, Path(file)))
    return found


def read(name: str, file: Path) -> Given:
    """One contestant's file; errors as for :func:`read_all`."""
    try:
        frame = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise InvalidPredictions(f"{file.name}: expected a Parquet file; it cannot be read: {first}") from error
    missing = [column for column in (*KEYS, "probability") if column not in frame]
    if missing or frame.empty:
        raise InvalidPredictions(
            f"{file.name}: expected rows with the columns {[*KEYS, 'probability']}; found {len(frame)} rows with "
            f"{list(frame)}. Rename or add {missing or 'rows'}."
        )
    rows = _checked(frame, file.name)
    return Given(name, _wide(rows, file.name), _ranks(rows), _cost(file.with_suffix(".json")))


def rules(snapshots: pd.DataFrame) -> list[Given]:
    """The reference rules as bare rankings."""
    return [ranking(rule.name, snapshots[KEYS], rule.score(snapshots)) for rule in RULES]


def chance(snapshots: pd.DataFrame) -> Given:
    """Chance in its exact expectation: one score for all, as ties share their average."""
    return ranking(RANDOM, snapshots[KEYS], np.full(len(snapshots), 0.5))


def ranking(name: str, keys: pd.DataFrame, score: np.ndarray) -> Given:
    """A contestant that only ranks, by one score for every outcome."""
    frame = keys.assign(**dict.fromkeys([*SCORES.values(), WARNS_BY], score)).reset_index(drop=True)
    return Given(name, frame[COLUMNS], frozenset(SCORES))


def _checked(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    """Keys and probabilities in the product's types, one row per customer, cutoff and outcome."""
    kept = frame[[*KEYS, "probability", *(["outcome"] if "outcome" in frame else [])]].reset_index(drop=True)
    if "outcome" not in kept:
        kept["outcome"] = next(iter(SCORES))
    if kept["probability"].dtype.kind not in "iufb":
        raise InvalidPredictions(f"{file}: `probability` is {kept['probability'].dtype}; give numbers.")
    kept["probability"] = kept["probability"].astype("float64")
    if kept["customer_id"].dtype.kind == "f":
        raise InvalidPredictions(f"{file}: `customer_id` is a floating number; give text or whole numbers, as ordered.")
    try:
        at = pd.to_datetime(kept["as_of"], format="ISO8601")
    except (TypeError, ValueError) as error:
        first = kept["as_of"].iloc[0]
        raise InvalidPredictions(f"{file}: `as_of` holds no dates, first {first!r}. Give dates.") from error
    kept["as_of"] = (at.dt.tz_localize(None) if at.dt.tz is not None else at).astype("datetime64[us]")
    unknown = ~kept["outcome"].isin(list(SCORES))
    value = kept["probability"]
    checks = [
        (kept[KEYS].isna().any(axis=1), "have no customer_id or as_of", "Drop them."),
        (~np.isfinite(value), "have no finite probability", "Drop or fill them."),
        (kept["as_of"] != kept["as_of"].dt.normalize(), "have an as_of that is no midnight", "Give dates."),
        (unknown, "name an unknown outcome", f"Name one of {list(SCORES)}."),
        (kept.duplicated([*KEYS, "outcome"]), "repeat a customer_id and as_of", "Give each pair once."),
    ]
    for wrong, words, mend in checks:
        if wrong.any():
            first = kept[wrong].iloc[0].to_dict()
            shown = ", ".join(f"{key} {item}" for key, item in first.items())
            raise InvalidPredictions(f"{file}: {int(wrong.sum())} of {len(kept)} rows {words}, first {shown}. {mend}")
    kept["customer_id"] = kept["customer_id"].astype("str")
    return kept


def _wide(rows: pd.DataFrame, file: str) -> pd.DataFrame:
    """One column per outcome; where the file does not speak of an outcome, its nearest score stands in as a ranking."""
    table = rows.pivot(index=KEYS, columns="outcome", values="probability")
    if table.isna().any(axis=None):
        short = table.isna().sum()
        raise InvalidPredictions(
            f"{file}: every row must have all outcomes that the file names; {short[short > 0].to_dict()} rows lack one."
        )
    named = [outcome for outcome in SCORES if outcome in table]
    scores = {column: table[outcome if outcome in table else named[0]] for outcome, column in SCORES.items()}
    scores[WARNS_BY] = table[next(outcome for outcome in NEAREST if outcome in table)]
    return pd.DataFrame(scores).reset_index()[COLUMNS]


def _ranks(rows: pd.DataFrame) -> frozenset[str]:
    """Outcomes that the file does not speak of, or speaks of in numbers outside 0 to 1."""
    inside = rows["probability"].between(0, 1).groupby(rows["outcome"]).all()
    return frozenset(outcome for outcome in SCORES if not inside.get(outcome, False))


def _cost(file: Path) -> Cost | None:
    """What the JSON beside a file says."""
    if not file.is_file():
        return None
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        figures = [None if said.get(key) is None else float(said[key]) for key in ("seconds", "peak_mb")]
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidPredictions(
            f'{file.name}: expected {{"seconds": 12.5, "peak_mb": 300}}; it cannot be read ({error}).'
        ) from error
    return Cost(*figures)
