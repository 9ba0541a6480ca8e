"""Order lines written as the days before a cutoff on which a customer ordered."""

from collections.abc import Iterable
from datetime import date, timedelta

MAY_4 = date(2024, 5, 4)
HEADER = "customer_id order_id ordered_at amount"


def ordered(days_ago: Iterable[int], amount: float = 100, customer: str = "A", more: str = "") -> str:
    """One line a day under :data:`HEADER` and whatever further columns `more` fills."""
    return "\n".join(
        f"{customer} {customer}{ago}{more.replace(' ', '')} {before(ago)} {amount} {more}" for ago in days_ago
    )


def before(days: int) -> date:
    """The day that lies so many days before 4 May 2024."""
    return MAY_4 - timedelta(days=days)


def table(*parts: str, columns: str = "") -> str:
    """The parts under one header."""
    return "\n".join([f"{HEADER} {columns}", *parts])
