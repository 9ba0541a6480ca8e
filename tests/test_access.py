"""Tokens are shown once and kept as a hash; a role says what may be done, an owner whose customers are seen."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa  # noqa: TID251

from features.errors import SettingsError
from serving.access import (
    ACT,
    EVERYONE,
    EXPORT,
    LEAD,
    READ,
    ROLES,
    SET,
    Caller,
    caller_of,
    create_token,
    revoke_token,
    tokens,
    within,
)
from serving.migrations.loop_tables import API_TOKEN
from serving.store import Store

pytest_plugins = ["databases"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CUSTOMERS = pd.DataFrame({"customer_id": ["a", "b", "c"], "owner": ["Ann", "Bob", None]})


def made(store: Store, name: str = "Ann", role: str = "rep", owner: str | None = "Ann", days: int | None = 90) -> str:
    with store.writing() as connection:
        return create_token(connection, name, role, owner=owner, now=NOON, days=days)[1]


def asked(store: Store, text: str, now: datetime = NOON) -> Caller | None:
    with store.reading() as connection:
        return caller_of(connection, text, now)


def test_a_token_names_its_caller_and_is_kept_as_a_hash_alone(store: Store, plain: sa.Engine) -> None:
    text = made(store)
    caller = asked(store, text)
    assert caller is not None
    assert (caller.name, caller.role, caller.owner) == ("Ann", "rep", "Ann")
    mark, token_id, secret = text.split("_", 2)
    assert (mark, token_id) == ("kz", caller.token_id)
    assert len(secret) >= 43, "32 random bytes"
    with plain.connect() as connection:
        kept = str(connection.execute(sa.select(API_TOKEN)).all())
    assert token_id in kept
    assert secret not in kept


def test_two_tokens_of_one_name_differ(store: Store) -> None:
    assert made(store) != made(store)


@pytest.mark.parametrize(
    "altered",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text.upper(),
        lambda text: text + "x",
        lambda text: text.replace("kz_", "kz_x"),
        lambda text: "_".join(text.split("_")[:2]),
        lambda _: "",
        lambda _: "kz__",
        lambda _: "kz_\0_x",
        lambda _: "kz_é_x",
        lambda _: "kz_' OR 1=1_x",
    ],
)
def test_what_is_not_the_very_token_is_nobody(store: Store, altered: object) -> None:
    text = made(store)
    assert callable(altered)
    assert asked(store, altered(text)) is None


@pytest.mark.parametrize(("seconds", "state"), [(-1, "valid"), (0, "expired"), (1, "expired")])
def test_a_token_ends_at_the_moment_that_it_bears(store: Store, seconds: int, state: str) -> None:
    text = made(store, days=90)
    moment = NOON + timedelta(days=90, seconds=seconds)
    assert (asked(store, text, moment) is not None) == (state == "valid")
    with store.reading() as connection:
        assert [token.state(moment) for token in tokens(connection)] == [state]


def test_a_token_without_days_never_ends(store: Store) -> None:
    assert asked(store, made(store, days=None), NOON + timedelta(days=36_500)) is not None


def test_a_revoked_token_is_worth_nothing_and_stays_in_the_list(store: Store) -> None:
    text = made(store)
    token_id = text.split("_")[1]
    with store.writing() as connection:
        assert revoke_token(connection, token_id, NOON).revoked_at == NOON
        assert revoke_token(connection, token_id, NOON + timedelta(days=1)).revoked_at == NOON, "the first time counts"
    assert asked(store, text) is None
    with store.reading() as connection:
        assert [token.state(NOON) for token in tokens(connection)] == ["revoked"]


def test_a_token_that_does_not_exist_cannot_be_revoked(store: Store) -> None:
    with pytest.raises(SettingsError, match="token list"), store.writing() as connection:
        revoke_token(connection, "00000000", NOON)


@pytest.mark.parametrize(
    ("name", "role", "owner", "words"),
    [
        ("Ann", "boss", None, "expected one of viewer, rep, manager, admin"),
        ("Ann", "rep", None, "a rep needs the owner"),
        ("Ann", "manager", "Ann", "Give --owner to a rep alone"),
        ("", "admin", None, "printable characters"),
        ("  ", "admin", None, "printable characters"),
        ("a\nb", "admin", None, "printable characters"),
        ("x" * 61, "admin", None, "1 to 60"),
    ],
)
def test_a_token_that_would_mean_nothing_is_refused(
    store: Store, name: str, role: str, owner: str | None, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        made(store, name, role, owner)


def test_what_each_role_may_do_stands_in_one_table() -> None:
    assert {role: set(rights) for role, rights in ROLES.items()} == {
        "viewer": {READ, EVERYONE},
        "rep": {READ, ACT, EXPORT},
        "manager": {READ, EVERYONE, ACT, EXPORT, LEAD},
        "admin": {READ, EVERYONE, ACT, EXPORT, LEAD, SET},
    }


@pytest.mark.parametrize(
    ("role", "owner", "seen"),
    [
        ("rep", "Ann", ["a"]),
        ("rep", "Zoe", []),
        ("rep", None, []),
        ("viewer", None, ["a", "b", "c"]),
        ("manager", None, ["a", "b", "c"]),
        ("admin", None, ["a", "b", "c"]),
    ],
)
def test_a_rep_sees_own_customers_and_nobody_elses(role: str, owner: str | None, seen: list[str]) -> None:
    assert within(CUSTOMERS, Caller("0", "x", role, owner))["customer_id"].tolist() == seen
