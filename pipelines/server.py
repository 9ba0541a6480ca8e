"""The service as a process: what it reads, the clock that it is given, and where it listens."""

import logging
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import uvicorn

from features.briefs import account_brief, plain, records
from features.buckets import read_events
from features.decision_chain import decision_chain
from features.errors import SettingsError
from pipelines.files import with_folder
from pipelines.intake import install_features
from pipelines.settings import Settings, database_url
from serving.access import Caller
from serving.api import make_app
from serving.api_guard import LOOPBACK
from serving.api_visit import Service
from serving.exports import save
from serving.store import Store

#: Accounts that are kept in mind: whoever opens a customer's page asks for several parts of one brief.
REMEMBERED = 64
#: Connections at a time; whoever comes on top is told to come again.
CONNECTIONS = 200


@dataclass(frozen=True)
class AccountFiles:
    """What the data say of accounts, from the clean events in the output folder.

    Attributes
    ----------
    folder
        Where the events lie; read anew whenever another ingest has written there.
    options
        Options of features that differ from their defaults.
    """

    folder: Path
    options: Mapping[str, object]

    def brief(self, customer_id: str, as_of: date) -> Mapping[str, Any]:
        """Everything of the account's brief, as plain data."""
        events = read_events(self.folder)
        return _kept(
            (events.fingerprint, "brief", customer_id, as_of),
            lambda: account_brief(events, customer_id, as_of, options=self.options).to_dict(),
        )

    def chain(self, customer_id: str, as_of: date) -> Mapping[str, Any]:
        """Everything of the account's decision chain, as plain data."""
        events = read_events(self.folder)
        chain = decision_chain(events, customer_id, as_of, options=self.options)
        return {name: _as_plain(getattr(chain, name)) for name in ("people", "matrix", "board", "service", "unknown")}
