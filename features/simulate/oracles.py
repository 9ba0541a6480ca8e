"""What can be known at best: two forecasts by somebody who knows how the world was made.

`latent_state` sees the hidden state itself and needs chance only for what comes after: no forecast from any data can
be better. `particle_filter` sees what the tables show of a customer up to a day, knows every true constant of the
world and of the customer, and draws what follows from them by sequential importance resampling (Gordon, Salmond and
Smith 1993, IEE Proceedings F 140(2)): the bound of what data can give. Neither is told what happens after the as-of
date: causes and market are taken to stay as they are, and nobody is talked to.

What makes the filter a little worse than the bound: a week is one moment, the particles are finite, and a fact that
becomes known later than it was decided (no answer, no payment yet) is weighed on the day on which it is known. What
makes it a little better than any company: it knows from the first day what is usual for a customer, the demand of the
market, whom each cause reached from the week of the event on, and every talk, entered or not.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammainc, gammaincinv

from features.labels import HORIZONS
from features.simulate.account_changes import account_changes_observed
from features.simulate.arrays import WEEK, Floats, Integers
from features.simulate.cloud import Cloud
from features.simulate.contracts import contracts_observed
from features.simulate.demand import clock_at, running
from features.simulate.filtering import Watch
from features.simulate.finances import finances_observed
from features.simulate.interactions import interactions_observed
from features.simulate.observed import Observations
from features.simulate.partnerships import partnerships_observed
from features.simulate.promotions import promotions_observed
from features.simulate.quotes import quotes_observed
from features.simulate.services import services_observed
from features.simulate.stages import HEALTHY, LOST, NEVER, stage_laws
from features.simulate.transactions import orders_observed, transactions_observed
from features.simulate.world import World
from features.snapshots import Progress, silent

OBSERVED: tuple[Callable[..., list[Observations]], ...] = (
    transactions_observed,
    interactions_observed,
    services_observed,
    finances_observed,
    partnerships_observed,
    quotes_observed,
    account_changes_observed,
    contracts_observed,
    promotions_observed,
)
"""How each table is read back."""

LATENT, FILTER = "latent_state", "particle_filter"
PARTICLES = 1000  # possible states of each customer; 4,000 give an AUC that is higher by less than .005
BATCH = 100  # customers at a time: their clouds fit in a few MB
THREADS = 2


def oracles(
    world: World,
    as_ofs: Sequence[date],
    customers: int,
    *,
    particles: int = PARTICLES,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Both oracles for the first `customers` customers of a world (they are in no order of any meaning).

    Returns
    -------
    `customer_id, as_of, oracle`, and for 30, 60, 90 and 180 days the probabilities `p_no_order_<h>` of no order in
    [as_of, as_of + h) and, with 0 days besides, `p_lost_<h>` of being in the stage lost on as_of + h. One row for
    every customer whose relationship began before the as-of date.

    Raises
    ------
    ValueError
        For as-of dates outside the history.
    """
    scene = world.scene
    days = scene.span.day(np.array(sorted(set(as_ofs)), dtype="datetime64[D]"))
    if len(days) == 0 or days[0] <= 0 or days[-1] > scene.span.days:
        raise ValueError(f"as_ofs must lie within the history of {scene.span.days} days; found the days {days}.")
    orders = orders_observed(scene, world.tables)
    observations = [seen for read in OBSERVED for seen in read(scene, world.tables)]
    clock = clock_at(scene.accounts, scene.lives, scene.demand, scene.preset, scene.span, days)
    count = min(customers, len(scene.accounts))

    def forecasts(first: int) -> pd.DataFrame:
        watch = Watch(scene, np.arange(first, min(first + BATCH, count)), particles)
        frames = []
        for number, (day, cloud, weights) in enumerate(watch.filtered(orders, observations, days)):
            frames.append(_frame(watch, FILTER, day, _ahead(watch, cloud, weights, day)))
            true = _true(watch, day, clock[watch.rows, number])
            frames.append(_frame(watch, LATENT, day, _ahead(watch, true, np.full(true.shape, 1 / particles), day)))
        return pd.concat(frames, ignore_index=True)

    parts = []
    # The work is in array operations, which leave other threads alone; what comes out depends on no other batch.
    with ThreadPoolExecutor(THREADS) as pool:
        for part in pool.map(forecasts, range(0, count, BATCH)):
            parts.append(part)
            progress(f"oracles of {count} customers", min(len(parts) * BATCH / count, 1.0))
    return pd.concat(parts, ignore_index=True).sort_values(["oracle", "as_of", "customer_id"], ignore_index=True)


@dataclass(frozen=True)
class _Outlook:
    """Probabilities by horizon; shape (customers,) each."""

    no_order: dict[int, Floats]
    lost: dict[int, Floats]


def _ahead(watch: Watch, cloud: Cloud, weights: Floats, day: int) -> _Outlook:
    """What comes of a cloud, by carrying each of its particles forward once."""
    cloud, laws, rng = cloud.copy(), watch.laws, watch.rng(2, day)
    hazards = watch.hazards(day - 1)
    market = np.exp(watch.scene.demand.market[day - 1])
    rate = watch.usual_rate(day + max(HORIZONS))[:, day:] * market
    clock = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(rate, axis=1)], axis=1)
    edges = np.unique(np.concatenate([np.arange(0, max(HORIZONS), WEEK), HORIZONS]))
    before = laws.log_survival(cloud.waited)
    no_order, lost = {}, {0: _share(weights, cloud.stage == LOST)}
    for first, last in pairwise(edges.tolist()):
        laws.move(cloud, day + first, day + last, hazards, rng)
        state = cloud.state(laws.preset, day + (first + last) / 2)
        cloud.waited += laws.need(cloud, clock[:, last] - clock[:, first], state)
        if last in HORIZONS:
            no_order[last] = _share(weights, np.exp(laws.log_survival(cloud.waited) - before))
            lost[last] = _share(weights, cloud.stage == LOST)
    return _Outlook(no_order, lost)


