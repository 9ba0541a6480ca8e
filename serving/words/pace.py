"""The words about rhythm and season beyond :mod:`serving.words.rhythm`: what was expected, what changed, what is ahead.

Written as in :mod:`serving.words.contact`. The quantities whose sentences stand in the other modules are named here,
too, for the comparisons that have no sentence of their own.
"""

from serving.words.patterns import Quantity, change, flag, quantity
from serving.words.rhythm import SENTENCES as RHYTHM
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

_SINCE = "days_since_last_order days"
_CYCLE = "gap_median_days_ever every"

QUANTITIES: dict[str, Quantity] = {
    "order_days_{days}d": quantity(text("Days with an order")),
    "last_3_gaps": quantity(text("Time between the latest orders against that before"), direct=True),
    "days_since_last_order_vs_median_gap": quantity(
        text("Time since the last order, in usual times between orders"), direct=True
    ),
    "days_since_last_order_vs_q90_gap": quantity(
        text("Time since the last order, against the longest usual time"), direct=True
    ),
    "order_bursts_ever": quantity(text("Busy spells of orders so far, parted by long silences")),
    "silent_share_ever": quantity(text("Share of the time as a customer that passed in long silences"), "share"),
    "earlier_lapses": quantity(text("Unusually long silences from which the customer came back")),
    "season_revenue_share_365d": quantity(
        text("Share of the past year's purchases made in the four strongest months of the year"), "share"
    ),
    "season_revenue_share_prior_365d": quantity(
        text("Share of the purchases of the year before that was made in its four strongest months"), "share"
    ),
    "open_season_share": quantity(text("Share of the year in which this customer orders"), "share"),
}

_CHANGES: Sentences = {
    "order_days_change": change(text("Days with an order, against the same time before")),
    "orders_drop_30d": (
        say("No fewer orders in the last 30 days than in the 30 days before.", when="value <= 0"),
        say("In the last 30 days, {n} fewer than in the 30 days before.", n="value orders"),
    ),
    "orders_change_30d": change(text("Orders in the last 30 days against the 30 days before")),
    "orders_yearly_change_30d": change(text("Orders in the last 30 days against the same days a year ago")),
    "gap_lengthening": (
        say("The time between orders has become clearly longer.", when="value >= 1.2"),
        say("The time between orders has become a little longer.", when="value >= 0.6"),
        say("The time between orders has not become longer.", when="value < 0.6"),
    ),
    "gap_fast_vs_slow": (
        say("The time between orders is of late {share} of that in the longer run.", share="value about_share"),
    ),
    "gap_regularity": (
        say("Orders come at irregular times.", when="value < 1.5"),
        say("Orders come at fairly regular times.", when="value < 4"),
        say("Orders come at very regular times.", when="value >= 4"),
    ),
    "reactivated_365d": flag(
        text("Came back from an unusually long silence in the last 12 months."),
        text("Has not come back from a long silence in the last 12 months."),
    ),
}
_EXPECTED: Sentences = {
    "days_since_last_order_own_z": (
        say(
            "No order for {since}; on average one {every}, give or take {spread}.",
            when="value > 0",
            since=_SINCE,
            every="gap_mean_days_ever every",
            spread="gap_sd_days_ever days",
        ),
        say(
            "Last order {since} ago; on average one {every}, give or take {spread}.",
            since=_SINCE,
            every="gap_mean_days_ever every",
            spread="gap_sd_days_ever days",
        ),
        say("No order for longer than usual.", when="value > 0"),
        say("The time since the last order is within what is usual.", when="value <= 0"),
    ),
    "order_cycle_days": (say("Usually one order {every}.", every="value every"),),
    "days_to_next_expected_order": (
        say("The next order is expected in {left}.", when="value >= 0.5", left="value days"),
        say("An order has been overdue for {late}.", when="value <= -0.5", late="value size_days"),
        say("The next order is expected now.", when="value > -0.5"),
    ),
    "purchasing_paused": (
        say(
            "No order for {since}, far longer than usual; usually one {every}.",
            when="value >= 0.5",
            since=_SINCE,
            every=_CYCLE,
        ),
        *flag(text("No order for far longer than usual."), text("No unusually long silence at present.")),
    ),
    "so_few_order_days_{days}d_probability": (
        *RHYTHM["order_days_{days}d"][:4],
        say("As many orders as usual in {window}, or hardly fewer.", when="value >= 0.5", window="{days} window"),
        say("Fewer orders than usual in {window}.", when="value >= 0.1", window="{days} window"),
        say("Far fewer orders than usual in {window}.", when="value < 0.1", window="{days} window"),
    ),
    "orders_almost_stopped": (
        say(
            "Orders have almost stopped: on {actual} in the last 90 days; usually on {usual}.",
            when="value >= 0.5",
            actual="order_days_90d on_days",
            usual="order_days_90d_usual about",
        ),
        *flag(text("Orders have almost stopped."), text("Orders have not stopped.")),
    ),
}
_SEASON: Sentences = {
    "order_days_next_30d_last_year": (
        say("A year ago, ordered on {actual} in the 30 days that now lie ahead.", actual="value on_days"),
    ),
    "segment_season_next_{days}d_vs_even": (
        say(
            "In the {span} to come, similar customers order more than in the rest of the year.",
            when="value > 1.05",
            span="{days} span",
        ),
        say(
            "In the {span} to come, similar customers order less than in the rest of the year.",
            when="value < 0.95",
            span="{days} span",
        ),
        say(
            "In the {span} to come, similar customers order as much as in the rest of the year.",
            when="value >= 0.95",
            span="{days} span",
        ),
    ),
    "segment_season_past_{days}d_vs_even": (
        say(
            "At the time of year just past, similar customers order more than in the rest of the year.",
            when="value > 1.05",
        ),
        say(
            "At the time of year just past, similar customers order less than in the rest of the year.",
            when="value < 0.95",
        ),
        say(
            "At the time of year just past, similar customers order as much as in the rest of the year.",
            when="value >= 0.95",
        ),
    ),
    "order_days_90d_vs_season_usual": (
        say(
            "Ordered {share} as often in the last 90 days as is usual at this time of the year.",
            share="value about_share",
        ),
    ),
    "revenue_90d_vs_season_usual": (
        say(
            "Spent {share} as much in the last 90 days as is usual at this time of the year.", share="value about_share"
        ),
    ),
    "order_days_expected_next_90d": (
        say(
            "Going by the season, orders are to be expected on {ahead} in the next 90 days; usually on {usual}.",
            ahead="value about_on_days",
            usual="order_days_90d_usual about",
        ),
        say(
            "Going by the season, orders are to be expected on {ahead} in the next 90 days.",
            ahead="value about_on_days",
        ),
    ),
    "open_season_days_since_last_order": (
        say(
            "No order for {since} of the months in which this customer orders; usually one {every}.",
            since="value days",
            every=_CYCLE,
        ),
        say("No order for {since} of the months in which this customer orders.", since="value days"),
    ),
    "open_season_days_since_last_order_vs_gap": (
        say(
            "Counting only the months in which this customer orders, the last order is not longer ago than usual.",
            when="value <= 1.05",
        ),
        say(
            "Counting only the months in which this customer orders, the last order was {times} the usual time ago.",
            times="value times",
        ),
    ),
}
SENTENCES: Sentences = {**_CHANGES, **_EXPECTED, **_SEASON}
