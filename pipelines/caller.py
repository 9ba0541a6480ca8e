"""What the command line that starts a flow tells it beside the parameters, which Prefect records.

In a module of its own, because Prefect pickles a served flow with all that stands in the flow's own module, and a
context variable cannot be pickled: every run of a schedule would crash.
"""

import getpass
from contextvars import ContextVar

from features.snapshots import Progress, silent
from pipelines.intake import Request

#: Who watches the progress.
WATCHER: ContextVar[Progress] = ContextVar("watcher", default=silent)
#: The request itself: the parameters that Prefect records hold no password.
REQUEST: ContextVar[Request | None] = ContextVar("request", default=None)


def user() -> str:
    """The name of the user who runs this; ``unknown`` where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for the user's number, as in some containers
        return "unknown"
