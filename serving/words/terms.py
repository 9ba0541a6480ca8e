"""The sentences about the terms of trade: returns, margin, discount, urgency.

Written as in :mod:`serving.words.rhythm`.
"""

from serving.words.rhythm import SHORT_PAST, Sentences
from serving.words.speech import say

_WINDOW = "{days} window"
_NO_ORDER = say("No order in {window}.", when="order_days_{days}d == 0", window=_WINDOW)

_RETURNED_USUAL = (
    say(
        "No returns or credit notes in {window}; usually {usual} of purchases.",
        when="return_share_{days}d == 0",
        peer="return_share_{days}d share",
        window=_WINDOW,
        usual="return_share_{days}d_usual share",
    ),
    say(
        "Returns and credit notes were {actual} of purchases in {window}; usually {usual}.",
        actual="return_share_{days}d share",
        window=_WINDOW,
        usual="return_share_{days}d_usual share",
    ),
)
_RETURNED = (
    say(
        "No returns or credit notes in {window}.",
        when="return_share_{days}d == 0",
        peer="return_share_{days}d share",
        window=_WINDOW,
    ),
    say(
        "Returns and credit notes were {actual} of purchases in {window}.",
        actual="return_share_{days}d share",
        window=_WINDOW,
    ),
    _NO_ORDER,
)
_MARGIN_USUAL = (
    say(
        "The margin was {actual} in {window}; usually {usual}.",
        actual="margin_share_{days}d share",
        window=_WINDOW,
        usual="margin_share_{days}d_usual share",
    ),
)
_MARGIN = (
    say("The margin was {actual} in {window}.", actual="margin_share_{days}d share", window=_WINDOW),
    _NO_ORDER,
)
_HIGH_MARGIN_USUAL = (
    say(
        "High-margin goods made up {actual} of purchases in {window}, usually {usual}, "
        "while total spending hardly changed.",
        when=(
            "high_margin_share_{days}d < high_margin_share_{days}d_usual",
            "revenue_{days}d_vs_usual >= 0.9",
            "revenue_{days}d_vs_usual <= 1.1",
        ),
        actual="high_margin_share_{days}d share",
        window=_WINDOW,
        usual="high_margin_share_{days}d_usual share",
    ),
    say(
        "High-margin goods made up {actual} of purchases in {window}; usually {usual}.",
        actual="high_margin_share_{days}d share",
        window=_WINDOW,
        usual="high_margin_share_{days}d_usual share",
    ),
)
_HIGH_MARGIN = (
    say(
        "High-margin goods made up {actual} of purchases in {window}.",
        actual="high_margin_share_{days}d share",
        window=_WINDOW,
    ),
    _NO_ORDER,
)
_DISCOUNT_USUAL = (
    say(
        "Got {actual} off list prices in {window}; usually {usual}.",
        when=("discount_share_{days}d >= 0", "discount_share_{days}d_usual >= 0"),
        actual="discount_share_{days}d share",
        window=_WINDOW,
        usual="discount_share_{days}d_usual share",
    ),
)
_DISCOUNT = (
    say(
        "Paid {actual} more than list prices in {window}.",
        when="discount_share_{days}d < 0",
        peer="discount_share_{days}d share",
        actual="discount_share_{days}d size_share",
        window=_WINDOW,
    ),
    say("Got {actual} off list prices in {window}.", actual="discount_share_{days}d share", window=_WINDOW),
    _NO_ORDER,
)
_URGENCY_USUAL = (
    say(
        "Urgent orders were {actual} of all orders in {window}, usually {usual}: "
        "this often goes with running down stock.",
        when="urgent_order_share_{days}d > urgent_order_share_{days}d_usual",
        actual="urgent_order_share_{days}d share",
        window=_WINDOW,
        usual="urgent_order_share_{days}d_usual share",
    ),
    say(
        "Urgent orders were {actual} of all orders in {window}; usually {usual}.",
        actual="urgent_order_share_{days}d share",
        window=_WINDOW,
        usual="urgent_order_share_{days}d_usual share",
    ),
)
_URGENCY = (
    say(
        "Urgent orders were {actual} of all orders in {window}.",
        actual="urgent_order_share_{days}d share",
        window=_WINDOW,
    ),
    _NO_ORDER,
)
_RETURNS = {
    "returned_{days}d": (
        say("No returns or credit notes in {window}.", when="value == 0", window=_WINDOW),
        say("Returns and credit notes came to {actual} in {window}.", actual="value money", window=_WINDOW),
    ),
    "return_share_{days}d": (*_RETURNED_USUAL, *_RETURNED),
    "return_share_{days}d_usual": (
        say("Returns and credit notes are usually {usual} of purchases.", usual="value share"),
        SHORT_PAST,
    ),
    "return_share_{days}d_vs_usual": (
        *_RETURNED_USUAL,
        say(
            "Returns and credit notes took a larger share of purchases than usual in {window}.",
            when="value > 0",
            window=_WINDOW,
        ),
        say(
            "Returns and credit notes took no larger share of purchases than usual in {window}.",
            when="value <= 0",
            window=_WINDOW,
        ),
        *_RETURNED,
    ),
    "return_days_{days}d": (
        say("No returns or credit notes in {window}.", when="value == 0", window=_WINDOW),
        say("Returns or credit notes on {actual} in {window}.", actual="value on_days", window=_WINDOW),
    ),
    "days_since_last_return": (
        say("The last return or credit note was {since} ago.", since="value days"),
        say("No return or credit note so far.", when="order_days_ever >= 1"),
    ),
}
_TERMS = {
    "margin_share_{days}d": (*_MARGIN_USUAL, *_MARGIN),
    "margin_share_{days}d_usual": (say("The margin is usually {usual}.", usual="value share"), SHORT_PAST),
    "margin_share_{days}d_vs_usual": (
        *_MARGIN_USUAL,
        say("The margin was higher than usual in {window}.", when="value > 0", window=_WINDOW),
        say("The margin was not higher than usual in {window}.", when="value <= 0", window=_WINDOW),
        *_MARGIN,
    ),
    "high_margin_share_{days}d": (*_HIGH_MARGIN_USUAL, *_HIGH_MARGIN),
    "high_margin_share_{days}d_usual": (
        say("High-margin goods usually make up {usual} of purchases.", usual="value share"),
        SHORT_PAST,
    ),
    "high_margin_share_{days}d_vs_usual": (
        *_HIGH_MARGIN_USUAL,
        say("High-margin goods made up more of purchases than usual in {window}.", when="value > 0", window=_WINDOW),
        say(
            "High-margin goods made up no more of purchases than usual in {window}.", when="value <= 0", window=_WINDOW
        ),
        *_HIGH_MARGIN,
    ),
    "margin_{days}d": (say("Brought a margin of {actual} in {window}.", actual="value money", window=_WINDOW),),
    "discount_share_{days}d": (*_DISCOUNT_USUAL, *_DISCOUNT),
    "discount_share_{days}d_usual": (
        say("Usually pays {usual} more than list prices.", when="value < 0", usual="value size_share"),
        say("Usually gets {usual} off list prices.", usual="value share"),
        SHORT_PAST,
    ),
    "discount_share_{days}d_vs_usual": (
        *_DISCOUNT_USUAL,
        say("Got more off list prices than usual in {window}.", when="value > 0", window=_WINDOW),
        say("Got no more off list prices than usual in {window}.", when="value <= 0", window=_WINDOW),
        *_DISCOUNT,
    ),
    "urgent_order_share_{days}d": (*_URGENCY_USUAL, *_URGENCY),
    "urgent_order_share_{days}d_usual": (
        say("Urgent orders are usually {usual} of all orders.", usual="value share"),
        SHORT_PAST,
    ),
    "urgent_order_share_{days}d_vs_usual": (
        *_URGENCY_USUAL,
        say(
            "Urgent orders were a larger share than usual in {window}: this often goes with running down stock.",
            when="value > 0",
            window=_WINDOW,
        ),
        say("Urgent orders were no larger a share than usual in {window}.", when="value <= 0", window=_WINDOW),
        *_URGENCY,
    ),
}
SENTENCES: Sentences = {**_RETURNS, **_TERMS}
