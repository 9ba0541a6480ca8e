"""Every address of the pages as the application itself has it, so that a page cannot be forgotten by its tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd
from browser import Site
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import State

from serving.access import ROLES
from serving.api_data import NAMES
from serving.pages.app import make_pages
from serving.pages.view import Shows


@dataclass(frozen=True)
class Address:
    """An address with the names of its parts, how it is asked, and the right that it wants; "" for none."""

    method: str
    path: str
    parts: tuple[str, ...]
    right: str

    @property
    def words(self) -> str:
        return f"{self.method} {self.path}"

    def open_to(self, role: str) -> bool:
        return not self.right or self.right in ROLES[role]

    def filled(self, things: dict[str, str]) -> str:
        """The address of things that there are, by the names of its parts and the first word of its path."""
        path = self.path
        for part in self.parts:
            first = self.path.split("/")[1]
            value = things.get(f"{first}.{part}") or things[part]
            path = path.replace(f"{{{part}}}", quote(value, safe=""))
        return path + ASKED.get(self.words, "")

    @property
    def bears_a_customer(self) -> bool:
        """Whether it names something that is one owner's."""
        return bool({"customer_id", "task_id", "episode_id", "outcome_id"} & set(self.parts))


#: What has to be asked so that a page shows something of its own.
ASKED = {
    "GET /data/quarantine": "?table=transactions",
    "GET /settings/preview": "?name=lists.silent_days&value=45",
}


def addresses() -> list[Address]:
    """All of them, without the files that pages load."""
    found = [_address(route) for route in _routes(make_pages(State()).routes) if not route.path.startswith("/static")]
    assert len(found) == len({one.words for one in found}), "an address is taken twice"
    return sorted(found, key=lambda one: one.words)


def _routes(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from _routes(route.original_router.routes)


def _address(route: APIRoute) -> Address:
    [method] = route.methods - {"HEAD"}
    rights = list(_rights(route.dependant))
    assert len(rights) <= 1
    return Address(method, route.path_format, tuple(route.param_convertors), "".join(rights))


def _rights(dependant: Dependant) -> Iterator[str]:
    for one in dependant.dependencies:
        if isinstance(one.call, Shows):
            yield one.call.right
        yield from _rights(one)


def things_of(site: Site, who: str) -> dict[str, str]:
    """What the addresses name, all of it of one owner: the loudest customer with a warning and an open task."""
    owner, store = site.owners[who], site.service.store
    warnings, tasks = store.episodes(is_open=True, owners=[owner]).rows, store.tasks(state="open", owners=[owner]).rows
    both = sorted(set(warnings["customer_id"]) & set(tasks["customer_id"]))
    loud = site.profile().set_index("customer_id").loc[both, "value_at_risk"]
    customer = str(loud.idxmax())
    return {
        "customer_id": customer,
        "episode_id": _first(warnings, customer, "episode_id"),
        "task_id": _first(tasks, customer, "task_id"),
        "lists.name": NAMES[0],
        "export.name": NAMES[0],
        "manager.name": owner,
        "settings.name": "lists.silent_days",
        "secret": "of-nobody",
    }


def _first(rows: pd.DataFrame, customer: str, column: str) -> str:
    return str(rows.loc[rows["customer_id"] == customer, column].iloc[0])
