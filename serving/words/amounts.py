"""The sentences about how much a customer buys: revenue, order value, order size.

Written as in :mod:`serving.words.rhythm`. Amounts are net of returns, so they may be negative.
"""

from serving.words.rhythm import SHORT_PAST, Sentences
from serving.words.speech import say

_WINDOW = "{days} window"
_SPAN = "{days} days"
_NO_ORDER = say("No order in {window}.", when="order_days_{days}d == 0", window=_WINDOW)

_REVENUE_USUAL = (
    say(
        "Returns exceeded purchases by {actual} in {window}; usually spends {usual} in that time.",
        when=("revenue_{days}d < 0", "revenue_{days}d_usual >= 0"),
        peer="revenue_{days}d amount",
        actual="revenue_{days}d size",
        window=_WINDOW,
        usual="revenue_{days}d_usual about_amount",
    ),
    say(
        "Spent {actual} in {window}; usually {usual} in that time.",
        when=("revenue_{days}d >= 0", "revenue_{days}d_usual >= 0"),
        actual="revenue_{days}d amount",
        window=_WINDOW,
        usual="revenue_{days}d_usual about_amount",
    ),
)
_REVENUE = (
    say(
        "Returns exceeded purchases by {actual} in {window}.",
        when="revenue_{days}d < 0",
        peer="revenue_{days}d amount",
        actual="revenue_{days}d size",
        window=_WINDOW,
    ),
    say("Spent {actual} in {window}.", actual="revenue_{days}d amount", window=_WINDOW),
)
_ORDER_VALUE_USUAL = (
    say(
        "Spent {actual} per order day in {window}; usually {usual}.",
        actual="order_value_mean_{days}d money",
        window=_WINDOW,
        usual="order_value_mean_{days}d_usual about_amount",
    ),
)
_ORDER_VALUE = (
    say("Spent {actual} per order day in {window}.", actual="order_value_mean_{days}d money", window=_WINDOW),
    _NO_ORDER,
)
_LINES_USUAL = (
    say(
        "Ordered {actual} per order day in {window}; usually {usual}.",
        actual="lines_per_order_day_{days}d lines",
        window=_WINDOW,
        usual="lines_per_order_day_{days}d_usual number",
    ),
)
_LINES = (
    say("Ordered {actual} per order day in {window}.", actual="lines_per_order_day_{days}d lines", window=_WINDOW),
    _NO_ORDER,
)
_UNITS_USUAL = (
    say(
        "Ordered {actual} per order day in {window}; usually {usual}.",
        actual="units_per_order_day_{days}d units",
        window=_WINDOW,
        usual="units_per_order_day_{days}d_usual number",
    ),
)
_UNITS = (
    say("Ordered {actual} per order day in {window}.", actual="units_per_order_day_{days}d units", window=_WINDOW),
    _NO_ORDER,
)
_SPENT = {
    "revenue_{days}d": (*_REVENUE_USUAL, *_REVENUE),
    "revenue_{days}d_usual": (
        say("Usually spends {usual} in {span}.", when="value >= 0", usual="value about_amount", span=_SPAN),
        say("Usually returns more than it buys.", when="value < 0"),
        SHORT_PAST,
    ),
    "revenue_{days}d_vs_usual": (
        *_REVENUE_USUAL,
        say("Spent {share} of the usual in {window}.", share="value about_share", window=_WINDOW),
        *_REVENUE,
    ),
    "revenue_ever": (say("Has spent {actual} so far.", actual="value amount"),),
    "revenue_prior_90d": (
        say(
            "Spent {actual} in the 90 days before the last 90; usually {usual} in that time.",
            when="revenue_90d_usual >= 0",
            actual="value amount",
            usual="revenue_90d_usual about_amount",
        ),
        say("Spent {actual} in the 90 days before the last 90.", actual="value amount"),
    ),
    "revenue_90d_vs_prior_90d": (
        say(
            "Spent {actual} in the last 90 days, after {before} in the 90 days before.",
            actual="revenue_90d amount",
            before="revenue_prior_90d amount",
        ),
        say("Spent {share} as much in the last 90 days as in the 90 days before.", share="value about_share"),
    ),
    "revenue_30d_vs_90d": (
        say(
            "Spent {actual} in the last 30 days, and {whole} in the last 90.",
            actual="revenue_30d amount",
            whole="revenue_90d amount",
        ),
        say(
            "Spent {share} as much in the last 30 days as in an average month of the last three.",
            share="value about_share",
        ),
    ),
    "revenue_recent_half_share_365d": (
        say("The last 6 months brought {share} of the past year's purchases.", share="value share"),
    ),
    "order_value_mean_ever": (say("Spends {actual} per order day on average.", actual="value money"),),
    "order_value_mean_{days}d": (*_ORDER_VALUE_USUAL, *_ORDER_VALUE),
    "order_value_mean_{days}d_usual": (
        say("Usually spends {usual} per order day.", usual="value about_amount"),
        SHORT_PAST,
    ),
    "order_value_mean_{days}d_vs_usual": (
        *_ORDER_VALUE_USUAL,
        say("Spent {share} of the usual per order day in {window}.", share="value about_share", window=_WINDOW),
        *_ORDER_VALUE,
    ),
    "order_value_median_{days}d": (
        say(
            "Typically spent {actual} per order day in {window}; {usual} on average so far.",
            actual="value money",
            window=_WINDOW,
            usual="order_value_mean_ever about_amount",
        ),
        say("Typically spent {actual} per order day in {window}.", actual="value money", window=_WINDOW),
        _NO_ORDER,
    ),
    "order_value_max_{days}d": (
        say(
            "Spent {actual} on the strongest order day of {window}; {usual} on average so far.",
            actual="value money",
            window=_WINDOW,
            usual="order_value_mean_ever about_amount",
        ),
        say("Spent {actual} on the strongest order day of {window}.", actual="value money", window=_WINDOW),
        _NO_ORDER,
    ),
    "last_order_value": (
        say(
            "More was returned than bought on the last order day, by {amount}; usually {usual} is bought.",
            when="last_order_value < 0",
            amount="last_order_value size",
            usual="order_value_mean_ever about_amount",
        ),
        say(
            "Spent {actual} on the last order day; usually {usual}.",
            actual="value money",
            usual="order_value_mean_ever about_amount",
        ),
        say("Spent {actual} on the last order day.", actual="value money"),
    ),
    "last_order_value_vs_usual": (
        say(
            "More was returned than bought on the last order day, by {amount}; usually {usual} is bought.",
            when="last_order_value < 0",
            amount="last_order_value size",
            usual="order_value_mean_ever about_amount",
        ),
        say(
            "Spent {actual} on the last order day; usually {usual}.",
            actual="last_order_value money",
            usual="order_value_mean_ever about_amount",
        ),
        say("Spent {share} of the usual on the last order day.", share="value share"),
    ),
    "order_value_mean_90d_vs_ever": (
        say(
            "Spent {actual} per order day in the last 90 days; {usual} on average so far.",
            actual="order_value_mean_90d money",
            usual="order_value_mean_ever about_amount",
        ),
        say("Spent {share} of the average so far per order day in the last 90 days.", share="value share"),
        say("No order in the last 90 days.", when="order_days_90d == 0"),
    ),
}
_SIZES = {
    "lines_per_order_day_{days}d": (*_LINES_USUAL, *_LINES),
    "lines_per_order_day_{days}d_usual": (
        say("Usually orders {usual} per order day.", usual="value lines"),
        SHORT_PAST,
    ),
    "lines_per_order_day_{days}d_vs_usual": (
        *_LINES_USUAL,
        say("Ordered {share} of the usual lines per order day in {window}.", share="value about_share", window=_WINDOW),
        *_LINES,
    ),
    "units_per_order_day_{days}d": (*_UNITS_USUAL, *_UNITS),
    "units_per_order_day_{days}d_usual": (
        say("Usually orders {usual} per order day.", usual="value units"),
        SHORT_PAST,
    ),
    "units_per_order_day_{days}d_vs_usual": (
        *_UNITS_USUAL,
        say(
            "Ordered {share} of the usual quantity per order day in {window}.",
            share="value about_share",
            window=_WINDOW,
        ),
        *_UNITS,
    ),
    "orders_per_order_day_{days}d": (
        say("Placed {actual} on an average order day in {window}.", actual="value orders", window=_WINDOW),
        _NO_ORDER,
    ),
}
SENTENCES: Sentences = {**_SPENT, **_SIZES}