def _share(weights: Floats, values: npt.NDArray[Any]) -> Floats:
    """The weighted mean of each customer's particles; a rounding above 1 is taken off."""
    return np.minimum((weights * values).sum(axis=1), 1.0)


def _true(watch: Watch, day: int, clock: Floats) -> Cloud:
    """The true hidden state on a day, many times over; how long the stage will yet last is drawn.

    `clock` is the customers' operational time on that day.
    """
    scene, preset, rows = watch.scene, watch.scene.preset, watch.rows
    shape, laws, rng = (len(rows), watch.particles), watch.laws, watch.rng(1, day)
    now = _episode(watch, day)
    stage, start = scene.lives.stage[now], scene.lives.start[now].astype(float)
    end, turns = _yet_to_come(stage, start, day, shape, stage_laws(preset), rng)
    week = min(day // WEEK, scene.span.weeks - 1)
    state, caused, healthy = scene.state, scene.lives.driver[now] >= 0, stage == HEALTHY

    def full(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.repeat(values[:, None], shape[1], axis=1)

    spread = preset.drift_spread
    drift = (scene.demand.drift[rows, week] + spread**2 / 2) / max(spread, 1e-9)
    return Cloud(
        stage=full(stage),
        start=full(start),
        end=end,
        planned=end.copy(),
        turns=turns,
        driver=full(np.where(caused, scene.lives.driver[now], state.driver[rows, week])),
        depth=full(np.where(caused, scene.lives.depth[now], 0.0)),
        fading=full(np.where(healthy, state.turned_away[rows, week], 0.0)),
        fading_comparing=full(np.where(healthy, state.comparing[rows, week], 0.0)),
        recovered=full(np.full(len(rows), float(day))),
        drift=full(drift),
        attention=full(scene.attention[rows, week]),
        running=full(~laws.project | running(scene.demand.projects[rows], scene.span)[:, day - 1]),
        buying=full(running(scene.demand.pauses[rows], scene.span)[:, day - 1]),
        waited=_waited(watch, day, clock, rng),
    )


def _episode(watch: Watch, day: int) -> Integers:
    """The row of the lives in which each customer is on a day."""
    lives = watch.scene.lives
    lap = 4 * NEVER
    first = np.searchsorted(lives.account, watch.rows)
    now = np.searchsorted(lives.account * lap + lives.start, watch.rows * lap + day, side="right") - 1
    return np.maximum(now, first)


def _yet_to_come(
    stage: Integers, start: Floats, day: int, shape: tuple[int, int], laws: tuple[Floats, Floats, Floats],
    rng: np.random.Generator,
) -> tuple[Floats, npt.NDArray[np.bool_]]:  # fmt: skip
    """When each stage will end and whether it leads to the other way out, given that it has lasted until `day`."""
    mean, form, instead = laws
    age = np.maximum(day - start, 0.0)
    over = gammainc(form[stage], age * form[stage] / mean[stage])[:, None]
    draw = np.clip(over + (1 - over) * rng.random(shape), 0, 1 - 1e-12)
    length = gammaincinv(form[stage][:, None], draw) * (mean / form)[stage][:, None]
    chance = instead[stage][:, None]
    # A loss ends only if it is not for good, and the longer it has lasted, the less likely that is.
    returns = chance * (1 - over) / np.maximum(chance * (1 - over) + 1 - chance, 1e-12)
    lost, healthy = (stage == LOST)[:, None], (stage == HEALTHY)[:, None]
    turns = rng.random(shape) < np.where(lost, returns, chance)
    end = np.maximum(start[:, None] + length, day + 1e-3)
    return np.where(healthy | (lost & ~turns), float(NEVER), end), turns


def _waited(watch: Watch, day: int, clock: Floats, rng: np.random.Generator) -> Floats:
    """Operational time since the last order; where there was none yet, since one before the history, as a draw."""
    orders = watch.scene.orders
    lap = watch.scene.span.days + 1
    last = np.searchsorted(orders.account * lap + orders.day, watch.rows * lap + day) - 1
    known = (last >= 0) & (orders.account[np.maximum(last, 0)] == watch.rows)
    shape = (len(watch.rows), watch.particles)
    since = clock - orders.due[np.maximum(last, 0)]
    return np.where(known[:, None], np.maximum(since, 0.0)[:, None], watch.laws.any_wait(shape, rng) + clock[:, None])


def _frame(watch: Watch, oracle: str, day: int, outlook: _Outlook) -> pd.DataFrame:
    accounts = watch.scene.accounts
    begun = accounts.since_day[watch.rows] < day
    columns = {f"p_no_order_{h}": outlook.no_order[h] for h in HORIZONS}
    columns |= {f"p_lost_{h}": outlook.lost[h] for h in (0, *HORIZONS)}
    frame = pd.DataFrame(
        {
            "customer_id": pd.array(accounts.customer_id[watch.rows], dtype="str"),
            "as_of": watch.scene.span.dates(np.full(len(watch.rows), day)),
            "oracle": oracle,
            **columns,
        }
    )
    return frame[begun]
