"""The service over HTTP: what programs call is under ``/api/v1``, docs/api.md says how; all else is pages."""

from collections.abc import Iterable
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from features.errors import KizashiError, StoreError
from serving import api_company, api_customers, api_errors, api_lists, api_loop, api_story
from serving.api_errors import OF_THE_MACHINE, Refused, answer, documented
from serving.api_guard import LOOPBACK, Guard, Split
from serving.api_models import Health
from serving.api_visit import Service, log, service_of
from serving.pages.app import fault_page, make_pages

PREFIX = "/api/v1"

_INTRODUCTION = """\
Warnings of customers that may stop ordering, the lists and tasks of a day, and what people made of them.

Every address but `/api/v1/health` wants a token of `kizashi token create`, sent as `Authorization: Bearer TOKEN`. Every
POST wants an `Idempotency-Key`. Every error has one shape: `{"error": {"code", "message", "details"}}`;
its message is in the language of `Accept-Language` (English, Japanese or Chinese), its code is the same in all.
"""

open_to_all = APIRouter(responses=documented(400, 429, 500, 503))


def make_app(service: Service, *, hosts: Iterable[str] = ()) -> FastAPI:
    """The application of a service.

    Parameters
    ----------
    hosts
        Names by which it may be called, besides those of the machine itself.
    """
    app = FastAPI(
        title="Kizashi",
        version=version("kizashi"),
        description=_INTRODUCTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the pages of the framework load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # it would send a token on by http, whatever stands in front
        generate_unique_id_function=_operation,
        separate_input_output_schemas=False,
    )
    app.state.service = service
    api_errors.install(app)
    app.add_exception_handler(StoreError, _unready)
    app.add_exception_handler(KizashiError, _mistaken)  # type: ignore[arg-type]
    app.add_middleware(Split, prefix="/api/", pages=make_pages(app.state))
    app.add_middleware(Guard, hosts=(*LOOPBACK, *hosts), answering=_answer)
    # The parts of a customer come before the customer: an id may hold a slash.
    parts = (api_lists, api_story, api_customers, api_loop, api_company)
    for router in (open_to_all, *(part.router for part in parts)):
        app.include_router(router, prefix=PREFIX)
    return app


def _answer(request: Request, refused: Refused) -> Response:
    """What is said of a request that never came to a route: to programs as JSON, to people as a page."""
    return answer(refused, request.headers) if _of_programs(request) else fault_page(request, refused)


def _of_programs(request: Request) -> bool:
    return str(request.scope["path"]).startswith("/api/")


def _operation(route: APIRoute) -> str:
    return route.name


def _unready(request: Request, fault: Exception) -> Response:
    """A database that does not answer: its words, which name a place, are for the log."""
    log.error("%s", fault)
    return answer(Refused(503), request.headers)


def _mistaken(request: Request, mistake: KizashiError) -> Response:
    if isinstance(mistake, OF_THE_MACHINE):
        log.warning("%s", mistake)
    return answer(Refused(422, error=mistake), request.headers)


@open_to_all.get("/health", tags=["service"])
def health(request: Request) -> Health:
    """Whether the service can do its work: what is published, and how many notices could not be delivered."""
    service = service_of(request)
    dead = len(service.store.notices(state="dead"))
    published = service.board.published()
    return Health(
        status="no_data" if published is None else "notices_dead" if dead else "ok",
        version=version("kizashi"),
        as_of=None if published is None else published.run.as_of,
        published_at=None if published is None else published.published_at.isoformat(),
        dead_notices=dead,
    )
