"""All probes on the user's own data and features: what they looked at, what they found, and who is to blame."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from features import probes
from features.errors import TooLittleData
from features.own import own_names
from features.registry import registered
from features.snapshots import Progress, SnapshotTable, silent
from models import leaks
from pipelines.intake import Intake

#: Dates on which every feature is built twice.
BLIND_DATES = 3
#: Dates whose outcomes single features and shuffled outcomes are tried on.
OUTCOME_DATES = 12
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """What one probe says.

    Attributes
    ----------
    probe
        ``future_blind``, ``single_feature``, ``shuffled_outcomes``, ``end_of_data``, ``last_week`` or ``not_run``.
    culprit
        The feature or table; empty where the probe names none.
    passed
        False: a leak, or data that are not whole.
    words
        What was measured, in one line.
    own
        Whether the culprit is a feature of the user's own.
    """

    probe: str
    culprit: str
    passed: bool
    words: str
    own: bool = False


def look(intake: Intake, *, progress: Progress = silent) -> tuple[Finding, ...]:
    """Run every probe as of the intake's date; findings that failed come first within each probe."""
    dates = intake.dates_until(intake.as_of)[-OUTCOME_DATES:]
    table = intake.snapshots(dates, progress=progress)
    names = [one.name for one in registered() if one.name in table.frame]
    found = [*_future_blind(intake, dates, progress)]
    progress("outcomes", 0.8)
    found += [*_outcomes(table, intake, names), *_end(table, names), *_weeks(intake)]
    mine = set(own_names())
    return tuple(Finding(one.probe, one.culprit, one.passed, one.words, own=one.culprit in mine) for one in found)


def _future_blind(intake: Intake, dates: list[date], progress: Progress) -> Iterator[Finding]:
    tried = sorted({dates[0], dates[len(dates) // 2], dates[-1]})[-BLIND_DATES:]
    found: dict[str, tuple[int, date]] = {}
    for number, as_of in enumerate(tried):
        progress(f"building {as_of} from what was known then", 0.4 + 0.4 * number / len(tried))
        seen = probes.future_blind(intake.events, as_of, options=intake.options(), engine=intake.engine)
        for name, customers in seen.items():
            if customers > found.get(name, (0, as_of))[0]:
                found[name] = (customers, as_of)
    for name, (customers, as_of) in sorted(found.items(), key=lambda one: -one[1][0]):
        yield Finding(
            "future_blind",
            name,
            False,
            f"differs for {customers:,} customers on {as_of} when later rows and facts are taken away",
        )
    if not found:
        days = ", ".join(str(as_of) for as_of in tried)
        yield Finding("future_blind", "", True, f"every feature is the same without what came later ({days})")


def _outcomes(table: SnapshotTable, intake: Intake, names: list[str]) -> Iterator[Finding]:
    rows, outcome = leaks.matured(table.frame, table.outcomes(intake.observed_until))
    if outcome.nunique() < 2 or rows["as_of"].nunique() < 2:
        yield Finding(
            "not_run", "", True, "no two dates have outcomes of both kinds yet: nothing to rank, nothing to learn"
        )
        return
    ranked = leaks.singles(rows, outcome, names)
    best = [one for one in ranked if one.auc > leaks.TOO_GOOD]
    for one in best:
        yield Finding("single_feature", one.feature, False, f"ranks the outcome with an AUC of {one.auc:.3f} by itself")
    if not best:
        said = ", ".join(f"{one.feature} {one.auc:.3f}" for one in ranked[:3])
        yield Finding(
            "single_feature", "", True, f"no feature alone ranks above {leaks.TOO_GOOD:.2f}; the best: {said}"
        )
    known = [name for name in names if rows[name].notna().any()]
    value, error = leaks.shuffled_auc(rows, outcome, known, intake.settings.training.seed)
    passed = abs(value - 0.5) <= leaks.SHUFFLED_ERRORS * error
    words = f"a model of shuffled outcomes has an AUC of {value:.3f} (chance: 0.5, standard error {error:.3f})"
    yield Finding("shuffled_outcomes", "", passed, words)


def _end(table: SnapshotTable, names: list[str]) -> Iterator[Finding]:
    try:
        ranked = leaks.end_of_data(table.frame, names)
    except TooLittleData as error:
        yield Finding("not_run", "", True, str(error))
        return
    best = [one for one in ranked if one.auc > leaks.TOO_GOOD]
    for one in best[:SHOWN]:
        yield Finding(
            "end_of_data", one.feature, False, f"tells the newest date from the one before with an AUC of {one.auc:.3f}"
        )
    if not best:
        said = f"; the best: {ranked[0].feature} {ranked[0].auc:.3f}" if ranked else ""
        yield Finding("end_of_data", "", True, f"no feature alone tells the newest date from the one before{said}")


def _weeks(intake: Intake) -> Iterator[Finding]:
    for week in probes.last_weeks(intake.events):
        words = (
            f"{week.rows:,} rows in the last week, usually {week.usual:,.0f}; "
            f"the newest lies {week.silent_days} days before the end"
        )
        yield Finding("last_week", week.table, week.whole, words)
