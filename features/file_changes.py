"""Changes of accounts' files that have become known since an earlier cutoff: what sets off a task by itself."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from features import cutoffs
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.registry import registered
from features.relations import RELATIONS

#: Fields whose changes call for an answer.
FIELDS = ("temperature", "risk", "contact", "owner")
COLUMNS = ("customer_id", "field", "old", "new", "on")


def new_changes(events: Events, since: date, as_of: date, *, engine: Engine = ONE_BY_ONE) -> pd.DataFrame:
    """Changes of :data:`FIELDS` that are known at `as_of` and were not at `since`, whenever they took place.

    Returns
    -------
    DataFrame
        Ordered by customer, day and field: ``customer_id``, ``field``, ``old``, ``new`` (str, None for unknown) and
        ``on`` (date).
    """
    if "account_changes" not in events.columns:
        return pd.DataFrame(columns=list(COLUMNS), dtype="object").astype({"customer_id": "str"})
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
        registered()  # the shipped relations come with the features
        wanted = ", ".join(f"'{name}'" for name in FIELDS)
        told = (
            'SELECT as_of, customer_id, field, old, new, CAST(changed_at AS DATE) AS "on", changed_at '
            f"FROM ({RELATIONS['file_changes'].sql}) WHERE field IN ({wanted}) AND old IS DISTINCT FROM new"
        )
        # told anew is what is new: a change that became known late also gives the one after it another value before
        same = ("customer_id", "field", "changed_at", "new")
        alike = " AND ".join(f"before.{name} IS NOT DISTINCT FROM told.{name}" for name in same)
        query = (
            f'WITH told AS MATERIALIZED ({told}) SELECT customer_id, field, old, new, "on" FROM told '
            f"WHERE as_of = $now AND NOT EXISTS (FROM told AS before WHERE before.as_of = $before AND {alike})"
        )
        with events.connect(bucket) as con:
            cutoffs.lay_out_events(con, ("account_changes",))
            cutoffs.set_cutoffs(con, [self.since, self.as_of])
            rows = con.execute(query, {"now": self.as_of, "before": self.since}).fetchall()
        return pd.DataFrame(rows, columns=list(COLUMNS), dtype="object").astype({"customer_id": "str"})
