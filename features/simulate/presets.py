"""The numbers of the simulated world as a whole, one frozen record per difficulty.

What each signal does is in `features.simulate.signals`, what each cause does in `features.simulate.causes`. A
world is published with its record: whoever quotes a figure from it can say what was assumed. The numbers may be
changed to make the world more plausible, never to suit a model that is judged on it.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np

T = TypeVar("T")


def _parameter(value: T, why: str, opens: str = "") -> T:
    """A parameter and its reason; `opens` names the group that begins with it."""
    return field(default=value, metadata={"why": why, "opens": opens})


@dataclass(frozen=True)
class Preset:
    """All parameters of one simulated world; durations in days, rates per year, effects as logs or shares."""

    signal: float = _parameter(
        1.0,
        "multiplies every symptom: the one dial of difficulty",
        opens="the hidden relationship: healthy -> cooling -> comparison -> decision -> lost",
    )
    yearly_loss: float = _parameter(0.20, "share of active customers lost per year: 15 to 25 % are usual")
    sudden_share: float = _parameter(0.25, "losses without a stage before (closure, takeover): unforeseeable")
    causes: float = _parameter(1.0, "multiplies how strongly causes push towards a cooling; 0: they do nothing at all")
    loss_spread: float = _parameter(0.5, "sigma of the lognormal proneness to leave: the old are the loyal")
    cooling_days: float = _parameter(135.0, "mean length of cooling: 3 to 6 months")
    comparison_days: float = _parameter(60.0, "mean length of comparison: 1 to 3 months")
    decision_days: float = _parameter(24.0, "mean length of decision: 2 to 5 weeks")
    stage_shape: float = _parameter(12.0, "gamma shape of the three lengths: their sd is 29 % of the mean")
    cooling_recovers: float = _parameter(0.38, "coolings that pass by themselves: the honest false alarms")
    comparison_recovers: float = _parameter(0.28, "comparisons that the supplier wins")
    fade_days: float = _parameter(45.0, "until the traces of an overcome cooling are gone")
    returns: float = _parameter(0.15, "lost customers who come back: the label is never pure")
    return_days: float = _parameter(240.0, "mean absence of those who come back")
    depth_shape: float = _parameter(
        4.0, "gamma shape of the depth of the symptoms (mean 1): some leave with hardly a trace"
    )
    spread: float = _parameter(
        1.0,
        "multiplies all differences between customers in what is usual; 0: all alike",
        opens="rhythm: who orders how often, and how regularly",
    )
    fewest_orders: float = _parameter(3.0, "per year: rarer customers have no rhythm that could be broken")
    most_orders: float = _parameter(60.0, "per year: about weekly")
    regularity: tuple[int, int, int, int] = _parameter(
        (1, 2, 4, 8), "Erlang shapes: from chance (1) to standing orders (8)"
    )
    season: float = _parameter(1.0, "multiplies the seasons of the industries; 0 switches them off")
    drift_spread: float = _parameter(0.45, "sd of the log demand of a customer around its mean, unrelated to leaving")
    drift_memory_days: float = _parameter(230.0, "after which two thirds of a drift are gone: slow, like cooling")
    attention_memory_days: float = _parameter(
        120.0, "the same of the attention that customers give, unrelated to leaving"
    )
    market_spread: float = _parameter(0.05, "sd of the log demand that all customers share")
    slump_depth: float = _parameter(0.15, "log demand lost in one market slump, which is no customer's fault")
    slump_days: float = _parameter(120.0, "length of that slump")
    projects: float = _parameter(1.0, "multiplies the share of customers who order for projects: bursts, then silence")
    project_on_days: float = _parameter(80.0, "mean length of a project")
    project_off_days: float = _parameter(130.0, "mean silence between projects")
    pauses_per_year: float = _parameter(0.8, "plant closed, stock full, budget frozen: silence that means nothing")
    pause_days: float = _parameter(60.0, "mean length of a pause")
    new_per_year: float = _parameter(
        0.18, "customers won per year, as a share of those there at the start", opens="arrivals"
    )
    policy: Literal["none", "random", "overdue"] = _parameter(
        "overdue", "whom sales may talk to: see interventions", opens="what the company does about it"
    )
    treated_share: float = _parameter(0.3, "chance that a candidate of the policy is talked to (the propensity)")
    logged_share: float = _parameter(0.85, "of the talks, entered among the interactions")
    responsive_share: float = _parameter(0.40, "of customers: a talk ends their cooling or comparison")
    irritable_share: float = _parameter(0.05, "of customers: a talk sets off the comparison of offers")
    credit_notes: float = _parameter(
        0.025, "orders of which a line is credited later, under a number of its own", opens="how things are recorded"
    )
    late_rows: float = _parameter(0.02, "rows of each table that enter the books days after the event")
    duplicates: float = _parameter(0.002, "rows of each event table that were delivered twice")
    late_loss: float = _parameter(
        1.0, "multiplies the hazards of leaving", opens="change of the times, over the last year"
    )
    late_rate: float = _parameter(1.0, "multiplies the order rates")

    @property
    def lost_after_cooling(self) -> float:
        """Chance that a cooling ends in a loss."""
        return (1 - self.cooling_recovers) * (1 - self.comparison_recovers)

    @property
    def hazards(self) -> tuple[float, float]:
        """Yearly hazards (cooling, sudden loss) of the healthy that give `yearly_loss` and `sudden_share`.

        With c and s the two hazards, q = `lost_after_cooling` and m the mean years that a cooling and what
        follows last, an active customer is healthy for 1/(1 + c m) of the time, so c q + s = L (1 + c m) with
        L = -ln(1 - yearly loss), and s = c q sudden/(1 - sudden).
        """
        total = float(-np.log1p(-self.yearly_loss))
        if self.sudden_share >= 1:
            return 0.0, total
        going_on = 1 - self.cooling_recovers
        unwell_days = self.cooling_days + going_on * self.comparison_days + self.lost_after_cooling * self.decision_days
        losses_per_cooling = self.lost_after_cooling / (1 - self.sudden_share)
        cooling = total / (losses_per_cooling - total * unwell_days / 365.25)
        return cooling, cooling * losses_per_cooling * self.sudden_share


NORMAL = Preset()
PRESETS = {
    "easy": replace(NORMAL, signal=1.5),
    "normal": NORMAL,
    "hard": replace(NORMAL, signal=0.5),
    "null": replace(NORMAL, signal=0.0, sudden_share=1.0, causes=0.0),
    "drift": replace(NORMAL, late_loss=1.8, late_rate=0.85),
}
PURPOSES = {
    "easy": "Every symptom is half as strong again.",
    "normal": "The world that figures are quoted from.",
    "hard": "Every symptom is half as strong.",
    "null": "Everybody leaves without a sign or a cause: whoever finds lead time here has found a leak.",
    "drift": "More customers leave and all order less in the last year: what was learnt before no longer fits.",
}
"""What each preset is for."""
