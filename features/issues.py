"""What is open with an account at a date: promises and debts whose time has passed, problems and quotes without an end.

Each kind asks of its rows what the feature of the same name asks, with the same options; here the rows themselves are
listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pandas as pd

from features.building import Present
from features.contract import CONTRACT
from features.cutoffs import past
from features.deliveries import LONGEST_LEAD_DAYS
from features.partnerships import OVERDUE_MILESTONE
from features.quotes import UNANSWERED
from features.registry import LOOKBACK_DAYS

#: What a table must fill for its open issues to be known.
_NEEDS = {
    "overdue milestone": ("partnerships.done_at",),
    "open complaint": ("services.resolved_at",),
    "open repair": ("services.resolved_at",),
    "unanswered quote": ("quotes.status",),
    "overdue invoice": ("finances.due_at", "finances.paid_at"),
    "late delivery": ("transactions.promised_at", "transactions.delivered_at"),
}


def _open_problem(kind: str) -> str:
    return (
        "SELECT customer_id, ticket_id AS what, CAST(opened_at AS DATE) AS since, days_ago AS days, NULL AS amount "
        f"FROM ({past('services')}) WHERE kind = '{kind}' AND resolved_at IS NULL"
    )


_ROWS: Mapping[str, str] = {
    "overdue milestone": (
        "SELECT customer_id, concat_ws(' ', replace(kind, '_', ' '), activity_id) AS what, "
        f"CAST(planned_at AS DATE) AS since, days_ago AS days, NULL AS amount FROM ({past('partnerships')}) "
        f"WHERE days_ago > {OVERDUE_MILESTONE} AND done_at IS NULL AND nullif(trim(explanation), '') IS NULL "
        "AND kind IS DISTINCT FROM 'document_request' AND coalesce(status NOT IN ('cancelled', 'done'), true)"
    ),
    "open complaint": _open_problem("complaint"),
    "open repair": _open_problem("repair"),
    "unanswered quote": (
        "SELECT customer_id, quote_id AS what, CAST(quoted_at AS DATE) AS since, days_ago AS days, amount "
        f"FROM ({past('quotes', LOOKBACK_DAYS)}) "
        f"WHERE coalesce(status, 'open') = 'open' AND closed_at IS NULL AND days_ago > {UNANSWERED}"
    ),
    "overdue invoice": (
        "SELECT customer_id, invoice_id AS what, CAST(due_at AS DATE) AS since, as_of - CAST(due_at AS DATE) AS days, "
        f"amount FROM ({past('finances')}) WHERE amount > 0 AND paid_at IS NULL AND due_at < as_of"
    ),
    "late delivery": (
        "SELECT customer_id, concat(sum(lines), CASE sum(lines) WHEN 1 THEN ' line' ELSE ' lines' END, ' ordered on ', "
        "day) AS what, promised AS since, as_of - promised AS days, NULL AS amount "
        f"FROM ({past('deliveries', LOOKBACK_DAYS + LONGEST_LEAD_DAYS)}) "
        f"WHERE delivered IS NULL AND promised < as_of AND promised >= as_of - {LOOKBACK_DAYS} "
        "GROUP BY customer_id, day, promised, as_of"
    ),
}


_COLUMNS = ("kind", "customer_id", "what", "since", "days", "amount")
_NOTHING = f"SELECT {', '.join(f'NULL AS {name}' for name in _COLUMNS)} WHERE false"


@dataclass(frozen=True)
class Issues:
    """What is open with accounts, and what cannot be told.

    Attributes
    ----------
    table
        ``customer_id``, ``kind`` (``overdue invoice``, ...), ``what`` (str), ``since`` (datetime64), ``days`` (int64,
        from then to the cutoff) and ``amount`` (NaN where there is none); of a customer the longest open first.
    unknown
        Kind -> the source that is absent.
    """

    table: pd.DataFrame
    unknown: Mapping[str, str]


def absent(present: Present, *needs: str) -> str:
    """The first of some tables, or columns as ``table.column``, that the source does not have; empty if it has all."""
    for one in needs:
        table, _, column = one.partition(".")
        if table not in present:
            return table
        if column and column not in present[table] and column not in CONTRACT[table].required:
            return one
    return ""


def open_issues(con: duckdb.DuckDBPyConnection, present: Present) -> Issues:
    """What is open at the cutoff of a connection.

    Parameters
    ----------
    con
        A connection on which time is laid out, options are set and one cutoff is named.
    present
        For each table that the source has, the columns that it fills.
    """
    missing = {kind: absent(present, *needs) for kind, needs in _NEEDS.items()}
    known = [f"SELECT '{kind}' AS kind, * FROM ({rows})" for kind, rows in _ROWS.items() if not missing[kind]]
    found = con.execute(
        "SELECT customer_id, kind, what, since, CAST(days AS BIGINT) AS days, CAST(amount AS DOUBLE) AS amount "
        f"FROM ({' UNION ALL BY NAME '.join([*known, _NOTHING])}) ORDER BY customer_id, days DESC, kind, what"
    ).df()
    types = {"customer_id": "str", "kind": "str", "what": "str", "since": "datetime64[s]", "days": "int64"}
    return Issues(found.astype(types), {kind: source for kind, source in missing.items() if source})
