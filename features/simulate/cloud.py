"""Possible lives of customers, carried forward in time: what both oracles are made of.

A cloud holds, for each of some customers, many possible hidden states. It moves by the true laws of the world: the
same constants that the lives, the demand and the signals are drawn with.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from features.simulate.accounts import Accounts
from features.simulate.arrays import Booleans, Floats, Integers
from features.simulate.demand import burst_factor
from features.simulate.interventions import IRRITABLE, RELATIONSHIP, RESPONSIVE, WORKS_WITHIN, response_shares
from features.simulate.presets import Preset
from features.simulate.signals import SIGNALS, State, shift
from features.simulate.stages import (
    COMPARING,
    COMPARISON,
    COOLING,
    FORWARD,
    HEALTHY,
    INSTEAD,
    LOST,
    NEVER,
    TURNED_AWAY,
    stage_laws,
)

Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hazard:
    """Yearly hazards of some customers at a time: of cooling (customers, drivers), of a sudden loss (customers,)."""

    cooling: Table
    sudden: Floats


@dataclass(frozen=True)
class Bold:
    """How many times as often as the law says particles leave health."""

    cooling: float
    sudden: float


AS_IS = Bold(1.0, 1.0)


@dataclass
class Cloud:
    """Possible states as arrays of shape (customers, particles); days count from the start of the history."""

    stage: Integers
    start: Floats  # of the stage
    end: Floats  # of the stage; NEVER in health, and for a loss for good
    planned: Floats  # the end that it would have had if no talk had come between
    turns: Booleans  # the stage will lead to INSTEAD
    driver: Integers
    depth: Floats  # 0 where no cause is at work
    fading: Floats  # how far it had turned away when it recovered last
    fading_comparing: Floats
    recovered: Floats  # day of that recovery
    drift: Floats  # of demand, in standard deviations
    attention: Floats
    running: Booleans  # a project runs (always, for customers without projects)
    buying: Booleans  # not paused
    waited: Floats  # operational time since the last order

    @property
    def shape(self) -> tuple[int, int]:
        """Customers and particles."""
        return self.stage.shape[0], self.stage.shape[1]

    def copy(self) -> "Cloud":
        """An independent copy."""
        return Cloud(*(getattr(self, field.name).copy() for field in fields(self)))

    def state(self, preset: Preset, day: float, rows: slice | Integers = slice(None)) -> State:
        """What shifts the signals of the customers `rows` on a day."""
        stage, depth = self.stage[rows], self.depth[rows]
        over = np.clip((day - self.start[rows]) / (self.planned[rows] - self.start[rows]), 0, 1)
        left = np.maximum(1 - (day - self.recovered[rows]) / preset.fade_days, 0)
        levels = []
        for knots, fading in ((TURNED_AWAY, self.fading[rows]), (COMPARING, self.fading_comparing[rows])):
            begins, ends = knots[:, 0][stage], knots[:, 1][stage]
            levels.append(np.maximum(depth * (begins + (ends - begins) * over), fading * left))
        return State(levels[0], levels[1], self.driver[rows], self.attention[rows])


@dataclass(frozen=True)
class Laws:
    """The true constants of the customers of a cloud."""

    preset: Preset
    regularity: Integers  # (customers,)
    project: Booleans  # (customers,)

    @classmethod
    def of(cls, accounts: Accounts, rows: Integers, preset: Preset) -> "Laws":
        """The constants of the customers `rows`."""
        return cls(preset, accounts.regularity[rows], accounts.project[rows])

    def move(
        self, cloud: Cloud, day: float, until: float, hazards: Hazard, rng: np.random.Generator, bold: Bold = AS_IS
    ) -> Floats:
        """Carry a cloud from `day` to `until`, a week or less later.

        Health is left as many times too often as `bold` says, so that rare turns are among the particles before
        anything speaks for them; what comes back are the logs of the weights (customers, particles) that undo it.
        """
        self._end_stages(cloud, until, rng)
        weight = self._leave_health(cloud, day, until, hazards, bold, rng)
        self._wander(cloud, until - day, rng)
        return weight

    def enter(
        self, cloud: Cloud, cells: tuple[Integers, Integers], stage: Integers, day: Floats, rng: np.random.Generator
    ) -> None:
        """Let some particles enter stages on given days, with a length and a way out drawn by the stage's law."""
        mean, shape, instead = stage_laws(self.preset)
        turns = rng.random(len(stage)) < instead[stage]
        end = day + rng.gamma(shape[stage], mean[stage] / shape[stage])
        end = np.where((stage == HEALTHY) | ((stage == LOST) & ~turns), NEVER, end)
        cloud.stage[cells], cloud.start[cells], cloud.turns[cells] = stage, day, turns
        cloud.end[cells] = cloud.planned[cells] = end

    def _end_stages(self, cloud: Cloud, until: float, rng: np.random.Generator) -> None:
        account, column = np.nonzero(cloud.end <= until)
        if not len(account):
            return
        cells = (account, column)
        stage, end = cloud.stage[cells], cloud.end[cells]
        following = np.where(cloud.turns[cells], INSTEAD[stage], FORWARD[stage])
        healthy = following == HEALTHY
        depth = np.where(stage == LOST, 0.0, cloud.depth[cells])
        reached = (end - cloud.start[cells]) / (cloud.planned[cells] - cloud.start[cells])
        for fading, knots in ((cloud.fading, TURNED_AWAY), (cloud.fading_comparing, COMPARING)):
            level = depth * (knots[stage, 0] + (knots[stage, 1] - knots[stage, 0]) * reached)
            fading[cells] = np.where(healthy, level, fading[cells])
        cloud.recovered[cells] = np.where(healthy, end, cloud.recovered[cells])
        self.enter(cloud, cells, following, end, rng)

    def _leave_health(
        self, cloud: Cloud, day: float, until: float, hazards: Hazard, bold: Bold, rng: np.random.Generator
    ) -> Floats:
        years = (until - day) / 365.25
        true = np.stack([hazards.cooling.sum(axis=1), hazards.sudden], axis=1) * years
        drawn = true * np.array([bold.cooling, bold.sudden])
        healthy = cloud.stage == HEALTHY
        stays = drawn.sum(axis=1) - true.sum(axis=1)
        weight = np.where(healthy, stays[:, None], 0.0)
        account, column = np.nonzero(healthy & (rng.random(cloud.shape) < -np.expm1(-drawn.sum(axis=1))[:, None]))
        cells = (account, column)
        cools = rng.random(len(account)) * drawn[account].sum(axis=1) >= drawn[account, 1]
        share = np.cumsum(hazards.cooling[account], axis=1)
        driver = (rng.random(len(account))[:, None] * share[:, -1:] >= share[:, :-1]).sum(axis=1)
        shape = self.preset.depth_shape
        cloud.driver[cells] = np.where(cools, driver, 0)
        cloud.depth[cells] = np.where(cools, rng.gamma(shape, 1 / shape, len(account)), 0.0)
        self.enter(cloud, cells, np.where(cools, COOLING, LOST), rng.uniform(day, until, len(account)), rng)
        weight[cells] = np.log(_chance(true, account, cools) / np.maximum(_chance(drawn, account, cools), 1e-300))
        return weight

    def _wander(self, cloud: Cloud, days: float, rng: np.random.Generator) -> None:
        preset = self.preset
        for path, memory in ((cloud.drift, preset.drift_memory_days), (cloud.attention, preset.attention_memory_days)):
            keep = np.exp(-days / memory)
            path *= keep
            path += np.sqrt(1 - keep**2) * rng.standard_normal(path.shape)
        pause = (365.25 / max(preset.pauses_per_year, 1e-3), preset.pause_days)
        cloud.buying = _turn(cloud.buying, days, pause, rng)
        mine = np.flatnonzero(self.project)
        if mine.size:
            phases = (preset.project_on_days, preset.project_off_days)
            cloud.running[mine] = _turn(cloud.running[mine], days, phases, rng)

    def talk(self, cloud: Cloud, rows: Integers, day: Floats, rng: np.random.Generator) -> None:
        """Let the customers `rows` be talked to on their days; whom it moves is drawn for each particle."""
        response = rng.choice(3, size=(len(rows), cloud.shape[1]), p=response_shares(self.preset))
        stage = cloud.stage[rows]
        won = (response == RESPONSIVE) & ((stage == COOLING) | (stage == COMPARISON))
        place, column = np.nonzero(won)
        cells = (rows[place], column)
        works = day[place] + rng.uniform(7, WORKS_WITHIN, len(place))
        cloud.end[cells], cloud.turns[cells] = np.minimum(cloud.end[cells], works), True
        annoyed = (response == IRRITABLE) & ((stage == HEALTHY) | (stage == COOLING))
        place, column = np.nonzero(annoyed)
        cells = (rows[place], column)
        shape = self.preset.depth_shape
        cloud.driver[cells] = RELATIONSHIP
        cloud.depth[cells] = rng.gamma(shape, 1 / shape, len(place))
        self.enter(cloud, cells, np.full(len(place), COMPARISON), day[place], rng)

    def need(self, cloud: Cloud, base: Floats, state: State) -> Floats:
        """Operational time that passes while the usual rate alone would let `base` (customers,) pass."""
        preset = self.preset
        level = preset.drift_spread * cloud.drift - preset.drift_spread**2 / 2
        level += shift(SIGNALS["orders"], state, preset.signal)
        burst = np.where(self.project, burst_factor(preset), 1.0)[:, None] * cloud.running
        return base[:, None] * np.exp(level) * burst * (cloud.buying & (cloud.stage != LOST))

    def any_wait(self, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
        """Operational time since the last order at a moment of chance (customers, particles)."""
        order = self.regularity[:, None]
        return rng.random(shape) * rng.gamma(order + 1, 1 / order, shape)

    def log_survival(self, waited: Floats) -> Floats:
        """Log of the chance that a gap is longer than `waited` (customers, particles): Erlang, mean 1."""
        result = np.empty_like(waited)
        for shape in np.unique(self.regularity):
            mine = self.regularity == shape
            x = shape * waited[mine]
            term, total = np.ones_like(x), np.ones_like(x)
            for place in range(1, int(shape)):
                term = term * x / place
                total += term
            result[mine] = np.log(total) - x
        return result


def _chance(rates: Table, account: Integers, cools: Booleans) -> Floats:
    """How likely it was that each account left health as it did; `rates` (customers, 2) of cooling and sudden loss."""
    both = rates.sum(axis=1)
    way = np.where(cools, rates[account, 0], rates[account, 1])
    return np.asarray(-np.expm1(-both[account]) * way / np.maximum(both[account], 1e-300))


def _turn(first: Booleans, days: float, lengths: tuple[float, float], rng: np.random.Generator) -> Booleans:
    """Phases of two kinds with exponential lengths, some days later."""
    leaves = np.where(first, -np.expm1(-days / lengths[0]), -np.expm1(-days / lengths[1]))
    return first ^ (rng.random(first.shape) < leaves)
