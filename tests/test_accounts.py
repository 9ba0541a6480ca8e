"""Accounts of people: passwords and links are kept as hashes, a link leads in once, and an ended account is nobody."""

# ruff: noqa: RUF001 - full-width characters are what is tested

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa  # noqa: TID251

from features.errors import SettingsError
from serving.access import Caller
from serving.accounts import (
    LOCAL,
    LONGEST,
    SHORTEST,
    Account,
    account_named,
    account_of_link,
    accounts,
    add_account,
    any_account,
    by_password,
    disable_account,
    enable_account,
    end_sessions,
    link_for,
    set_password,
    signed_in,
    use_link,
)
from serving.migrations.loop_tables import ACCOUNT, SIGN_IN_LINK
from serving.store import Store

pytest_plugins = ["databases"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "correct horse battery"


def made(
    store: Store, name: str = "Ann", role: str = "rep", owner: str | None = "Ann", language: str | None = None
) -> Account:
    with store.writing() as connection:
        return add_account(connection, name, role, owner=owner, language=language, now=NOON)


def link(store: Store, name: str = "Ann", hours: int = 24) -> str:
    with store.writing() as connection:
        return link_for(connection, name, NOON, hours)


def asked(store: Store, secret: str, now: datetime = NOON) -> Account | None:
    with store.reading() as connection:
        return account_of_link(connection, secret, now)


def used(store: Store, secret: str, now: datetime = NOON) -> Account | None:
    with store.writing() as connection:
        return use_link(connection, secret, now)


def entered(store: Store, name: str, password: str) -> Account | None:
    with store.reading() as connection:
        return by_password(connection, name, password)


def there(store: Store, name: str, epoch: int) -> Account | None:
    with store.reading() as connection:
        return signed_in(connection, name, epoch)


def changed(store: Store, change: Callable[..., Account], *arguments: object) -> Account:
    with store.writing() as connection:
        return change(connection, *arguments)


def test_an_account_is_listed_as_it_was_made_and_acts_under_its_name(store: Store) -> None:
    with store.reading() as connection:
        assert not any_account(connection)
    zoe = made(store, " Zoe ", "manager", None, "ja")
    ann = made(store)
    with store.reading() as connection:
        assert any_account(connection)
        assert accounts(connection) == [ann, zoe]
        assert account_named(connection, "ＺＯＥ") == zoe, "whatever its width and case"
    assert zoe == Account("Zoe", "manager", None, "ja", NOON)
    assert ann.caller == Caller("user-Ann", "Ann", "rep", "Ann")


@pytest.mark.parametrize(
    ("name", "role", "owner", "language", "words"),
    [
        ("Ann", "boss", None, None, "expected one of viewer, rep, manager, admin"),
        ("Ann", "rep", None, None, "a rep needs the owner"),
        ("Ann", "viewer", "Ann", None, "Give --owner to a rep alone"),
        ("a\nb", "admin", None, None, "printable characters"),
        ("Ann", "admin", None, "fr", "expected one of en, ja, zh"),
        ("local", "admin", None, None, "Give another name"),
        ("Ｌocal", "admin", None, None, "Give another name"),
        ("zOE", "admin", None, None, "there is an account 'Zoe'"),
    ],
)
def test_an_account_that_would_mean_nothing_is_refused(
    store: Store, name: str, role: str, owner: str | None, language: str | None, words: str
) -> None:
    made(store, "Zoe", "admin", None)
    with pytest.raises(SettingsError, match=words):
        made(store, name, role, owner, language)


def test_a_password_leads_in_and_is_kept_as_a_salted_hash_alone(store: Store, plain: sa.Engine) -> None:
    for name in ("Ann", "Bob"):
        made(store, name, "rep", name)
        changed(store, set_password, name, SECRET)
    with plain.connect() as connection:
        kept = connection.execute(sa.select(ACCOUNT.c.password_hash)).scalars().all()
    assert len(set(kept)) == 2, "each has a salt of its own"
    assert all(text.startswith("scrypt$15$8$3$") for text in kept)
    assert SECRET not in str(kept)
    found = entered(store, "ann ", SECRET)
    assert found is not None
    assert (found.name, found.has_password) == ("Ann", True)


def test_a_password_typed_in_another_width_is_the_same(store: Store) -> None:
    made(store)
    changed(store, set_password, "Ann", "ｐａｓｓｗｏｒｄ１２３４")
    assert entered(store, "Ann", "password1234") is not None


def test_everything_but_the_very_name_and_password_is_answered_alike(store: Store) -> None:
    for name in ("Ann", "Bob", "Cho"):
        made(store, name, "rep", name)
    changed(store, set_password, "Ann", SECRET)
    changed(store, set_password, "Cho", SECRET)
    changed(store, disable_account, "Cho", NOON)
    wrong = [("Ann", SECRET.upper()), ("Ann", ""), ("Bob", SECRET), ("Bob", ""), ("Cho", SECRET), ("Zoe", SECRET)]
    wrong += [("", ""), ("local", ""), ("Ann", SECRET + "x"), ("Ann\ud800", SECRET), ("Ann", "x" * 60_000)]
    assert [entered(store, name, password) for name, password in wrong] == [None] * len(wrong)


@pytest.mark.parametrize("length", [0, SHORTEST - 1, LONGEST + 1])
def test_a_password_too_short_or_too_long_is_refused_and_the_old_one_stays(store: Store, length: int) -> None:
    made(store)
    changed(store, set_password, "Ann", SECRET)
    with pytest.raises(SettingsError, match=f"{length} characters: expected {SHORTEST} to {LONGEST}"):
        changed(store, set_password, "Ann", "x" * length)
    assert entered(store, "Ann", SECRET) is not None


def test_a_link_leads_in_once_and_looking_at_it_uses_nothing_up(store: Store, plain: sa.Engine) -> None:
    made(store)
    secret = link(store)
    assert len(secret) >= 43, "32 random bytes"
    for _ in range(2):
        found = asked(store, secret)
        assert found is not None
        assert found.name == "Ann"
    with plain.connect() as connection:
        assert secret not in str(connection.execute(sa.select(SIGN_IN_LINK)).all())
    first = used(store, secret)
    assert first is not None
    assert first.name == "Ann"
    assert used(store, secret) is None
    assert asked(store, secret) is None


def test_of_many_who_use_a_link_at_once_one_is_led_in(store: Store) -> None:
    made(store)
    secret = link(store)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: used(store, secret), range(8)))
    assert sum(one is not None for one in found) == 1


