"""Warnings with what was said of them on the days on which they opened and stood: what a track record is made of."""

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from serving.loop_rows import Where, reading
from serving.migrations.loop_tables import EPISODE, FEEDBACK, SIGNAL
from serving.migrations.tables import SCORE, SCORING_RUN

_PUBLISHED = SCORING_RUN.c.state == "published"


def opening_scores(where: Where) -> pd.DataFrame:
    """What was published of each warning's customer on the day it opened.

    Returns
    -------
    DataFrame
        ``episode_id`` (str), ``churn_window_days`` and ``value_at_risk`` (float64); a warning whose day is published no
        more has no row.
    """
    columns = [EPISODE.c.episode_id, SCORE.c.churn_window_days, SCORE.c.value_at_risk]
    chosen = (
        sa.select(*columns)
        .join(SCORING_RUN, sa.and_(SCORING_RUN.c.as_of == EPISODE.c.opened_on, _PUBLISHED))
        .join(SCORE, sa.and_(SCORE.c.run_id == SCORING_RUN.c.run_id, SCORE.c.customer_id == EPISODE.c.customer_id))
    )
    found = _frame(where, chosen, [column.name for column in columns])
    return found.astype({"episode_id": "str", "churn_window_days": "float64", "value_at_risk": "float64"})


def judged_signals(where: Where) -> pd.DataFrame:
    """The rules that fired while warnings stood of which people said something: ``customer_id``, ``rule``, ``on``."""
    judged = sa.select(FEEDBACK.c.episode_id)
    stood = sa.and_(
        _PUBLISHED,
        SCORING_RUN.c.as_of >= EPISODE.c.opened_on,
        sa.or_(EPISODE.c.closed_on.is_(None), SCORING_RUN.c.as_of <= EPISODE.c.closed_on),
    )
    chosen = (
        sa.select(SIGNAL.c.customer_id, SIGNAL.c.rule, SCORING_RUN.c.as_of)
        .distinct()
        .select_from(EPISODE)
        .join(SCORING_RUN, stood)
        .join(SIGNAL, sa.and_(SIGNAL.c.run_id == SCORING_RUN.c.run_id, SIGNAL.c.customer_id == EPISODE.c.customer_id))
        .where(EPISODE.c.episode_id.in_(judged))
    )
    return _frame(where, chosen, ["customer_id", "rule", "on"])


def _frame(where: Where, chosen: sa.Select[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    with reading(where) as connection:
        rows = [tuple(row) for row in connection.execute(chosen)]
    return pd.DataFrame(rows, columns=columns, dtype="object")
