"""The words about goods beyond :mod:`serving.words.breadth`: products that are overdue, and how we deliver.

Written as in :mod:`serving.words.contact`.
"""

from serving.words.patterns import Quantity, change, flag, quantity
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

QUANTITIES: dict[str, Quantity] = {
    "overdue_products": quantity(text("Products due for a new order that has not come")),
    "overdue_product_share": quantity(text("Regularly bought products that are overdue for a new order"), "share"),
    "overdue_product_revenue_share": quantity(
        text("Share of the past year's purchases in products that are now overdue"), "share"
    ),
    "switched_product_revenue_share": quantity(
        text("Share of the past year's purchases in products that are overdue while others are ordered on time"),
        "share",
    ),
    "overdue_product_lines": quantity(text("Product lines due for a new order that has not come")),
    "overdue_product_line_share": quantity(
        text("Regularly bought product lines that are overdue for a new order"), "share"
    ),
    "overdue_product_line_revenue_365d": quantity(
        text("The past year's purchases in product lines that are now overdue"), "amount"
    ),
    "overdue_product_line_revenue_share": quantity(
        text("Share of the past year's purchases in product lines that are now overdue"), "share", direct=True
    ),
    "filled_line_share_{days}d": quantity(text("Order lines delivered in full and on time"), "share"),
    "late_line_share_{days}d": quantity(text("Order lines delivered late or not yet"), "share"),
    "short_line_share_{days}d": quantity(text("Order lines delivered with less than was ordered"), "share"),
    "undelivered_lines": quantity(text("Order lines past their promised day and not delivered")),
    "longest_delay_days_{days}d": quantity(text("Longest delay of a delivery"), "days"),
    "short_lead_line_share_{days}d": quantity(text("Order lines wanted within a few days"), "share"),
    "trials_without_follow_up": quantity(text("Trial orders that led to no further order")),
    "return_share_{days}d": quantity(text("Returns and credit notes"), "share"),
    "urgent_order_share_{days}d": quantity(text("Urgent orders"), "share"),
}

SENTENCES: Sentences = {
    "product_lines_90d_change": change(text("Product lines bought in the last 90 days, against the usual")),
    "product_line_concentration_90d": (
        say("In the last 90 days, bought mainly from {few}.", few="value main_product_lines"),
    ),
    "product_line_concentration_90d_usual": (
        say("Usually buys mainly from {few} in 90 days.", few="value main_product_lines"),
    ),
    "product_line_concentration_90d_vs_usual": (
        say("Bought from a narrower range of product lines than usual in the last 90 days.", when="value >= 0.02"),
        say("Bought from a wider range of product lines than usual in the last 90 days.", when="value <= -0.02"),
        say("Bought from as wide a range of product lines as usual in the last 90 days.", when="value > -0.02"),
    ),
    "strongest_product_line_cycles": (
        say("The strongest product line was last bought within its usual time.", when="value <= 1.05"),
        say("The strongest product line is due: it was last bought {times} its usual time ago.", times="value times"),
    ),
    "most_overdue_main_product_line_cycles": (
        say("All main product lines were last bought within their usual time.", when="value <= 1.05"),
        say("A main product line is due: it was last bought {times} its usual time ago.", times="value times"),
    ),
    "small_first_order_alone": flag(
        text("Has placed a single, small order some time ago and none since."),
        text("Has placed more than a single small order."),
    ),
}
