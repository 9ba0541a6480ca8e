"""Requests drawn at random from the OpenAPI document: no fault of ours, no status and no shape that it does not tell."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from served import Served

pytest_plugins = ["served_company"]

TOLD = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
CHECKS = [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ in TOLD]


@pytest.fixture
def document(served: Served) -> Any:
    config = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", served.app, config=config)


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_what_comes_back_is_what_the_document_says(case: Any, served: Served) -> None:
    case.call_and_validate(headers=served.headers("admin") | {"Host": "localhost"}, checks=CHECKS)
