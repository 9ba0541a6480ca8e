"""The words about spending and prices beyond :mod:`serving.words.amounts`: large orders, price levels, quotes, coupons.

Written as in :mod:`serving.words.contact`.
"""

from serving.words.patterns import Quantity, change, flag, quantity, since
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

QUANTITIES: dict[str, Quantity] = {
    "revenue_{days}d": quantity(text("Spending"), "amount"),
    "revenue_monthly_mean_{days}d": quantity(text("Average spending per month"), "amount"),
    "order_value_mean_{days}d": quantity(text("Spending per order day"), "money"),
    "lines_per_order_day_{days}d": quantity(text("Lines per order day"), "number"),
    "units_per_order_day_{days}d": quantity(text("Units per order day"), "number"),
    "large_orders_{days}d": quantity(text("Orders that are large for this customer")),
    "margin_share_{days}d": quantity(text("Margin"), "share"),
    "high_margin_share_{days}d": quantity(text("High-margin goods among the purchases"), "share"),
    "discount_share_{days}d": quantity(text("Discount off list prices"), "share"),
    "discount_share_365d": quantity(text("Discount off list prices in the last 12 months"), "share", direct=True),
    "quotes_{days}d": quantity(text("Quotes asked for")),
    "days_since_last_quote": since(text("Last quote")),
    "unanswered_quotes": quantity(text("Quotes left open for too long without an answer")),
    "unanswered_quote_discount_share": quantity(
        text("Highest discount asked for in a quote that was left unanswered"), "share"
    ),
    "quote_won_share_{days}d": quantity(text("Decided quotes that we won"), "share", direct=True),
    "lost_quotes_in_a_row": quantity(text("Quotes lost since the last one won")),
    "quote_order_share_{days}d": quantity(text("Quotes soon followed by an order"), "share", direct=True),
    "asked_discount_share_{days}d": quantity(text("Average discount asked for in quotes"), "share"),
    "days_since_last_promotion": since(text("Last coupon or promotion given")),
    "used_promotion_share_{days}d": quantity(text("Coupons and promotions that were used"), "share"),
    "promotion_share_{days}d": quantity(
        text("Worth of coupons and promotions per amount bought"), "share", direct=True
    ),
}

_SPENDING: Sentences = {
    "revenue_drop_share_30d": (
        say("Spent no less in the last 30 days than in the 30 days before.", when="value <= 0"),
        say("Spent {share} less in the last 30 days than in the 30 days before.", share="value share"),
    ),
    "revenue_90d_unchanged": flag(
        text("Spending in the last 90 days is about as usual."),
        text("Spending in the last 90 days is not what is usual."),
    ),
    "revenue_365d_vs_segment": (
        say("Spent {share} of what similar customers spend in the last 12 months.", share="value about_share"),
    ),
    "order_value_slope_365d": change(text("Spending per order day over the last 12 months, from quarter to quarter")),
    "order_value_fast_vs_slow": (
        say("Spending per order day is of late {share} of that in the longer run.", share="value about_share"),
    ),
    "large_orders_90d_change": change(text("Large orders in the last 90 days against the 90 days before")),
    "revenue_since_owner_change": (say("Spent {after} since our sales person changed.", after="value amount"),),
    "revenue_before_owner_change": (
        say("Spent {before} under our former sales person in as many days as since.", before="value amount"),
    ),
    "revenue_since_owner_change_vs_before": (
        say(
            "Spent {after} since our sales person changed, after {before} in as many days before.",
            after="revenue_since_owner_change amount",
            before="revenue_before_owner_change amount",
        ),
        say("Has spent {share} as much since our sales person changed as before.", share="value about_share"),
    ),
}
_PRICES: Sentences = {
    "price_90d_vs_usual": (
        say("For the same products, paid {share} of the prices of the year before.", share="value about_share"),
    ),
    "price_effect_90d": (
        say("Higher prices added {effect} to spending in the last 90 days.", when="value > 0", effect="value money"),
        say("Lower prices took {effect} off spending in the last 90 days.", when="value < 0", effect="value size"),
        say("Prices did not change what was spent in the last 90 days.", when="value == 0"),
    ),
    "volume_effect_90d": (
        say(
            "Leaving price changes aside, spent {effect} more than usual in the last 90 days.",
            when="value > 0",
            effect="value money",
        ),
        say(
            "Leaving price changes aside, spent {effect} less than usual in the last 90 days.",
            when="value < 0",
            effect="value size",
        ),
        say("Leaving price changes aside, spent as much as usual in the last 90 days.", when="value == 0"),
    ),
    "high_margin_share_90d_change": change(
        text("High-margin goods among the purchases of the last 90 days, against the usual")
    ),
    "high_margin_share_drop_at_same_revenue": (
        say("No shift away from high-margin goods at the same spending.", when="value <= 0"),
        say(
            "High-margin goods lost {share} of the purchases, while total spending hardly changed.", share="value share"
        ),
    ),
    "cold_feedback_signs": (
        say("No quote left unanswered, no putting off, no trial order without a sequel.", when="value <= 0"),
        say("Quotes left unanswered, talks that put us off and trial orders without a sequel: {n}.", n="value number"),
    ),
    "oldest_open_quote_days": (say("The oldest open quote has waited {actual} for an answer.", actual="value days"),),
}
SENTENCES: Sentences = {**_SPENDING, **_PRICES}
