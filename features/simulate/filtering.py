"""The particle filter: what the tables show of a customer up to a day, turned into possible hidden states."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from features.simulate.arrays import WEEK, Booleans, Floats, Integers, Span
from features.simulate.cloud import Bold, Cloud, Hazard, Laws
from features.simulate.demand import base_rate
from features.simulate.evidence import Evidence, OrderTimes, Steps, weigh_orders
from features.simulate.observed import Observations
from features.simulate.scene import Scene
from features.simulate.stages import HEALTHY, LOST, NEVER, RUN_IN_WEEKS

BOLD = Bold(cooling=3.0, sudden=25.0)  # weighted down in turn
LEAST_SHARE = 0.2  # of the draws, for each of healthy, unwell and lost
ENOUGH = 0.5  # of the particles: below this effective number (Kong, Liu and Wong 1994, JASA 89) they are drawn anew


@dataclass(frozen=True)
class Watch:
    """Some customers of a scene, `rows`, neighbours by number, watched with `particles` possible states each."""

    scene: Scene
    rows: Integers
    particles: int

    @property
    def laws(self) -> Laws:
        """The true constants."""
        return Laws.of(self.scene.accounts, self.rows, self.scene.preset)

    def rng(self, *key: int) -> np.random.Generator:
        """The random numbers of one part of the work."""
        return np.random.default_rng([20_001, int(self.rows[0]), *key])

    def hazards(self, day: float) -> Hazard:
        """The hazards of a day."""
        hazards = self.scene.hazards
        week = int(hazards.week(np.array([int(day)]))[0])
        return Hazard(hazards.cooling[self.rows, week].astype(np.float64), hazards.sudden[self.rows, week])

    def usual_rate(self, days: int) -> npt.NDArray[np.float64]:
        """Expected orders per day by rate and season, for some days from the start (customers, days)."""
        return base_rate(self.scene.accounts, self.rows, Span(self.scene.span.start, days))

    def filtered(
        self, orders: Observations, observations: list[Observations], days: Integers
    ) -> Iterator[tuple[int, Cloud, Floats]]:
        """For each of `days`, in order: the day, the cloud given all that was known before it, and the weights.

        Weights have shape (customers, particles) and add up to 1 for each customer. The cloud moves on afterwards.
        """
        scene, steps, laws, rng = self.scene, Steps.until(days), self.laws, self.rng(0)
        rate = self.usual_rate(int(days[-1])) * np.exp(scene.demand.market[: days[-1]])
        times = OrderTimes(scene, orders, self.rows, steps, np.cumsum(rate, axis=1))
        exists = np.arange(rate.shape[1]) >= times.since[:, None]
        clock = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(np.where(exists, rate, 0.0), axis=1)], axis=1)
        evidence = Evidence(scene, observations, self.rows, steps)
        begun = scene.accounts.since_day[self.rows].astype(float)
        cloud, talks = self._at_the_start(laws, rng), self._talks(steps)
        weight = np.zeros(cloud.shape)
        for step in range(len(steps)):
            day, until = int(steps.edges[step]), int(steps.edges[step + 1])
            weight += laws.move(cloud, day, until, self.hazards(day), rng, BOLD)
            if step in talks:
                laws.talk(cloud, *talks[step], rng)
            base = clock[:, until] - clock[:, day]
            weight += weigh_orders(laws, cloud, base, times.rounds(step), (day + until) / 2)
            weight += evidence.weigh(cloud, step, np.maximum(begun, 0.0))
            unborn = begun >= day
            make_healthy(cloud, (unborn & (begun >= until))[:, None] | (unborn[:, None] & (cloud.stage != HEALTHY)))
            weight[unborn] = 0.0
            if until in days:
                yield until, cloud, _normal(weight)
            _resample(cloud, weight, rng)

    def _at_the_start(self, laws: Laws, rng: np.random.Generator) -> Cloud:
        """Clouds at the start of the history: a year of life without a look, and nobody lost in it."""
        shape, preset = (len(self.rows), self.particles), self.scene.preset
        on, off = preset.project_on_days, preset.project_off_days
        between, pause = 365.25 / max(preset.pauses_per_year, 1e-3), preset.pause_days
        since = self.scene.accounts.since_day[self.rows]
        cloud = Cloud(
            stage=np.full(shape, HEALTHY),
            start=np.full(shape, -1e3),
            end=np.full(shape, float(NEVER)),
            planned=np.full(shape, float(NEVER)),
            turns=np.zeros(shape, dtype=bool),
            driver=np.zeros(shape, dtype=np.int64),
            depth=np.zeros(shape),
            fading=np.zeros(shape),
            fading_comparing=np.zeros(shape),
            recovered=np.full(shape, -1e6),
            drift=rng.standard_normal(shape),
            attention=rng.standard_normal(shape),
            running=~laws.project[:, None] | (rng.random(shape) < on / (on + off)),
            buying=rng.random(shape) < between / (between + pause),
            waited=np.where((since < 0)[:, None], laws.any_wait(shape, rng), 0.0),
        )
        for week in range(-RUN_IN_WEEKS, 0):
            laws.move(cloud, week * WEEK, (week + 1) * WEEK, self.hazards(week * WEEK), rng)
            # The lost, and those who were no customers yet, begin again in health.
            make_healthy(cloud, (cloud.stage == LOST) | (since >= week * WEEK)[:, None])
        return cloud

    def _talks(self, steps: Steps) -> dict[int, tuple[Integers, Floats]]:
        """Customers who were talked to in each step, and the days."""
        account, day = self.scene.talks.told()
        mine = (account >= self.rows[0]) & (account <= self.rows[-1])
        row, when = account[mine] - self.rows[0], day[mine]
        step = steps.of(when)
        return {int(at): (row[step == at], when[step == at].astype(float)) for at in np.unique(step)}


def make_healthy(cloud: Cloud, cells: Booleans) -> None:
    """Put some particles into a health without a past."""
    cloud.stage[cells] = HEALTHY
    cloud.end[cells] = cloud.planned[cells] = NEVER
    cloud.turns[cells] = False
    for name in ("depth", "fading", "fading_comparing"):
        getattr(cloud, name)[cells] = 0.0


def _normal(weight: Floats) -> Floats:
    """Weights that add up to 1 for each customer, from their logs."""
    even = np.exp(weight - weight.max(axis=1, keepdims=True))
    return np.asarray(even / even.sum(axis=1, keepdims=True))


def _resample(cloud: Cloud, weight: Floats, rng: np.random.Generator) -> None:
    """Draw the particles anew where few carry the weight, systematically (Kitagawa 1996, JCGS 5(1)).

    The healthy, the unwell and the lost each keep a share of the draws, and weights that undo it: a customer who is
    all but certainly lost can still be found alive.
    """
    share = _normal(weight)
    kind = np.array([0, 1, 1, 1, 2])[cloud.stage]
    mass = np.stack([np.where(kind == stratum, share, 0.0).sum(axis=1) for stratum in range(3)], axis=1)
    wanted = np.where(mass > 0, np.maximum(mass, LEAST_SHARE), 0.0)
    raised = np.where(mass > 0, wanted / wanted.sum(axis=1, keepdims=True) / np.maximum(mass, 1e-300), 1.0)
    raised = np.take_along_axis(raised, kind, axis=1)
    draw = share * raised
    rows = np.flatnonzero(1 / (draw**2).sum(axis=1) < ENOUGH * weight.shape[1])
    weight -= weight.max(axis=1, keepdims=True)
    if not rows.size:
        return
    count = weight.shape[1]
    ends = np.cumsum(draw[rows], axis=1)
    ends /= ends[:, -1:]
    places = (np.arange(count) + rng.random((len(rows), 1))) / count
    lap = np.arange(len(rows))[:, None] * 2.0
    picked = np.searchsorted((ends + lap).ravel(), (places + lap).ravel()).reshape(places.shape)
    picked = np.minimum(picked - np.arange(len(rows))[:, None] * count, count - 1)
    for field in fields(cloud):
        values = getattr(cloud, field.name)
        values[rows] = np.take_along_axis(values[rows], picked, axis=1)
    weight[rows] = -np.log(np.take_along_axis(raised[rows], picked, axis=1))
