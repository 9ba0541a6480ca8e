"""One account as a sales manager reads it: what was known of it, beside what the engine last published.

The exit risk that a person put on file and the engine's level are kept apart and both shown. Levels and lists read the
engine's alone; the person's word reaches it as a feature (``stated_risk_level``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from features.briefs import AccountBrief, account_brief, plain, records
from features.snapshots import Progress, silent
from pipelines.intake import Intake
from pipelines.settings import database_url
from serving.store import Store

#: What the engine said so many days ago is no word on today any more.
STALE_DAYS = 31


@dataclass(frozen=True)
class AccountStory:
    """An account at a date.

    Attributes
    ----------
    brief
        What the data say.
    score
        What the engine published of it for the date, else on the newest of the 30 days before; None where nothing was.
    """

    brief: AccountBrief
    score: Mapping[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """The whole as plain data for JSON; the engine's word under ``engine``, the person's under ``person``."""
        return {**self.brief.to_dict(), "engine": plain(self.score), "person": plain(self.brief.newest("risk"))}


def account(intake: Intake, customer_id: str, *, progress: Progress = silent) -> AccountStory:
    """An account as of the intake's date.

    Raises
    ------
    SettingsError
        If no such account was known by then.
    """
    progress("reading the account", 0.5)
    brief = account_brief(intake.events, customer_id, intake.as_of, options=intake.options(), engine=intake.engine)
    return AccountStory(brief, _published(intake, customer_id))


def _published(intake: Intake, customer_id: str) -> Mapping[str, Any] | None:
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        for days_ago in range(STALE_DAYS):
            found = store.scores(intake.as_of - timedelta(days=days_ago), customer_id)
            if len(found):
                return records(found)[0]
    return None
