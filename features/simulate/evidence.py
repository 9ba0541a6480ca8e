"""What was seen of each customer, laid out on the steps of the particle filter."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

from features.simulate.arrays import WEEK, Booleans, Floats, Integers
from features.simulate.cloud import Cloud, Laws
from features.simulate.observed import Observations
from features.simulate.scene import Scene
from features.simulate.signals import SIGNALS, Signal, State, shift
from features.simulate.stages import LOST
from features.simulate.transactions import opening_days

IMPOSSIBLE = (
    4.0  # minus the log-likelihood of a yes after the loss: it may have been said before and become known since
)
LEAST_NEED = 1e-4  # of the usual one: an order says little less against a pause or a loss on the very same day


@dataclass(frozen=True)
class Steps:
    """The time line of a filter: edges in days, at every week and at every as-of date."""

    edges: Integers

    @classmethod
    def until(cls, as_ofs: Integers) -> "Steps":
        """Weeks from the start of the history to the last as-of date, cut at each of them."""
        last = int(as_ofs.max())
        return cls(np.unique(np.concatenate([np.arange(0, last, WEEK), as_ofs[as_ofs > 0], [0, last]])))

    def __len__(self) -> int:
        """Number of steps."""
        return len(self.edges) - 1

    def of(self, day: Integers) -> Integers:
        """The step in which each day lies; -1 before the first, the number of steps after the last."""
        step = np.searchsorted(self.edges, day, side="right") - 1
        return np.where(day >= self.edges[-1], len(self), step)


@dataclass(frozen=True)
class Group:
    """Observations of one signal in one step, added up: one entry per customer (and usual level)."""

    row: Integers
    usual: Floats
    number: Floats
    total: Floats


class Evidence:
    """All observations of some customers, by step and signal; the likelihood of each given a cloud."""

    def __init__(self, scene: Scene, observations: list[Observations], customers: Integers, steps: Steps) -> None:
        self.scene, self.customers, self.steps = scene, customers, steps
        place = np.full(len(scene.accounts), -1)
        place[customers] = np.arange(len(customers))
        self.trials: list[dict[str, Group]] = [{} for _ in range(len(steps))]
        self.events: dict[str, npt.NDArray[np.float64]] = {}
        for seen in observations:
            row = place[seen.account]
            step = steps.of(seen.day)
            kept = (row >= 0) & (step >= 0) & (step < len(steps))
            row, step = row[kept], step[kept]
            if SIGNALS[seen.signal].family == "rate":
                counts = np.zeros((len(steps), len(customers)))
                np.add.at(counts, (step, row), 1.0)
                self.events[seen.signal] = self.events.get(seen.signal, 0.0) + counts
                continue
            usual = scene.accounts.usual[seen.signal][seen.account] if seen.usual is None else seen.usual
            self._lay_out(seen.signal, row, step, usual[kept], seen.value[kept])

    def _lay_out(self, signal: str, row: Integers, step: Integers, usual: Floats, value: Floats) -> None:
        frame = pd.DataFrame({"step": step, "row": row, "usual": usual, "value": value})
        sums = frame.groupby(["step", "row", "usual"], as_index=False)["value"].agg(["count", "sum"])
        bounds = np.searchsorted(sums["step"], np.arange(len(self.steps) + 1))
        columns = [sums[name].to_numpy() for name in ("row", "usual", "count", "sum")]
        for number in np.unique(step).tolist():
            self.trials[number][signal] = Group(*(column[bounds[number] : bounds[number + 1]] for column in columns))

    def weigh(self, cloud: Cloud, step: int, since: Floats) -> Floats:
        """Log-likelihood of everything seen in a step but the orders; shape (customers, particles).

        `since` (customers,) is the day from which each relationship exists.
        """
        preset = self.scene.preset
        day, until = self.steps.edges[step], self.steps.edges[step + 1]
        middle = (day + until) / 2
        weeks = np.clip(until - np.maximum(since, day), 0, None) / WEEK
        state = cloud.state(preset, middle)
        weight = np.zeros(cloud.shape)
        for name, counts in self.events.items():
            weight += self._of_rate(SIGNALS[name], cloud, state, counts[step], weeks)
        for name, group in self.trials[step].items():
            mine = _rows(state, group.row)
            moved = shift(SIGNALS[name], mine, preset.signal)
            lost = cloud.stage[group.row] == LOST
            np.add.at(weight, group.row, _of_trials(SIGNALS[name], group, moved, lost))
        return weight

    def _of_rate(self, signal: Signal, cloud: Cloud, state: State, number: Floats, weeks: Floats) -> Floats:
        usual = self.scene.accounts.usual[signal.name][self.customers]
        moved = shift(signal, state, self.scene.preset.signal)
        lost = cloud.stage == LOST
        thinned = np.where(lost, signal.after_loss, 1.0)
        expected = (np.exp(usual) * weeks)[:, None] * np.exp(moved) * thinned
        return number[:, None] * (moved + np.log(np.maximum(thinned, 1e-6))) - expected


class OrderTimes:
    """When each of some customers ordered, as far as it was known, as parts of what its usual clock runs in a step."""

    def __init__(
        self,
        scene: Scene,
        orders: Observations,
        customers: Integers,
        steps: Steps,
        usual_clock: npt.NDArray[np.float64],
    ) -> None:
        place = np.full(len(scene.accounts), -1)
        place[customers] = np.arange(len(customers))
        row, day = place[orders.account], orders.day
        step = steps.of(day)
        # The first order of a new relationship opens it; the clock of its rhythm runs from the day after.
        opened = np.maximum(opening_days(scene)[customers] + 1, 0)
        self.since = np.maximum(np.maximum(scene.accounts.since_day[customers], 0), opened).astype(float)
        kept = (row >= 0) & (step >= 0) & (step < len(steps))
        row, day, step = row[kept], day[kept], step[kept]
        begins = np.where(steps.edges[step] > 0, usual_clock[row, steps.edges[step] - 1], 0.0)
        begins = np.maximum(begins, np.where(self.since[row] > 0, usual_clock[row, self.since[row].astype(int) - 1], 0))
        whole = usual_clock[row, steps.edges[step + 1] - 1] - begins
        before = np.where(day > 0, usual_clock[row, np.maximum(day, 1) - 1], 0.0)
        at = (before + usual_clock[row, day]) / 2 - begins
        part = np.clip(at / np.maximum(whole, 1e-12), 0.0, 1.0)
        order = np.lexsort((part, row, step))
        self.row, self.part, step = row[order], part[order], step[order]
        self.bounds = np.searchsorted(step, np.arange(len(steps) + 1))

    def rounds(self, step: int) -> list[tuple[Integers, Floats]]:
        """The first orders of the step, then the second ones, and so on: rows and parts."""
        row, part = (values[self.bounds[step] : self.bounds[step + 1]] for values in (self.row, self.part))
        if not len(row):
            return []
        number = np.arange(len(row)) - np.searchsorted(row, row)
        return [(row[number == turn], part[number == turn]) for turn in range(int(number.max()) + 1)]


def weigh_orders(
    laws: Laws, cloud: Cloud, base: Floats, rounds: list[tuple[Integers, Floats]], middle: float
) -> Floats:
    """Log-likelihood of the orders of a step, and of those that did not come; moves the clouds' `waited`.

    `base` (customers,) is the operational time that the usual rate lets pass in the step.
    """
    need = laws.need(cloud, base, cloud.state(laws.preset, middle))
    weight = np.zeros(cloud.shape)
    begun = np.zeros(cloud.shape)  # operational time from the start of the step to the last order in it
    before = laws.log_survival(cloud.waited)
    for row, part in rounds:
        running = np.maximum(need[row], LEAST_NEED * base[row][:, None])
        gap = cloud.waited[row] + part[:, None] * running - begun[row]
        weight[row] += _log_density(laws.regularity[row], gap) + np.log(np.maximum(running, 1e-300)) - before[row]
        begun[row] = part[:, None] * running
        cloud.waited[row], before[row] = 0.0, 0.0
    cloud.waited += np.maximum(need - begun, 0.0)
    return weight + laws.log_survival(cloud.waited) - before


def _log_density(regularity: Integers, gap: Floats) -> Floats:
    shape = regularity[:, None].astype(float)
    gap = np.maximum(gap, 1e-6)
    return shape * np.log(shape) + (shape - 1) * np.log(gap) - shape * gap - gammaln(shape)


def _rows(state: State, rows: Integers) -> State:
    return State(state.turned_away[rows], state.comparing[rows], state.driver[rows], state.attention[rows])


def _of_trials(signal: Signal, group: Group, moved: Floats, lost: Booleans) -> Floats:
    """Log-likelihood of a group of observations relative to the usual level; shape (group, particles)."""
    number, total, usual = group.number[:, None], group.total[:, None], group.usual[:, None]
    if signal.family == "share":
        answer = total * moved - number * np.logaddexp(0.0, usual + moved)
        return np.where(lost, -total * (usual + IMPOSSIBLE), answer) if signal.ends else answer
    if signal.family == "count":
        return total * moved - number * np.exp(usual + moved)
    return moved * (total - number * usual - number * moved / 2) / signal.noise**2
