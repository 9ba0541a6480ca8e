"""Where work on buckets runs: here, one bucket after another, or on whatever maps a function over numbers.

Everything about a customer lies in one bucket, so a function of one bucket needs no other. An engine gets that
function and the buckets' numbers and returns the results in the buckets' order; it may run them anywhere and retry
them, because the functions only read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import duckdb

from features.buckets import Events
from features.errors import KizashiError, SourceError
from features.sql import one_line

T = TypeVar("T")


class EngineError(KizashiError):
    """What maps the buckets has failed: a cluster that is gone, or that loses its workers over a bucket."""


class Engine(Protocol):
    """What maps a function over the buckets."""

    def map(self, function: Callable[[int], T], buckets: Sequence[int], what: str) -> list[T]:
        """Call `function` with each bucket and return what it returned, in the order of `buckets`.

        Parameters
        ----------
        function
            Can be pickled where the engine runs elsewhere than here; reads only, so that it can be run twice.
        buckets
            Numbers of buckets.
        what
            What is being done, for whoever watches: "features".

        Raises
        ------
        EngineError
            If the engine can go on no longer. What the function raises comes back as it is.
        """
        ...


class OneByOne:
    """The engine of one machine: one bucket after another in this process, so that memory holds one at a time."""

    def map(self, function: Callable[[int], T], buckets: Sequence[int], what: str) -> list[T]:  # noqa: ARG002
        """Call the function with each bucket in turn."""
        return [function(bucket) for bucket in buckets]


@dataclass(frozen=True)
class _OfBucket(Generic[T]):
    """A function of one bucket of given events, in a form that another process can be handed."""

    function: Callable[[Events, int], T]
    events: Events

    def __call__(self, bucket: int) -> T:
        try:
            return self.function(self.events, bucket)
        except (duckdb.Error, OSError) as error:
            raise SourceError(
                f"bucket {bucket} of {self.events.folder} cannot be read ({one_line(error)}). "
                "Look at its files, or ingest the data again."
            ) from None


ONE_BY_ONE = OneByOne()


def map_buckets(
    function: Callable[[Events, int], T], events: Events, engine: Engine = ONE_BY_ONE, what: str = "buckets"
) -> list[T]:
    """Call a function for each bucket and return the results in the buckets' order.

    Raises
    ------
    SourceError
        If a bucket cannot be read; the message names it.
    """
    return engine.map(_OfBucket(function, events), range(events.buckets), what)
