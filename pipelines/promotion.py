"""Which model is in use: a challenger has to pass the gate, and every change says who made it and why.

Predictions name customers, so they do not go into the register of models: those of a version, by which it is compared
with the next, lie in ``walks/`` of the output folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import KizashiError, SettingsError
from models.history import Change, What, champions
from models.tracking import Tracking, Version
from pipelines import data_gate
from pipelines.data_gate import Finding
from pipelines.files import write_parquet
from pipelines.model_gate import COLUMNS, MODEL, RULE, Candidate, Limits, Verdict, gate, loads
from pipelines.settings import tracking_folder

#: Where the verdict of the gate is noted of a version.
NOTE = "gate"
#: What is said of a check that was not passed.
IN_SHORT = {"loads": "load test", "data": "other data", "not_worse": "worse", "beats_rule": "no better than the rule"}


class PromotionRefused(KizashiError):
    """A model that did not pass the gate; the champion stays."""


@dataclass(frozen=True)
class Decision:
    """What became of a challenger: the gate's verdict, and the line of the history where the champion changed."""

    version: Version
    verdict: Verdict
    change: Change | None = None


def walk_file(out: Path, number: int) -> Path:
    """Where the judged predictions of a version lie."""
    return out / "walks" / f"{number}.parquet"


def keep_walk(out: Path, number: int, judged: pd.DataFrame) -> Path:
    """Keep the judged predictions of a version's model and of the cycle rule; an empty table, too.

    Parameters
    ----------
    judged
        `COLUMNS`, of any contestants.
    """
    path = walk_file(out, number)
    write_parquet(judged.loc[judged["contestant"].isin([MODEL, RULE]), COLUMNS], path)
    return path


def candidate(out: Path, version: Version) -> Candidate:
    """A registered version as the gate sees it."""
    facts, path = _facts(version.folder), walk_file(out, version.number)
    return Candidate(
        version.number,
        version.folder,
        str(facts.get("trained_as_of", "")),
        facts.get("profile") or {},
        pd.read_parquet(path) if path.is_file() else None,
        str(facts.get("data_accepted") or ""),
    )


def admit_data(
    out: Path,
    profile: Mapping[str, Any],
    *,
    who: str,
    when: datetime,
    accept: str = "",
    limits: data_gate.Limits | None = None,
) -> list[Finding]:
    """Hold new data against the champion's before anything is learnt; returns what was accepted.

    Parameters
    ----------
    profile
        Of the new data, see :func:`pipelines.data_profile.profile`.
    accept
        Why they are right although they are not as they were; kept in the history.

    Raises
    ------
    DataRefused
        If something is not as it was and nobody has accepted it; the history has that, too.
    """
    tracking = _tracking(out)
    version = _in_use(tracking)
    if version is None:
        return []
    champion = candidate(out, version)
    findings = data_gate.compare(champion.profile, profile, limits)
    if findings:
        what: What = "data accepted" if accept else "data refused"
        why = accept or f"data as of {profile['as_of']} are not those of version {version.number}"
        told = tuple(finding.words for finding in findings)
        tracking.record(Change(when, who, what, why, version.number, version.number, findings=told))
        if not accept:
            raise data_gate.refusal(findings, f"version {version.number}, trained as of {champion.trained_as_of}")
    return findings


def judge(out: Path, number: int, *, limits: Limits | None = None) -> Decision:
    """Put a version through the gate, against the champion of now, and note the verdict of it."""
    tracking = _tracking(out)
    incumbent = _in_use(tracking)
    version = _version(tracking, number)
    against = None if incumbent is None or incumbent.number == number else candidate(out, incumbent)
    verdict = gate(candidate(out, version), against, limits)
    tracking.note(number, NOTE, verdict.to_json())
    return Decision(version, verdict)


def after_training(
    out: Path, number: int, *, who: str, when: datetime, promote_it: bool = False, limits: Limits | None = None
) -> Decision:
    """Put a newly registered challenger through the gate; the first model of all becomes the champion if it passes.

    Parameters
    ----------
    promote_it
        Make it the champion, too, where there is one already.
    """
    if promote_it or _in_use(_tracking(out)) is None:
        why = "promoted by its training" if promote_it else "the first model"
        return _promoted(out, judge(out, number, limits=limits), who=who, why=why, when=when, force=False)
    return judge(out, number, limits=limits)


def promote(
    out: Path,
    number: int | None = None,
    *,
    who: str,
    why: str,
    when: datetime,
    force: bool = False,
    limits: Limits | None = None,
) -> Decision:
    """Make a version the champion if it passes the gate.

    Parameters
    ----------
    number
        The version; None for the newest challenger.
    why
        The reason, for the history.
    when
        The moment, with a time zone.
    force
        Overrule what the gate says of data and figures; never that a model does not load.

    Raises
    ------
    PromotionRefused
        If it does not pass; the champion stays, and the history has the reasons.
    SettingsError
        If no reason is given, there is no challenger, or the version is the champion already.
    """
    _because(why)
    tracking = _tracking(out)
    versions = tracking.versions()
    if number is None:
        number = next((version.number for version in versions if "challenger" in version.aliases), None)
        if number is None:
            raise SettingsError("there is no challenger to promote: run `kizashi train`, or name a version.")
    if "champion" in _version(tracking, number).aliases:
        raise SettingsError(f"version {number} is the champion already; `kizashi models` shows since when.")
    decided = _promoted(out, judge(out, number, limits=limits), who=who, why=why, when=when, force=force)
    if decided.change is None:
        raise PromotionRefused("\n".join([_refused(decided), *(f"  {one}" for one in decided.verdict.failures)]))
    return decided


