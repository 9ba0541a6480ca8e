"""How much of a customer is known: a grade from A to D, from the length of its history and the sources that know it.

A probability says how likely a loss is, its interval how sure the model is, the grade what the model had to go by. It
says nothing of how reliable or how regular the customer is. More data never lower it: a further order, a longer
history, a further row, column or table can only raise it.

===== ===========================================================================================================
grade what is known
===== ===========================================================================================================
A     a long history, and at least two of the four dimensions beside the orders
B     a long history; or a fair one and at least two dimensions. Orders alone reach no further than this
C     a fair history; or a short one and at least two dimensions
D     less
===== ===========================================================================================================

A history is *long* from 9 order days over a year on, *fair* from 5 over half a year on, *short* from 2 on. The window
of a customer with n gaps between orders is its own to n / (n + 4): with 8 gaps two thirds, with 4 one half. In a year
every season was seen once; half a year is the longest window.

A dimension is known where any of its tables holds a row of this customer that a feature still looks at. A customer
without a single logged contact may have had none, or may not be logged: nobody can tell, so the dimension is unknown.

Orders and contacts are booked every week. Where nobody has had one for 90 days, the table is no longer delivered: old
contacts then make nothing known, and the history is short, whatever its length.
"""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.building import Present, lacks
from features.registry import Feature, registered
from features.relations import RELATIONS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

GRADES = ("A", "B", "C", "D")
#: The dimensions beside the orders (interaction, service, finance, strategy), as their codes are called, and the tables
#: of which each is known.
BESIDE = {
    "interactions": ("interactions",),
    "services": ("services",),
    "finances": ("finances",),
    "partnerships": ("partnerships", "contracts"),
}
DIMENSIONS = ("transaction", "interaction", "service", "finance", "strategy")
#: Order days and days since the first order from which on a history is long, fair, or short.
LONG, FAIR, SHORT = (9, 365), (5, 180), (2, 0)
#: Dimensions beside the orders that make a customer widely known.
ENOUGH_BESIDE = 2
#: Tables that are filled every week, each with the feature that tells whether a customer had a row in the last 90 days.
LATELY = {"transactions": "order_days_90d", "interactions": "interactions_90d"}

#: What each code of `lacking` means.
LACKING: Mapping[str, str] = {
    "no_orders": "not a single order is known",
    "few_orders": f"fewer than {LONG[0]} order days: the order rhythm is partly that of others",
    "short_history": f"less than {LONG[1]} days since the first order: not every season has been seen",
    "stale_orders": "no order of any customer in the last 90 days",
    "no_interactions": "the company has no table of interactions",
    "stale_interactions": "no interaction with any customer in the last 90 days",
    "not_in_interactions": "no interaction with this customer that a feature reads",
    "no_services": "the company has no table of services",
    "not_in_services": "no service for this customer that a feature reads",
    "no_finances": "the company has no table of finances",
    "not_in_finances": "no invoice of this customer that a feature reads",
    "no_partnerships": "the company has no table of partnerships or contracts",
    "not_in_partnerships": "no partnership or contract with this customer that a feature reads",
}


def completeness(frame: pd.DataFrame, present: Present, stale: Collection[str] | None = None) -> pd.DataFrame:
    """The grade of each snapshot and what it lacks.

    Parameters
    ----------
    frame
        Snapshots of all customers of one or more dates: whether a table is still delivered is told from all of a date.
    present
        For each table that the source has, the columns that it fills.
    stale
        Tables that are not delivered any more (:func:`stale_tables`), where `frame` is only a part of a date.

    Returns
    -------
    DataFrame
        On the frame's index: ``grade`` (one of :data:`GRADES`), ``lacking`` (tuple of keys of :data:`LACKING`, in their
        order), and per dimension ``known_<dimension>``: the share (0 to 1) of the features that the company's tables
        can fill which are known of this customer, NaN where they can fill none. The shares are for information: a new
        column that says nothing of a customer lowers them, but not the grade.
    """
    features = [one for one in registered() if one.name in frame.columns]
    history, lacking = _history(frame, stale)
    beside = np.zeros(len(frame), dtype="int64")
    for name, tables in BESIDE.items():
        here = [table for table in tables if table in present]
        rows, late_rows = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
        for table in here:
            late = _stale(frame, table, stale)
            held = _has_rows(frame, table, features)
            rows, late_rows = rows | (held & ~late), late_rows | (held & late)
        beside += rows
        lacking[f"no_{name}"] = np.full(len(frame), not here)
        lacking[f"stale_{name}"] = ~rows & late_rows
        lacking[f"not_in_{name}"] = np.full(len(frame), bool(here)) & ~rows & ~late_rows
    codes = np.array([lacking[code] for code in LACKING]).T
    listed = [tuple(code for code, lacks_it in zip(LACKING, row, strict=True) if lacks_it) for row in codes]
    shares = {f"known_{one}": _share_known(frame, one, features, present) for one in DIMENSIONS}
    graded = pd.DataFrame({"grade": _grade(history, beside)} | shares, index=frame.index)
    graded.insert(1, "lacking", pd.Series(listed, index=frame.index, dtype="object"))
    return graded


