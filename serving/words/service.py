"""The words about service: complaints and repairs, ratings, what is made of maintenance and training.

Written as in :mod:`serving.words.contact`.
"""

from serving.words.patterns import Quantity, quantity, trend
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

_RESOLUTION = text("Average time to resolve a complaint or repair")

QUANTITIES: dict[str, Quantity] = {
    "complaints_{days}d": quantity(text("Complaints")),
    "repairs_{days}d": quantity(text("Repairs")),
    "resolution_days_mean_{days}d": quantity(_RESOLUTION, "days"),
    "open_problems": quantity(text("Complaints and repairs still open")),
    "problem_days_median": quantity(text("Usual time to resolve a complaint or repair"), "days"),
    "worst_problem_days_{days}d": quantity(
        text("Longest time for a complaint or repair"), "days", usual="problem_days_median"
    ),
    "maintenance_uptake_share_{days}d": quantity(text("Offers of maintenance that were accepted"), "share"),
    "training_uptake_share_{days}d": quantity(text("Invitations to training that were accepted"), "share"),
    "maintenance_refusals_{days}d": quantity(text("Offers of maintenance declined or left unanswered")),
    "training_refusals_{days}d": quantity(text("Invitations to training declined or left unanswered")),
    "upgrade_refusals_{days}d": quantity(text("Proposals of an upgrade declined or left unanswered")),
    "last_rating": quantity(text("Latest rating (from 1 to 5)"), "number", level=True, direct=True),
    "rating_before_last": quantity(text("The rating before the latest one (from 1 to 5)"), "number"),
    "rating_mean_{days}d": quantity(text("Average rating (from 1 to 5)"), "number"),
    "survey_silence_share_{days}d": quantity(text("Surveys left unanswered"), "share"),
    "surveys_unanswered_in_a_row": quantity(text("Latest surveys left unanswered in a row")),
}

SENTENCES: Sentences = {
    "resolution_trend_days_365d": trend(_RESOLUTION),
    "problems_365d_vs_order_days": (
        say("No complaint or repair in the last 12 months.", when="value <= 0"),
        say("Complaints and repairs per order day in the last 12 months: {n}.", n="value number"),
    ),
    "last_rating_usual": (say("Earlier ratings (from 1 to 5): {before} on average.", before="value number"),),
}
