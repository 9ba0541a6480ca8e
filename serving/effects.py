"""What acting on warnings was followed by, and what of it can be called an effect.

Only a comparison with warnings that were left alone by lot says what contacts achieve. Everything else here is
observational, and says so. No number of saved customers is given without a comparison.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import Literal

import pandas as pd
from scipy.special import ndtri

from features.errors import SettingsError
from models.economics import smallest_provable_save_rate
from models.figures import wilson
from serving.rows import records

#: Fewer cases than this tell nothing.
LEAST = 10
SHOWN: Literal["shown"] = "shown"
HOLDOUT: Literal["holdout"] = "holdout"
#: Levels of which warnings may be left alone.
MAY_BE_LEFT_ALONE = ("blue", "yellow", "orange")
OBSERVATIONAL, RANDOMISED = "observational", "randomised"
NO_COMPARISON, TOO_FEW = "no_comparison", "too_few"


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % Wilson interval; all NaN, and `too_few` set, where there are fewer cases than asked for."""

    hits: int
    n: int
    share: float
    low: float
    high: float
    too_few: bool

    @classmethod
    def of(cls, hits: pd.Series, least: int = LEAST) -> "Rate":
        """The share of rows that hit; a row that is not known yet counts for nothing."""
        known = hits.dropna().astype(bool)
        yes, n = int(known.sum()), len(known)
        if n < max(least, 1):
            return cls(yes, n, nan, nan, nan, True)
        low, high = wilson(yes, n)
        return cls(yes, n, yes / n, float(low), float(high), False)


@dataclass(frozen=True)
class Compared:
    """Two groups beside each other.

    Attributes
    ----------
    one, other
        The group in question, and the rest.
    points
        Difference of the shares; .24 is 24 percentage points. NaN where either has too few.
    relative
        The difference as a share of the other group's; NaN where that is 0.
    basis
        ``observational`` (who is in which group is no accident) or ``randomised``.
    """

    one: Rate
    other: Rate
    points: float
    relative: float
    basis: str = OBSERVATIONAL


def compared(one: pd.Series, other: pd.Series, least: int = LEAST) -> Compared:
    """The shares of two groups that made themselves, beside each other."""
    first, second = Rate.of(one, least), Rate.of(other, least)
    points = first.share - second.share
    return Compared(first, second, points, points / second.share if second.share else nan)


def action_in_time(warnings: pd.DataFrame, days: int = 14, least: int = LEAST) -> Compared:
    """Share of red warnings whose orders came back, acted upon within so many days (that day too) against later.

    Parameters
    ----------
    warnings
        Red ones: ``action_days`` (from the warning to the first contact, NaN without one) and ``restarted``. Those
        without any contact are in neither group.
    """
    acted = warnings[warnings["action_days"].notna()]
    early = acted["action_days"] <= days
    return compared(acted.loc[early, "restarted"], acted.loc[~early, "restarted"], least)


def visit_in_time(changes: pd.DataFrame, days: int = 21, least: int = LEAST) -> Compared:
    """Share of customers that stayed after their contact changed, visited within so many days against the others.

    Parameters
    ----------
    changes
        ``visit_days`` (from the change to the first visit, NaN without one) and ``kept``.
    """
    early = changes["visit_days"] <= days
    return compared(changes.loc[early, "kept"], changes.loc[~early, "kept"], least)


