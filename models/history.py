"""The history of the model in use: who put which version there, when, and why; and what was refused.

The history is written ahead: a move of the champion is written down as pending, then made, then marked as made. A
process that is killed in between leaves a pending line, and whoever comes next makes that move.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from features.errors import ArtefactError

What = Literal["promoted", "forced", "rolled back", "refused", "data refused", "data accepted"]

#: What changes the version in use; the others only say that it did not.
MOVES = ("promoted", "forced", "rolled back")


@dataclass(frozen=True)
class Change:
    """One line of the history.

    Attributes
    ----------
    at
        When, with a time zone; kept in UTC.
    who
        Whoever did it.
    what
        ``promoted`` (the gate was passed), ``forced`` (it was not), ``rolled back``, ``refused`` (a model, by the
        gate), ``data refused`` and ``data accepted`` (before a training).
    why
        The reason that was given.
    before, after
        The version in use before and after it; None where there was none.
    version
        The version that it is about; None where it is about data.
    findings
        What the gate or the check of the data had to say, one sentence each.
    pending
        Written down and not yet made.
    """

    at: datetime
    who: str
    what: What
    why: str
    before: int | None
    after: int | None
    version: int | None = None
    findings: tuple[str, ...] = ()
    pending: bool = False

    def __post_init__(self) -> None:
        """Refuse what no line can say."""
        if self.at.tzinfo is None:
            raise ValueError(f"expected a moment with a time zone, found {self.at}")
        if self.what not in get_args(What):
            raise ValueError(f"{self.what!r} is none of {', '.join(get_args(What))}")
        if self.what not in MOVES and self.before != self.after:
            raise ValueError(f"{self.what!r} cannot change the version in use from {self.before} to {self.after}")

    def made(self) -> "Change":
        """The line of a move that has been made."""
        return replace(self, pending=False)

    def to_json(self) -> str:
        """The line as text."""
        content = {**vars(self), "at": self.at.astimezone(UTC).isoformat(), "findings": list(self.findings)}
        return json.dumps(content, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Change":
        """The line that :meth:`to_json` wrote.

        Raises
        ------
        ArtefactError
            If it is no such line.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            at = datetime.fromisoformat(content.pop("at"))
            return cls(at=at, findings=tuple(content.pop("findings")), **content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtefactError(
                f"the history of models has a line that cannot be read ({error}): {text[:80]!r}; "
                "restore the register from a backup"
            ) from None


def champions(history: Sequence[Change]) -> list[int]:
    """The versions in use, one upon the other, the present one last: a rollback takes its own away again.

    Versions that were in use before there was a history count where a line names them.
    """
    stack: list[int] = []
    for line in history:
        if line.what not in MOVES or line.after is None:
            continue
        if line.before is not None and stack[-1:] != [line.before]:
            stack.append(line.before)
        if line.what == "rolled back" and line.after in stack:
            del stack[stack.index(line.after) + 1 :]
        else:
            stack.append(line.after)
    return stack


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else changes the history in `folder`; where the system locks no folders, nobody waits."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system of a network that locks no folders
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
