"""The words about contact: how often there is any, and whether the account responds.

Written as in :mod:`serving.words.rhythm`; a quantity that has a plain name is said by :mod:`serving.words.patterns`.
"""

from serving.words.patterns import Quantity, change, every, flag, quantity, since
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

QUANTITIES: dict[str, Quantity] = {
    "interactions_{days}d": quantity(text("Contacts with the account")),
    "inbound_interactions_{days}d": quantity(text("Times the account came to us")),
    "inquiries_{days}d": quantity(text("Inquiries from the account")),
    "inquiries_prior_90d": quantity(text("Inquiries from the account in the 90 days before the last 90")),
    "visits_{days}d": quantity(text("Visits")),
    "calls_{days}d": quantity(text("Phone calls")),
    "attended_share_{days}d": quantity(text("Our invitations that were taken up"), "share"),
    "reply_hours_{days}d": quantity(text("Typical wait for a reply to our messages"), "wait"),
    "technical_reply_hours_{days}d": quantity(text("Typical wait for a reply from technical people"), "wait"),
    "answered_share_{days}d": quantity(text("Our messages that were answered"), "share"),
    "response_gap_days_{days}d": quantity(text("Average time between two responses of the account"), "days"),
    "days_since_last_interaction": since(text("Last contact")),
    "days_since_last_response": since(text("Last response from the account"), "response_gap_median_days"),
    "days_since_last_visit": since(text("Last visit"), "visit_gap_median_days"),
}

SENTENCES: Sentences = {
    "inquiries_change_share_90d": change(text("Inquiries in the last 90 days against the 90 days before")),
    "inquiries_stopped": (
        say(
            "No inquiry in the last 90 days; usually {usual}.",
            when="value >= 0.5",
            usual="inquiries_90d_usual about",
        ),
        *flag(text("The account has stopped sending inquiries."), text("Inquiries have not stopped.")),
    ),
    "contact_lost": (
        say(
            "No answer to the last {n} attempts to reach the account.",
            when="value >= 0.5",
            n=("attempts_since_last_response number"),
        ),
        *flag(
            text("The account has answered none of our latest attempts to reach it."),
            text("The account can be reached."),
        ),
    ),
    "attempts_since_last_response": (
        say("The account has responded since our last attempt to reach it.", when="value == 0"),
        say("Attempts to reach the account without an answer since it last responded: {actual}.", actual="value count"),
    ),
    "waiting_days": (
        say("No message of ours is waiting for a reply.", when="value < 0.5"),
        say("Our oldest unanswered message has waited {actual} for a reply.", actual="value days"),
    ),
    "response_gap_median_days": every(text("Responses from the account")),
    "visit_gap_median_days": every(text("Visits")),
    "visit_target_days": (say("A visit is due {every}.", every="value every"),),
    "days_since_last_visit_vs_target": (
        say(
            "Last visit {since} ago; one is due {every}.",
            since="days_since_last_visit days",
            every="visit_target_days every",
        ),
        say("A visit is overdue.", when="value > 1"),
        say("No visit is due yet.", when="value <= 1"),
    ),
}
