"""All pages as one application: their addresses, the files that they load, and what is shown where something fails."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from features.contract import CONTRACT, REQUIRED_TABLE
from features.errors import KizashiError, StoreError
from serving.api_errors import OF_THE_MACHINE, WORDS, Refused
from serving.api_visit import log
from serving.pages import (
    changes,
    customer,
    customer_account,
    customer_story,
    data,
    lists,
    manager,
    manager_person,
    meeting,
    record,
    settings,
    sign_in,
    tasks,
    thresholds,
    today,
)
from serving.pages.templating import STATIC, TEMPLATES
from serving.pages.view import SignedOut, View, redirected, stranger
from serving.sessions import LONGEST_PATH
from serving.words.speech import text

#: The modules of all pages, each with its addresses as `router`; an id may hold a slash, so its parts come before it.
PAGES: tuple[Any, ...] = (
    today,
    tasks,
    lists,
    manager,
    manager_person,
    meeting,
    record,
    thresholds,
    data,
    settings,
    sign_in,
    changes,
    customer_account,
    customer_story,
    customer,
)
FIRST_RUN = text("Nothing to show yet")

#: The least that a file of orders holds, as somebody's own file may look.
EXAMPLE = (
    CONTRACT[REQUIRED_TABLE].required,
    ("C-001", "2026-0117", "2026-03-02", "1250.00"),
    ("C-001", "2026-0188", "2026-04-07", "980.50"),
    ("C-002", "2026-0131", "2026-03-15", "410.00"),
)


class Files(StaticFiles):
    """The files that pages load; their addresses change with what is in them, so that a browser may keep them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file, to be kept for a year."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


class Pages(FastAPI):
    """Leaves faults that nobody foresaw to whoever stands before it, instead of answering and raising them."""

    def build_middleware_stack(self) -> ASGIApp:
        """The stack without the part that answers faults."""
        inner: ASGIApp = super().build_middleware_stack().app  # type: ignore[attr-defined]
        return inner


def make_pages(state: Any) -> FastAPI:
    """The application of the pages; `state` is that of the service's own application."""
    # To an address without its last slash the framework would send on by http, whatever stands in front.
    app = Pages(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state = state
    for kind, handler in (
        (SignedOut, _to_sign_in), (Refused, _refused), (HTTPException, _by_framework),
        (RequestValidationError, _invalid), (StoreError, _unready), (KizashiError, _mistaken),
    ):  # fmt: skip
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]
    app.add_api_route("/static/kizashi.css", _shared_look, include_in_schema=False)
    app.mount("/static", Files(directory=STATIC))
    for page in PAGES:
        app.include_router(page.router)
    return app


def _shared_look() -> Response:
    """The look that the pages share with the story that stands alone."""
    return FileResponse(TEMPLATES / "kizashi.css", headers={"Cache-Control": "public, max-age=31536000, immutable"})


def _to_sign_in(request: Request, _: SignedOut) -> Response:
    if stranger(request).service.board.empty():  # there is nothing that anybody would have to sign in for
        return first_page(stranger(request))
    # as it was sent: an id may hold a slash or a space
    path = request.scope["raw_path"].decode("ascii", "replace") if request.method == "GET" else "/"
    query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
    onward = path + query
    # What the way in would not take is not handed to it: whoever signs in begins with the first page.
    kept = onward != "/" and len(onward) <= LONGEST_PATH
    return redirected(stranger(request).link("sign-in", next=onward if kept else ""))


def fault_page(request: Request, refused: Refused) -> HTMLResponse:
    """A page that says what could not be done and where to go on."""
    view = stranger(request)
    details = [f"{one['where']}: {one['problem']}" for one in refused.details if "where" in one]
    details += [one["reference"] for one in refused.details if "reference" in one]
    return view.page(
        "fault.html", title=view.say(WORDS.get(refused.status, WORDS[500])[1]), status=refused.status,
        message=refused.message(view.locale), details=details, code=refused.code,
    )  # fmt: skip


def _refused(request: Request, refused: Refused) -> Response:
    if refused.code == "nothing_published":
        return first_page(stranger(request))
    return fault_page(request, refused)


def first_page(view: View) -> HTMLResponse:
    """What is shown as long as nothing is published: the next command."""
    return view.page("first.html", title=view.say(FIRST_RUN), example=EXAMPLE)


def _by_framework(request: Request, fault: HTTPException) -> Response:
    return fault_page(request, Refused(fault.status_code if fault.status_code in WORDS else 400))


def _invalid(request: Request, _: RequestValidationError) -> Response:
    return fault_page(request, Refused(422))


def _unready(request: Request, fault: Exception) -> Response:
    log.error("%s", fault)
    return fault_page(request, Refused(503))


def _mistaken(request: Request, mistake: KizashiError) -> Response:
    if isinstance(mistake, OF_THE_MACHINE):
        log.warning("%s", mistake)
    return fault_page(request, Refused(422, error=mistake))
