"""Requests drawn at random from the OpenAPI document: no fault of ours, no status and no shape that is not in it."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from served import Served

pytest_plugins = ["served_company"]

HERE = {"Host": "localhost"}
#: Ids that there are: one that is drawn is hardly ever met.
THERE = {"customer_id": "K-AOKI", "episode_id": "e-K-AOKI", "task_id": "t-K-AOKI"}
TOLD = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
schemathesis.checks.load_all_checks()
CHECKS = [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ in TOLD]
FEW = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_what_comes_back_is_what_the_document_says(served: Served, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_asgi("/api/v1/openapi.json", served.app, headers=HERE)
    headers = served.headers("admin") | HERE
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(CHECKS) == len(TOLD)
    assert len(operations) > 40
    for operation in operations:

        @FEW
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            if mode is GenerationMode.POSITIVE:
                case.path_parameters = {name: THERE.get(name, value) for name, value in case.path_parameters.items()}
            case.call_and_validate(headers=headers, checks=CHECKS)

        if mode is GenerationMode.POSITIVE or operation.body or any(True for _ in operation.iter_parameters()):
            holds()
