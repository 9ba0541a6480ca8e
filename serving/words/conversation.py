"""The words about what is said: the depth of talks, refusals, prices, competitors; the temperature on file; signs.

Written as in :mod:`serving.words.contact`.
"""

from serving.words.patterns import Quantity, flag, quantity, since
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

_TEMPERATURE = text("Relationship temperature on file")

QUANTITIES: dict[str, Quantity] = {
    "talk_depth_{days}d": quantity(text("Depth of our talks (from 0 to 100)"), "number", level=True),
    "deferrals_{days}d": quantity(text("Talks in which the account put us off")),
    "deferral_share_{days}d": quantity(text("Talks in which the account put us off"), "share"),
    "refusals_{days}d": quantity(text("Talks in which the account said no")),
    "competitor_mentions_{days}d": quantity(text("Talks in which a competitor came up")),
    "competitor_feature_mentions_{days}d": quantity(text("Talks about what a competitor's product can do")),
    "benchmark_requests_{days}d": quantity(text("Requests to match a competitor's brand by name")),
    "technical_demands_{days}d": quantity(text("Talks with specific technical demands")),
    "price_talks_{days}d": quantity(text("Talks that pressed for lower prices or better terms")),
    "temperature_level": quantity(_TEMPERATURE, "number", level=True, direct=True),
    "days_since_temperature_fell": since(text("Relationship temperature last lowered"), alone=True),
    "days_since_stated_risk_rose": since(text("Risk on file last raised"), alone=True),
    "weak_signal_kinds_{days}d": quantity(text("Different kinds of small warning signs")),
    "weak_signal_sum": quantity(text("Small warning signs"), "number", level=True, direct=True),
    "weak_signal_sum_change_{days}d": quantity(
        text("Increase of small warning signs"), "number", level=True, direct=True
    ),
}

_TALKS: Sentences = {
    "talk_depth_falls_in_a_row": (
        say("The latest talk was no shallower than the one before.", when="value < 0.5"),
        say("The latest talk was shallower than the one before.", when="value < 1.5"),
        say("The last {n} talks became shallower one after the other.", n="value number"),
    ),
    "talk_depth_fall_share_over_3": (
        say("The latest talk was no shallower than three talks earlier.", when="value <= 0"),
        say("The latest talk was {share} shallower than three talks earlier.", share="value share"),
    ),
    "competitor_newly_mentioned": flag(
        text("A competitor came up in talks for the first time in more than a year."),
        text("No competitor newly came up in talks."),
    ),
    "price_talks_more_than_usual": (
        say("No more talks about lower prices or better terms than usual in the last 90 days.", when="value <= 0"),
        say(
            "Talks that pressed for lower prices or better terms in the last 90 days: {n} more than usual.",
            n="value number",
        ),
    ),
}
_ON_FILE: Sentences = {
    "temperature_level": (
        say("The relationship is on file as cold.", when="value < 0.5"),
        say("The relationship is on file as cool.", when="value < 1.5"),
        say("The relationship is on file as warm.", when="value < 2.5"),
        say("The relationship is on file as hot.", when="value >= 2.5"),
    ),
    "temperature_level_vs_90d_ago": (
        say("The relationship on file is cooler than 90 days ago.", when="value <= -0.5"),
        say("The relationship on file is warmer than 90 days ago.", when="value >= 0.5"),
        say("The relationship on file is as warm as 90 days ago.", when="value > -0.5"),
    ),
    "temperature_cool_or_below": flag(
        text("The relationship is on file as cool or cold."), text("The relationship is on file as warm or hot.")
    ),
    "stated_risk_level": (
        say("The risk of losing the account is on file as low.", when="value < 0.5"),
        say("The risk of losing the account is on file as medium.", when="value < 1.5"),
        say("The risk of losing the account is on file as high.", when="value < 2.5"),
        say("The risk of losing the account is on file as urgent.", when="value >= 2.5"),
    ),
}
_SIGNS: Sentences = {
    "decision_evidence": flag(
        text("Orders have almost stopped, inquiries have stopped, and the account does not answer."),
        text("Orders, inquiries and answers have not all stopped."),
    ),
    "cooling_signs": (
        say("No sign of cooling in orders, inquiries or replies.", when="value < 0.5"),
        say("Signs of cooling: {n} of 3 (fewer orders, fewer inquiries, later replies).", n="value number"),
    ),
    "comparison_signs": (
        say("No sign that the account compares offers.", when="value < 0.5"),
        say(
            "Signs that the account compares offers: {n} of 5 (it puts us off, names a competitor, presses prices, "
            "has a new contact who hardly knows us, buys single products elsewhere).",
            n="value number",
        ),
    ),
    "relationship_stage": (
        say("No sign that the account is about to leave.", when="value < 0.5"),
        say("The account shows signs of cooling.", when="value < 1.5"),
        say("The account shows signs of comparing offers.", when="value < 2.5"),
        say("The account shows signs of deciding against us.", when="value >= 2.5"),
    ),
    "weak_signal_sum": (
        say(
            "Small warning signs of the past year add up to {now}; 90 days ago they added up to {before}.",
            now="value number",
            before="weak_signal_sum_90d_ago number",
        ),
        say("Small warning signs of the past year add up to {now}.", now="value number"),
    ),
    "weak_signal_sum_90d_ago": (say("Small warning signs 90 days ago added up to {before}.", before="value number"),),
    "weak_signal_sum_change_90d": (
        say(
            "Small warning signs of the past year add up to {now}; 90 days ago they added up to {before}.",
            now="weak_signal_sum number",
            before="weak_signal_sum_90d_ago number",
        ),
        say("There are more small warning signs than 90 days ago.", when="value >= 0.05"),
        say("There are fewer small warning signs than 90 days ago.", when="value <= -0.05"),
        say("There are as many small warning signs as 90 days ago.", when="value > -0.05"),
    ),
    "weak_signals_make_a_pattern": flag(
        text("Several small warning signs came up together."), text("Small warning signs are few and apart.")
    ),
}
SENTENCES: Sentences = {**_TALKS, **_ON_FILE, **_SIGNS}
