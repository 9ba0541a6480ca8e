"""Stories of customers for the service: made of what the daily run left in the output folder, the newest kept."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from features.batches import Taken
from features.buckets import read_events
from features.quarantine import IngestReport
from pipelines.dated import dated
from pipelines.intake import Intake, Request
from pipelines.settings import Settings
from pipelines.story import explain
from pipelines.what_if import Supposed, what_if
from serving.story import Story, WhatIf

T = TypeVar("T")

#: So many answers are kept: whoever looks at a customer looks again.
REMEMBERED = 64


@dataclass(frozen=True)
class StoryFiles:
    """Stories from an output folder, one at a time: each takes seconds of both cores."""

    settings: Settings
    out: Path
    _kept: OrderedDict[tuple[object, ...], Any] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def story(self, customer_id: str, as_of: date, since: date | None = None) -> Story:
        """The story of a customer, see :func:`pipelines.story.explain`."""
        return self._once(lambda day: explain(day, customer_id, since=since), as_of, "story", customer_id, since)

    def what_if(
        self, customer_id: str, as_of: date, *, ordered_on: date | None, amount: float | None, paid: bool
    ) -> WhatIf:
        """How a customer would stand, see :func:`pipelines.what_if.what_if`."""
        supposed = Supposed(ordered_on, amount, paid)
        return self._once(lambda day: what_if(dated(day), customer_id, supposed), as_of, "if", customer_id, supposed)

    def _once(self, tell: Callable[[Intake], T], as_of: date, *what: object) -> T:
        """What was told of the same events before, else what is told now."""
        events = read_events(self.out / "events")
        key = (events.fingerprint, as_of, *what)
        with self._lock:
            if key not in self._kept:
                report = IngestReport((), events, Taken("incremental"))
                request = Request("", self.out, as_of, given=self.settings)
                self._kept[key] = tell(Intake(request, self.settings, report, as_of))
                while len(self._kept) > REMEMBERED:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            found: T = self._kept[key]
            return found
