"""A company whose every name was written by somebody who means harm, or who writes from right to left, or at length."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
import served
from fastapi import FastAPI
from orders import lines
from served import CUSTOMERS, INTERACTIONS, NINE, ORDERS, Clock, Served, fill, served_at

from features.quarantine import ingest
from features.sources import open_source
from serving.accounts import add_account
from serving.api_guard import Ration
from serving.sessions import Sessions
from serving.store import Store

SCRIPT = "<script>alert(1)</script>"
QUOTED = "\"'><img src=x onerror=alert(1)>"
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe"
LONG = "Wörter-" * 200
#: Jinja's, Python's and the catalogues' own marks.
MARKS = "{{ 7 * 7 }} {name} %(name)s {0.__class__}"
NAMES = {"K-AOKI": f"{SCRIPT} {MARKS}", "K-BOLT": f"{QUOTED} {TURNED}", "K/CORD": LONG}
#: Whose customers they are.
OWNERS = {"K-AOKI": f"Ann {QUOTED}", "K-BOLT": f"Bob {SCRIPT}", "K/CORD": None}


@contextmanager
def hostile_company(folder: Path, app: FastAPI, patch: pytest.MonkeyPatch) -> Iterator[Served]:
    """That of `served.py` with such names, in the data as in what is published; Ann is a rep of the first owner."""
    (folder / "data").mkdir()
    tables = {name: lines(text) for name, text in TABLES.items()}
    tables["customers"]["name"] = tables["customers"]["customer_id"].map(NAMES)
    for column in ("industry", "region", "segment"):
        tables["customers"][column] = f"{column} {QUOTED} {SCRIPT}"
    for name in ("customers", "interactions"):
        tables[name]["owner"] = tables[name]["customer_id"].map(OWNERS)
    tables["interactions"]["text"] = f"{SCRIPT} {QUOTED} {TURNED} {MARKS}"
    for name, table in tables.items():
        table.to_parquet(folder / "data" / f"{name}.parquet")
    ingest(open_source(str(folder / "data"), {}), folder / "events", run_at=NINE, timezone="UTC")
    wild = {"region": f"region {QUOTED}", "industry": f"industry {SCRIPT}", "segment": f"segment {SCRIPT}"}
    facts = {customer: {**known, **wild, "name": NAMES[customer]} for customer, known in served.FACTS.items()}
    patch.setattr(served, "FACTS", facts)
    patch.setattr(served, "OWNERS", OWNERS)
    warned = served.warned
    patch.setattr(served, "warned", lambda customer, _: warned(customer, OWNERS[customer] or ""))
    clock = Clock()
    many = {name: Ration(clock, 10_000_000) for name in ("requests", "attempts")}
    with Store.open(f"sqlite:///{folder / 'kizashi.db'}") as store:
        fill(store)
        made = served_at(app, store, folder / "events", clock, **many)
        service = replace(made.service, sessions=Sessions(b"k" * 32, clock), zone=UTC)
        made.service = app.state.service = service
        with store.writing() as connection:
            for name, (role, owner) in PEOPLE.items():
                add_account(connection, name, role, owner=owner, language=None, now=NINE)
        yield made


TABLES = {"transactions": ORDERS, "customers": CUSTOMERS, "interactions": INTERACTIONS}
#: Who sign in, by names of the same kind.
PEOPLE = {
    "Rep <b>&amp;": ("rep", OWNERS["K-AOKI"]),
    "Lead \"'><i>": ("manager", None),
    "Admin {{ 7 * 7 }}": ("admin", None),
}
