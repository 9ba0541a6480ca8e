"""The timeline of an account: every event that was known before a cutoff, from all event tables, in the order of time.

A later fact on a row (a payment, an answer, a delivery) is an event of its own, at its own time. What bears no kind, or
one that is in none of the lists, is kept as ``other``.
"""

import duckdb
import pandas as pd

from features.cutoffs import past
from features.sql import text_sql

#: Fields of `account_changes` that the contract names; `note` and `next_action` are kinds of their own.
FILE_FIELDS = (
    "temperature",
    "risk",
    "contact",
    "owner",
    "rank",
    "order_pattern",
    "terms",
    "credit_limit",
    "competitor",
    "growth",
)
OTHER = "other"


def _words(*parts: str) -> str:
    """SQL of a sentence of what is there of its parts."""
    return f"concat_ws('; ', {', '.join(parts)})"


def _named(column: str, values: tuple[str, ...] = ()) -> str:
    """SQL of the kind in a column: in words, `other` where it is missing or none of the values."""
    known = f" AND {column} IN ({', '.join(map(text_sql, values))})" if values else ""
    return f"CASE WHEN {column} IS NOT NULL{known} THEN replace({column}, '_', ' ') ELSE '{OTHER}' END"


def _then(time: str, kind: str, condition: str = "true", amount: str = "NULL", detail: str = "''") -> str:
    """SQL of the columns of an event that a row of a table tells, where it does."""
    return (
        f"SELECT as_of, customer_id, CAST({time} AS TIMESTAMP) AS happened_at, {kind} AS kind, "
        f"CAST({amount} AS DOUBLE) AS amount, {detail} AS detail FROM rows WHERE {time} < as_of AND ({condition})"
    )


_CHANGED = (
    "CASE WHEN field IN ('note', 'next_action') THEN new ELSE concat(replace(field, '_', ' '), ': ', "
    "coalesce(old || ' -> ', ''), coalesce(new, 'none')) END"
)
_CHANGE_KIND = (
    f"CASE WHEN field IN ({', '.join(map(text_sql, FILE_FIELDS))}) THEN 'change' "
    f"WHEN field IN ('note', 'next_action') THEN replace(field, '_', ' ') ELSE '{OTHER}' END"
)
_OF_ORDERS = _words(
    "CASE WHEN orders > 1 THEN orders || ' orders' END",
    "CASE WHEN is_order THEN CASE lines WHEN 1 THEN '1 line' ELSE lines || ' lines' END END",
    "CASE WHEN is_order AND returned > 0 THEN 'returns taken off' END",
)
_OF_DELIVERIES = _words(
    "CASE lines WHEN 1 THEN '1 line' ELSE lines || ' lines' END",
    "CASE WHEN delivered > promised THEN (delivered - promised) || ' days late' END",
    "CASE WHEN short_lines > 0 THEN short_lines || ' short' END",
)
_OF_PLANS = _words(
    "activity_id",
    "'planned for this day'",
    "CASE WHEN status IN ('postponed', 'cancelled') THEN status END",
    "explanation",
)
_OF_INTERACTIONS = _words(
    "direction",
    "role",
    "owner",
    "CASE WHEN attended THEN 'attended' WHEN invited AND NOT attended THEN 'did not attend' END",
    "replace(result, '_', ' ')",
    "text",
)

