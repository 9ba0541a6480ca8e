"""The words about payments: how late, how much is owed, what is disputed.

Written as in :mod:`serving.words.contact`.
"""

from serving.words.patterns import Quantity, quantity, since, trend
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

_TO_PAYMENT = text("Average time from invoice to payment")
_BEYOND_TERMS = text("Average time from due date to payment")

QUANTITIES: dict[str, Quantity] = {
    "payment_days_mean_{days}d": quantity(_TO_PAYMENT, "days"),
    "days_beyond_terms_{days}d": quantity(_BEYOND_TERMS, "days", level=True),
    "ar_days_90d": quantity(text("Unpaid invoices, counted in days of invoicing"), "days"),
    "overdue_amount": quantity(text("Invoices unpaid after their due date"), "amount"),
    "overdue_share": quantity(text("Share of what is owed that is past its due date"), "share", direct=True),
    "credit_used_share": quantity(text("Credit limit in use"), "share", direct=True),
    "confirmation_days_mean_{days}d": quantity(text("Average time until an invoice is confirmed"), "days"),
    "disputed_share_{days}d": quantity(text("Share of the invoiced amount that was disputed"), "share"),
    "small_invoice_disputes_{days}d": quantity(text("Disputes over small invoices")),
    "days_since_terms_change": since(text("Last change of the terms of payment"), alone=True),
}

_LATE = "days_beyond_terms_{days}d >= 0"

SENTENCES: Sentences = {
    "payment_trend_days_365d": trend(_TO_PAYMENT),
    "days_beyond_terms_trend_365d": trend(_BEYOND_TERMS),
    "days_beyond_terms_{days}d": (
        say(
            "Paid {actual} after the due date on average in {window}; usually {usual} after it.",
            when=(_LATE, "days_beyond_terms_{days}d_usual >= 0"),
            actual="days_beyond_terms_{days}d days",
            window="{days} window",
            usual="days_beyond_terms_{days}d_usual days",
        ),
        say(
            "Paid {actual} after the due date on average in {window}; usually {usual} before it.",
            when=(_LATE, "days_beyond_terms_{days}d_usual < 0"),
            actual="days_beyond_terms_{days}d days",
            window="{days} window",
            usual="days_beyond_terms_{days}d_usual size_days",
        ),
        say(
            "Paid {actual} after the due date on average in {window}.",
            when=_LATE,
            actual="days_beyond_terms_{days}d days",
            window="{days} window",
        ),
        say(
            "Paid {early} before the due date on average in {window}.",
            when="days_beyond_terms_{days}d < 0",
            early="days_beyond_terms_{days}d size_days",
            window="{days} window",
        ),
    ),
    "days_beyond_terms_{days}d_usual": (
        say("Usually pays {usual} after the due date.", when="value >= 0", usual="value days"),
        say("Usually pays {usual} before the due date.", when="value < 0", usual="value size_days"),
    ),
    "longest_overdue_days": (
        say("No invoice is overdue.", when="value <= 0"),
        say("The oldest unpaid invoice is {actual} past its due date.", actual="value days"),
    ),
}
