"""Notices in words, and on their way to whoever carries them: what is new, who is told of a task, the daily digest.

A notice names customers by their numbers. Names stand in its words only where whoever sends it gives them, because it
may go through the hands of others.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from features.errors import KizashiError
from serving.day_records import Notice, kept
from serving.decision import HANDED_OVER, NEW_WARNINGS, TOLD_OF_TASKS
from serving.list_rows import NONE
from serving.lists import EMPTY, PLANNED, SECTIONS, Morning, digest
from serving.outbox import Leased, Outbox
from serving.task_kinds import KINDS, title_of
from serving.wording import level_name
from serving.words.speech import language, plural, text

#: The daily digest of an owner.
DIGEST = "digest"
#: What a notice keeps of a customer on a list, and of something to be followed up: no name, and no text of anybody's.
_LISTED = ("customer_id", "level", "stage", "due_on", "days_late")
_FOLLOWED = ("customer_id", "kind", "code", "due_on", "when")

_SUBJECTS = {
    NEW_WARNINGS: plural("{n} new warning", "{n} new warnings"),
    TOLD_OF_TASKS: plural("{n} task to know of", "{n} tasks to know of"),
    HANDED_OVER: plural("{n} customer is yours from now on", "{n} customers are yours from now on"),
}
_ON = text("{what}: {day}")
_DIGEST_SUBJECT = text("Your day: {day}")
_HEADINGS = {
    "red": text("Red list, to be dealt with this week"),
    "yellow": text("Yellow list, to be dealt with this month"),
    "tasks": text("Tasks of today and this week"),
}
_WHEN = {
    "overdue": text("overdue since {day}"),
    "today": text("due today"),
    "this_week": text("due {day}"),
}
_COUNTED = text("{heading}: {n}")
_WARNED = text("{name}: {level}")
_LISTED_ROW = text("{name}, by {day}")
_DUE = text("{title}, due {day}")
_FOLLOWED_ROW = text("{what}, {when}")
_PLANNED = text("{name}: planned action")
_NONE = text("none")
_NOT_SHOWN = plural("{n} more task is not shown", "{n} more tasks are not shown")


class UnknownNotice(KizashiError):
    """A notice of a kind that nobody has words for."""


@dataclass(frozen=True)
class Words:
    """A notice in words: its subject, and lines."""

    subject: str
    lines: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"subject": self.subject, "lines": list(self.lines)}


def digests(today: Morning, owners: Iterable[str], left: Collection[str] = ()) -> list[Notice]:
    """The digest of each owner, in the order of the names; nobody has one for what belongs to nobody.

    Of the tasks with an id in `left`, which do not fit into their owners' day, each digest says how many there are.
    """
    found = []
    for owner in sorted(set(owners) - {NONE, ""}):
        sections = []
        for section in digest(today, owner, left):
            whole = section.to_dict()
            columns = _FOLLOWED if section.code == SECTIONS[2] else _LISTED
            rows = [{name: row[name] for name in columns if name in row} for row in whole["rows"]]
            sections.append({**whole, "rows": rows})
        found.append(Notice(owner, DIGEST, today.as_of, kept({"sections": sections})))
    return found


def words(notice: Notice, names: Mapping[str, str] | None = None, locale: str = "en") -> Words:
    """What a notice says.

    Parameters
    ----------
    notice
        Of the kinds :data:`serving.decision.NEW_WARNINGS`, :data:`serving.decision.TOLD_OF_TASKS`,
        :data:`serving.decision.HANDED_OVER` or :data:`DIGEST`.
    names
        Customer id -> name, for those who are to be called by it; all others are called by their numbers.

    Raises
    ------
    UnknownNotice
        If it is of another kind, or lacks what its kind says.
    SettingsError
        If there is no such locale.
    """
    tell = _TELLERS.get(notice.kind)
    if tell is None:
        raise UnknownNotice(f"a notice is one of {', '.join(_TELLERS)}; found {notice.kind!r}. Nobody can word it.")
    try:
        return tell(notice, names or {}, locale)
    except (KeyError, TypeError) as missing:
        raise UnknownNotice(
            f"notice {notice.dedupe_key!r} lacks what a notice of its kind says ({missing}). Nobody can word it."
        ) from None


def _warnings(notice: Notice, names: Mapping[str, str], locale: str) -> Words:
    say, rows = language(locale), notice.payload["warnings"]
    lines = [say.words(_WARNED, name=_name(row, names), level=level_name(row["level"], locale)) for row in rows]
    return Words(_subject(notice, len(rows), locale), tuple(lines))


def _tasks(notice: Notice, names: Mapping[str, str], locale: str) -> Words:
    say, rows = language(locale), notice.payload["tasks"]
    lines = [say.words(_DUE, title=_title(row["kind"], row, names, locale), day=_day(row["due_on"])) for row in rows]
    return Words(_subject(notice, len(rows), locale), tuple(lines))


def _accounts(notice: Notice, names: Mapping[str, str], locale: str) -> Words:
    rows = notice.payload["accounts"]
    return Words(_subject(notice, len(rows), locale), tuple(_name(row, names) for row in rows))


def _digest(notice: Notice, names: Mapping[str, str], locale: str) -> Words:
    say = language(locale)
    lines = []
    for section in notice.payload["sections"]:
        heading, rows = say.words(_HEADINGS[section["code"]]), section["rows"]
        count = say.words(_NONE) if section.get("says") == EMPTY else str(len(rows))
        lines.append(say.words(_COUNTED, heading=heading, n=count))
        for row in rows:
            tell = _followed if section["code"] == SECTIONS[2] else _listed
            lines.append("  " + tell(row, names, locale))
        if more := section.get("not_shown"):
            lines.append("  " + say.count(_NOT_SHOWN, more, str(more)))
    return Words(say.words(_DIGEST_SUBJECT, day=_day(notice.as_of)), tuple(lines))


_TELLERS: Mapping[str, Callable[[Notice, Mapping[str, str], str], Words]] = {
    NEW_WARNINGS: _warnings,
    TOLD_OF_TASKS: _tasks,
    HANDED_OVER: _accounts,
    DIGEST: _digest,
}


def _listed(row: Mapping[str, Any], names: Mapping[str, str], locale: str) -> str:
    return language(locale).words(_LISTED_ROW, name=_name(row, names), day=_day(row["due_on"]))


def _followed(row: Mapping[str, Any], names: Mapping[str, str], locale: str) -> str:
    say = language(locale)
    if row["kind"] == PLANNED:
        what = say.words(_PLANNED, name=_name(row, names))
    else:
        what = _title(row["code"], row, names, locale)
    return say.words(_FOLLOWED_ROW, what=what, when=say.words(_WHEN[row["when"]], day=_day(row["due_on"])))


def _subject(notice: Notice, n: int, locale: str) -> str:
    say = language(locale)
    return say.words(_ON, what=say.count(_SUBJECTS[notice.kind], n, str(n)), day=_day(notice.as_of))


def _title(kind: str, row: Mapping[str, Any], names: Mapping[str, str], locale: str) -> str:
    if kind not in KINDS:
        raise KeyError(f"task kind {kind!r}")
    return title_of(kind, {"name": _name(row, names)}, locale)


def _name(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    return names.get(row["customer_id"], row["customer_id"])


def _day(day: date | str) -> str:
    return str(day)[:10]


@dataclass
class Delivered:
    """What came of a delivery: keys of what was sent, what waits for another attempt, and what is dead, with why."""

    sent: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)


def deliver(
    outbox: Outbox, send: Callable[[Leased], None], *, by: str, clock: Callable[[], datetime], seconds: float = 60
) -> Delivered:
    """Send everything that is due.

    A notice is said to be sent once `send` has returned: whoever dies in between sends it again, once, when the lease
    has run out. What `send` refuses with :class:`UnknownNotice` is dead at once; after an OSError it is tried again
    later, longer after each failure, and is dead after :data:`serving.outbox.ATTEMPTS`.

    Parameters
    ----------
    send
        Carries one notice; the same notice twice must do no harm.
    by
        Name of this dispatcher, unlike that of any other.
    seconds
        How long nobody else may take what this one is sending.
    """
    told = Delivered()
    # one at a time: a dispatcher that dies repeats one notice and no more
    while leased := outbox.lease(by, seconds, clock(), limit=1):
        (one,) = leased
        try:
            send(one)
        except UnknownNotice as error:
            _failed(outbox, one, str(error), told, by, clock(), final=True)
        except OSError as error:
            _failed(outbox, one, f"{error.strerror or error}", told, by, clock())
        else:
            if outbox.sent(one.dedupe_key, by, clock()):
                told.sent.append(one.dedupe_key)
    return told


def _failed(
    outbox: Outbox, one: Leased, why: str, told: Delivered, by: str, now: datetime, *, final: bool = False
) -> None:
    state = outbox.failed(one.dedupe_key, by, why, now, final=final)
    if state is not None:
        (told.dead if state == "dead" else told.failed)[one.dedupe_key] = why