def grades_table(graded: pd.DataFrame) -> pd.DataFrame:
    """How many customers have each grade: ``grade`` (all of :data:`GRADES`), ``customers``, ``share``."""
    counts = graded["grade"].value_counts().reindex(GRADES, fill_value=0).astype("int64")
    share = counts / len(graded) if len(graded) else counts * np.nan
    return pd.DataFrame({"grade": list(GRADES), "customers": counts.to_numpy(), "share": share.to_numpy(dtype=float)})


def stale_tables(frame: pd.DataFrame) -> frozenset[str]:
    """Tables of :data:`LATELY` of which no customer of a date had a row in the last 90 days.

    Parameters
    ----------
    frame
        The columns of :data:`LATELY` that the snapshots have, of all customers of one date.
    """
    return frozenset(table for table, name in LATELY.items() if name in frame.columns and not (frame[name] > 0).any())


def _has_rows(frame: pd.DataFrame, table: str, features: Iterable[Feature]) -> Flags:
    """Whether any feature of the table is known and not what it is for a customer without a row."""
    held = np.zeros(len(frame), dtype=bool)
    for one in features:
        if one.over in RELATIONS and RELATIONS[one.over].tables == (table,):
            values = frame[one.name].to_numpy(dtype=float)
            held |= np.isfinite(values) & (values != one.empty if one.empty is not None else True)
    return held


def _stale(frame: pd.DataFrame, table: str, stale: Collection[str] | None) -> Flags:
    """Whether no customer of the snapshot's date had a row lately."""
    column = LATELY.get(table)
    if stale is not None:
        return np.full(len(frame), table in stale)
    if column is None or column not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    lately = (frame[column] > 0).groupby(frame["as_of"]).transform("any")
    return ~lately.to_numpy(dtype=bool)


def _history(frame: pd.DataFrame, given: Collection[str] | None) -> tuple[NDArray[np.int64], dict[str, Flags]]:
    """How long the history is (3 long, 2 fair, 1 short, 0 less) and what it lacks."""
    orders = frame["order_days_ever"].fillna(0).to_numpy(dtype=float)
    days = frame["days_since_first_order"].fillna(0).to_numpy(dtype=float)
    stale = _stale(frame, "transactions", given)
    reached = [(orders >= least) & (days >= since) for least, since in (LONG, FAIR, SHORT)]
    history = np.select(reached, [3, 2, 1], 0)
    lacking = {
        "no_orders": orders < 1,
        "few_orders": (orders >= 1) & (orders < LONG[0]),
        "short_history": (orders >= 1) & (days < LONG[1]),
        "stale_orders": stale & (orders >= 1),
    }
    return np.where(stale, np.minimum(history, 1), history), lacking


def _grade(history: NDArray[np.int64], beside: NDArray[np.int64]) -> NDArray[np.str_]:
    broad = beside >= ENOUGH_BESIDE
    reached = [(history >= 3) & broad, (history >= 3) | (history >= 2) & broad, (history >= 2) | (history >= 1) & broad]
    return np.select(reached, list(GRADES[:3]), GRADES[3])


def _share_known(frame: pd.DataFrame, dimension: str, features: Iterable[Feature], present: Present) -> Floats:
    names = [one.name for one in features if one.dimension == dimension and not lacks(one, present)]
    if not names:
        return np.full(len(frame), np.nan)
    return frame[names].notna().mean(axis=1).to_numpy(dtype=float)
