"""The sentences about what a customer buys: how many products and lines, what is new, what has lapsed.

Written as in :mod:`serving.words.rhythm`.
"""

from serving.words.rhythm import SHORT_PAST, Sentences
from serving.words.speech import say

_WINDOW = "{days} window"
_SPAN = "{days} days"

_PRODUCTS_USUAL = (
    say(
        "Bought {actual} in {window}; usually {usual}.",
        actual="products_{days}d products",
        window=_WINDOW,
        usual="products_{days}d_usual about",
    ),
)
_PRODUCTS = (say("Bought {actual} in {window}.", actual="products_{days}d products", window=_WINDOW),)
_LINES_BOUGHT_USUAL = (
    say(
        "Bought from {actual} in {window}; usually {usual}.",
        actual="product_lines_{days}d product_lines",
        window=_WINDOW,
        usual="product_lines_{days}d_usual about",
    ),
)
_LINES_BOUGHT = (
    say("Bought from {actual} in {window}.", actual="product_lines_{days}d product_lines", window=_WINDOW),
)

SENTENCES: Sentences = {
    "products_30d": (
        say(
            "Bought {actual} in {window}; usually {usual} in 90 days.",
            actual="value products",
            window="30 window",
            usual="products_90d_usual about",
        ),
        *_PRODUCTS,
    ),
    "products_{days}d": (*_PRODUCTS_USUAL, *_PRODUCTS),
    "products_{days}d_usual": (
        say("Usually buys {usual} in {span}.", usual="value about_products", span=_SPAN),
        SHORT_PAST,
    ),
    "products_{days}d_vs_usual": (
        *_PRODUCTS_USUAL,
        say(
            "Bought {share} as many different products as usual in {window}.", share="value about_share", window=_WINDOW
        ),
        *_PRODUCTS,
    ),
    "products_per_order_day_365d": (
        say(
            "Bought {products} over {days} in the last 12 months.",
            when="order_days_365d > 0",
            products="products_365d products",
            days="order_days_365d order_days",
        ),
        say("Bought {products} per order day in the last 12 months.", products="value products"),
        say("No order in the last 12 months.", when="order_days_365d == 0"),
    ),
    "new_products_90d": (
        say("Bought nothing new in the last 90 days.", when="value == 0"),
        say("Bought {actual} in the last 90 days.", actual="value new_products"),
    ),
    "repeat_product_share_365d": (
        say("Bought {share} of its products in more than one quarter of the past year.", share="value share"),
    ),
    "lapsed_product_share_90d": (
        say("Went on buying all of its usual products in the last 90 days.", when="value == 0"),
        say("Did not buy {share} of its usual products in the last 90 days.", share="value share"),
        say("Bought no product regularly in the year before the last 90 days.", when="products_365d >= 0"),
    ),
    "lapsed_revenue_share_90d": (
        say("Went on buying all products of the year before in the last 90 days.", when="value == 0"),
        say(
            "Products that made up {share} of earlier purchases were not bought in the last 90 days.",
            share="value share",
        ),
        say("Bought nothing in the year before the last 90 days.", when="products_365d >= 0"),
    ),
    "top_product_share_365d": (
        say("One product makes up {share} of the purchases of the last 12 months.", share="value share"),
    ),
    "product_concentration_365d": (
        say(
            "In the last 12 months, bought mainly {few} out of {all}.",
            when="products_365d > 1",
            few="value main_products",
            all="products_365d number",
        ),
        say("In the last 12 months, bought mainly {few}.", few="value main_products"),
    ),
    "product_lines_{days}d": (*_LINES_BOUGHT_USUAL, *_LINES_BOUGHT),
    "product_lines_{days}d_usual": (
        say("Usually buys from {usual} in {span}.", usual="value about_product_lines", span=_SPAN),
        SHORT_PAST,
    ),
    "product_lines_{days}d_vs_usual": (
        *_LINES_BOUGHT_USUAL,
        say(
            "Bought from {share} as many product lines as usual in {window}.", share="value about_share", window=_WINDOW
        ),
        *_LINES_BOUGHT,
    ),
    "product_line_concentration_365d": (
        say(
            "In the last 12 months, bought mainly from {few} out of {all}.",
            when="product_lines_365d > 1",
            few="value main_product_lines",
            all="product_lines_365d number",
        ),
        say("In the last 12 months, bought mainly from {few}.", few="value main_product_lines"),
    ),
}
