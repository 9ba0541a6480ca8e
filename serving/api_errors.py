"""What the API answers where it cannot do what was asked: one shape, whatever went wrong.

::

    {"error": {"code": "stale", "message": "one line for a person", "details": [...]}}

The message is in the caller's language (``Accept-Language``). No answer repeats what it was sent, shows a path of the
machine or a traceback.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from features.errors import ArtefactError, KizashiError, SourceError
from serving.api_languages import ENGLISH, of_language, spoken
from serving.words.errors import error_headline, error_text
from serving.words.speech import language, text

#: Code and sentence by status, where nothing better is known.
WORDS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", text("The request cannot be read.")),
    401: ("not_signed_in", text("A valid token is needed: send it as `Authorization: Bearer TOKEN`.")),
    403: ("not_allowed", text("This token's role may not do that.")),
    404: ("not_found", text("There is no such thing, or it is not yours to see.")),
    405: ("no_such_method", text("This address does not take that method.")),
    409: ("conflict", text("This contradicts what is there.")),
    413: ("too_large", text("The body of the request is too large.")),
    422: ("invalid", text("The request says something that cannot be.")),
    429: ("too_many", text("Too many requests: wait a minute.")),
    500: ("fault", text("Something went wrong here. The service's log says more under this reference.")),
    503: ("not_ready", text("The service cannot answer now: nothing is published, or its database does not answer.")),
}

#: Mistakes whose line names a folder of the machine: it is for the log, and people are told what kind of one it is.
OF_THE_MACHINE = (ArtefactError, SourceError)


class Fault(BaseModel):
    """What went wrong."""

    code: str = Field(description="A word for programs; it does not change.")
    message: str = Field(description="One line for a person.")
    details: list[dict[str, Any]] = Field(default=[], description="Where, if it is about a part of the request.")


class Problem(BaseModel):
    """The shape of every answer that is no success."""

    error: Fault


class Refused(Exception):
    """A request that is answered with an error; the status decides the words that are not given.

    Parameters
    ----------
    message
        English words, marked for translation.
    error
        What went wrong, where its own line is to be told in place of a message.
    phrases
        What is put into the message's placeholders.
    """

    def __init__(
        self,
        status: int,
        code: str = "",
        message: str = "",
        details: list[dict[str, Any]] | None = None,
        *,
        error: KizashiError | None = None,
        **phrases: str,
    ) -> None:
        usual = WORDS.get(status, WORDS[500])
        self.status = status
        self.code, self._message = code or usual[0], message or usual[1]
        self.details = details or []
        self._error, self._phrases = error, phrases
        super().__init__(self.message())

    def message(self, locale: str = ENGLISH) -> str:
        """One line for a person, in that language."""
        if isinstance(self._error, OF_THE_MACHINE):
            return error_headline(self._error, locale)
        if self._error is not None:
            return error_text(self._error, locale)
        return language(locale).words(self._message, **self._phrases)


def answer(refused: Refused, headers: Headers) -> JSONResponse:
    """An error as it is sent to whoever asked with these headers."""
    locale = spoken(headers)
    problem = Problem(error=Fault(code=refused.code, message=refused.message(locale), details=refused.details))
    of_status = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "60"}}.get(refused.status, {})
    return JSONResponse(problem.model_dump(), refused.status, {**of_status, **of_language(locale)})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says of its errors in the OpenAPI document."""
    return {status: {"model": Problem, "description": WORDS[status][1]} for status in statuses}


def install(app: FastAPI) -> None:
    """Make an application answer every error in the one shape."""
    app.add_exception_handler(Refused, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _by_framework)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]


def _refused(request: Request, refused: Refused) -> JSONResponse:
    return answer(refused, request.headers)


def _by_framework(request: Request, fault: HTTPException) -> JSONResponse:
    told = answer(Refused(fault.status_code if fault.status_code in WORDS else 400), request.headers)
    told.headers.update(fault.headers or {})
    return told


def _invalid(request: Request, fault: RequestValidationError) -> JSONResponse:
    errors = fault.errors()
    if any(error["type"] == "json_invalid" for error in errors):
        return answer(Refused(400, message=text("The body is no JSON.")), request.headers)
    # Neither the value nor pydantic's context, which repeats it.
    details = [{"where": ".".join(map(str, error["loc"])), "problem": error["msg"]} for error in errors]
    words = text("Parts of the request cannot be used; the details say which.")
    return answer(Refused(422, message=words, details=details), request.headers)
