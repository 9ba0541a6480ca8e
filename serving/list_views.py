"""All lists but the four of the morning, by name, and warnings on a customer's timeline.

A list whose source is absent has no rows and names the source; so does a column.
"""

import pandas as pd

from features.errors import SettingsError
from features.issues import Present, absent
from serving import account_lists, order_lists  # noqa: F401  (declare the lists)
from serving.list_register import VIEWS, Listing, Material, Standing, View
from serving.list_rows import Choice, arranged, chosen, in_order


def listing(name: str, material: Material, choice: Choice | None = None) -> Listing:
    """A list by its name.

    Raises
    ------
    SettingsError
        If there is no such list, or a field or column of the choice is unknown.
    """
    if name not in VIEWS:
        raise SettingsError(f"there is no list {name!r}. Known: {sorted(VIEWS)}.")
    view, choice = VIEWS[name], choice or Choice()
    state = chosen(material.state, choice)
    if lacking := source_absent(view, state, material.present):
        return Listing(name, pd.DataFrame(columns=list(view.columns)), lacking)
    rows = in_order(view.make(Standing(state, material, view)), view.order)[list(view.columns)]
    return Listing(name, arranged(rows, choice), columns_absent=columns_absent(view, material.present))


def source_absent(view: View, state: pd.DataFrame, present: Present) -> str:
    """The table or column for want of which no customer of some can be on a list; empty if one can."""
    for column, source in view.needs.items():
        lacking = absent(present, source)
        if lacking and (column not in state.columns or state[column].isna().all()):
            return lacking
    return ""


def columns_absent(view: View, present: Present) -> dict[str, str]:
    """The columns of a list that are unknown throughout, and the table or column that would tell them."""
    missing = {column: absent(present, source) for column, source in view.wants.items()}
    return {column: source for column, source in missing.items() if source}


def with_warnings(timeline: pd.DataFrame, episodes: pd.DataFrame) -> pd.DataFrame:
    """What happened at one account and the warnings about it, on one axis (LV-25).

    A warning of a day was raised at its midnight: it stands after all that was known by then and before what happened
    on the day itself.

    Parameters
    ----------
    timeline
        Of :func:`features.timelines.timeline`, of one account.
    episodes
        The account's: ``opened_on``, ``opened_level``, ``highest_level``, ``closed_on``, ``close_reason``.

    Returns
    -------
    DataFrame
        ``happened_at``, ``table``, ``kind``, ``amount``, ``detail`` as before, and ``level``; warnings are of the table
        ``warnings`` and of the kind ``warning`` or ``warning_closed``, with the reason of the end as ``detail``.
    """
    opened = episodes[["opened_on", "opened_level"]].set_axis(["happened_at", "level"], axis=1)
    closed = episodes.loc[episodes["closed_on"].notna(), ["closed_on", "highest_level", "close_reason"]]
    closed = closed.set_axis(["happened_at", "level", "detail"], axis=1)
    warnings = pd.concat([opened.assign(kind="warning", detail=""), closed.assign(kind="warning_closed")])
    warnings = warnings.assign(
        happened_at=pd.to_datetime(warnings["happened_at"].astype("str"), format="ISO8601").astype("datetime64[us]"),
        table="warnings",
        amount=float("nan"),
        first=0,
    )
    both = pd.concat([timeline.assign(first=1, level=None), warnings], ignore_index=True)
    both = both.sort_values(["happened_at", "first"], kind="stable", ignore_index=True)
    return both[["happened_at", "table", "kind", "amount", "detail", "level"]].astype(
        {"table": "str", "kind": "str", "detail": "str", "level": "str", "amount": "float64"}
    )
