"""The secret that sessions of the pages are signed with: given by the environment, else a file of this machine's."""

import os
import re
import secrets
from pathlib import Path

from features.errors import SettingsError
from pipelines.files import with_folder
from pipelines.settings import SESSION_VARIABLE, given_session_key

FILE = "session.key"
#: Characters that a key has at least.
LEAST = 32


def session_key(out: Path) -> bytes:
    """The key of the service of an output folder; the first call makes it, readable by its owner alone.

    Raises
    ------
    SettingsError
        If the key that is given is too short, or the file can be read by others or holds no key.
    """
    if given := given_session_key():
        if len(given) < LEAST:
            raise SettingsError(
                f"{SESSION_VARIABLE} has {len(given)} characters: expected at least {LEAST}. "
                'Make one with: python -c "import secrets; print(secrets.token_hex(32))"'
            )
        return given.encode("utf-8", "surrogateescape")
    path = out / FILE
    try:
        return _read(path) if path.exists() else _made(path)
    except OSError as fault:
        raise SettingsError(
            f"{path}: cannot be read or made ({fault.strerror}). Run `kizashi serve` as the owner of {out}, or give a "
            f"key as {SESSION_VARIABLE}."
        ) from None


def _made(path: Path) -> bytes:
    """Write a new key aside and give it its name, unless another process was faster: then that one's key."""
    aside = with_folder(path).with_name(f".{FILE}.{secrets.token_hex(8)}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise SettingsError(
            f"{path} can be read by others, who could sign in as anybody: chmod 600 {path}; if others may have read "
            "it, remove it instead, and everybody signs in again."
        )
    key = path.read_bytes().strip()
    if not re.fullmatch(rb"[0-9a-f]{64}", key):
        raise SettingsError(f"{path} holds no key: remove it, and `kizashi serve` makes one; everybody signs in again.")
    return key
