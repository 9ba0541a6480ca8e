"""Who may call the API, what each role may do, and whose customers a caller sees.

:data:`ROLES` is the only table of rights and :func:`within` the only place where a caller's customers are told from
other people's: every list, customer, warning, task and export goes through the two.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import sqlalchemy as sa  # noqa: TID251

from features.errors import SettingsError
from serving.migrations.loop_tables import API_TOKEN

#: Look at what is published and what people made of it.
READ = "read"
#: See every owner's customers, and what is told of the company as a whole.
EVERYONE = "everyone"
#: Enter what happened: updates of accounts, moves of warnings and tasks, outcomes, reviews, feedback.
ACT = "act"
#: Take lists away as files.
EXPORT = "export"
#: Hand work to somebody else, and say that a list was reviewed.
LEAD = "lead"
#: Change what holds for everybody.
SET = "set"

#: Role -> what it may do.
ROLES: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({READ, EVERYONE}),
    "rep": frozenset({READ, ACT, EXPORT}),
    "manager": frozenset({READ, EVERYONE, ACT, EXPORT, LEAD}),
    "admin": frozenset({READ, EVERYONE, ACT, EXPORT, LEAD, SET}),
}

MARK = "kz"
NAME_LENGTH = 60


@dataclass(frozen=True)
class Caller:
    """Somebody whose token was recognised.

    Attributes
    ----------
    token_id
        The part of the token that may be shown and logged.
    name
        Who acts, as the ledger will say.
    owner
        Whose customers a rep sees; None for the other roles.
    """

    token_id: str
    name: str
    role: str
    owner: str | None = None

    def may(self, right: str) -> bool:
        """Whether the caller's role includes a right."""
        return right in ROLES[self.role]

    @property
    def scope(self) -> str | None:
        """The owner whose customers alone may be seen; None where all may be."""
        return None if self.may(EVERYONE) else self.owner or ""


@dataclass(frozen=True)
class Token:
    """A token as it is kept: all but its secret."""

    token_id: str
    name: str
    role: str
    owner: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """``valid``, ``expired`` or ``revoked`` at a moment; it expires at the very moment that it bears."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


def within(frame: pd.DataFrame, caller: Caller) -> pd.DataFrame:
    """The rows of a frame (with a column ``owner``) that a caller may see; a customer without owner is nobody's own."""
    if caller.scope is None:
        return frame
    return frame[(frame["owner"] == caller.scope).fillna(False).astype(bool)]


def person(name: str, role: str, owner: str | None) -> str:
    """The name of somebody who is to act, without spaces around it, once name, role and owner fit together.

    Raises
    ------
    SettingsError
        If the role is unknown, the name unfit for a ledger, or an owner is given to another than a rep.
    """
    if role not in ROLES:
        raise SettingsError(f"role {role!r}: expected one of {', '.join(ROLES)}.")
    if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable():
        raise SettingsError(f"name {name!r}: expected 1 to {NAME_LENGTH} printable characters; it is who acts.")
    if (EVERYONE in ROLES[role]) == bool(owner):
        raise SettingsError(
            f"role {role} with owner {owner or 'none'}: a rep needs the owner whose customers they see, "
            "the other roles see all customers. Give --owner to a rep alone."
        )
    return name.strip()


def create_token(
    connection: sa.Connection, name: str, role: str, *, owner: str | None, now: datetime, days: int | None
) -> tuple[Token, str]:
    """Make a token; return what is kept of it and the secret text, which cannot be told again.

    Parameters
    ----------
    owner
        For a rep: whose customers they see, as the data write it.
    days
        So long it is valid; None for ever.

    Raises
    ------
    SettingsError
        As :func:`person` does.
    """
    name = person(name, role, owner)
    token_id = secrets.token_hex(4)
    text = f"{MARK}_{token_id}_{secrets.token_urlsafe(32)}"
    expires_at = None if days is None else now + timedelta(days=days)
    token = Token(token_id, name, role, owner or None, now, expires_at, None)
    connection.execute(API_TOKEN.insert(), {**vars(token), "token_hash": _hash(text)})
    return token, text


def tokens(connection: sa.Connection) -> list[Token]:
    """Every token that was ever made, the oldest first."""
    kept = [column for column in API_TOKEN.columns if column.name != "token_hash"]
    rows = connection.execute(sa.select(*kept).order_by(API_TOKEN.c.created_at, API_TOKEN.c.token_id))
    return [Token(**row._mapping) for row in rows]


def revoke_token(connection: sa.Connection, token_id: str, now: datetime) -> Token:
    """Make a token worthless from this moment; one that is revoked already stays as it is.

    Raises
    ------
    SettingsError
        If there is no such token.
    """
    here = API_TOKEN.c.token_id == token_id
    connection.execute(API_TOKEN.update().where(here, API_TOKEN.c.revoked_at.is_(None)).values(revoked_at=now))
    found = [token for token in tokens(connection) if token.token_id == token_id]
    if not found:
        raise SettingsError(f"token {token_id!r}: there is none. `kizashi token list` shows what there is.")
    return found[0]


def caller_of(connection: sa.Connection, text: str, now: datetime) -> Caller | None:
    """Whose token this is; None if it is unknown, expired or revoked."""
    mark, _, rest = text.partition("_")
    token_id = rest.partition("_")[0]
    if mark != MARK or not token_id.isascii() or not token_id.isalnum():
        return None
    row = connection.execute(sa.select(API_TOKEN).where(API_TOKEN.c.token_id == token_id)).one_or_none()
    # Compared even where nobody was found, so that the time taken does not tell which ids there are.
    same = hmac.compare_digest(_hash(text), "" if row is None else row.token_hash)
    if row is None or not same:
        return None
    token = Token(**{name: value for name, value in row._mapping.items() if name != "token_hash"})
    return Caller(token.token_id, token.name, token.role, token.owner) if token.state(now) == "valid" else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
