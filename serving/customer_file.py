"""Everything that the store holds of one customer, read at once: what was published of it, and the loop.

Values are Python's own: days are dates, moments bear their zone, unknown is None, JSON is what it holds. For
one customer that is several times as fast as frames are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa  # noqa: TID251

from serving.day_records import dated
from serving.ledger import Recorded, read
from serving.loop_rows import Row, Where, reading
from serving.migrations.loop_tables import ACCOUNT_STATE, EPISODE, HEALTH, OUTCOME, SIGNAL, TASK
from serving.migrations.tables import LEVEL_CHANGES, REASONS, SCORING_RUN
from serving.reading import newest_day

_PUBLISHED = SCORING_RUN.c.state == "published"


@dataclass(frozen=True)
class CustomerFile:
    """One customer on a published day, and what people and runs have made of it.

    Attributes
    ----------
    reasons
        In the order of telling.
    signals
        The rules that fired on the day, with ``since``.
    health
        With its ``as_of``, the oldest first, up to the day.
    change
        Plain data of a :class:`serving.story.Change`; None where the level is that of the day published before.
    before
        The day published before; None on the first.
    entered
        What people entered; None where nobody has.
    episodes
        The newest first.
    tasks
        The open ones, the first due first.
    outcomes
        By the id of their warning.
    events
        Of the ledger, the oldest first.
    """

    reasons: list[Row]
    signals: list[Row]
    health: list[Row]
    change: Mapping[str, Any] | None
    before: date | None
    entered: Row | None
    episodes: list[Row]
    tasks: list[Row]
    outcomes: Mapping[str, Row]
    events: list[Recorded]


def customer_file(where: Where, customer_id: str, as_of: date) -> CustomerFile:
    """Read the file of a customer; one of whom nothing is held has an empty one."""
    with reading(where) as connection:

        def rows(chosen: sa.Select[Any]) -> list[Row]:
            return [dict(row._mapping) for row in connection.execute(chosen)]

        def of_run(table: sa.Table) -> sa.Select[Any]:
            columns = [SCORING_RUN.c.as_of, *(column for column in table.columns if column.name != "run_id")]
            joined = sa.select(*columns).join(SCORING_RUN, SCORING_RUN.c.run_id == table.c.run_id)
            return joined.where(_PUBLISHED, table.c.customer_id == customer_id)

        def of_day(view: sa.TableClause) -> sa.Select[Any]:
            return sa.select(view).where(view.c.as_of == as_of, view.c.customer_id == customer_id)

        signals = rows(of_run(SIGNAL).where(SCORING_RUN.c.as_of == as_of))
        changes = rows(of_day(LEVEL_CHANGES))
        entered = rows(sa.select(ACCOUNT_STATE).where(ACCOUNT_STATE.c.customer_id == customer_id))
        outcomes = rows(sa.select(OUTCOME).where(OUTCOME.c.customer_id == customer_id))
        episodes = sa.select(EPISODE).where(EPISODE.c.customer_id == customer_id)
        tasks = sa.select(TASK).where(TASK.c.customer_id == customer_id, TASK.c.state == "open")
        return CustomerFile(
            reasons=rows(of_day(REASONS).order_by(REASONS.c.position)),
            signals=[{**row, "evidence": dated(row["evidence"])} for row in signals],
            health=rows(of_run(HEALTH).where(SCORING_RUN.c.as_of <= as_of).order_by(SCORING_RUN.c.as_of)),
            change=changes[0]["change"] if changes else None,
            before=newest_day(connection, before=as_of),
            entered=entered[0] if entered else None,
            episodes=rows(episodes.order_by(EPISODE.c.opened_on.desc(), EPISODE.c.episode_id)),
            tasks=rows(tasks.order_by(TASK.c.due_on, TASK.c.task_id)),
            outcomes={row["episode_id"]: row for row in outcomes},
            events=read(connection, customer_id=customer_id),
        )
