"""Notices out of the store into a folder, from where any program of the company's carries them on.

One JSON file a notice, named by its key, so that a notice that is written twice is one file.
"""

import hashlib
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote

from features.errors import SettingsError, StoreError
from pipelines.server import now, service_at
from pipelines.settings import Settings
from serving.access import Caller
from serving.api_data import four_lists, profile_of, room
from serving.api_visit import Service, Visit
from serving.day_records import kept
from serving.list_rows import Choice
from serving.notices import Delivered, deliver, digests, words
from serving.outbox import Leased, enqueue

#: A name of a file may have so many bytes on every usual system, of which the ending takes some.
_LONGEST = 200


@dataclass(frozen=True)
class Notified:
    """What a run of notices did.

    Attributes
    ----------
    as_of
        The day that the digests are of.
    digests
        Digests that were new.
    delivered
        What was sent now, waits for another attempt, or died now.
    dead
        Key and error of every notice that is dead, those of earlier runs included.
    revived
        Dead notices that were let wait again.
    """

    as_of: date
    digests: int
    delivered: Delivered
    dead: Mapping[str, str]
    revived: int = 0


@dataclass(frozen=True)
class FolderSink:
    """Writes each notice into a folder: ``dedupe_key``, ``recipient``, ``kind``, ``as_of``, ``payload``, ``words``."""

    folder: Path
    names: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, one: Leased) -> None:
        """Write one notice; the file is there whole or not at all."""
        notice = one.notice
        told = {
            "dedupe_key": one.dedupe_key,
            "recipient": notice.recipient,
            "kind": notice.kind,
            "as_of": notice.as_of,
            "payload": notice.payload,
            "words": words(notice, self.names).to_dict(),
        }
        path = self.folder / file_name(one.dedupe_key)
        aside = self.folder / f".{uuid.uuid4().hex}.part"
        try:
            with aside.open("w", encoding="utf-8") as file:
                json.dump(kept(told), file, indent=1, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def file_name(dedupe_key: str) -> str:
    """The name of a notice's file: its key with what no file's name may hold written as ``%2F``."""
    name = quote(dedupe_key, safe="").replace(".", "%2E")
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 17]}-{hashlib.sha256(dedupe_key.encode()).hexdigest()[:16]}"
    return f"{name}.json"


def notify(
    settings: Settings, out: Path, to: Path, *, revive: bool = False, clock: Callable[[], datetime] = now
) -> Notified:
    """Add the digests of the newest published day, once per owner, and write every notice that is due into a folder.

    Raises
    ------
    StoreError
        If nothing is published yet.
    SettingsError
        If the folder cannot be made.
    """
    with service_at(settings, out, clock) as service:
        if service.board.published() is None:
            raise StoreError(f"{out}: nothing is published yet, so there is nothing to tell. Run `kizashi score`.")
        visit = Visit(service, Caller("", "kizashi notify", "admin"), clock(), "")
        day, profile = profile_of(visit)
        try:
            to.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise SettingsError(f"--to {to}: {fault.strerror}. Give a folder that can be written.") from None
        named = profile.dropna(subset="name") if "name" in profile and settings.notices.names else profile.head(0)
        names = {} if named.empty else dict(zip(named["customer_id"], named["name"], strict=True))
        revived = _revived(service) if revive else 0
        made = _digests(visit, profile["owner"].dropna())
        by = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        delivered = deliver(service.store.outbox, FolderSink(to, names), by=by, clock=clock)
        return Notified(day.as_of, made, delivered, _dead(service), revived)


def _digests(visit: Visit, owners: Iterable[str]) -> int:
    """Add the digests that are not there yet; one that waits tells the newest."""
    today = four_lists(visit, Choice())
    fits = room(visit, today.as_of)
    awake = today.tasks["task_id"].isin([*fits.shown["task_id"], *fits.left["task_id"]])
    today = replace(today, tasks=today.tasks[awake])
    notices = digests(today, {*owners, *today.tasks["owner"]}, list(fits.left["task_id"]))
    with visit.service.store.writing() as connection:
        return enqueue(connection, notices, visit.now)


def _dead(service: Service) -> dict[str, str]:
    rows = service.store.notices(state="dead")
    return dict(zip(rows["dedupe_key"], rows["error"], strict=True))


def _revived(service: Service) -> int:
    return sum(service.store.outbox.revive(key) for key in _dead(service))
