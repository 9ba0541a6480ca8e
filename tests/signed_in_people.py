"""Fixtures of people who are signed in, see `signed_in.py`."""

from dataclasses import replace

import pytest
from served import Served
from signed_in import PEOPLE, Person, person

from serving.accounts import add_account
from serving.sessions import Sessions


@pytest.fixture
def site(served: Served) -> Served:
    """The pages, with an account of each role."""
    service = replace(served.service, sessions=Sessions(b"k" * 32, served.clock))
    served.service = served.app.state.service = service
    with service.store.writing() as connection:
        for name, (role, owner) in PEOPLE.items():
            add_account(connection, name, role, owner=owner, language=None, now=served.clock())
    return served


@pytest.fixture
def ann(site: Served) -> Person:
    return person(site, "Ann")


@pytest.fixture
def mia(site: Served) -> Person:
    return person(site, "Mia")
