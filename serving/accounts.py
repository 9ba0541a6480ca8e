"""Who may sign in to the pages: accounts with a role, their passwords, and links that lead in once.

What an account may do, and whose customers it sees, is told by :mod:`serving.access`, as it is for tokens. Of
passwords and links only hashes are kept.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa  # noqa: TID251

from features.errors import SettingsError
from serving.access import Caller, person
from serving.ledger import SYSTEM
from serving.migrations.loop_tables import ACCOUNT, SIGN_IN_LINK
from serving.words.speech import LANGUAGES

#: Characters of a password.
SHORTEST, LONGEST = 12, 200
#: Hours for which a link leads in, unless another number is given.
LINK_HOURS = 24

#: Cost of a password's hash: 2^15 blocks of 8, 3 times; about 32 MiB and a fifth of a second.
_COST = (15, 8, 3)
#: Python's own limit is just below what the cost needs.
_MEMORY = 128 * 2**20


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in.

    Attributes
    ----------
    name
        Who acts, as the ledger will say.
    owner
        Whose customers a rep sees; None for the other roles.
    language
        Of the pages; None where the browser is asked.
    created_at
        None for the account that is built in.
    epoch
        The number that sessions of today bear.
    """

    name: str
    role: str
    owner: str | None = None
    language: str | None = None
    created_at: datetime | None = None
    disabled_at: datetime | None = None
    epoch: int = 0
    has_password: bool = False

    @property
    def caller(self) -> Caller:
        """Who acts where this account is signed in; no token has such an id."""
        return Caller(f"user-{self.name}", self.name, self.role, self.owner)


#: Whoever starts the service on a machine of their own; it is gone as soon as there is one account.
LOCAL = Account("local", "admin")


def add_account(
    connection: sa.Connection, name: str, role: str, *, owner: str | None, language: str | None, now: datetime
) -> Account:
    """Make an account without a password: a link leads in (:func:`link_for`), or a password that is set.

    Parameters
    ----------
    owner
        For a rep: whose customers they see, as the data write it.
    language
        One of :data:`serving.words.speech.LANGUAGES`, or None.

    Raises
    ------
    SettingsError
        If role, name and owner do not fit together, the language is unknown, or somebody has the name already, be it
        in other letters.
    """
    name = person(name, role, owner)
    if language is not None and language not in LANGUAGES:
        raise SettingsError(f"language {language!r}: expected one of {', '.join(LANGUAGES)}.")
    if folded(name) in (LOCAL.name, folded(SYSTEM)):
        raise SettingsError(f"name {name!r}: it is Kizashi's own. Give another name.")
    if (there := _named(connection, name)) is not None:
        raise SettingsError(f"name {name!r}: there is an account {there.name!r}. `kizashi user list` shows all.")
    account = Account(name, role, owner or None, language, now)
    row = {key: value for key, value in vars(account).items() if key != "has_password"}
    connection.execute(ACCOUNT.insert(), row)
    return account


def accounts(connection: sa.Connection) -> list[Account]:
    """Every account, the disabled ones too, by name."""
    return [_account(row) for row in connection.execute(sa.select(ACCOUNT).order_by(ACCOUNT.c.name))]


def any_account(connection: sa.Connection) -> bool:
    """Whether there is an account, be it a disabled one; the one that is built in does not count."""
    return connection.execute(sa.select(ACCOUNT.c.name).limit(1)).first() is not None


def account_named(connection: sa.Connection, name: str) -> Account:
    """The account of a name, in whatever letters it is written.

    Raises
    ------
    SettingsError
        If there is none.
    """
    row = _named(connection, name)
    if row is None:
        raise SettingsError(f"account {name!r}: there is none. `kizashi user list` shows what there is.")
    return _account(row)


def signed_in(connection: sa.Connection, name: str, epoch: int) -> Account | None:
    """The account of a session that began under an epoch; None where the session has ended or the account is gone.

    The account that is built in is here as long as there is no other.
    """
    if name == LOCAL.name:
        return LOCAL if epoch == LOCAL.epoch and not any_account(connection) else None
    row = connection.execute(sa.select(ACCOUNT).where(ACCOUNT.c.name == name)).one_or_none()
    return None if row is None or row.disabled_at is not None or row.epoch != epoch else _account(row)


