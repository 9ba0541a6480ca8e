"""The gate between a challenger and the champion's place, asked of files alone: it changes nothing.

It asks four things. Does the model load in a process of its own, and do its golden rows score as recorded? Are its data
those of the champion, or accepted by somebody? Is it not worse than the champion on the cutoffs that both have
predicted without knowing the outcome? And where they share no such cutoff: does it beat the cycle rule?
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import ArtefactError
from features.own import installed
from models import golden
from models.book import Book
from pipelines import data_gate
from pipelines.sections import Promotion

MODEL, RULE = "champion", "cycle"
KEYS = ["customer_id", "as_of"]
#: Columns of judged predictions.
COLUMNS = ["contestant", *KEYS, "probability", "outcome"]
NAMES = {"log_loss": "log loss", "roc_auc": "AUC"}
REPEATS = 300
SEED = 20


@dataclass(frozen=True)
class Limits:
    """How much worse than the champion a challenger may measure, and what its load test may take.

    Attributes
    ----------
    log_loss_tolerance, auc_tolerance
        A difference within these is none; beyond, it counts where its 95 % interval excludes zero.
    load_seconds
        Time for loading the model and scoring its golden rows.
    data
        How far the data may differ.
    """

    log_loss_tolerance: float = 0.005
    auc_tolerance: float = 0.005
    load_seconds: float = golden.SECONDS
    data: data_gate.Limits = field(default_factory=data_gate.Limits)

    @classmethod
    def of(cls, given: Promotion) -> "Limits":
        """Those of the settings."""
        data = data_gate.Limits(given.largest_factor, given.largest_rewrite)
        return cls(given.log_loss_tolerance, given.auc_tolerance, given.load_seconds, data)


@dataclass(frozen=True)
class Candidate:
    """A version as the gate sees it.

    Attributes
    ----------
    number, folder
        Of the version.
    trained_as_of
        Date of its training; empty where the manifest does not say.
    profile
        Of its training data; empty where the manifest has none.
    walk
        Its judged out-of-time predictions, one row per contestant (``champion`` is the model, ``cycle`` the rule),
        ``customer_id`` and ``as_of``, with ``probability`` and ``outcome`` as recorded at its training; None where they
        were not kept.
    accepted
        Why somebody accepted data that the gate would refuse.
    """

    number: int
    folder: Path
    trained_as_of: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict)
    walk: pd.DataFrame | None = None
    accepted: str = ""


@dataclass(frozen=True)
class Check:
    """One question of the gate and its answer; ``loads`` is the one that nobody can overrule."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a challenger; `figures` are differences to the champion with their 95 % intervals."""

    checks: tuple[Check, ...]
    against: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check was passed."""
        return all(check.passed for check in self.checks)

    @property
    def loads(self) -> bool:
        """Whether the model can be used at all."""
        return all(check.passed for check in self.checks if check.name == "loads")

    @property
    def failures(self) -> tuple[str, ...]:
        """What was not passed, one sentence each."""
        return tuple(check.words for check in self.checks if not check.passed)

    def to_json(self) -> str:
        """The verdict as text."""
        checks = [vars(check) for check in self.checks]
        return json.dumps({"against": self.against, "checks": checks, "figures": dict(self.figures)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """The verdict that :meth:`to_json` wrote."""
        content = json.loads(text)
        return cls(tuple(Check(**check) for check in content["checks"]), content["against"], content["figures"])


def gate(challenger: Candidate, incumbent: Candidate | None, limits: Limits | None = None) -> Verdict:
    """Whether a challenger may take the place of the champion.

    Parameters
    ----------
    incumbent
        The champion; None where there is none yet: then the challenger is held against the cycle rule alone.
    """
    limits = limits or Limits()
    recorded = on_record(challenger, incumbent, limits)
    return Verdict((loads(challenger, limits), *recorded.checks), recorded.against, recorded.figures)


def on_record(challenger: Candidate, incumbent: Candidate | None, limits: Limits) -> Verdict:
    """What the gate can say without the model itself, from what was recorded of its data and its predictions."""
    if incumbent is None:
        return Verdict((_against_rule(challenger, surely=False),))
    data = _data(challenger, incumbent, limits)
    if challenger.walk is None:
        words = f"Version {challenger.number} has no predictions out of time beside it: train again."
        return Verdict((data, Check("not_worse", False, words)), incumbent.number)
    shared = _shared(challenger.walk, incumbent.walk)
    if shared is None:
        words = f"Version {challenger.number} and the champion {incumbent.number} share no cutoff to be compared on."
        return Verdict((data, Check("not_worse", True, words), _against_rule(challenger)), incumbent.number)
    check, figures = _not_worse(shared, incumbent.number, limits)
    return Verdict((data, check), incumbent.number, figures)


def loads(challenger: Candidate, limits: Limits) -> Check:
    """Whether the model loads in a process of its own and scores its golden rows as recorded."""
    try:
        said = golden.check_in_child(challenger.folder, own=installed(), seconds=limits.load_seconds)
    except ArtefactError as refusal:
        return Check("loads", False, f"The load test failed: {refusal}")
    return Check("loads", True, f"Load test: {said}.")


def _data(challenger: Candidate, incumbent: Candidate, limits: Limits) -> Check:
    if not challenger.profile or not incumbent.profile or challenger.trained_as_of < incumbent.trained_as_of:
        return Check(
            "data", True, "The data are not compared: one of the two has no profile, or the champion is newer."
        )
    findings = data_gate.compare(incumbent.profile, challenger.profile, limits.data)
    if not findings:
        return Check("data", True, "The data are in line with the champion's.")
    told = " ".join(finding.words for finding in findings[:3])
    if challenger.accepted:
        return Check("data", True, f"Data accepted ({challenger.accepted}): {told}")
    return Check("data", False, f"The data are not those of the champion: {told}")


def _shared(challenger: pd.DataFrame, incumbent: pd.DataFrame | None) -> pd.DataFrame | None:
    """Both models' rows of the same customers and cutoffs, ``_a`` the challenger's; None where there are none."""
    if incumbent is None:
        return None
    mine, theirs = (
        walk.loc[walk["contestant"] == MODEL].drop(columns="contestant") for walk in (challenger, incumbent)
    )
    both = mine.merge(theirs, on=KEYS, suffixes=("_a", "_b"), validate="one_to_one")
    return None if both.empty else both.sort_values(KEYS, ignore_index=True)


def _not_worse(shared: pd.DataFrame, against: int, limits: Limits) -> tuple[Check, dict[str, float]]:
    """The challenger against the champion, each with the outcomes that its training had recorded."""
    worse: list[str] = []
    figures: dict[str, float] = {}
    tolerances = {"log_loss": limits.log_loss_tolerance, "roc_auc": limits.auc_tolerance}
    differences = _differences(shared, list(tolerances))
    for name, (value, low, high) in differences.items():
        if not np.isfinite(value):
            continue
        figures |= {name: value, f"{name}_low": low, f"{name}_high": high}
        beyond = low > 0 and value > tolerances[name] if name == "log_loss" else high < 0 and -value > tolerances[name]
        worse += [NAMES[name]] if beyond else []
    restated = int((shared["outcome_a"] != shared["outcome_b"]).sum())
    rows = f"{len(shared):,} shared predictions of {shared['as_of'].nunique()} cutoffs"
    rows += f", {restated:,} of them with an outcome that was restated since" if restated else ""
    state = f"is worse in {' and '.join(worse)} than" if worse else "is not worse than"
    words = f"It {state} the champion (version {against}) on {rows}: {_told(differences)}."
    return Check("not_worse", not worse, words), figures


def _differences(pairs: pd.DataFrame, metrics: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """`metrics` of side ``_a`` minus side ``_b``, with 95 % intervals over customers that are resampled together.

    Two books with customers in the same order and the same random numbers draw the same customers.
    """
    found = []
    for side in ("_a", "_b"):
        rows = pairs.rename(columns={f"probability{side}": "probability", f"outcome{side}": "outcome"})
        book = Book.read(rows.assign(contestant=side)[COLUMNS], (), None)
        [point], [draws] = book.measure(REPEATS, np.random.default_rng(SEED))
        found.append((point, draws))
    (point_a, draws_a), (point_b, draws_b) = found
    result = {}
    for name in metrics:
        gaps = draws_a[name] - draws_b[name]
        known = gaps[np.isfinite(gaps)]
        low, high = np.quantile(known, [0.025, 0.975]) if known.size else (np.nan, np.nan)
        result[name] = (float(point_a[name][0] - point_b[name][0]), float(low), float(high))
    return result


def _told(figures: Mapping[str, tuple[float, float, float]]) -> str:
    """The differences in words; where all had one outcome there is no AUC."""
    return "; ".join(
        f"{NAMES[name]} {value:+.4f} [{low:+.4f}, {high:+.4f}]"
        for name, (value, low, high) in figures.items()
        if np.isfinite(value)
    )


def _against_rule(challenger: Candidate, *, surely: bool = True) -> Check:
    """The model against the cycle rule on its own predictions: better (`surely`), or not beyond doubt worse."""
    walk = challenger.walk
    if walk is None:
        return Check("beats_rule", False, f"Version {challenger.number} has no predictions out of time: train again.")
    pairs = _shared(walk, walk[walk["contestant"] == RULE].assign(contestant=MODEL))
    if pairs is None:
        return Check("beats_rule", not surely, "Nothing has matured yet by which the model could be judged.")
    figures = _differences(pairs, ["log_loss", "roc_auc"])
    (loss, loss_low, _), (auc, _, auc_high) = figures["log_loss"], figures["roc_auc"]
    passed = (loss < 0 and not auc < 0) if surely else not (loss_low > 0 or auc_high < 0)
    state = (
        "It beats" if loss < 0 and not auc < 0 else "It does not beat" if not passed else "It is not surely worse than"
    )
    return Check("beats_rule", passed, f"{state} the cycle rule on {len(pairs):,} predictions: {_told(figures)}.")
