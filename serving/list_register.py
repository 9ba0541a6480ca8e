"""What a list by name is made of: the material of a day, how the customers stand, and the register of all lists.

Each list is a pure function of how the customers stand now, declared once with :func:`view`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import pandas as pd

from features.briefs import plain
from serving.list_rows import NONE, Order, Terms, as_records, current
from serving.lists import Morning, morning_of

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
    known
        How the customers of `profile` stand now, where that is known already; otherwise it is made of `entered`.
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
    known: pd.DataFrame | None = None

    @cached_property
    def state(self) -> pd.DataFrame:
        """How the customers stand now, see :func:`serving.list_rows.current`."""
        return current(self.profile, self.entered, self.as_of) if self.known is None else self.known


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
    """How the chosen customers stand, what the day was told of them, and the list that is made of them."""

    state: pd.DataFrame
    material: Material
    view: "View"

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

    def rows(self, mask: pd.Series) -> pd.DataFrame:
        """Some customers, with what the list shows and is ordered by; without an owner they are nobody's."""
        columns = dict.fromkeys((*self.view.columns, *(name for name, _ in self.view.order)))
        rows = self.state.loc[mask, list(columns)]
        return rows.assign(owner=rows["owner"].fillna(NONE)) if "owner" in columns else rows

    def morning(self) -> Morning:
        """The four lists."""
        given = self.material
        return morning_of(self.state, given.as_of, reasons=given.reasons, tasks=given.tasks, terms=given.terms)

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
    order
        Columns that put the rows in order, and whether each ascends: of the list, or others that `make` gives along.
        Without one it stays as it is made.
    together
        Whether the list is made of all chosen customers together. If not, whether a customer is on it, and with which
        rows, follows from that customer alone.
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
    order: Order = ()
    together: bool = False
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
    by: tuple[str, ...] = (),
    together: bool = False,
) -> Callable[[Make], Make]:
    """Put a list into the register; the arguments are those of :class:`View`.

    `by` names the columns of its order, with - in front of those that descend; customers that are alike in them stand
    in the order of their ids.
    """
    order = tuple((column.removeprefix("-"), not column.startswith("-")) for column in (*by, "customer_id"))

    def add(make: Make) -> Make:
        VIEWS[name] = View(name, ids, columns, make, order if by else (), together, needs or {}, wants or {})
        return make

    return add


def with_columns(state: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The customers with columns that a profile may lack, unknown where it does."""
    return state.assign(**{name: float("nan") for name in columns if name not in state.columns})
