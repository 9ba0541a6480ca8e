"""The service as a process: what it reads, the clock that it is given, and where it listens."""

import ipaddress
import logging
import shlex
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd
import uvicorn

from features.briefs import AccountBrief, account_brief
from features.buckets import MANIFEST, Events, read_events
from features.contact_records import contact_records
from features.decision_chain import DecisionChain, decision_chain
from features.errors import KizashiError, SettingsError, SourceError
from features.source_record import SourceRecord, source_record
from pipelines import console
from pipelines.changed_settings import checks
from pipelines.cli_options import DEFAULT_OUT
from pipelines.files import with_folder
from pipelines.intake import install_features
from pipelines.rule_sections import company_rules
from pipelines.session_key import session_key
from pipelines.setting_effects import SettingEffects
from pipelines.settings import Settings, database_url
from pipelines.stories import StoryFiles
from serving.access import Caller
from serving.accounts import LOCAL, any_account, link_for
from serving.api import PREFIX, make_app
from serving.api_data import NAMES, listed
from serving.api_errors import Refused
from serving.api_visit import Limits, Service, Visit
from serving.exports import Sheet, written
from serving.ledger import Event, append
from serving.list_rows import Choice, Terms
from serving.lists import LISTS
from serving.sessions import SIGN_IN, Sessions
from serving.store import Store

T = TypeVar("T")

#: What was read of accounts is kept for so many: whoever opens a customer's page asks for several parts of one brief.
REMEMBERED = 64
#: Seconds between two looks at the store while nobody asks.
LOOKS = 30.0
#: Days of contacts that the lists of contacts tell of.
CONTACT_DAYS = 365


@dataclass(frozen=True)
class AccountFiles:
    """What the data say of accounts, from the clean events in the output folder.

    Attributes
    ----------
    folder
        Where the events lie; what another ingest has written there counts from then on.
    options
        Options of features that differ from their defaults.
    """

    folder: Path
    options: Mapping[str, object] = field(default_factory=dict)
    _kept: OrderedDict[tuple[object, ...], Any] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def present(self) -> Mapping[str, tuple[str, ...]]:
        """For each table that the source has, the columns that it fills."""
        return read_events(self.folder).columns

    def sources(self) -> SourceRecord:
        """Where the rows of each table went, and what is wrong with some."""
        # when they were written does not change what they are
        written = (self.folder / MANIFEST).stat().st_mtime_ns if (self.folder / MANIFEST).is_file() else 0
        return self._once(lambda _: source_record(self.folder), "sources", written)

    def further(self) -> tuple[str, ...]:
        """Columns of the customers' file beyond the contract, which the company's own rules may read."""
        try:
            return read_events(self.folder).further
        except SourceError:  # scored elsewhere: what is published can be served without them
            return ()

    def contacts(self, as_of: date) -> pd.DataFrame:
        """The contacts of the year before a date."""
        since = as_of - timedelta(days=CONTACT_DAYS)
        return self._once(lambda events: contact_records(events, as_of, since=since), "contacts", as_of)

    def brief(self, customer_id: str, as_of: date) -> AccountBrief:
        """Everything that was known of an account."""
        return self._once(
            lambda events: account_brief(events, customer_id, as_of, options=self.options), "brief", customer_id, as_of
        )

    def chain(self, customer_id: str, as_of: date) -> DecisionChain:
        """Who decides at an account, and how it goes with them."""
        return self._once(
            lambda events: decision_chain(events, customer_id, as_of, options=self.options), "chain", customer_id, as_of
        )

    def _once(self, read: Callable[[Events], T], *what: object) -> T:
        """What was read of the same events before, else what is read now."""
        events = read_events(self.folder)
        key = (events.fingerprint, *what)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                kept: T = self._kept[key]
                return kept
        found = read(events)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return found


def now() -> datetime:
    """The moment: the only clock of the service."""
    return datetime.now(UTC)


@contextmanager
def service_at(
    settings: Settings, out: Path, clock: Callable[[], datetime] = now, *, create: bool = False
) -> Iterator[Service]:
    """Give the service of an output folder; with `create` also of one in which nothing was scored yet.

    Raises
    ------
    StoreError
        If nothing was scored there yet.
    """
    install_features(settings)
    accounts = AccountFiles(out / "events", dict(settings.features.options))
    with Store.open(database_url(settings, out), create=create) as store:
        rules, options = company_rules(settings.rules, accounts.further())
        terms = Terms(rules=rules, options=options)
        limits = Limits(
            most_per_person=settings.tasks.most_per_person,
            most_days_asleep=settings.tasks.most_days_asleep,
            least_cases_of_a_play=settings.outcomes.least_cases_of_a_play,
        )
        effects = SettingEffects(settings, out, store)
        yield Service.of(
            store,
            clock,
            ZoneInfo(settings.project.timezone),
            accounts,
            terms=terms,
            limits=limits,
            stories=StoryFiles(settings, out),
            changeable=checks(settings, effects.levels_in_use),
            effects=effects,
            currency=settings.project.currency,
        )


