"""The way in and out: a name with a password, or a link that leads in once.

Opening a link shows whose it is and uses nothing up, since programs that preview messages open links, too; the button
does. A wrong name and a wrong password are answered alike.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from serving.accounts import Account, account_of_link, any_account, by_password, folded, use_link
from serving.api_errors import Refused
from serving.api_visit import log, service_of
from serving.pages.forms import FOREIGN, Sent
from serving.pages.view import View, redirected, stranger
from serving.sessions import (
    LONGEST_PATH,
    SIGN_IN,
    Session,
    Sessions,
    cookie_of,
    let_in,
    let_out,
    local_path,
    same_origin,
    session_of,
)
from serving.words.speech import text

TITLE = text("Sign in")
WRONG = text("The user name or the password is wrong, or the account is disabled.")
GONE = text("This link was used already, or it is too old. Ask whoever keeps the accounts for a new one.")
SIGN_OUT = text("You are signed out.")


def _sessions(request: Request) -> Sessions:
    sessions = service_of(request).sessions
    if sessions is None:
        raise Refused(404)
    return sessions


router = APIRouter(dependencies=[Depends(_sessions)])

Next = Annotated[str, Query(alias="next", max_length=LONGEST_PATH)]
Secret = Annotated[str, Path(max_length=100)]


@router.get(SIGN_IN)
def way_in(request: Request, then: Next = "", out: bool = False) -> Response:
    """The form of name and password; who is signed in goes straight on."""
    if _present(request) is not None:
        return redirected(local_path(then))
    view = stranger(request)
    return _form(view, then, said=view.say(SIGN_OUT) if out else "")


@router.post(SIGN_IN)
def by_name(request: Request, fields: Sent) -> Response:
    """Sign in by name and password."""
    view, name, then = stranger(request), _one(fields, "name"), _one(fields, "next")
    try:
        _fair(request, folded(name))
        with view.service.store.reading() as connection:
            account = by_password(connection, name, _one(fields, "password"))
        if account is None:
            log.warning("a name and password were refused")
            raise Refused(401, message=WRONG)
    except Refused as refusal:
        view.problem, view.typed = refusal.message(view.locale), {"name": name}
        return _form(view, then, refusal.status)
    return _let_in(request, account, local_path(then))


@router.get(SIGN_IN + "/{secret}")
def link(request: Request, secret: Secret) -> Response:
    """Whom a link leads in, and the button that does; who is signed in as the same goes straight on."""
    view, present = stranger(request), _present(request)
    with view.service.store.reading() as connection:
        account = account_of_link(connection, secret, view.visit.now)
    if present is not None and (account is None or account.name == present[1].name):
        return redirected("/")
    return _confirm(view, secret, account)


@router.post(SIGN_IN + "/{secret}")
def by_link(request: Request, secret: Secret) -> Response:
    """Sign in by a link, and use it up."""
    view = stranger(request)
    try:
        _fair(request)
    except Refused as refusal:
        view.problem = refusal.message(view.locale)
        with view.service.store.reading() as connection:
            found = account_of_link(connection, secret, view.visit.now)
        return _confirm(view, secret, found, refusal.status)
    with view.service.store.writing() as connection:
        account = use_link(connection, secret, view.visit.now)
    if account is None:
        log.warning("a link was refused")
        return _confirm(view, secret, None)
    return _let_in(request, account, "/")


@router.post("/sign-out")
def way_out(request: Request, fields: Sent) -> Response:
    """Sign out in this browser."""
    present = _present(request)
    if not same_origin(request) or (present is not None and not present[0].bears(_one(fields, "csrf"))):
        raise Refused(403, "foreign_form", FOREIGN)
    answer = redirected(f"{SIGN_IN}?out=1")
    let_out(answer)
    return answer


def _form(view: View, then: str, status: int = 200, said: str = "") -> Response:
    with view.service.store.reading() as connection:
        alone = not any_account(connection)
    onward = local_path(then)
    return view.page(
        "sign_in.html", title=view.say(TITLE), status=status, account=None, action=SIGN_IN, alone=alone, said=said,
        then="" if onward == "/" else onward,
    )  # fmt: skip


def _confirm(view: View, secret: str, account: Account | None, status: int = 200) -> Response:
    if account is None:
        view.problem = view.problem or view.say(GONE)
        return _form(view, "", 410 if status == 200 else status)
    return view.page(
        "sign_in.html", title=view.say(TITLE), status=status, account=account, action=view.link("sign-in", secret),
        said="", then="", alone=False,
    )  # fmt: skip


def _let_in(request: Request, account: Account, onward: str) -> Response:
    answer = redirected(onward)
    let_in(answer, request, _sessions(request).issue(account.name, account.epoch))
    log.info("%s signed in", account.caller.token_id)
    return answer


def _fair(request: Request, name: str = "") -> None:
    """Refuse what another site has sent (403), and one attempt too many of an address or for a name (429)."""
    if not same_origin(request):
        raise Refused(403, "foreign_form", FOREIGN)
    attempts = service_of(request).attempts
    attempts.take(request.client.host if request.client else "")
    if name:
        # Shortened: whoever sends a name decides how much of it is kept for a minute.
        attempts.take(f"name {name[:100]}")


def _present(request: Request) -> tuple[Session, Account] | None:
    sessions = _sessions(request)
    with service_of(request).store.reading() as connection:
        return session_of(connection, sessions, cookie_of(request))


def _one(fields: dict[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[-1]
