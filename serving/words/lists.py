"""Names of the lists, for whoever chooses one."""

from features.errors import SettingsError
from serving.words.speech import language, text

LISTS: dict[str, str] = {
    "red": text("Red list: act this week"),
    "yellow": text("Yellow list: act this month"),
    "blue": text("Blue list: routine contact"),
    "grey": text("Grey list: dormant customers to check every quarter"),
    "silent_by_owner": text("Customers without contact, by sales person"),
    "risk_by_owner": text("Customers at high risk, by sales person"),
    "meeting": text("Customers for the weekly meeting"),
    "key_follow_up": text("Customers to follow up closely"),
    "risk_list": text("Customers at risk, with their reviews"),
    "contact_today": text("Contacts planned for today"),
    "contact_this_week": text("Contacts planned for this week"),
    "contact_overdue": text("Planned contacts that are overdue"),
    "updated": text("Customers updated lately"),
    "lost_orders": text("Customers with a lost quote"),
    "contracts_this_month": text("Customers with a contract this month"),
    "contracts_new_last_month": text("Contracts signed last month"),
    "contracts_this_quarter": text("Customers with a contract this quarter"),
    "contracts_new_last_quarter": text("Contracts signed last quarter"),
    "contracts_this_year": text("Customers with a contract this year"),
    "contracts_new_last_year": text("Contracts signed last year"),
    "leadership": text("Overview for the management"),
    "contact_days": text("Contacts a day, by sales person"),
    "contact_rates": text("How contacts turned out, by sales person"),
    "orders_by_owner": text("Orders of the month, by sales person"),
    "restarted": text("Customers that order again"),
    "act_now": text("Customers to act on now"),
    "important_silent": text("Important customers that are silent"),
    "about_to_churn": text("Customers about to be lost"),
    "churned": text("Customers lost by the rule of thumb"),
    "amount_slump": text("Customers whose spending slumped"),
    "orders_slump": text("Customers whose number of orders slumped"),
    "ordered_recently": text("Customers that ordered lately"),
    "overdue": text("Customers whose order is overdue"),
    "lost_by_year": text("Lost customers, by year"),
    "dormant": text("Dormant customers"),
    "new": text("New customers"),
}


def list_name(code: str, locale: str = "en") -> str:
    """The name of a list.

    Raises
    ------
    SettingsError
        If there is no such list, or no such locale.
    """
    if code not in LISTS:
        raise SettingsError(f"a list is one of {sorted(LISTS)}; found {code!r}.")
    return language(locale).words(LISTS[code])