def set_password(connection: sa.Connection, name: str, password: str) -> Account:
    """Give an account a password, in place of the one before it; its sessions and its link end.

    Raises
    ------
    SettingsError
        If there is no such account, or the password is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise SettingsError(
            f"the password has {len(password)} characters: expected {SHORTEST} to {LONGEST}. "
            "A few words in a row do well."
        )
    found = account_named(connection, name)
    here = ACCOUNT.c.name == found.name
    connection.execute(ACCOUNT.update().where(here).values(password_hash=_made(password, _COST)))
    return end_sessions(connection, found.name)


def by_password(connection: sa.Connection, name: str, password: str) -> Account | None:
    """The account of a name and a password; None if they are not one, or the account is disabled.

    As long is spent on a name that nobody has as on a wrong password.
    """
    row = _named(connection, name)
    kept = row.password_hash if row is not None and row.password_hash is not None else _NOBODYS
    same = hmac.compare_digest(_made(password, *_parameters(kept)), kept)
    return _account(row) if row is not None and same and row.disabled_at is None else None


def link_for(connection: sa.Connection, name: str, now: datetime, hours: int = LINK_HOURS) -> str:
    """Make a link by which an account signs in once; return its secret, which cannot be told again.

    An account has one link: the one before it ends. `local` has one, too.

    Raises
    ------
    SettingsError
        If there is no such account, or it is disabled.
    """
    if name != LOCAL.name:
        found = account_named(connection, name)
        if found.disabled_at is not None:
            raise SettingsError(f"account {found.name!r} is disabled: `kizashi user enable` first.")
        name = found.name
    _end_links(connection, name)
    secret = secrets.token_urlsafe(32)
    row = {"link_hash": _hash(secret), "name": name, "created_at": now, "expires_at": now + timedelta(hours=hours)}
    connection.execute(SIGN_IN_LINK.insert(), row)
    return secret


def account_of_link(connection: sa.Connection, secret: str, now: datetime) -> Account | None:
    """Whom a link would lead in, without using it up; None if it is unknown, used or expired, or nobody's any more."""
    row = connection.execute(sa.select(SIGN_IN_LINK).where(SIGN_IN_LINK.c.link_hash == _hash(secret))).one_or_none()
    if row is None or row.used_at is not None or row.expires_at <= now:
        return None
    if row.name == LOCAL.name:
        return None if any_account(connection) else LOCAL
    found = connection.execute(sa.select(ACCOUNT).where(ACCOUNT.c.name == row.name)).one_or_none()
    return None if found is None or found.disabled_at is not None else _account(found)


def use_link(connection: sa.Connection, secret: str, now: datetime) -> Account | None:
    """Use up a link; return whom it leads in, or None as :func:`account_of_link`. Of two at once, one is led in."""
    found = account_of_link(connection, secret, now)
    unused = SIGN_IN_LINK.update().where(SIGN_IN_LINK.c.link_hash == _hash(secret), SIGN_IN_LINK.c.used_at.is_(None))
    if found is None or connection.execute(unused.values(used_at=now)).rowcount != 1:
        return None
    return found


def disable_account(connection: sa.Connection, name: str, now: datetime) -> Account:
    """Let an account in no more, from this moment; what it did stays, and so does its name.

    Raises
    ------
    SettingsError
        If there is no such account.
    """
    found = account_named(connection, name)
    here = sa.and_(ACCOUNT.c.name == found.name, ACCOUNT.c.disabled_at.is_(None))
    connection.execute(ACCOUNT.update().where(here).values(disabled_at=now))
    return end_sessions(connection, found.name)


def enable_account(connection: sa.Connection, name: str) -> Account:
    """Let a disabled account in again, with the password that it had; its sessions of before have ended.

    Raises
    ------
    SettingsError
        If there is no such account.
    """
    found = account_named(connection, name)
    connection.execute(ACCOUNT.update().where(ACCOUNT.c.name == found.name).values(disabled_at=None))
    return account_named(connection, found.name)


def end_sessions(connection: sa.Connection, name: str) -> Account:
    """Sign an account out wherever it is signed in, and end its link.

    Raises
    ------
    SettingsError
        If there is no such account.
    """
    found = account_named(connection, name)
    connection.execute(ACCOUNT.update().where(ACCOUNT.c.name == found.name).values(epoch=ACCOUNT.c.epoch + 1))
    _end_links(connection, found.name)
    return account_named(connection, found.name)


def folded(name: str) -> str:
    """A name as it is compared: whatever its width and case, without spaces around it."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _named(connection: sa.Connection, name: str) -> sa.Row[tuple[object, ...]] | None:
    # Compared here: databases fold the letters of one alphabet, if any.
    rows = connection.execute(sa.select(ACCOUNT)).all()
    return next((row for row in rows if folded(row.name) == folded(name)), None)


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    kept = dict(row._mapping)
    has_password = kept.pop("password_hash") is not None
    return Account(**kept, has_password=has_password)


def _end_links(connection: sa.Connection, name: str) -> None:
    connection.execute(SIGN_IN_LINK.delete().where(SIGN_IN_LINK.c.name == name))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _made(password: str, cost: tuple[int, int, int], salt: bytes | None = None) -> str:
    """The hash of a password as it is kept: cost, salt and hash, with a salt of its own where none is given."""
    salt = secrets.token_bytes(16) if salt is None else salt
    # The same password is typed in other widths on other keyboards.
    typed = unicodedata.normalize("NFKC", password).encode("utf-8", "replace")
    power, block, times = cost
    made = hashlib.scrypt(typed, salt=salt, n=2**power, r=block, p=times, maxmem=_MEMORY, dklen=32)
    coded = (base64.b64encode(part).decode() for part in (salt, made))
    return "$".join(("scrypt", *map(str, cost), *coded))


def _parameters(kept: str) -> tuple[tuple[int, int, int], bytes]:
    _, power, block, times, salt, _ = kept.split("$")
    return (int(power), int(block), int(times)), base64.b64decode(salt)


#: What the password of a name that nobody has is compared with; it is no password's hash.
_NOBODYS = "$".join(("scrypt", *map(str, _COST), base64.b64encode(bytes(16)).decode(), "none"))
