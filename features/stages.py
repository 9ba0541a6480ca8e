"""How far a customer is on the way out: cooling, comparison, decision, by what speaks for each.

Cooling: orders or inquiries are down, replies take longer. Comparison: we are put off, a competitor comes up, prices
are pressed, a new contact hardly knows us, single products are no longer bought while orders go on. Decision: orders
have almost stopped, inquiries have stopped, nobody answers, all three. The stage is the highest one that is supported,
so that a customer with signs of cooling and one of comparison compares. A source that is absent supports nothing.
"""

import pandas as pd

from features.options import option
from features.registry import feature

ALMOST_STOPPED = option(
    "decision_order_share", 0.1, "Orders have almost stopped up to this share of the customer's own usual number."
)
LOST_ATTEMPTS = option(
    "lost_contact_attempts", 3, "Contact is lost after so many attempts without any response.", "attempts"
)
COOLING_RATIO = option(
    "cooling_ratio", 0.7, "Orders and inquiries are down up to this ratio to the customer's own usual number."
)
SLOWER_RATIO = option(
    "cooling_reply_ratio", 1.5, "Replies are late from this ratio to the customer's own usual hours on."
)
COOLING_SIGNS = option("cooling_signs_needed", 1, "So many signs of cooling make the stage.", "signs")
DEFERRAL_RISE = option(
    "comparison_deferral_rise", 0.1, "We are put off more often from this rise of the share of such talks on."
)
PRICE_RISE = option(
    "comparison_price_talks", 2, "Prices are pressed from so many talks more than usual in 90 days on.", "talks"
)
SWITCHED_SHARE = option(
    "comparison_switched_share", 0.1, "Products have been switched from this share of the past year's revenue on."
)
COMPARISON_SIGNS = option("comparison_signs_needed", 1, "So many signs of comparison make the stage.", "signs")

#: What each number of ``relationship_stage`` is called.
STAGES = ("none", "cooling", "comparison", "decision")

#: What a stage is told from: a column that says whether the sign can be told at all -> whether it is there.
COOLING = {
    "order_days_90d_vs_usual": f"order_days_90d_vs_usual <= {COOLING_RATIO}",
    "inquiries_90d_vs_usual": f"inquiries_90d_vs_usual <= {COOLING_RATIO}",
    "reply_hours_90d_vs_usual": f"reply_hours_90d_vs_usual >= {SLOWER_RATIO}",
}
COMPARISON = {
    "deferral_share_90d": f"coalesce(deferral_share_90d_vs_usual, deferral_share_90d) >= {DEFERRAL_RISE}",
    "competitor_newly_mentioned": "competitor_newly_mentioned = 1",
    "price_talks_more_than_usual": f"price_talks_more_than_usual >= {PRICE_RISE}",
    "new_contact_hardly_known": "new_contact_hardly_known = 1",
    "switched_product_revenue_share": f"switched_product_revenue_share >= {SWITCHED_SHARE}",
}
DECISION = {name: f"{name} = 1" for name in ("orders_almost_stopped", "inquiries_stopped", "contact_lost")}


def _signs(signs: dict[str, str]) -> str:
    """SQL of how many of the signs are there; unknown where none of them can be told."""
    count = " + ".join(f"CAST(coalesce({is_there}, false) AS INTEGER)" for is_there in signs.values())
    return f"CASE WHEN coalesce({', '.join(signs)}) IS NOT NULL THEN {count} END"


@feature("features", unit="flag", concept="order_rhythm", worse="more", usual="order_days_90d_usual")
def orders_almost_stopped() -> str:
    """Next to no orders in 90 days of a customer with one or more in the quarters before, or whose pause is long by the
    own cycle (1 = yes).
    """
    expected = "(order_days_90d_usual >= 1 OR coalesce(purchasing_paused, 0) = 1)"
    return (
        "CASE WHEN order_days_90d_usual IS NOT NULL THEN "
        f"CAST(order_days_90d <= {ALMOST_STOPPED} * order_days_90d_usual AND {expected} AS INTEGER) END"
    )


@feature(
    "features",
    unit="flag",
    concept="contact",
    dimension="interaction",
    worse="more",
    needs=("interactions.channel",),
    usual="inquiries_90d_usual",
)
def inquiries_stopped() -> str:
    """No inquiry in 90 days from an account that used to inquire (1 = yes)."""
    return (
        "CASE WHEN inquiries_90d_usual IS NOT NULL THEN "
        "CAST(inquiries_90d = 0 AND inquiries_90d_usual > 0 AS INTEGER) END"
    )


@feature("features", unit="flag", concept="responsiveness", dimension="interaction", worse="more")
def contact_lost() -> str:
    """The account has answered none of several attempts to reach it (1 = yes)."""
    return f"CAST(attempts_since_last_response >= {LOST_ATTEMPTS} AS INTEGER)"


@feature(
    "features",
    unit="flag",
    concept="signs",
    dimension="interaction",
    worse="more",
    optional=("inquiries_stopped", "contact_lost"),
)
def decision_evidence() -> str:
    """Orders have almost stopped, inquiries have stopped and contact is lost, all three (1 = yes)."""
    all_three = f"CAST(coalesce({' AND '.join(DECISION.values())}, false) AS INTEGER)"
    return f"CASE WHEN coalesce({', '.join(DECISION)}) IS NOT NULL THEN {all_three} END"


@feature(
    "features",
    unit="signs",
    concept="signs",
    dimension="interaction",
    worse="more",
    optional=("inquiries_90d_vs_usual", "reply_hours_90d_vs_usual"),
)
def cooling_signs() -> str:
    """Signs that the account cools, of three: fewer orders, fewer inquiries, later replies."""
    return _signs(COOLING)


@feature(
    "features",
    unit="signs",
    concept="signs",
    dimension="interaction",
    worse="more",
    optional=(*COMPARISON, "deferral_share_90d_vs_usual"),
)
def comparison_signs() -> str:
    """Signs that the account compares, of five: it puts us off, names a competitor, presses prices, has a new contact
    who hardly knows us, buys single products elsewhere.
    """
    return _signs(COMPARISON)


@feature(
    "features", unit="level", concept="signs", dimension="interaction", worse="more", optional=("comparison_signs",)
)
def relationship_stage() -> str:
    """How far the account is on the way out: 0 no sign, 1 cooling, 2 comparison, 3 decision."""
    return (
        f"CASE WHEN decision_evidence = 1 THEN 3 WHEN comparison_signs >= {COMPARISON_SIGNS} THEN 2 "
        f"WHEN cooling_signs >= {COOLING_SIGNS} THEN 1 "
        "WHEN coalesce(decision_evidence, cooling_signs, comparison_signs) IS NOT NULL THEN 0 END"
    )


def stage_of(frame: pd.DataFrame) -> pd.Series:
    """The stage of every snapshot in words: one of :data:`STAGES`.

    Where nothing could be told yet (``relationship_stage`` is missing) no stage is supported: ``none``.
    """
    names = dict(enumerate(STAGES))
    return frame["relationship_stage"].map(names).fillna(STAGES[0]).astype("str")
