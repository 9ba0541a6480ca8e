"""The rules that come with Kizashi: one declaration each, with its thresholds.

A level other than none stands only where the rule's source names one: what is merely marked is loud by the customer's
score and health. The report on how early the order rhythm warns (RB-13) is no rule about a customer.
"""

from features.options import Option
from models.warning_rules import OFF, WarningRule

_ORDERS = (
    WarningRule(
        "RB-01",
        "order_late",
        "S0",
        "The next order is late: the customer cools.",
        when=("days_since_last_order >= late_order_multiple * order_cycle_days",),
        stage="cooling",
        options=(Option("late_order_multiple", 1.5, "An order is late from so many own cycles on.", "cycles"),),
    ),
    WarningRule(
        "RB-02",
        "orders_stopped",
        "S0",
        "Orders have stopped: the customer compares, or has switched.",
        when=("days_since_last_order >= stopped_order_multiple * order_cycle_days",),
        stage="comparison",
        options=(Option("stopped_order_multiple", 2.0, "Orders have stopped from so many own cycles on.", "cycles"),),
    ),
    WarningRule(
        "RB-03",
        "important_orders_stopped",
        "S0",
        "Orders of an important customer have stopped.",
        when=("rank in important_ranks", "days_since_last_order >= stopped_order_multiple * order_cycle_days"),
        working_list="red",
        options=(Option("important_ranks", ("A", "B"), "Ranks of important customers."),),
    ),
    WarningRule(
        "RB-04",
        "churned",
        "S1",
        "No order for more than two own cycles: lost by the rule of thumb. A later order ends it.",
        when=("days_since_last_order > churned_cycle_multiple * order_cycle_days",),
        tag="churned",
        options=(Option("churned_cycle_multiple", 2.0, "Churned beyond so many own cycles.", "cycles"),),
    ),
    WarningRule(
        "RB-05",
        "about_to_churn",
        "S1",
        "No order within the time limit, and not churned: nobody is both.",
        when=("days_since_last_order > about_to_churn_days",),
        none_of=("days_since_last_order > churned_cycle_multiple * order_cycle_days",),
        tag="about_to_churn",
        options=(Option("about_to_churn_days", 30, "Longest silence in which a customer counts as trading.", "days"),),
    ),
    WarningRule(
        "RB-06",
        "revenue_slump",
        "S1",
        "The revenue of 30 days has slumped against the 30 days before.",
        when=("revenue_drop_share_30d >= slump_revenue_share",),
        shows=("amount_30d_before", "amount_30d"),
        tag="slump",
        options=(Option("slump_revenue_share", 0.5, "Revenue has slumped from this share lost on.", "share"),),
    ),
    WarningRule(
        "RB-06",
        "orders_slump",
        "S1",
        "The number of orders in 30 days has slumped against the 30 days before.",
        when=("orders_drop_30d >= slump_orders",),
        shows=("orders_30d_before", "orders_30d"),
        tag="slump",
        options=(Option("slump_orders", 3, "Orders have slumped from so many fewer on.", "orders"),),
    ),
    WarningRule(
        "RB-07",
        "old_customer_silent",
        "S3",
        "A customer of old has not ordered for long.",
        when=("days_since_last_order > old_customer_silent_days",),
        any_of=(
            "order_days_ever >= old_customer_order_days",
            "days_since_first_order >= old_customer_days and order_days_ever > 1",
        ),
        tag="key_follow_up",
        options=(
            Option("old_customer_silent_days", 90, "A customer of old is silent beyond so many days.", "days"),
            Option("old_customer_order_days", 3, "A customer is of old from so many order days on.", "order days"),
            Option("old_customer_days", 180, "One with a second order is of old so many days after the first.", "days"),
        ),
    ),
    WarningRule(
        "RB-12",
        "order_anomaly",
        "S2",
        "The orders are out of the customer's own pattern: the silence, their size, urgency or margins.",
        any_of=(
            "days_since_last_order_own_z >= anomaly_deviations",
            "order_value_mean_90d_z >= anomaly_deviations",
            "order_value_mean_90d_z <= -anomaly_deviations",
            "urgent_order_share_90d_z >= anomaly_deviations",
            "urgent_order_share_90d_z <= -anomaly_deviations",
            "high_margin_share_90d_z >= anomaly_deviations",
            "high_margin_share_90d_z <= -anomaly_deviations",
        ),
        tag="anomaly",
        options=(Option("anomaly_deviations", 1.5, "Out of the pattern from so many own standard deviations on.", ""),),
    ),
    WarningRule(
        "RB-22",
        "dormant",
        "S0",
        "No order for so long that the customer is dormant.",
        when=("days_since_last_order >= dormant_from_days",),
        working_list="grey",
        options=(Option("dormant_from_days", 180, "Dormant from so many days without an order on.", "days"),),
    ),
    WarningRule(
        "RB-23",
        "order_overdue",
        "S4",
        "The day on which the next order was expected has passed.",
        when=("days_to_next_expected_order < 0",),
        shows=("order_cycle_days",),
        tag="overdue",
    ),
)

