"""What people send from a page: each form is one of the API's own acts, done once, wholly or not at all.

A form bears the session's token and a key of its own; it is refused where it comes from another site. What was done is
said on the page to which the browser is sent on; what was refused is said on the page that it came from, with all that
was typed.
"""

import json
import re
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ValidationError

from features.errors import KizashiError, StoreError
from serving.api_errors import Refused
from serving.api_visit import PRINTABLE
from serving.pages.view import DONE, Shows, View, redirected
from serving.sessions import local_path, same_origin
from serving.words.speech import text

#: Fields of one form at most.
MOST_FIELDS = 200
LONGEST_ID = 200
_KEY = re.compile(r"[A-Za-z0-9_.:-]{8,100}")

FOREIGN = text("This form did not come from a page of this service, or the page is too old. Try again from here.")

Fields = dict[str, list[str]]


async def fields_of(request: Request) -> Fields:
    """The fields of a form, each with all its values.

    Raises
    ------
    Refused
        400 if it is no form.
    """
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refused(400)
    try:
        pairs = parse_qsl(
            (await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise Refused(400) from None
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return fields


Sent = Annotated[Fields, Depends(fields_of)]


def offer(
    router: APIRouter,
    path: str,
    *,
    right: str,
    act: Callable[..., Response],
    body: type[BaseModel] | None,
    done: tuple[str, str],
    page: Callable[..., Response],
    onto: Callable[[Mapping[str, str], Any], str] | None = None,
) -> None:
    """Take a form at an address.

    Parameters
    ----------
    path
        With the names of its parts as `act` and `page` call them: ``/tasks/{task_id}/done``.
    act
        Function of the API: ``act(visit, **parts, body=..., key=...)``.
    done
        A code of its own, and the line that says what was done.
    page
        ``page(view, **parts)``: gives the page again when it was refused; `view` bears the problem and what was typed.
    onto
        ``onto(parts, answer)``: the address to go on to, where it is not the page that the form came from.
    """
    code, line = done
    DONE[code] = line
    converted = re.sub(r":path}", "}", path)

    def take(view: View = Depends(Shows(right)), fields: Fields = Depends(fields_of)) -> Response:  # noqa: B008
        parts = parts_of(view.request)
        try:
            genuine(view, fields)
            told = {} if body is None else {"body": filled(body, fields)}
            answer = act(view.visit, **parts, **told, key=_key(fields))
        except (Refused, ValidationError, KizashiError) as refusal:
            view.problem, status = problem_of(refusal, view)
            view.typed = {name: values[-1] for name, values in fields.items()}
            again = page(view, **parts)
            again.status_code = status
            return again
        target = onto(parts, json.loads(bytes(answer.body))) if onto else back_of(fields, "/")
        return redirected(with_done(target, code))

    take.__name__ = f"take_{code}"
    take.__doc__ = f"Take the form {converted}."
    router.post(path)(take)


def parts_of(request: Request) -> dict[str, str]:
    """The parts of an address that name a thing.

    Raises
    ------
    Refused
        404 if one of them can name nothing.
    """
    parts = {name: str(value) for name, value in request.path_params.items()}
    if any(len(value) > LONGEST_ID or not re.match(PRINTABLE, value) for value in parts.values()):
        raise Refused(404)
    return parts


def genuine(view: View, fields: Fields) -> None:
    """Refuse (403) a form that another site made a browser send."""
    session = view.session
    if session is None or not same_origin(view.request) or not session.bears(_one(fields, "csrf")):
        raise Refused(403, "foreign_form", FOREIGN)


def problem_of(refusal: Refused | ValidationError | KizashiError, view: View) -> tuple[str, int]:
    """Why something was not done, as a line for a person, and the status of the answer.

    Raises
    ------
    StoreError
        Where the database itself failed: its line names a place and is for the log.
    """
    if isinstance(refusal, StoreError):
        raise refusal
    if isinstance(refusal, Refused):
        where = [f"{one['where'].removeprefix('body.')}: {one['problem']}" for one in refusal.details if "where" in one]
        return " ".join([refusal.message(view.locale), *where]), refusal.status
    if isinstance(refusal, ValidationError):
        names = ", ".join(dict.fromkeys(".".join(map(str, error["loc"])) for error in refusal.errors()))
        return view.say(text("Please look at what was entered here: {names}."), names=names), 422
    return Refused(422, error=refusal).message(view.locale), 422


def filled(body: type[BaseModel], fields: Fields) -> BaseModel:
    """The body of an act from a form: an empty field counts as not given, ``result.note`` goes into ``result``."""
    told: dict[str, Any] = {}
    for name, one in body.model_fields.items():
        kind = _kind(one.annotation)
        if kind is dict:
            inner = {key.partition(".")[2]: values[-1] for key, values in fields.items() if key.startswith(f"{name}.")}
            told |= {name: {key: value for key, value in inner.items() if value.strip()}}
        elif kind is list:
            told |= {name: [value for value in fields.get(name, ()) if value.strip()]}
        elif value := _one(fields, name).strip():
            told[name] = value
        elif name in fields and one.is_required() and _nullable(one.annotation):
            told[name] = None
    return body.model_validate(told)


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _nullable(annotation: Any) -> bool:
    kind = _plain(annotation)
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def _kind(annotation: Any) -> Any:
    kind = _plain(annotation)
    return get_origin(kind) or kind


def _one(fields: Fields, name: str) -> str:
    return fields.get(name, [""])[-1]


def _key(fields: Fields) -> str:
    key = _one(fields, "key")
    if not _KEY.fullmatch(key):
        raise Refused(400, "foreign_form", FOREIGN)
    return key


def back_of(fields: Fields, otherwise: str) -> str:
    """The page that a form came from, if it is one of ours."""
    back = _one(fields, "back")
    return local_path(back) if back else otherwise


def with_done(address: str, code: str) -> str:
    """An address that also says what was done."""
    parts = urlsplit(address)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "done"]
    return parts._replace(query=urlencode([*kept, ("done", code)])).geturl()
