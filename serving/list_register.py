"""What a list by name is made of: the material of a day, how the customers stand, and the register of all lists.

Each list is a pure function of how the customers stand now, declared once with :func:`view`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.briefs import plain
from serving.list_rows import NONE, Choice, Terms, as_records
from serving.lists import Morning, morning

#: Who a row is about.
WHO = ("customer_id", "name", "owner", "rank", "level")
#: Risks that a manager wants to see with their owner.
AT_RISK = ("high", "urgent")


@dataclass(frozen=True)
class Material:
    """What lists are made of.

    Attributes
    ----------
    profile, entered, reasons, tasks
        As of :func:`serving.lists.morning`.
    present
        For each table that the source has, the columns that it fills (:attr:`features.buckets.Events.columns`).
    signals
        Published signals of the day; without them the rules are asked of the profile.
    contacts
        Of :func:`features.contact_records.contact_records`; None where nobody read them.
    outcomes
        What came of warnings: ``customer_id``, ``recorded_on``, ``state``, ``detected_level``, ``approach``, ``why``.
    """

    profile: pd.DataFrame
    as_of: date
    present: Mapping[str, tuple[str, ...]]
    entered: pd.DataFrame | None = None
    reasons: pd.DataFrame | None = None
    tasks: pd.DataFrame | None = None
    signals: pd.DataFrame | None = None
    contacts: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True)
class Listing:
    """A list that was made.

    Attributes
    ----------
    source_absent
        The table or column of the contract for want of which there can be no row; empty where there can.
    columns_absent
        Column -> the table or column for want of which it is unknown throughout.
    """

    name: str
    rows: pd.DataFrame
    source_absent: str = ""
    columns_absent: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The list as plain data for JSON."""
        return plain({**vars(self), "count": len(self.rows), "rows": as_records(self.rows)})


@dataclass(frozen=True)
class Standing:
    """How the chosen customers stand, and what the day was told of them."""

    state: pd.DataFrame
    material: Material
    choice: Choice

    @property
    def as_of(self) -> pd.Timestamp:
        """The day."""
        return pd.Timestamp(self.material.as_of)

    @property
    def terms(self) -> Terms:
        """What the lists are drawn by."""
        return self.material.terms

    def since(self, days: int) -> pd.Timestamp:
        """So many days before the day."""
        return self.as_of - timedelta(days=days)

    def fires(self, *codes: str) -> pd.Series:
        """Whether one of some rules fires for each customer."""
        fired = self.terms.fired(self.state, self.terms.named(*codes))
        return self.state["customer_id"].isin(fired["customer_id"])

    def rows(self, mask: pd.Series, columns: tuple[str, ...], by: str, descending: bool = True) -> pd.DataFrame:
        """Some customers with some columns; without an owner they are nobody's."""
        rows = self.state.assign(owner=self.state["owner"].fillna(NONE))[mask]
        order = [not descending, True]
        return rows.sort_values([by, "customer_id"], ascending=order, ignore_index=True)[list(columns)]

    def morning(self) -> Morning:
        """The four lists."""
        given = self.material
        return morning(
            given.profile,
            given.entered,
            given.as_of,
            reasons=given.reasons,
            tasks=given.tasks,
            terms=given.terms,
            choice=replace(self.choice, sort=None),
        )

    def lost(self) -> pd.Series:
        """Whether each customer counts as lost: beyond two cycles; dormant where no cycle is known (RB-04)."""
        unknown = self.state["order_cycle_days"].isna()
        return self.fires("churned") | (unknown & self.fires("dormant"))

    def overdue(self) -> pd.Series:
        """Whether the day on which the next order was expected has passed (RB-23)."""
        return self.fires("order_overdue")

    def status(self) -> pd.Series:
        """Where each customer stands in its trade, one word each."""
        ordered = self.state["days_since_last_order"].notna()
        status = pd.Series("potential", index=self.state.index).mask(ordered, "active")
        status = status.mask(self.overdue(), "overdue").mask(self.fires("about_to_churn"), "about_to_churn")
        return status.mask(self.lost(), "lost")


Make = Callable[[Standing], pd.DataFrame]


@dataclass(frozen=True)
class View:
    """A list that can be asked for.

    Attributes
    ----------
    ids
        The requirements that it answers.
    columns
        What each row has.
    needs
        Column of a customer -> table or column of the contract without which there is no list, unless somebody has
        entered it.
    wants
        Column of the list -> table or column without which it is unknown.
    """

    name: str
    ids: tuple[str, ...]
    columns: tuple[str, ...]
    make: Make
    needs: Mapping[str, str] = field(default_factory=dict)
    wants: Mapping[str, str] = field(default_factory=dict)


#: Every list by its name.
VIEWS: dict[str, View] = {}


def view(
    name: str,
    ids: tuple[str, ...],
    columns: tuple[str, ...],
    needs: Mapping[str, str] | None = None,
    wants: Mapping[str, str] | None = None,
) -> Callable[[Make], Make]:
    """Put a list into the register; the arguments are those of :class:`View`."""

    def add(make: Make) -> Make:
        VIEWS[name] = View(name, ids, columns, make, needs or {}, wants or {})
        return make

    return add


def with_columns(state: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The customers with columns that a profile may lack, unknown where it does."""
    return state.assign(**{name: float("nan") for name in columns if name not in state.columns})