def rollback(out: Path, *, who: str, why: str, when: datetime, limits: Limits | None = None) -> Change:
    """Return to the champion before the present one; returns the line of the history.

    Raises
    ------
    PromotionRefused
        If that model does not load any more.
    SettingsError
        If no reason is given, or there was no champion before.
    """
    _because(why)
    tracking = _tracking(out)
    incumbent = _in_use(tracking)
    stack = champions(tracking.history())
    if incumbent is not None and incumbent.number in stack:
        del stack[len(stack) - stack[::-1].index(incumbent.number) - 1 :]
    if incumbent is None or not stack:
        raise SettingsError("there is no champion before the present one to return to; `kizashi models` has them all.")
    check = loads(candidate(out, _version(tracking, stack[-1])), limits or Limits())
    if not check.passed:
        raise PromotionRefused(f"version {stack[-1]} cannot be returned to: {check.words}")
    change = Change(when, who, "rolled back", why, incumbent.number, stack[-1], stack[-1], (check.words,))
    tracking.move_champion(change)
    return change


def registered(out: Path) -> tuple[pd.DataFrame, list[Change]]:
    """Every registered version, the newest first, and the history, the oldest line first; nothing is changed.

    Returns
    -------
    DataFrame, list of Change
        ``version``, ``trained_as_of``, ``aliases``, ``auc``, ``log_loss`` and ``brier`` of the model at its training
        (float64, NaN where nothing had matured), ``gate`` (the verdict in a few words).
    """
    tracking = Tracking(tracking_folder(out))
    rows = []
    for version in tracking.versions():
        logged = tracking.figures(version.number)
        figures = {
            name: logged.get(f"{MODEL}.{key}", float("nan"))
            for name, key in (("auc", "roc_auc"), ("log_loss", "log_loss"), ("brier", "brier"))
        }
        noted = version.tags.get(NOTE)
        rows.append(
            {
                "version": version.number,
                "trained_as_of": str(_facts(version.folder).get("trained_as_of", version.name)),
                "aliases": ", ".join(version.aliases),
                **figures,
                "gate": _verdict_in_short(Verdict.from_json(noted)) if noted else "not asked",
            }
        )
    return pd.DataFrame(rows), tracking.history()


def _verdict_in_short(verdict: Verdict) -> str:
    against = "" if verdict.against is None else f" against version {verdict.against}"
    failed = ", ".join(IN_SHORT[check.name] for check in verdict.checks if not check.passed)
    return f"passed{against}" if verdict.passed else f"refused{against}: {failed}"


def _promoted(out: Path, judged: Decision, *, who: str, why: str, when: datetime, force: bool) -> Decision:
    """Move the champion as the verdict says, or write down that it stays."""
    tracking = _tracking(out)
    incumbent = _in_use(tracking)
    before, number, verdict = incumbent.number if incumbent else None, judged.version.number, judged.verdict
    if not verdict.passed and not (force and verdict.loads):
        tracking.record(Change(when, who, "refused", why, before, before, number, verdict.failures))
        return judged
    what: What = "promoted" if verdict.passed else "forced"
    told = tuple(check.words for check in verdict.checks)
    change = Change(when, who, what, why, before, number, number, told)
    tracking.move_champion(change)
    return Decision(_version(tracking, number), verdict, change)


def _refused(decided: Decision) -> str:
    against = "" if decided.verdict.against is None else f", and version {decided.verdict.against} stays the champion"
    overruled = '`kizashi promote --force --because "..."` overrules it'
    mend = overruled if decided.verdict.loads else "--force does not help against that; train again"
    return f"version {decided.version.number} did not pass the gate{against}; {mend}:"


def _tracking(out: Path) -> Tracking:
    """The register, with the moves made that a killed process had left."""
    tracking = Tracking(tracking_folder(out))
    tracking.finish_moves()
    return tracking


def _in_use(tracking: Tracking) -> Version | None:
    return next((version for version in tracking.versions() if "champion" in version.aliases), None)


def _version(tracking: Tracking, number: int) -> Version:
    versions = {version.number: version for version in tracking.versions()}
    if number not in versions:
        known = ", ".join(map(str, sorted(versions))) or "none"
        raise SettingsError(f"there is no version {number} of the model; registered: {known}.")
    return versions[number]


def _facts(folder: Path) -> dict[str, Any]:
    """What the manifest says besides the model; nothing where it cannot be read, which the load test tells of."""
    try:
        return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _because(why: str) -> None:
    if not why.strip():
        raise SettingsError('a change of the champion needs its reason: --because "...", which the history keeps.')
