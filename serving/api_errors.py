"""What the API answers where it cannot do what was asked: one shape, whatever went wrong.

::

    {"error": {"code": "stale", "message": "one line for a person", "details": [...]}}

No answer repeats what it was sent, shows a path of the machine or a traceback.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

#: Code and sentence by status, where nothing better is known.
WORDS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be read."),
    401: ("not_signed_in", "A valid token is needed: send it as `Authorization: Bearer TOKEN`."),
    403: ("not_allowed", "This token's role may not do that."),
    404: ("not_found", "There is no such thing, or it is not yours to see."),
    405: ("no_such_method", "This address does not take that method."),
    409: ("conflict", "This contradicts what is there."),
    413: ("too_large", "The body of the request is too large."),
    422: ("invalid", "The request says something that cannot be."),
    429: ("too_many", "Too many requests: wait a minute."),
    500: ("fault", "Something went wrong here. The service's log says more under this reference."),
    503: ("not_ready", "The service cannot answer now: nothing is published, or its database does not answer."),
}


class Fault(BaseModel):
    """What went wrong."""

    code: str = Field(description="A word for programs; it does not change.")
    message: str = Field(description="One line for a person.")
    details: list[dict[str, Any]] = Field(default=[], description="Where, if it is about a part of the request.")


class Problem(BaseModel):
    """The shape of every answer that is no success."""

    error: Fault


class Refused(Exception):
    """A request that is answered with an error; the status decides the words that are not given."""

    def __init__(
        self, status: int, code: str = "", message: str = "", details: list[dict[str, Any]] | None = None
    ) -> None:
        usual = WORDS.get(status, WORDS[500])
        self.status = status
        self.code, self.message = code or usual[0], message or usual[1]
        self.details = details or []
        super().__init__(self.message)


def answer(refused: Refused) -> JSONResponse:
    """An error as it is sent."""
    problem = Problem(error=Fault(code=refused.code, message=refused.message, details=refused.details))
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "60"}}.get(refused.status)
    return JSONResponse(problem.model_dump(), refused.status, headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says of its errors in the OpenAPI document."""
    return {status: {"model": Problem, "description": WORDS[status][1]} for status in statuses}


def install(app: FastAPI) -> None:
    """Make an application answer every error in the one shape."""
    app.add_exception_handler(Refused, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _by_framework)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]


def _refused(_request: Request, refused: Refused) -> JSONResponse:
    return answer(refused)


def _by_framework(_request: Request, fault: HTTPException) -> JSONResponse:
    told = answer(Refused(fault.status_code if fault.status_code in WORDS else 400))
    told.headers.update(fault.headers or {})
    return told


def _invalid(_request: Request, fault: RequestValidationError) -> JSONResponse:
    errors = fault.errors()
    if any(error["type"] == "json_invalid" for error in errors):
        return answer(Refused(400, message="The body is no JSON."))
    # Neither the value nor pydantic's context, which repeats it.
    details = [{"where": ".".join(map(str, error["loc"])), "problem": error["msg"]} for error in errors]
    return answer(Refused(422, message=f"{len(details)} part(s) of the request cannot be used.", details=details))