@pytest.mark.parametrize(("seconds", "good"), [(-1, True), (0, False), (1, False)])
def test_a_link_ends_at_its_hour(store: Store, seconds: int, good: bool) -> None:
    made(store)
    secret = link(store, hours=2)
    moment = NOON + timedelta(hours=2, seconds=seconds)
    assert (asked(store, secret, moment) is not None) == good
    assert (used(store, secret, moment) is not None) == good


@pytest.mark.parametrize("altered", [lambda text: text[:-1], lambda text: text + "x", lambda _: "", lambda _: "\ud800"])
def test_what_is_not_the_very_secret_leads_nobody_in(store: Store, altered: Callable[[str], str]) -> None:
    made(store)
    secret = altered(link(store))
    assert (asked(store, secret), used(store, secret)) == (None, None)


def test_a_new_link_ends_the_one_before_it_and_nobody_elses(store: Store) -> None:
    made(store)
    made(store, "Bob", "rep", "Bob")
    bobs, old, new = link(store, "Bob"), link(store), link(store, "ann")
    assert asked(store, old) is None
    assert asked(store, new) is not None
    assert asked(store, bobs) is not None


def test_a_disabled_account_is_let_in_by_nothing_until_it_is_enabled(store: Store) -> None:
    made(store)
    changed(store, set_password, "Ann", SECRET)
    secret = link(store)
    ended = changed(store, disable_account, "ann", NOON)
    assert ended.disabled_at == NOON
    assert changed(store, disable_account, "Ann", NOON + timedelta(days=1)).disabled_at == NOON, "the first time counts"
    assert (asked(store, secret), entered(store, "Ann", SECRET), there(store, "Ann", ended.epoch)) == (None, None, None)
    with pytest.raises(SettingsError, match="is disabled"):
        link(store)
    again = changed(store, enable_account, "Ann")
    assert again.disabled_at is None
    assert entered(store, "Ann", SECRET) == again
    assert asked(store, secret) is None, "its link has ended"


@pytest.mark.parametrize(
    "ends",
    [
        lambda connection: end_sessions(connection, "Ann"),
        lambda connection: set_password(connection, "Ann", SECRET),
        lambda connection: disable_account(connection, "Ann", NOON),
    ],
)
def test_sessions_and_links_of_before_end(store: Store, ends: Callable[[sa.Connection], Account]) -> None:
    before, secret = made(store), link(store)
    assert there(store, "Ann", before.epoch) == before
    after = changed(store, ends)
    assert after.epoch > before.epoch
    assert there(store, "Ann", before.epoch) is None
    assert asked(store, secret) is None
    assert there(store, "nobody", 0) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda connection: end_sessions(connection, "Zoe"),
        lambda connection: set_password(connection, "Zoe", SECRET),
        lambda connection: disable_account(connection, "Zoe", NOON),
        lambda connection: enable_account(connection, "Zoe"),
        lambda connection: link_for(connection, "Zoe", NOON),
    ],
)
def test_nothing_can_be_done_to_an_account_that_does_not_exist(
    store: Store, change: Callable[[sa.Connection], Account]
) -> None:
    with pytest.raises(SettingsError, match="user list"):
        changed(store, change)


def test_the_built_in_account_is_here_as_long_as_there_is_no_other(store: Store) -> None:
    secret = link(store, LOCAL.name)
    assert asked(store, secret) == LOCAL
    assert there(store, LOCAL.name, LOCAL.epoch) == LOCAL
    assert there(store, LOCAL.name, 1) is None
    assert LOCAL.caller == Caller("user-local", "local", "admin")
    made(store)
    changed(store, disable_account, "Ann", NOON)
    assert (asked(store, secret), used(store, secret)) == (None, None), "a disabled one is one, too"
    assert there(store, LOCAL.name, LOCAL.epoch) is None
