"""The array types of the simulated world, and its clock."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

WEEK = 7
WORKING_DAYS_PER_WEEK = 5


@dataclass(frozen=True)
class Span:
    """The simulated history: day 0 begins at midnight of `start`; the extract is taken `days` days later."""

    start: np.datetime64
    days: int

    @property
    def weeks(self) -> int:
        """Number of weeks, the last one perhaps cut short."""
        return -(-self.days // WEEK)

    def dates(self, days: Integers) -> npt.NDArray[np.datetime64]:
        """The midnights of day numbers, in microseconds."""
        return (self.start + days.astype("timedelta64[D]")).astype("datetime64[us]")

    def day(self, dates: npt.NDArray[np.datetime64]) -> Integers:
        """The day numbers of moments."""
        return (dates.astype("datetime64[D]") - self.start).astype(np.int64)

    def open_days(self) -> Booleans:
        """Days on which business is done: Monday to Friday, closed from 29 December to 3 January."""
        dates = self.start + np.arange(self.days)
        month = dates.astype("datetime64[M]")
        day = (dates - month).astype(int) + 1
        month_of_year = month.astype(int) % 12 + 1
        closed = ((month_of_year == 12) & (day >= 29)) | ((month_of_year == 1) & (day <= 3))
        return np.is_busday(dates) & ~closed

    def day_of_year(self) -> Integers:
        """Days since 1 January, per day of the history."""
        dates = self.start + np.arange(self.days)
        return (dates - dates.astype("datetime64[Y]")).astype(np.int64)


def wander(count: int, steps: int, step_days: float, memory_days: float, rng: np.random.Generator) -> Floats:
    """Stationary AR(1) paths with variance 1; shape (count, steps)."""
    keep = np.exp(-step_days / memory_days)
    shocks = rng.standard_normal((steps, count))
    path = np.empty((steps, count))
    path[0] = shocks[0]
    for step in range(1, steps):
        path[step] = keep * path[step - 1] + np.sqrt(1 - keep**2) * shocks[step]
    return path.T
