"""The words about people: who at the account is in touch, who left, and who looks after it on our side.

Written as in :mod:`serving.words.contact`.
"""

from serving.words.patterns import Quantity, every, flag, quantity, since
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

QUANTITIES: dict[str, Quantity] = {
    "technical_interactions_{days}d": quantity(text("Contacts with technical people")),
    "purchasing_interactions_{days}d": quantity(text("Contacts with purchasing")),
    "user_interactions_{days}d": quantity(text("Contacts with the people who use our products")),
    "executive_interactions_{days}d": quantity(text("Contacts with executives")),
    "unknown_role_interactions_{days}d": quantity(text("Contacts with people whose role is not known")),
    "unknown_role_share_{days}d": quantity(text("Contacts with people whose role is not known"), "share"),
    "people_in_touch_{days}d": quantity(text("Different people in touch with us")),
    "technical_responses_{days}d": quantity(text("Responses from technical people")),
    "purchasing_responses_{days}d": quantity(text("Responses from purchasing")),
    "days_since_last_executive_interaction": since(text("Last contact with an executive"), "executive_gap_median_days"),
    "active_contacts": quantity(text("People we know at the account"), direct=True),
    "active_contact_roles": quantity(text("Different roles among the people we know at the account")),
    "contact_turnover_share_{days}d": quantity(text("People we knew at the account who left"), "share"),
    "days_since_key_contact_lost": since(text("Last key contact lost"), alone=True),
    "successor_interactions": quantity(text("Contacts so far with the successor of a key contact")),
    "days_since_contact_change": since(text("Last change of contact on file"), alone=True),
    "days_since_owner_change": since(text("Last change of our sales person"), alone=True),
}

SENTENCES: Sentences = {
    "executive_gap_median_days": every(text("Contacts with executives")),
    "executive_gap_max_days": (
        say(
            "Longest time without an executive: {actual}; usually one contact {every}.",
            actual="value days",
            every="executive_gap_median_days every",
        ),
        say("Longest time without an executive: {actual}.", actual="value days"),
    ),
    "technical_team_cooled": (
        say(
            "Responses from technical people in the last 90 days: {actual}; usually {usual}.",
            actual="technical_responses_90d count",
            usual="technical_responses_90d_usual about",
        ),
        *flag(text("Technical people respond much less than usual."), text("Technical people respond about as usual.")),
    ),
    "purchasing_team_cooled": (
        say(
            "Responses from purchasing in the last 90 days: {actual}; usually {usual}.",
            actual="purchasing_responses_90d count",
            usual="purchasing_responses_90d_usual about",
        ),
        *flag(text("Purchasing responds much less than usual."), text("Purchasing responds about as usual.")),
    ),
    "role_imbalance": flag(
        text("One group of people at the account is in touch far less than usual, while another is as usual."),
        text("No group of people at the account has fallen silent while others have not."),
    ),
    "weakest_role_interactions_90d_vs_usual": (
        say(
            "Contacts in the last 90 days with the group of people that has become quietest: {share} of the usual.",
            share="value about_share",
        ),
    ),
    "active_contacts_vs_last_year": (
        say("We know fewer people at the account than a year ago.", when="value < 0.995"),
        say("We know more people at the account than a year ago.", when="value > 1.005"),
        say("We know as many people at the account as a year ago.", when="value >= 0.995"),
    ),
    "key_contact_gap_days": (
        say(
            "After the last key contact left, nobody has spoken to a successor for {gap}.",
            when="key_contact_gap_open >= 0.5",
            gap="value days",
        ),
        say(
            "After the last key contact left, it took {gap} to speak to a successor.",
            when=("key_contact_gap_open < 0.5"),
            gap="value days",
        ),
        say("Time without a key contact: {gap}.", gap="value days"),
    ),
    "key_contact_gap_open": flag(
        text("Nobody has spoken to a successor of the last key contact yet."),
        text("Somebody has spoken to the successor of the last key contact."),
    ),
    "new_contact_hardly_known": flag(
        text("A key contact is new, and we have hardly spoken to the new one."),
        text("No key contact is new and hardly known to us."),
    ),
    "owner_departed": flag(
        text("The sales person in charge has changed lately."),
        text("The sales person in charge has not changed lately."),
    ),
    "owner_absent_days": (
        say("The sales person in charge is present.", when="value <= 0"),
        say("The sales person in charge has been away for {time}.", time="value days"),
    ),
    "uncovered_absence_days": (
        say("Somebody is looking after the account.", when="value <= 0"),
        say(
            "The sales person in charge has been away for {time}, and nobody has been in touch with the account.",
            time="value days",
        ),
    ),
}