_CONTACTS = (
    WarningRule(
        "RB-08",
        "two_low_ratings",
        "S3",
        "The last two ratings of service are both low.",
        when=("last_rating <= low_rating", "rating_before_last <= low_rating"),
        team="service",
        tag="key_follow_up",
        options=(Option("low_rating", 2, "A rating is low up to this one.", "points"),),
    ),
    WarningRule(
        "RB-09",
        "price_bargainer",
        "S3",
        "A low price was asked for in a quote that is still unanswered, and no order followed.",
        when=("unanswered_quote_discount_share >= bargain_discount_share",),
        shows=("oldest_open_quote_days",),
        tag="key_follow_up",
        options=(Option("bargain_discount_share", 0.2, "A price is low from this discount asked for on.", "share"),),
    ),
    WarningRule(
        "RB-11",
        "talks_shallower",
        "S2",
        "The talks have become shallower three times in a row.",
        any_of=(
            "talk_depth_falls_in_a_row >= shallower_talks",
            "talk_depth_fall_share_over_3 >= shallower_in_total_share",
        ),
        level="yellow",
        options=(
            Option("shallower_talks", 3, "Falls in a row from which on talks have become shallower.", "talks"),
            Option(
                "shallower_in_total_share",
                OFF,
                "The other reading: three falls of this share in total.",
                "share",
            ),
        ),
    ),
    WarningRule(
        "RB-14",
        "contacts_below_curve",
        "S2",
        "Contacts were below the expected curve in two periods in a row.",
        when=(
            "contacts_last_period <= contact_curve_share * contacts_expected_last_period",
            "contacts_period_before <= contact_curve_share * contacts_expected_period_before",
            "contacts_expected_last_period >= contact_curve_least",
            "contacts_expected_period_before >= contact_curve_least",
        ),
        level="blue",
        team="service",
        tag="watch",
        options=(
            Option("contact_curve_share", 0.8, "Contacts are below the curve up to this share of it.", "share"),
            Option("contact_curve_least", 1.0, "Expected contacts per period from which on it is asked.", "contacts"),
        ),
    ),
    WarningRule(
        "RB-15",
        "competitor_in_region",
        "S2",
        "A competitor is active in the customer's region: whatever warns is one level louder.",
        when=("days_since_competitor_event <= competitor_days",),
        escalates=True,
        options=(Option("competitor_days", 30, "A competitor's act counts for so many days.", "days"),),
    ),
    WarningRule(
        "RB-19",
        "role_imbalance",
        "S2",
        "One role at the customer hardly talks to us any more while another does as usual.",
        when=("role_imbalance is true",),
        shows=("weakest_role", "weakest_role_interactions_90d_vs_usual"),
        level="orange",
    ),
    WarningRule(
        "RB-20",
        "temperature_fell",
        "S0",
        "The temperature on file was just changed to a lower one that calls for an answer.",
        when=("temperature in temperature_alarms", "days_since_temperature_fell <= temperature_fell_days"),
        options=(
            Option("temperature_alarms", ("cool",), "Temperatures that call for an answer when they are fallen to."),
            Option("temperature_fell_days", 1, "A fall of the temperature is new for so many days.", "days"),
        ),
    ),
    WarningRule(
        "RB-21",
        "important_without_contact",
        "S0",
        "There was no contact with an important customer for long.",
        when=("rank in important_ranks", "days_since_last_interaction >= contact_limit_days"),
        working_list="yellow",
        options=(Option("contact_limit_days", 45, "No contact for long from so many days on.", "days"),),
    ),
    WarningRule(
        "RB-24",
        "weak_link",
        "S2",
        "The relationship is as strong as its weakest role, and that one is weak.",
        when=("relationship_score <= weak_link_score",),
        shows=("weakest_role",),
        options=(
            Option("weak_link_score", 50, "A role is weak up to this score, of 100 where all is as usual.", "points"),
            Option(
                "weak_role_min_contacts", 5, "Usual contacts per 90 days from which on a role is judged.", "contacts"
            ),
        ),
    ),
    WarningRule(
        "HS-11",
        "outreach_unanswered",
        "S3",
        "Two attempts in a row to reach the customer came to nothing: potential churn.",
        when=("attempts_since_last_response >= unanswered_attempts",),
        none_of=("waiting_days < outreach_wait_days",),
        shows=("waiting_days",),
        level="red",
        tag="potential_churn",
        options=(
            Option("unanswered_attempts", 2, "Attempts in a row that came to nothing.", "attempts"),
            Option("outreach_wait_days", 3, "Days that the oldest unanswered message is given for an answer.", "days"),
        ),
    ),
)

