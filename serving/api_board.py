"""The newest published day as frames, kept in mind until another is published: a day never changes."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from serving.api_errors import Refused
from serving.kept import Kept
from serving.records import Published
from serving.store import Store
from serving.words.speech import text

#: So much that is made of a day is kept.
MADE = 64
#: What a profile repeats of the score, which has the last word.
_OF_THE_RUN = ("run_id", "as_of", "model_version")


@dataclass(frozen=True)
class Day:
    """A published day.

    Attributes
    ----------
    profile
        One row per customer: its score, its owner, and its facts as columns.
    reasons, signals
        As the store gives them.
    memo
        What else was made of the day, whatever is entered later.
    """

    published: Published
    profile: pd.DataFrame
    reasons: pd.DataFrame
    signals: pd.DataFrame
    memo: Kept = field(default_factory=lambda: Kept(MADE), compare=False, repr=False)
    _values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _places: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def of(self, what: Literal["reasons", "signals"], customers: Iterable[str]) -> pd.DataFrame:
        """The reasons or signals of some customers, customer by customer, without a look at all others."""
        rows: pd.DataFrame = getattr(self, what)
        if what not in self._places:
            grouped = {} if rows.empty else rows.groupby("customer_id", sort=False).indices
            self._places[what] = {str(one): places for one, places in grouped.items()}
        none = np.array([], dtype=np.intp)
        return rows.take(np.concatenate([none, *(self._places[what].get(one, none) for one in customers)]))

    def values(self, column: str) -> tuple[str, ...]:
        """The values of a column of texts, in order, to choose from; none where there is no such column."""
        if column not in self._values:
            known: Iterable[Any] = self.profile[column].dropna().unique() if column in self.profile.columns else []
            self._values[column] = tuple(sorted(map(str, known)))
        return self._values[column]

    @property
    def as_of(self) -> date:
        """The day."""
        return self.published.run.as_of


class Board:
    """Gives the newest published day; safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._day: Day | None = None
        self._lock = threading.Lock()

    def newest(self) -> Day:
        """The newest published day.

        Raises
        ------
        Refused
            503 as long as nothing is published.
        """
        with self._lock:
            if self._day is not None and self._day.published.run.run_id == self._store.mark().run_id:
                return self._day
            published = self.published()
            if published is None:
                raise Refused(503, "nothing_published", text("Nothing is published yet: run a day first."))
            self._day = _read(self._store, published)
            return self._day

    def empty(self) -> bool:
        """Whether nothing is published yet."""
        return self._day is None and self._store.latest_as_of() is None

    def published(self) -> Published | None:
        """What is known of the newest published day; None where nothing is published."""
        day = self._day
        if day is not None and day.published.run.run_id == self._store.mark().run_id:
            return day.published
        as_of = self._store.latest_as_of()
        return None if as_of is None else self._store.published(as_of)


def _read(store: Store, published: Published) -> Day:
    as_of = published.run.as_of
    scores, profiles = store.scores(as_of), store.profiles(as_of)
    facts = pd.DataFrame(list(profiles["facts"]), index=profiles.index)
    facts = facts.drop(columns=[name for name in (*scores.columns, "owner") if name in facts.columns])
    facts = facts.assign(customer_id=profiles["customer_id"], owner=profiles["owner"])
    profile = scores.drop(columns=list(_OF_THE_RUN)).merge(facts, on="customer_id", how="left")
    days = [name for name in facts.columns if name.endswith("_on")]
    profile = profile.assign(**{name: _days(profile[name]) for name in days}, owner=profile["owner"].astype("str"))
    return Day(published, profile, store.reasons(as_of), store.signals(as_of))


def _days(column: pd.Series) -> pd.Series:
    """Days as pandas holds them, once for all requests; a column of something else stays as it is."""
    try:
        return pd.to_datetime(column.astype("str"), format="ISO8601").astype("datetime64[s]")
    except (ValueError, TypeError):
        return column
