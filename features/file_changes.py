"""Changes of accounts' files that have become known since an earlier cutoff: what sets off a task by itself."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from features import cutoffs
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.relations import RELATIONS

#: Fields whose changes call for an answer.
FIELDS = ("temperature", "risk", "contact")
COLUMNS = ("customer_id", "field", "old", "new", "on")


def new_changes(events: Events, since: date, as_of: date, *, engine: Engine = ONE_BY_ONE) -> pd.DataFrame:
    """Changes of :data:`FIELDS` that are known at `as_of` and were not at `since`, whenever they took place.

    Returns
    -------
    DataFrame
        Ordered by customer, day and field: ``customer_id``, ``field``, ``old``, ``new`` (str, None for unknown) and
        ``on`` (date).
    """
    parts = map_buckets(_Changes(since, as_of), events, engine, "changes")
    whole = pd.concat(parts, ignore_index=True)
    return whole.sort_values(["customer_id", "on", "field"], ignore_index=True)


@dataclass(frozen=True)
class _Changes:
    """The new changes of one bucket, in a form that another process can be handed."""

    since: date
    as_of: date

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket."""
        wanted = ", ".join(f"'{name}'" for name in FIELDS)
        told = (
            'SELECT as_of, customer_id, field, old, new, CAST(changed_at AS DATE) AS "on", changed_at '
            f"FROM ({RELATIONS['file_changes'].sql}) WHERE field IN ({wanted}) AND old IS DISTINCT FROM new"
        )
        what = 'customer_id, field, old, new, "on", changed_at'
        query = (
            f"WITH told AS MATERIALIZED ({told}) SELECT {what} FROM told WHERE as_of = $now "
            f"EXCEPT ALL SELECT {what} FROM told WHERE as_of = $before"
        )
        with events.connect(bucket) as con:
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [self.since, self.as_of])
            rows = con.execute(query, {"now": self.as_of, "before": self.since}).fetchall()
        frame = pd.DataFrame(rows, columns=[*COLUMNS, "at"], dtype="object")
        return frame.astype({"customer_id": "str"}).drop(columns="at")