_PAYMENT_IS_SLOW = (
    "payment_days_mean_90d >= slow_payment_days",
    "payment_days_mean_90d >= slow_payment_multiple * payment_days_mean_90d_usual",
)
_MOVED = "{0} > 0 and {0} >= moved_multiple * {0}_usual"

_MONEY_AND_STRATEGY = (
    WarningRule(
        "RB-16",
        "payment_slow",
        "S2",
        "Payment takes long, and far longer than usual.",
        when=_PAYMENT_IS_SLOW,
        level="yellow",
        team="management",
        options=(
            Option("slow_payment_days", 45, "Payment takes long from so many days on.", "days"),
            Option("slow_payment_multiple", 1.5, "Far longer than usual from so many times the usual on.", "times"),
        ),
    ),
    WarningRule(
        "RB-17",
        "finances_move_together",
        "S2",
        "Several indicators of finance have moved together, none beyond its own limit.",
        at_least=(
            2,
            (
                _MOVED.format("payment_days_mean_90d"),
                _MOVED.format("credit_used_share"),
                _MOVED.format("confirmation_days_mean_90d"),
            ),
        ),
        none_of=(
            " and ".join(_PAYMENT_IS_SLOW),
            "credit_used_share > credit_limit_share",
            "confirmation_days_mean_90d > confirmation_limit_days",
        ),
        team="management",
        options=(
            Option("moved_multiple", 1.2, "An indicator has moved from so many times its usual on.", "times"),
            Option("credit_limit_share", 1.0, "Limit of the credit used, as a share of the credit limit.", "share"),
            Option("confirmation_limit_days", 30, "Limit of the days until an invoice is confirmed.", "days"),
        ),
    ),
    WarningRule(
        "RB-18",
        "milestone_late",
        "S2",
        "A milestone is late for long, and nobody has said why.",
        when=("longest_overdue_milestone_days > late_milestone_days",),
        level="yellow",
        team="management",
        options=(Option("late_milestone_days", 30, "A milestone is late for long beyond so many days.", "days"),),
    ),
)

WARNING_RULES: tuple[WarningRule, ...] = (*_ORDERS, *_CONTACTS, *_MONEY_AND_STRATEGY)
"""All shipped rules, in the order in which signals are told."""