#: Name of the event table -> (SQL of its rows with ``as_of`` and ``customer_id``, the events that they tell).
_TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "contacts": (
        past("contacts"),
        (
            _then("valid_from", "'contact came'", detail=_words("coalesce(name, contact_id)", "title", "role")),
            _then("valid_to", "'contact left'", detail=_words("coalesce(name, contact_id)", "title", "role")),
        ),
    ),
    "transactions": (
        past("order_days"),
        (_then("day", "CASE WHEN is_order THEN 'order' ELSE 'return' END", amount="amount", detail=_OF_ORDERS),),
    ),
    "deliveries": (past("deliveries"), (_then("delivered", "'delivery'", detail=_OF_DELIVERIES),)),
    "interactions": (
        past("interactions"),
        (
            _then("occurred_at", _named("channel"), detail=_OF_INTERACTIONS),
            _then("replied_at", "'reply'", detail="concat('to: ', coalesce(channel, 'contact'))"),
        ),
    ),
    "quotes": (
        past("quotes"),
        (
            _then(
                "quoted_at",
                "'quote'",
                amount="amount",
                detail=_words(
                    "quote_id", "CASE WHEN asked_discount > 0 THEN round(100 * asked_discount, 1) || '% off asked' END"
                ),
            ),
            _then("closed_at", "'quote ' || coalesce(status, 'closed')", amount="amount", detail="quote_id"),
        ),
    ),
    "services": (
        past("services"),
        (
            _then("opened_at", _named("kind"), detail="ticket_id"),
            _then("resolved_at", "kind || ' resolved'", detail="ticket_id"),
            _then(
                "coalesce(answered_at, opened_at)",
                "kind || CASE WHEN accepted THEN ' accepted' ELSE ' refused' END",
                "accepted IS NOT NULL",
                detail="ticket_id",
            ),
            _then(
                "coalesce(rated_at, opened_at)",
                "'feedback'",
                "rating IS NOT NULL",
                detail="concat(ticket_id, '; rated ', CAST(rating AS DOUBLE), ' of 5')",
            ),
        ),
    ),
    "finances": (
        past("finances"),
        (
            _then(
                "issued_at",
                "CASE WHEN amount > 0 THEN 'invoice' ELSE 'credit note' END",
                amount="amount",
                detail="invoice_id",
            ),
            _then("paid_at", "'payment'", amount="amount", detail="invoice_id"),
            _then("coalesce(disputed_at, issued_at)", "'dispute'", "disputed", amount="amount", detail="invoice_id"),
        ),
    ),
    "partnerships": (
        past("partnerships"),
        (
            _then("planned_at", _named("kind"), detail=_OF_PLANS),
            _then("done_at", f"{_named('kind')} || ' done'", detail="activity_id"),
        ),
    ),
    "account_changes": (
        past("account_changes"),
        (_then("changed_at", _CHANGE_KIND, detail=_words(_CHANGED, "'by ' || author")),),
    ),
    "promotions": (
        past("promotions"),
        (
            _then("issued_at", "'promotion'", amount="amount"),
            _then("used_at", "'promotion used'", amount="amount"),
        ),
    ),
    "contracts": (
        past("contracts"),
        (
            _then(
                "signed_at",
                "'contract'",
                amount="amount",
                detail=_words("contract_id", "'until ' || CAST(ends_at AS DATE)"),
            ),
        ),
    ),
    "absences": (
        f"SELECT * FROM ({past('absences')}) "
        "JOIN (SELECT as_of, customer_id, owner FROM accounts) USING (as_of, owner)",
        (_then("starts_at", "'absence'", detail=_words("owner", "'until ' || CAST(ends_at AS DATE)")),),
    ),
    "market_events": (
        f"SELECT * FROM ({past('market_events')}) "
        "JOIN (SELECT as_of, customer_id, region FROM accounts) USING (as_of, region)",
        (_then("occurred_at", "'market event'", detail=_words("competitor", "replace(kind, '_', ' ')")),),
    ),
}


def timeline(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Every event that was known before each cutoff, in the order of time.

    Parameters
    ----------
    con
        A connection on which time is laid out, the cutoffs are named and the table ``accounts`` is made
        (:mod:`features.cutoffs`).

    Returns
    -------
    DataFrame
        ``as_of``, ``customer_id``, ``happened_at`` (datetime64), ``table`` (of the contract; ``deliveries`` for those
        of order lines), ``kind`` (``order``, ``visit``, ``complaint``, ..., ``other``), ``amount`` (money, NaN where
        there is none) and ``detail`` (str), ordered by cutoff, customer and time. Absences are those of the account's
        owner at the cutoff, market events those of its region.
    """
    told = [
        f"SELECT '{name}' AS \"table\", * FROM (WITH rows AS ({rows}) {' UNION ALL '.join(events)})"
        for name, (rows, events) in _TABLES.items()
    ]
    found = con.execute(
        "SELECT as_of, customer_id, happened_at, \"table\", kind, amount, coalesce(detail, '') AS detail "
        f"FROM ({' UNION ALL '.join(told)}) ORDER BY ALL"
    ).df()
    return found.astype(
        {
            "as_of": "datetime64[s]",
            "customer_id": "str",
            "happened_at": "datetime64[us]",
            "table": "str",
            "kind": "str",
            "detail": "str",
        }
    )


def kinds(events: pd.DataFrame) -> dict[str, int]:
    """How many events of each kind a timeline holds, ``other`` always among them; the most frequent first."""
    counts = {OTHER: 0} | {str(kind): int(count) for kind, count in events["kind"].value_counts().items()}
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
