"""Calibration that must earn its place: identity unless something else did better on dates that it had not seen.

Shape and level are kept apart. The *shape* is how far probabilities lie from each other: a slope about the centre, for
probabilities that are too extreme or too timid, judged at each date's own level. The *level* is how many leave at all;
it moves with the season and the market, so it is never taken from the newest dates alone: it is a part of what the same
season of last year would have needed, or of the distance to the mean of the label-free model. Both are affine in the
log-odds, so that additive contributions stay additive. docs/experiments.md has what other maps gave.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from models.selection import losses_at_own_level

Floats = NDArray[np.float64]

#: With fewer judged dates nothing can earn its place.
MIN_DATES = 4
#: A smaller gain in log loss is worth no correction.
LEAST_GAIN = 0.0005
#: Slopes that are tried, on either side of 1.
SLOPES = np.round(np.geomspace(0.4, 2.5, 41), 3)
#: Parts of a level's correction that are tried.
PARTS = (0.25, 0.5, 0.75, 1.0)
#: A date of last year belongs to the same season if it is within so many days of a year ago.
SEASON_DAYS = 45
#: Without a record of its own, the level of a season is uncertain by so much (log-odds), with the weight of so many
#: dates.
USUAL_LEVEL_SPREAD, USUAL_DATES = 0.3, 4


@dataclass(frozen=True)
class Affine:
    """Calibrated log-odds = `intercept` + `slope` x log-odds; `kind` says what earned its place."""

    intercept: float = 0.0
    slope: float = 1.0
    kind: str = "identity"

    def __call__(self, margin: Floats) -> Floats:
        """Calibrated log-odds, shape of `margin`."""
        return self.intercept + self.slope * margin


def choose(rows: pd.DataFrame, here: pd.DataFrame, horizon_days: int, as_of: pd.Timestamp) -> Affine:
    """The calibration to use at `as_of`.

    Parameters
    ----------
    rows
        Out-of-time predictions whose outcome is known at `as_of`: ``as_of`` (their own date), ``margin`` (log-odds),
        ``outcome`` (0.0 or 1.0) and ``label_free`` (the label-free model's log-odds).
    here
        ``margin`` and ``label_free`` of the cohort of `as_of` itself, for the correction towards the label-free level.
    horizon_days
        Maturity of the outcome in days, lateness of the books included: a date may be corrected only by dates that
        had matured before it.
    """
    slope, centre = _shape(rows)
    level, kind = _level(_shaped(rows, slope, centre), _shaped(here, slope, centre), horizon_days, as_of)
    named = [name for name in ("slope" if slope != 1 else "", kind) if name]
    return Affine((1 - slope) * centre + level, slope, " + ".join(named) or "identity")


def level_spread(rows: pd.DataFrame, calibrated: Callable[[Floats], Floats] = Affine()) -> float:
    """How uncertain the level of a coming date is: standard deviation, in log-odds, of what past dates would have
    needed, pulled towards :data:`USUAL_LEVEL_SPREAD`.
    """
    shifts = (
        [
            level_shift(calibrated(part["margin"].to_numpy()), part["outcome"].to_numpy())
            for _, part in rows.groupby("as_of")
        ]
        if len(rows)
        else []
    )
    own = float(np.square(shifts).sum())
    return float(np.sqrt((own + USUAL_DATES * USUAL_LEVEL_SPREAD**2) / (len(shifts) + USUAL_DATES)))


def _shape(rows: pd.DataFrame) -> tuple[float, float]:
    """Slope about the centre of the log-odds, 1 unless another did better on dates left out, by a standard error."""
    if not len(rows) or rows["as_of"].nunique() < MIN_DATES:
        return 1.0, 0.0
    centre = float(rows["margin"].mean())
    losses = []
    for _, part in rows.groupby("as_of"):
        margins = centre + SLOPES * (part["margin"].to_numpy()[:, None] - centre)
        losses.append(losses_at_own_level(margins, part["outcome"].to_numpy()))
    table = np.array(losses)
    others = (table.sum(axis=0) - table).argmin(axis=1)
    gains = table[:, SLOPES == 1.0].ravel() - table[np.arange(len(table)), others]
    # Neighbouring dates share customers and months: their gains are less different than they look.
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    best = float(SLOPES[table.sum(axis=0).argmin()])
    return (best, centre) if gains.mean() > max(error, LEAST_GAIN) else (1.0, centre)


def _shaped(rows: pd.DataFrame, slope: float, centre: float) -> pd.DataFrame:
    return rows.assign(margin=centre + slope * (rows["margin"] - centre)) if len(rows) else rows


def _level(rows: pd.DataFrame, here: pd.DataFrame, horizon_days: int, as_of: pd.Timestamp) -> tuple[float, str]:
    """The shift of the level at `as_of` and its name; 0 unless it would have done better on earlier dates."""
    losses: list[dict[str, float]] = []
    for date in sorted(rows["as_of"].unique()) if len(rows) else ():
        earlier = rows[rows["as_of"] <= date - timedelta(days=horizon_days)]
        part = rows[rows["as_of"] == date]
        if len(earlier):
            margin, outcome = part["margin"].to_numpy(), part["outcome"].to_numpy()
            shifts = _shifts(earlier, part, date)
            losses.append({name: _log_loss(margin + shift, outcome) for name, shift in shifts.items()})
    table = pd.DataFrame(losses)
    if len(table) < MIN_DATES:
        return 0.0, ""
    gains = table.rsub(table[""], axis=0).drop(columns="")
    worth = gains.mean()[gains.mean() > (gains.std(ddof=1) / np.sqrt(len(gains))).clip(lower=LEAST_GAIN)]
    if worth.empty:
        return 0.0, ""
    kind = str(worth.idxmax())
    return _shifts(rows, here, as_of)[kind], kind


def _shifts(earlier: pd.DataFrame, here: pd.DataFrame, date: pd.Timestamp) -> dict[str, float]:
    """Every candidate's shift at a date, from what had matured by then; 0 where it has nothing to go by."""
    age = (date - earlier["as_of"]).dt.days
    same = earlier[(age - 365).abs() <= SEASON_DAYS]
    season = level_shift(same["margin"].to_numpy(), same["outcome"].to_numpy()) if len(same) else 0.0
    towards = (
        _shift_to(here["margin"].to_numpy(), float(special.expit(here["label_free"]).mean())) if len(here) else 0.0
    )
    shifts = {"": 0.0}
    for part in PARTS:
        shifts[f"{part:g} of last year's season"] = part * season
        shifts[f"{part:g} of the way to the label-free level"] = part * towards
    return shifts


def level_shift(margin: Floats, outcome: Floats) -> float:
    """The shift of the log-odds that makes the mean probability equal the observed share, within 5."""
    return _shift_to(margin, (outcome.sum() + 0.5) / (len(outcome) + 1))


def _shift_to(margin: Floats, share: float) -> float:
    def excess(shift: float) -> float:
        return float(special.expit(margin + shift).mean() - share)

    if excess(-5.0) * excess(5.0) > 0:
        return 5.0 * float(np.sign(-excess(0.0)))
    return float(optimize.brentq(excess, -5, 5))


def _log_loss(margin: Floats, outcome: Floats) -> float:
    return float(np.mean(np.logaddexp(0, margin) - outcome * margin))
