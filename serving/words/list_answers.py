"""What each list answers, a sentence each, and what its columns count where that is not plain."""

from collections.abc import Mapping

from serving.words.speech import text

#: Heading -> the lists under it, in the order in which they are offered; every list stands under one of them.
GROUPS: Mapping[str, tuple[str, ...]] = {
    text("Today's four lists"): ("red", "yellow", "blue", "grey"),
    text("Customers to act on"): (
        "act_now", "meeting", "risk_list", "key_follow_up", "important_silent", "about_to_churn", "amount_slump",
        "orders_slump",
    ),
    text("Planned contacts"): ("contact_overdue", "contact_today", "contact_this_week"),
    text("Orders and customers"): (
        "overdue", "churned", "dormant", "lost_by_year", "restarted", "ordered_recently", "new", "updated",
        "lost_orders",
    ),
    text("Contracts"): (
        "contracts_this_month", "contracts_this_quarter", "contracts_this_year", "contracts_new_last_month",
        "contracts_new_last_quarter", "contracts_new_last_year",
    ),
    text("Sales people and management"): (
        "silent_by_owner", "risk_by_owner", "orders_by_owner", "contact_days", "contact_rates", "leadership",
    ),
}  # fmt: skip

#: List -> what it answers; the numbers are those that the lists are drawn by now.
ANSWERS: Mapping[str, str] = {
    "red": text("Who needs somebody this week?"),
    "yellow": text("Who needs somebody this month?"),
    "blue": text("Whom did we plan to contact this week and the next?"),
    "grey": text("Who has not ordered for so long that a look once a quarter is enough?"),
    "act_now": text("Who is far beyond the usual time between orders, or at high or urgent risk as people see it?"),
    "meeting": text("The red list for the weekly meeting: why each customer is on it, and what is to be done."),
    "risk_list": text(
        "Who bears a warning or a stated risk of high or more, by value at risk? Each is to be reviewed every"
        " {review} days."
    ),
    "key_follow_up": text("Customers of old that went silent, low ratings twice in a row, low prices asked for."),
    "important_silent": text("Which important customers have not ordered for more than {important} days?"),
    "about_to_churn": text("Who has not ordered for more than {about} days and does not count as lost yet?"),
    "amount_slump": text("Whose revenue of 30 days fell by {slump_share} or more against the 30 days before?"),
    "orders_slump": text("Who placed at least {slump_orders} fewer orders in 30 days than in the 30 days before?"),
    "contact_overdue": text("Which planned contacts were not made on their day?"),
    "contact_today": text("Whom did we plan to contact today?"),
    "contact_this_week": text("Whom did we plan to contact tomorrow or later this week?"),
    "overdue": text("Whose next order was expected by now, and has not come?"),
    "churned": text(
        "Who has been silent for more than {churned} usual times between orders? Where none is known, for {dormant}"
        " days."
    ),
    "dormant": text("Who has not ordered for {dormant} days or more?"),
    "lost_by_year": text("In which year did those who count as lost order last?"),
    "restarted": text("Who ordered again this month after a silence that was too long?"),
    "ordered_recently": text("Who ordered within the last {recent} days?"),
    "new": text("Who ordered for the first time within the last {recent} days?"),
    "updated": text("Whose file changed, or was updated by somebody, within the last {recent} days?"),
    "lost_orders": text("Who decided against a quote of ours within the last {recent} days?"),
    "contracts_this_month": text("Whose contract runs on some day of this month?"),
    "contracts_this_quarter": text("Whose contract runs on some day of this quarter?"),
    "contracts_this_year": text("Whose contract runs on some day of this year?"),
    "contracts_new_last_month": text("Who signed a contract last month?"),
    "contracts_new_last_quarter": text("Who signed a contract last quarter?"),
    "contracts_new_last_year": text("Who signed a contract last year?"),
    "silent_by_owner": text("How many customers of each sales person had no contact for {silent} days or more?"),
    "risk_by_owner": text("Which customers are at high or urgent risk, stated or by their level, and whose are they?"),
    "orders_by_owner": text("How do this month's orders compare with as many days of last month?"),
    "contact_days": text("How many contacts did each sales person make on each day, and what came of them?"),
    "contact_rates": text("How many contacts of each sales person succeeded or failed, month by month?"),
    "leadership": text("Where does every customer stand, from those without an order to those who are lost?"),
}

EFFECTIVE = text("Contacts whose result was recorded as effective.")
HIGH_VALUE = text("Contacts whose result was recorded as being of high value, beyond effective.")
UNSUCCESSFUL = text("Contacts whose result was recorded as unsuccessful.")
IN_TIME = text("Contacts that were recorded within {days} days.")
#: List -> column -> what the column counts.
DEFINITIONS: Mapping[str, Mapping[str, str]] = {
    "contact_days": {
        "effective": EFFECTIVE,
        "high_value": HIGH_VALUE,
        "unsuccessful": UNSUCCESSFUL,
        "logged": IN_TIME,
    },
    "contact_rates": {
        "effective": EFFECTIVE,
        "high_value": HIGH_VALUE,
        "unsuccessful": UNSUCCESSFUL,
        "success_rate": text(
            "Effective contacts and those of high value as a share of all contacts; one that nobody judged is no"
            " success."
        ),
        "loss_rate": text("Unsuccessful contacts as a share of all contacts; one that nobody judged is no loss."),
        "logged_share": text("Contacts that were recorded within {days} days as a share of all contacts."),
        "contacts_per_day": text("Contacts on an average day with at least one."),
    },
}
