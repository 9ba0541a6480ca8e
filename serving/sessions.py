"""Who is signed in to the pages: a signed cookie, the token that every form bears, and whether a form is our own.

Nothing is kept of a session: its cookie says whose it is and since when, and is signed with the service's key. It ends
after :data:`MOST_AGE` without a visit, :data:`LONGEST` after the sign-in, and whenever the account's epoch is raised.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from serving.accounts import Account, signed_in

#: Address of the page where people sign in; a link is this, a slash and its secret.
SIGN_IN = "/sign-in"
#: The cookie's name; by https the browser itself sees to it that no other host can set the second one.
COOKIE, SECURE_COOKIE = "kizashi_session", "__Host-kizashi_session"
#: A cookie is good for so long.
MOST_AGE = timedelta(days=7)
#: One that is older is made anew at the next visit.
RENEWED = timedelta(days=1)
#: However often it was made anew, somebody signed in so long ago signs in again.
LONGEST = timedelta(days=30)

#: Characters of a path to go on to at most.
LONGEST_PATH = 2000
#: What stands in an address as it is; letters of other alphabets do not go into a header.
_SAFE = "/?&=%#:;,@+!$'()*~-._"


@dataclass(frozen=True)
class Session:
    """One sign-in in one browser.

    Attributes
    ----------
    name, epoch
        Of the account.
    token
        What a form of this session has to bear; the same for as long as the session lasts.
    issued_at, began_at
        When this cookie was made, and when the person signed in.
    """

    name: str
    epoch: int
    token: str
    issued_at: datetime
    began_at: datetime
    mark: str

    def bears(self, token: str) -> bool:
        """Whether a form's token is this session's."""
        return hmac.compare_digest(self.token.encode(), token.encode("utf-8", "replace"))


class Sessions:
    """Makes cookies and reads them.

    Parameters
    ----------
    key
        The service's secret, at least 32 bytes; whoever has it can sign in as anybody.
    clock
        Gives the moment with its zone.
    """

    def __init__(self, key: bytes, clock: Callable[[], datetime]) -> None:
        self._clock = clock

        class Signer(TimestampSigner):
            """Takes its moments from the service's clock."""

            def get_timestamp(self) -> int:
                """The moment in seconds since 1970."""
                return int(clock().timestamp())

        self._serializer = URLSafeTimedSerializer(
            key,
            salt="kizashi.session",
            signer=Signer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
        self._forms = hmac.digest(key, b"kizashi.form", "sha256")

    def issue(self, name: str, epoch: int) -> str:
        """The cookie of a new session."""
        return self._signed(name, epoch, secrets.token_urlsafe(16), int(self._clock().timestamp()))

    def renewed(self, session: Session) -> str | None:
        """A new cookie of the same session, whose forms stay good; None as long as the one that is there is young."""
        if self._clock() - session.issued_at < RENEWED:
            return None
        return self._signed(session.name, session.epoch, session.mark, int(session.began_at.timestamp()))

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None if we did not sign it, or it is too old."""
        if not cookie.isascii():
            return None
        try:
            (name, epoch, mark, began), issued_at = self._serializer.loads(
                cookie, max_age=int(MOST_AGE.total_seconds()), return_timestamp=True
            )
        except BadData:
            return None
        began_at = datetime.fromtimestamp(began, UTC)
        if self._clock() - began_at > LONGEST:
            return None
        token = hmac.new(self._forms, f"{mark}\n{epoch}\n{name}".encode(), "sha256").hexdigest()
        return Session(name, epoch, token, issued_at, began_at, mark)

    def _signed(self, name: str, epoch: int, mark: str, began: int) -> str:
        return str(self._serializer.dumps([name, epoch, mark, began]))


def cookie_of(request: HTTPConnection) -> str:
    """The cookie of a request, "" where there is none; by https only the one that no other host can have set."""
    secure = request.cookies.get(SECURE_COOKIE, "")
    return secure or ("" if by_https(request) else request.cookies.get(COOKIE, ""))


def let_in(response: Response, request: HTTPConnection, cookie: str) -> None:
    """Give the browser a session's cookie.

    A browser sends the secure one by https alone, so that it is made anew as a secure one whatever a proxy says.
    """
    secure = by_https(request) or SECURE_COOKIE in request.cookies
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        cookie,
        max_age=int(MOST_AGE.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def let_out(response: Response) -> None:
    """Have the browser forget its session."""
    for name in (COOKIE, SECURE_COOKIE):
        response.delete_cookie(name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="lax")


def session_of(connection: Any, sessions: Sessions, cookie: str) -> tuple[Session, Account] | None:
    """The session of a cookie and its account; None where it is none, has ended, or the account is disabled."""
    session = sessions.read(cookie) if cookie else None
    account = signed_in(connection, session.name, session.epoch) if session else None
    return None if session is None or account is None else (session, account)


def by_https(request: HTTPConnection) -> bool:
    """Whether the browser came by https, be it to a proxy that says so.

    Whoever makes this up changes nothing but the attributes of their own cookie.
    """
    if request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "").lower() == "https":
        return True
    return _origin(request)[0] == "https"


def same_origin(request: HTTPConnection) -> bool:
    """Whether a form was sent by a page of ours, or by the person alone: as the browser says, which pages cannot alter.

    Browsers that do not say it (``Sec-Fetch-Site``), as those that came by http, name the page's origin; who names
    neither is refused. A page must not ask for ``Referrer-Policy: no-referrer``, by which the origin becomes null.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    host = request.headers.get("host", "").lower()
    return bool(host) and _origin(request)[1] == host


def _origin(request: HTTPConnection) -> tuple[str, str]:
    """The scheme of the page that a form stood on, and its host with the port."""
    scheme, _, host = request.headers.get("origin", "").lower().partition("://")
    return scheme, host


def local_path(wanted: str) -> str:
    """Where to go on to: a path of this service, else its first page.

    Browsers read a backslash as a slash, and pass over tabs and line breaks: no such character is let through.
    """
    fits = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and len(wanted) <= LONGEST_PATH
    return quote(wanted, safe=_SAFE) if fits and wanted.isprintable() and " " not in wanted else "/"
