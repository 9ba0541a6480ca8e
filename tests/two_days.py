"""The simulated company with two published days, see `told.py`."""

from dataclasses import dataclass
from datetime import date

from features.snapshots import ELIGIBLE
from pipelines.dated import DatedDay
from pipelines.intake import Intake
from pipelines.settings import database_url
from serving.store import Store

#: The second published day, two weeks after `DAY`.
LATER = date(2026, 8, 15)


@dataclass(frozen=True)
class TwoDays:
    """A company of which `DAY` and `LATER` are published; `intake` stands on the later one."""

    intake: Intake
    earlier: DatedDay
    later: DatedDay

    @property
    def warned(self) -> str:
        """The customer at risk the most, of those whom the probability alone warns of."""
        scores = self.later.scores
        here = scores[(scores["cohort"] == ELIGIBLE) & (scores["model_level"] != "none")]
        return str(here.loc[here["churn_probability"].idxmax(), "customer_id"])

    @property
    def rated_twice(self) -> list[str]:
        """Customers in the cohort on both days."""
        earlier, later = (day.scores[day.scores["cohort"] == ELIGIBLE] for day in (self.earlier, self.later))
        return sorted(set(earlier["customer_id"]) & set(later["customer_id"]))

    def outside(self, cohort: str) -> str:
        """A customer who is not rated on the later day."""
        scores = self.later.scores
        return str(scores.loc[scores["cohort"] == cohort, "customer_id"].iloc[0])

    def store(self) -> Store:
        return Store.open(database_url(self.intake.settings, self.intake.request.out), create=False)
