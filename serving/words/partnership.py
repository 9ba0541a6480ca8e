"""The words about partnership and market: what is shared and planned together, contracts, competitors, the economy.

Written as in :mod:`serving.words.contact`.
"""

from serving.words.patterns import Quantity, every, flag, quantity, since
from serving.words.rhythm import Sentences
from serving.words.speech import say, text

QUANTITIES: dict[str, Quantity] = {
    "document_depth_{days}d": quantity(text("Depth of the documents requested")),
    "joint_rnd_{days}d": quantity(text("Joint research and development activities")),
    "joint_marketing_{days}d": quantity(text("Joint marketing activities")),
    "strategy_meetings_put_off_{days}d": quantity(text("Strategy meetings postponed or cancelled")),
    "days_since_roadmap": since(text("Last roadmap shared"), "roadmap_gap_median_days"),
    "overdue_milestones": quantity(text("Milestones overdue without an explanation")),
    "days_since_contract_end": since(text("Contract ended without a renewal"), alone=True),
    "days_since_competitor_noted": since(text("Competitor at the account last noted"), alone=True),
    "days_since_competitor_event": since(text("Last known act of a competitor in the region"), alone=True),
    "competitor_events_{days}d": quantity(text("Acts of competitors in the region")),
}

SENTENCES: Sentences = {
    "roadmap_gap_median_days": every(text("Roadmaps shared")),
    "roadmap_sharing_stopped": flag(
        text("Roadmaps used to be shared and no longer are."), text("Roadmaps are shared as usual.")
    ),
    "longest_overdue_milestone_days": (
        say("No milestone is overdue without an explanation.", when="value <= 0"),
        say("A milestone is {actual} overdue without an explanation.", actual="value days"),
    ),
    "contract_running": flag(text("A contract is running."), text("No contract is running.")),
    "days_until_contract_end": (say("The contract ends in {left}.", left="value duration"),),
    "competitor_present": flag(
        text("Another vendor is coming in at the account."), text("No other vendor is known at the account.")
    ),
    "growth_level": (
        say("The account's own business is shrinking.", when="value < 0.5"),
        say("The account's own business is flat.", when="value < 1.5"),
        say("The account's own business is growing.", when="value >= 1.5"),
    ),
    "days_until_budget_month": (
        say("The account's budget month has begun.", when="value <= 0"),
        say("The account's next budget month begins in {left}.", left="value days"),
    ),
    "market_index_vs_last_year": (
        say("The market in the region is {share} of what it was a year ago.", share="value about_share"),
    ),
}