def red_actions(episodes: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Warnings that opened red, for :func:`action_in_time`: ``episode_id``, ``action_days``, ``restarted``.

    A warning without a final record is not known yet: ``restarted`` is None.
    """
    red = episodes[episodes["opened_level"] == "red"]
    final = outcomes[outcomes["state"] == "final"].set_index("episode_id")["result"]
    results = red["episode_id"].map(final)
    days = [
        nan if row["treated_at"] is None else float((row["treated_at"].date() - row["opened_on"]).days)
        for row in records(red)
    ]
    restarted = [None if pd.isna(one) else one == "restarted" for one in results]
    return pd.DataFrame(
        {
            "episode_id": red["episode_id"].to_numpy(),
            "action_days": pd.Series(days, dtype="float64"),
            "restarted": pd.Series(restarted, dtype="object"),
        }
    )


# Warnings that are left alone


@dataclass(frozen=True)
class Arm:
    """Whether a warning is shown, and how probable that was when the lot was drawn (1 where none was drawn)."""

    arm: Literal["shown", "holdout"]
    propensity: float


def assigned(
    episode_id: str, level: str, *, share: float = 0.0, salt: str = "", top_value: bool = False, red_seen: bool = False
) -> Arm:
    """The arm of a new warning: the same for the same warning, salt and share, on whatever machine.

    Red warnings and those of the most valuable customers are never left alone.

    Parameters
    ----------
    share
        Share of the others that is left alone.
    red_seen
        Whether the customer was red lately, so that leaving it alone would hide what was shown.

    Raises
    ------
    SettingsError
        If the share does not lie in 0 up to .5.
    """
    if not 0 <= share <= 0.5:
        raise SettingsError(
            f"the share of warnings that is left alone lies in 0 to 0.5; found {share}. A tenth is 0.1."
        )
    if share == 0 or level not in MAY_BE_LEFT_ALONE or top_value or red_seen:
        return Arm(SHOWN, 1.0)
    digest = hashlib.sha256(f"{salt}\n{episode_id}".encode()).digest()
    lot = int.from_bytes(digest[:8], "big") / 2**64
    return Arm(HOLDOUT if lot < share else SHOWN, 1.0 - share)


def top_values(value: pd.Series, share: float) -> pd.Series:
    """Whether each customer is among the most valuable of so large a share; ties with the last of them are, too.

    At least one is. A customer without a known value is none of them.
    """
    places = max(1, int(share * value.notna().sum()))
    return value.rank(ascending=False, method="min") <= places


@dataclass(frozen=True)
class Effect:
    """What showing warnings did, told in three columns that are not mixed.

    Attributes
    ----------
    untreated
        Share lost of the warnings that nobody acted upon: what precision means.
    treated
        Share lost of those that were: no precision. A contacted customer that orders again is undetermined, it may
        have been a false alarm or a customer that was kept.
    undetermined
        How many those are.
    shown, holdout
        Share lost among warnings for which a lot was drawn, acted upon or not: the lot, and nobody's choice, made the
        groups.
    points, low, high
        Share lost when left alone less share lost when shown, with its 95 % interval: above 0, showing kept customers.
        NaN without both groups.
    detectable
        The smallest difference in `points` that so many warnings could show with 80 % power; NaN where none could.
    code
        None, or why there is no effect: ``no_comparison``, ``too_few``.
    """

    untreated: Rate
    treated: Rate
    undetermined: int
    shown: Rate
    holdout: Rate
    points: float
    low: float
    high: float
    detectable: float
    code: str | None


def effect(warnings: pd.DataFrame, least: int = LEAST) -> Effect:
    """The effect of showing warnings, as far as a lot can tell it.

    Everybody counts in the group that the lot gave, whether somebody acted or not: those who were acted upon are not
    like those who were not. Where the share left alone changed over time, groups are compared for each share by itself
    and the differences weighted by the warnings.

    Parameters
    ----------
    warnings
        Matured ones: ``arm``, ``propensity``, ``treated`` (bool) and ``lost`` (bool).
    """
    drawn = warnings[warnings["propensity"] < 1]
    left = warnings["arm"] == HOLDOUT
    treated = warnings["treated"].astype(bool)
    lost = warnings["lost"].astype(bool)
    groups = [drawn[drawn["arm"] == arm]["lost"] for arm in (SHOWN, HOLDOUT)]
    shown, alone = (Rate.of(group, least) for group in groups)
    points, spread = _stratified(drawn)
    code = (
        NO_COMPARISON
        if not len(groups[1]) or not isfinite(points)
        else TOO_FEW
        if shown.too_few or alone.too_few
        else None
    )
    if code:
        points = spread = nan
    half = float(ndtri(0.975)) * spread
    return Effect(
        Rate.of(lost[~treated], least),
        Rate.of(lost[treated & ~left], least),
        int((treated & ~lost).sum()),
        shown,
        alone,
        points,
        points - half,
        points + half,
        detectable(len(drawn), alone.share, len(groups[1]) / len(drawn) if len(drawn) else 0.0),
        code,
    )


def detectable(n: int, lost: float, holdout_share: float) -> float:
    """The smallest difference in the share lost that `n` warnings can show; NaN where none can, or nothing is known."""
    if n == 0 or not isfinite(lost) or not 0 < holdout_share < 1:
        return nan
    return lost * smallest_provable_save_rate(n, lost, holdout_share=holdout_share)


def _stratified(drawn: pd.DataFrame) -> tuple[float, float]:
    """Difference of the shares lost (left alone less shown) and its standard error, over shares of the lot."""
    points = variance = weight = 0.0
    for _, mine in drawn.groupby("propensity"):
        groups = [mine.loc[mine["arm"] == arm, "lost"].astype(float) for arm in (HOLDOUT, SHOWN)]
        if min(map(len, groups)) == 0:
            continue
        n = len(mine)
        # one case more of each kind keeps a group without losses from having no spread at all
        shares = [(group.sum() + 1) / (len(group) + 2) for group in groups]
        points += n * (groups[0].mean() - groups[1].mean())
        variance += n**2 * sum(p * (1 - p) / len(group) for p, group in zip(shares, groups, strict=True))
        weight += n
    return (points / weight, sqrt(variance) / weight) if weight else (nan, nan)


@dataclass(frozen=True)
class Saved:
    """Customers kept by showing warnings, with the ends of the interval; or nothing, and the code of why."""

    customers: float | None
    low: float | None
    high: float | None
    code: str | None


def saved(found: Effect, shown: int) -> Saved:
    """How many of so many shown warnings' customers were kept; refused, with a code, without a comparison."""
    if found.code:
        return Saved(None, None, None, found.code)
    kept, low, high = (round(shown * points, 1) for points in (found.points, found.low, found.high))
    return Saved(kept, low, high, None)


def change_report(before: Mapping[str, float], after: Mapping[str, float]) -> pd.DataFrame:
    """What a training moved: ``name``, ``before``, ``after`` of weights and thresholds that are not the same."""
    names = sorted({*before, *after})
    rows = [(name, before.get(name, nan), after.get(name, nan)) for name in names]
    found = pd.DataFrame(rows, columns=["name", "before", "after"])
    same = (found["before"] == found["after"]) | (found["before"].isna() & found["after"].isna())
    return found[~same].reset_index(drop=True)
