"""What stands before every route: known hosts, small bodies, a ration of requests, safe headers, no traceback."""

import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api_errors import Refused, answer
from serving.words.speech import text

log = logging.getLogger("kizashi.api")

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
BODY_BYTES = 64 * 1024
#: Of the question in a page's address, which its links repeat.
QUERY_BYTES = 8 * 1024

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware that lets a request through to the application, or answers it itself.

    Parameters
    ----------
    hosts
        Names that the service is called by; a request for another was sent here by a trick with names.
    body_bytes
        No body may be larger.
    answering
        Makes the answer to a request that does not get through.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] = LOOPBACK,
        body_bytes: int = BODY_BYTES,
        answering: Callable[[Request, Refused], Response] = lambda request, refused: answer(refused, request.headers),
    ) -> None:
        self._app = app
        self._answering = answering
        self._hosts = frozenset(host.lower() for host in hosts)
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, reference, status = perf_counter(), secrets.token_hex(6), 0
        asked = Request(scope)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, "X-Request-Id": reference}.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            body = await self._admitted(scope, receive)
            await self._app(scope, _again(body, receive), sending)
        except Refused as refused:
            await self._answering(asked, refused)(scope, receive, sending)
        except Exception as fault:
            # The place and the kind alone: what an exception says may hold a customer's name.
            log.error("%s %s", reference, _place(fault))
            if status:  # half an answer is out: the connection has to break, or it would pass for a whole one
                raise ConnectionAbortedError(f"answer {reference} broke off") from None
            details = [{"reference": reference}]
            await self._answering(asked, Refused(500, details=details))(scope, receive, sending)
        finally:
            taken = 1000 * (perf_counter() - began)
            # Without the query: it may hold what somebody searched for.
            log.info("%s %s %s %d %.0f ms", reference, scope["method"], _line(scope["path"]), status, taken)

    async def _admitted(self, scope: Scope, receive: Receive) -> bytes:
        """The body of a request that may come in."""
        headers = Headers(scope=scope)
        if _host(headers.get("host", "")) not in self._hosts:
            raise Refused(400, "unknown_host", text("The service is not called by this name."))
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self._body_bytes:
            raise Refused(413)
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._body_bytes:
                raise Refused(413)
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return body


class Split:
    """ASGI middleware that sends the addresses of pages to their own application.

    Parameters
    ----------
    prefix
        Of the addresses that are not pages.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, pages: ASGIApp) -> None:
        self._app, self._prefix, self._pages = app, prefix, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one request on."""
        is_page = scope["type"] == "http" and not scope["path"].startswith(self._prefix)
        if is_page and len(scope["query_string"]) > QUERY_BYTES:
            raise Refused(400)
        await (self._pages if is_page else self._app)(scope, receive, send)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read once, to be read again."""
    told = False

    async def once() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    return re.sub(r":\d*$", "", header).lower()


def _line(path: str) -> str:
    # The secret of a link that leads in is no more for a log than a token is.
    path = re.sub(r"^(/+sign-in/).*", r"\1...", path, flags=re.DOTALL)
    return path.encode("ascii", "backslashreplace").decode().replace("\r", "").replace("\n", "")[:200]


def _place(fault: BaseException) -> str:
    trace = fault.__traceback__
    places = []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(fault).__name__} at {' > '.join(places[-6:])}"


class Ration:
    """So many requests a minute for each who asks; safe to share between threads.

    Parameters
    ----------
    clock
        Gives the moment.
    """

    def __init__(self, clock: Callable[[], datetime], per_minute: int) -> None:
        self._clock, self._per_minute = clock, per_minute
        self._minute = ""
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, who: str) -> None:
        """Count a request.

        Raises
        ------
        Refused
            If it is one too many (429).
        """
        minute = self._clock().isoformat(timespec="minutes")
        with self._lock:
            if minute != self._minute:
                self._minute, self._taken = minute, {}
            if self._taken.get(who, 0) >= self._per_minute:
                raise Refused(429)
            self._taken[who] = self._taken.get(who, 0) + 1
