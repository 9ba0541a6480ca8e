"""The numbers of the simulated world, one frozen record per difficulty.

A world is published with its record: whoever quotes a figure from it can say what was assumed. The numbers
may be changed to make the world more plausible, never to suit a model that is judged on it.
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Driver:
    """A cause of leaving and how strongly it shows in each symptom (1 = as in `Preset`, 0 = not at all)."""

    name: str
    share: float  # of all coolings that have this cause
    rate: float  # orders come later
    breadth: float  # product lines are dropped, smallest first
    size: float  # fewer and smaller lines
    mix: float  # high-margin products are bought elsewhere
    discount: float  # more discount is obtained while offers are compared
    urgent: float  # rush orders, because stock is no longer kept


# The shares add up to 1 and each column is about 1 on average: a cause changes the pattern of what is seen,
# not how much of it. Only part of a cause shows in the orders; the rest belongs to the other tables.
DRIVERS = (
    Driver("competitor", 0.30, rate=0.8, breadth=1.6, size=1.0, mix=1.5, discount=0.8, urgent=0.4),
    Driver("price", 0.25, rate=0.7, breadth=0.8, size=0.8, mix=1.4, discount=2.0, urgent=0.5),
    Driver("service", 0.20, rate=1.2, breadth=1.0, size=0.8, mix=0.5, discount=0.5, urgent=2.5),
    Driver("relationship", 0.15, rate=1.5, breadth=0.5, size=0.9, mix=0.3, discount=0.4, urgent=0.8),
    Driver("demand", 0.10, rate=1.3, breadth=0.5, size=1.8, mix=0.2, discount=0.3, urgent=0.3),
)


@dataclass(frozen=True)
class Preset:
    """All parameters of one simulated world; durations in days, rates per year, effects as logs or shares."""

    # --- the hidden relationship: healthy -> cooling -> comparison -> decision -> lost ---
    signal: float = 1.0  # multiplies every symptom: the one dial of difficulty
    yearly_loss: float = 0.20  # share of active customers lost per year: 15 to 25 % are usual
    sudden_share: float = 0.25  # losses without a stage before (closure, takeover): unforeseeable
    loss_spread: float = 0.5  # sigma of the lognormal proneness to leave: the old are the loyal
    cooling_days: float = 135.0  # mean length of cooling: 3 to 6 months
    comparison_days: float = 60.0  # mean length of comparison: 1 to 3 months
    decision_days: float = 24.0  # mean length of decision: 2 to 5 weeks
    stage_shape: float = 12.0  # gamma shape of the three lengths: their sd is 29 % of the mean
    cooling_recovers: float = 0.38  # coolings that pass by themselves: the honest false alarms
    comparison_recovers: float = 0.28  # comparisons that the supplier wins
    fade_days: float = 45.0  # until the traces of an overcome cooling are gone
    returns: float = 0.15  # lost customers who come back: the label is never pure
    return_days: float = 240.0  # mean absence of those who come back
    # --- what a stage does to the orders, at the moment of loss, for a symptom of usual depth ---
    depth_shape: float = 3.0  # gamma shape of the depth (mean 1): some leave with hardly a trace
    rate_effect: float = 0.9  # log order rate: 41 % of the usual at the loss, 64 % at the end of cooling
    breadth_effect: float = 0.5  # share of the product lines given up
    size_effect: float = 0.30  # log line amount, and log number of lines of an order
    mix_effect: float = 0.354  # relative fall of the high-margin share: the 65 % to 42 % of the known case
    discount_effect: float = 0.06  # additional discount while offers are compared
    urgent_effect: float = 0.10  # additional share of urgent orders: stock is run down
    # --- rhythm: who orders how often, and how regularly ---
    orders_per_year: float = 10.0  # median; with the spread below 95 % lie between two a year and one a week
    rate_spread: float = 0.8  # sigma of the lognormal rates
    fewest_orders: float = 3.0  # per year: rarer customers have no rhythm that could be broken
    most_orders: float = 60.0  # per year: about weekly
    regularity: tuple[int, ...] = (1, 2, 4, 8)  # Erlang shapes: from chance (1) to standing orders (8)
    regularity_shares: tuple[float, ...] = (0.40, 0.30, 0.20, 0.10)  # few order like clockwork
    season: float = 1.0  # multiplies the seasons of the industries; 0 switches them off
    drift_spread: float = 0.45  # sd of the log demand of a customer around its mean, unrelated to leaving
    drift_memory_days: float = 230.0  # after which two thirds of a drift are gone: slow, like cooling
    market_spread: float = 0.05  # sd of the log demand that all customers share
    slump_depth: float = 0.15  # log demand lost in one market slump, which is no customer's fault
    slump_days: float = 120.0  # length of that slump
    project_share: float = 0.10  # customers who order for projects: bursts, then silence
    project_on_days: float = 80.0  # mean length of a project
    project_off_days: float = 130.0  # mean silence between projects
    pauses_per_year: float = 0.8  # plant closed, stock full, budget frozen: silence that means nothing
    pause_days: float = 60.0  # mean length of a pause
    # --- arrivals ---
    new_per_year: float = 0.18  # customers won per year, as a share of those there at the start
    # --- what an order holds ---
    line_amount: float = 420.0  # median net amount of an order line, in the base currency
    customer_size_spread: float = 0.9  # sigma of the lognormal between customers: few are large
    line_size_spread: float = 0.6  # sigma of the lognormal between lines of one customer
    extra_lines: float = 1.6  # median number of lines beyond the first
    extra_lines_spread: float = 0.5  # sigma of the lognormal of it between customers
    zipf: float = 1.1  # exponent of the shares of product lines and products: few make most of the sales
    high_margin_share: float = 0.60  # mean share of high-margin products over customers
    high_margin_spread: float = 0.13  # its standard deviation over customers
    discount: float = 0.06  # mean usual discount off the list price
    discount_noise: float = 0.015  # standard deviation between orders of a customer
    urgent: float = 0.04  # usual share of urgent orders
    # --- how orders are recorded ---
    credit_notes: float = 0.025  # orders of which a line is credited later, under a number of its own
    late_orders: float = 0.02  # orders that enter the books days after they were placed
    # --- change of the times, over the last year ---
    late_loss: float = 1.0  # multiplies the hazards of leaving
    late_rate: float = 1.0  # multiplies the order rates

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
    # Everybody leaves without a sign: whoever finds lead time here has found a leak.
    "null": replace(NORMAL, signal=0.0, sudden_share=1.0),
    # More customers leave and all order less in the last year: what was learnt before no longer fits.
    "drift": replace(NORMAL, late_loss=1.8, late_rate=0.85),
}