@contextmanager
def _at_the_desk(service: Service) -> Iterator[None]:
    """Read a day that was published and lay out its lists before somebody comes who would have to wait for that."""
    ended = threading.Event()

    def look() -> None:
        while True:
            with suppress(KizashiError, Refused):  # whoever asks is told why there is nothing
                service.desk.look().rows(LISTS[0])
            if ended.wait(LOOKS):
                return

    thread = threading.Thread(target=look, name="desk", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def run(
    settings: Settings,
    out: Path,
    *,
    host: str,
    port: int,
    names: tuple[str, ...] = (),
    clock: Callable[[], datetime] = now,
) -> None:
    """Serve until somebody stops it; see :func:`serving`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # a new store is nothing to be told of
    with serving(settings, out, host=host, port=port, names=names, clock=clock) as (server, bound):
        server.run(sockets=[bound])


@contextmanager
def serving(
    settings: Settings,
    out: Path,
    *,
    host: str,
    port: int,
    names: tuple[str, ...] = (),
    clock: Callable[[], datetime] = now,
) -> Iterator[tuple[uvicorn.Server, socket.socket]]:
    """Give a server that is ready to run on a socket, having said where it listens.

    Raises
    ------
    SettingsError
        If the address is not this machine's, or the port is taken; if others could reach the service although there
        are no accounts; or if its session key cannot be used.
    """
    with service_at(settings, out, clock, create=True) as service:
        alone = _without_accounts(service, host, names)
        service = replace(service, sessions=Sessions(session_key(out), service.clock))
        with listening(host, port) as bound:
            shown = f"[{host}]" if ":" in host else host
            if not is_own(host):
                console.out.print(
                    f"Note: {host} can be reached from other machines, and what is said there is not encrypted. "
                    "Put a proxy with TLS in front, and give its name with --name.",
                    markup=False,
                )
            address = f"http://{shown}:{bound.getsockname()[1]}"
            console.out.print(
                f"Serving {address}/ for people, {address}{PREFIX} for programs (Ctrl-C ends it)", markup=False
            )
            if alone:
                _show_link(service, address, out)
            config = uvicorn.Config(
                make_app(service, hosts=(shown, *names)),
                log_config=None,
                access_log=False,  # the service's own log has no query, which may hold a customer's name
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
            )
            with _at_the_desk(service):
                yield uvicorn.Server(config), bound


def _without_accounts(service: Service, host: str, names: tuple[str, ...]) -> bool:
    """Whether there are no accounts, where that is allowed: on this machine alone."""
    with service.store.reading() as connection:
        if any_account(connection):
            return False
    if not is_own(host) or names:
        given = f"--host {host}" if not is_own(host) else f"--name {names[0]}"
        raise SettingsError(
            f"{given}: there are no accounts yet, and others could reach the service. Make one first: "
            "kizashi user add NAME --role admin"
        )
    return True


def _show_link(service: Service, address: str, out: Path) -> None:
    """Say how to come in where there are no accounts."""
    with service.store.writing() as connection:
        secret = link_for(connection, LOCAL.name, service.clock())
    console.out.print("Open this link once, within a day, to sign in on this machine:", markup=False)
    print(f"{address}{SIGN_IN}/{secret}", flush=True)
    where = "" if out == DEFAULT_OUT else f" --out {shlex.quote(str(out))}"
    console.out.print(f"There are no accounts yet; make one: kizashi user add NAME --role manager{where}", markup=False)


def is_own(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Give a socket that listens.

    Raises
    ------
    SettingsError
        If the address is not this machine's, or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.create_server(address[:2], family=family)
    except OSError as fault:
        raise SettingsError(
            f"--host {host} --port {port}: {fault.strerror or fault}. Give an address of this machine and a port that "
            "is free."
        ) from None
    with bound:
        yield bound


def export(settings: Settings, out: Path, name: str, kind: str, file: Path, *, owner: str | None, actor: str) -> int:
    """Write a list of today into a file as the service does, and keep in the ledger who did; return its rows.

    Raises
    ------
    SettingsError
        If there is no such list or kind of file.
    """
    if name not in NAMES:
        raise SettingsError(f"there is no list {name!r}. There are {', '.join(NAMES)}.")
    with service_at(settings, out) as service:
        moment = service.clock()
        caller = Caller("", actor, "admin") if owner is None else Caller("", actor, "rep", owner)
        rows = listed(Visit(service, caller, moment, ""), name, Choice()).rows
        pieces = written(Sheet.of(name, rows), kind)
        with with_folder(file).open("wb") as target:
            target.writelines(pieces)
        with service.store.writing() as connection:
            append(connection, [Event("export_made", actor, moment, {"list": name, "format": kind, "rows": len(rows)})])
    return len(rows)
