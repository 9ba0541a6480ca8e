"""Which weights of the health score were in use when: who changed them, when, why, from what to what; and the way back.

One JSON file of plain records, oldest first. Nothing is taken out of it: going back is a record of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from features.errors import ArtefactError, SettingsError
from models.health import Shares
from models.history import alone

S = TypeVar("S", bound=Shares)
What = Literal["learned", "edited", "reverted"]

FILE_NAME = "health_weights.json"


@dataclass(frozen=True)
class WeightsChange:
    """One record.

    Attributes
    ----------
    at
        When, with a time zone; kept in UTC.
    who
        Whoever did it.
    what
        ``learned`` from the company's losses, ``edited`` by hand, ``reverted`` to the set before.
    why
        The reason that was given.
    old, new
        The weights before and after, per cent by dimension.
    facts
        What the new weights were learned from and are worth, as numbers by name.
    """

    at: datetime
    who: str
    what: What
    why: str
    old: Mapping[str, float]
    new: Mapping[str, float]
    facts: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Refuse what no record can say."""
        if self.at.tzinfo is None:
            raise ValueError(f"expected a moment with a time zone, found {self.at}")
        if self.what not in get_args(What):
            raise ValueError(f"{self.what!r} is none of {', '.join(get_args(What))}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "at": self.at.astimezone(UTC).isoformat()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "WeightsChange":
        """The inverse of :meth:`to_dict`."""
        return cls(**{**values, "at": datetime.fromisoformat(values["at"])})


def read_changes(folder: Path) -> tuple[WeightsChange, ...]:
    """Every change of the weights that is kept in a folder, oldest first; none where there is no file.

    Raises
    ------
    ArtefactError
        If the file cannot be read.
    """
    path = folder / FILE_NAME
    try:
        return tuple(WeightsChange.from_dict(one) for one in json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtefactError(
            f"{path}: expected a list of changes of the health weights; it cannot be read ({error}). "
            "Restore it from a backup, or delete it to begin anew with the weights of the settings."
        ) from None


def in_use(history: Sequence[WeightsChange], default: S) -> S:
    """The newest weights of the same dimensions, those of the default where there are none."""
    return (_sets(history, default) or [default])[-1]


def change_weights(
    folder: Path,
    new: S,
    default: S,
    *,
    at: datetime,
    who: str,
    what: What,
    why: str,
    facts: Mapping[str, float] | None = None,
) -> WeightsChange | None:
    """Put new weights in the place of those in use and keep a record of it; None where they are the same.

    Parameters
    ----------
    folder
        Where the record is kept.
    new, default
        The new weights, and those in use where there is no record.
    at, who, what, why, facts
        As for :class:`WeightsChange`.

    Raises
    ------
    ArtefactError
        If the record cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        history = read_changes(folder)
        old = in_use(history, default)
        if new == old:
            return None
        return _recorded(folder, history, WeightsChange(at, who, what, why, asdict(old), asdict(new), facts))


def revert_weights(folder: Path, default: S, *, at: datetime, who: str, why: str) -> WeightsChange:
    """Go back to the set before the one in use, as often as there is one; further back with each call.

    Raises
    ------
    SettingsError
        If there is no set before.
    ArtefactError
        If the record cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        history = read_changes(folder)
        sets = _sets(history, default)
        if len(sets) < 2:
            raise SettingsError(
                "health weights: expected an earlier set to go back to; those in use are the first. "
                "Set others under [health.weights]."
            )
        record = WeightsChange(at, who, "reverted", why, asdict(sets[-1]), asdict(sets[-2]))
        return _recorded(folder, history, record)


def _sets(history: Sequence[WeightsChange], like: S) -> list[S]:
    """The sets of these dimensions, one upon the other, the one in use last: going back takes one away."""
    stack: list[S] = []
    for record in history:
        if set(record.new) != set(like.dimensions):
            continue
        old, new = type(like)(**record.old), type(like)(**record.new)
        if stack[-1:] != [old]:
            stack.append(old)
        if record.what == "reverted":
            stack.pop()
        if stack[-1:] != [new]:
            stack.append(new)
    return stack


def _recorded(folder: Path, history: Sequence[WeightsChange], record: WeightsChange) -> WeightsChange:
    """Add a record. It is written aside and renamed: who is killed in between leaves the old file."""
    aside = folder / f".{FILE_NAME}"
    listed = [one.to_dict() for one in (*history, record)]
    aside.write_text(json.dumps(listed, indent=1, ensure_ascii=False), encoding="utf-8")
    aside.replace(folder / FILE_NAME)
    return record
