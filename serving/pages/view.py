"""One page for one person: who looks, in what language, and how figures and addresses are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pandas as pd
from babel import Locale, dates
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response

from serving.access import ACT, EVERYONE, EXPORT, LEAD, READ, SET, Caller
from serving.api_errors import Refused
from serving.api_languages import spoken
from serving.api_visit import Service, Visit, service_of
from serving.change_words import money, not_known
from serving.charts import SIGNS
from serving.pages.templating import templates, version
from serving.sessions import Session, cookie_of, let_in, session_of
from serving.wording import level_name
from serving.words.quantities import Speaker
from serving.words.speech import LANGUAGES, Language, Plural, language, text

#: The cookie of the language that a person chose.
LANGUAGE_COOKIE = "kizashi_language"
#: What a browser may load for a page: nothing but what this service gives.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # without it forms would not tell their origin
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # the page, its style and its words depend on who looks
    "Vary": "Cookie, Accept-Language, HX-Request",
}
#: Names of the languages, each in itself.
TONGUES = {"en": "English", "ja": "日本語", "zh": "中文"}
#: A published day that is older counts as stale: over a long weekend nobody needs to be alarmed.
STALE_DAYS = 4
#: Address, right and name of the pages that one can go to.
PLACES = (
    ("today", "/", READ, text("Today")),
    ("tasks", "/tasks", READ, text("Tasks")),
    ("lists", "/lists", READ, text("Lists")),
    ("manager", "/manager", EVERYONE, text("Team")),
    ("record", "/record", EVERYONE, text("Track record")),
    ("data", "/data", EVERYONE, text("Data")),
    ("settings", "/settings", EVERYONE, text("Settings")),
)


STALE = text(
    "These lists are of {day}: no newer day is published. Please have somebody see why `kizashi score` did not run."
)


class SignedOut(Exception):
    """Nobody is signed in: the way in is shown instead."""


@dataclass
class View:
    """One request of a person, and everything that its page is written with.

    Attributes
    ----------
    visit
        Who looks, and when; None where nobody is signed in.
    locale
        ``en``, ``ja`` or ``zh``.
    session
        The sign-in; None where nobody is signed in.
    problem
        One line: why what was sent was not done.
    typed
        What was typed into a form that was refused, by the names of its fields.
    """

    request: Request
    service: Service
    locale: str
    visit: Visit
    session: Session | None = None
    problem: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """What every form has to bear; "" where nobody is signed in."""
        return "" if self.session is None else self.session.token

    # Words

    @cached_property
    def words(self) -> Language:
        """The language of the page."""
        return language(self.locale)

    @cached_property
    def speaker(self) -> Speaker:
        """Who puts figures into words."""
        return Speaker(self.words, self.service.currency)

    def say(self, message: str, **phrases: object) -> str:
        """A message in the reader's language."""
        return self.words.words(message, **{name: str(phrase) for name, phrase in phrases.items()})

    def count(self, one: str | Plural, many: str | int, number: int | None = None) -> str:
        """A counted phrase: ``count(plural, n)``, or in a template ``count("{n} task", "{n} tasks", n)``."""
        message = one if isinstance(one, Plural) else Plural(one, str(many))
        n = int(many) if isinstance(one, Plural) else int(number or 0)
        return self.words.count(message, n, self.number(n))

    def number(self, value: float | None, decimals: int = 0) -> str:
        """A number with the separators of the language; a dash where it is unknown."""
        return DASH if unknown(value) else self.speaker.number(float(value), decimals)  # type: ignore[arg-type]

    def share(self, value: float | None) -> str:
        """A share in per cent; a dash where it is unknown."""
        return DASH if unknown(value) else self.speaker.share(float(value))  # type: ignore[arg-type]

    def money(self, value: float | None) -> str:
        """An amount in the company's currency; a dash where it is unknown."""
        return DASH if unknown(value) else money(float(value), self.locale, self.service.currency)  # type: ignore[arg-type]

    def days(self, value: float | None) -> str:
        """A number of days in words; a dash where it is unknown."""
        return DASH if unknown(value) else self.speaker.phrase("days", float(value))  # type: ignore[arg-type]

    def day(self, value: date | str | None) -> str:
        """A day; a dash where it is unknown."""
        if unknown(value):
            return DASH
        day = date.fromisoformat(value[:10]) if isinstance(value, str) else value
        return _day(day, self.words.locale)

    def moment(self, value: datetime | str | None) -> str:
        """A moment in the company's time zone; a dash where it is unknown."""
        if value is None or unknown(value):
            return DASH
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        here = moment.astimezone(self.service.zone)
        return str(dates.format_datetime(here, "short", tzinfo=self.service.zone, locale=self.words.locale))

    @property
    def unknown(self) -> str:
        """What is said of what nobody knows."""
        return not_known(self.locale)

    def level(self, code: str) -> dict[str, str]:
        """A level as the templates show it."""
        return {"code": code, "sign": SIGNS[code], "name": level_name(code, self.locale)}

    # Addresses

    def may(self, right: str) -> bool:
        """Whether who looks may do something."""
        return self.visit.caller.may(right)

    @property
    def path(self) -> str:
        """The path of this page, as an address has it."""
        # Two slashes in front would name another host wherever this stands in a link.
        return "/" + quote(self.request.scope["path"].lstrip("/"), safe="/")

    @property
    def here(self) -> str:
        """The address of this page with its question."""
        query = self.request.url.query
        return self.path + (f"?{query}" if query else "")

    def link(self, *path: str, **query: object) -> str:
        """An address of this service: the parts of its path, and what is asked; what is empty or None is left out."""
        asked = [(name, value) for name, value in query.items() if value not in (None, "", [], ())]
        words = urlencode(asked, doseq=True)
        return "/" + "/".join(quote(part, safe="") for part in path) + (f"?{words}" if words else "")

    def again(self, **changes: object) -> str:
        """The address of this page with some of its question changed; None takes it away."""
        kept = [(k, v) for k, v in self.request.query_params.multi_items() if k not in changes and k != "done"]
        more = [(name, value) for name, value in changes.items() if value not in (None, "")]
        words = urlencode([*kept, *more], doseq=True)
        return self.path + (f"?{words}" if words else "")

    def asked(self, **more: object) -> str:
        """The question of this page's address with more, for another address that is asked the same."""
        question = self.again(page=None, lang=None, **more).partition("?")[2]
        return f"?{question}" if question else ""

    @staticmethod
    def key() -> str:
        """A new key for a form: what is sent twice is done once."""
        return uuid4().hex

    # Answers

    def page(self, template: str, *, title: str, here: str = "", status: int = 200, **context: Any) -> HTMLResponse:
        """A page.

        Parameters
        ----------
        here
            Which of :data:`PLACES` it belongs to.
        """
        shared = {"title": title, "place": here, "places": self.places(), "stale": self.stale()}
        return self.answer(template, status, **shared, **context)

    def answer(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A template as it is sent."""
        done = DONE.get(self.request.query_params.get("done", ""))
        told = {
            "view": self, "say": self.say, "count": self.count, "typed": self.typed, "lang": self.locale,
            "done": self.say(done) if done else "", "tongues": TONGUES, "stale": "",
            "files": version(), "places": [], "place": "",
        }  # fmt: skip
        html = templates().get_template(template).render({**told, **context})
        answer = HTMLResponse(html, status, headers={**HEADERS, "Content-Language": self.locale})
        chosen = self.request.query_params.get("lang")
        if chosen in LANGUAGES:
            answer.set_cookie(LANGUAGE_COOKIE, chosen, max_age=365 * 86400, httponly=True, samesite="lax")
        sessions = self.service.sessions
        if self.session is not None and sessions is not None and (renewed := sessions.renewed(self.session)):
            let_in(answer, self.request, renewed)
        return answer

    def stale(self) -> str:
        """That the newest published day is old; "" where it is not."""
        published = None if self.session is None else self.service.board.published()
        if published is None or (self.visit.today - published.run.as_of).days <= STALE_DAYS:
            return ""
        return self.say(STALE, day=self.day(published.run.as_of))

    def places(self) -> list[dict[str, str]]:
        """The pages that who looks may go to."""
        if self.session is None:
            return []
        return [
            {"code": code, "address": address, "name": self.say(name)}
            for code, address, right, name in PLACES
            if self.may(right)
        ]


#: What stands where a figure is not known.
DASH = "\N{EN DASH}"
#: What is said after something was done, by the code that the address then bears; forms fill it as they are offered.
DONE: dict[str, str] = {}


@lru_cache(maxsize=4096)
def _day(day: date, locale: Locale) -> str:
    """A day in a language; pages write the same ones again and again."""
    return str(dates.format_date(day, "medium", locale=locale))


def unknown(value: Any) -> bool:
    """Whether a figure or day is not known."""
    return value is None or value == "" or bool(pd.isna(value))


def first_of(page: int, total: int, most: int) -> int:
    """How many of `total` rows stand before a page of `most` rows; a page beyond the last is the last."""
    return min((page - 1) * most, max(total - 1, 0) // most * most)


def locale_of(request: Request, usual: str | None = None) -> str:
    """The language of a page: what its address asks for, what was chosen once, the account's, the browser's."""
    for asked in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE), usual):
        if asked in LANGUAGES:
            return asked
    return spoken(request.headers)


@dataclass(frozen=True)
class Shows:
    """Lets a person in whose role has a right; the dependency of every page but those to sign in."""

    right: str

    def __call__(self, request: Request) -> View:
        """The view of who is signed in.

        Raises
        ------
        SignedOut
            If nobody is.
        Refused
            403 without the right, 429 where the ration is used up.
        """
        service = service_of(request)
        if service.sessions is None:
            raise SignedOut
        with service.store.reading() as connection:
            found = session_of(connection, service.sessions, cookie_of(request))
        if found is None:
            raise SignedOut
        session, account = found
        if service.board.empty():
            raise Refused(503, "nothing_published")
        caller, now = account.caller, service.clock()
        service.requests.take(caller.token_id)
        if not caller.may(self.right):
            raise Refused(403, message=NOT_YOURS)
        visit = Visit(service, caller, now, f"{request.method} {request.scope['path']}")
        return View(request, service, locale_of(request, account.language), visit, session)


NOT_YOURS = text("This page is not for your role. Ask whoever keeps the accounts.")

Reading = Annotated[View, Depends(Shows(READ))]
Acting = Annotated[View, Depends(Shows(ACT))]
Overseeing = Annotated[View, Depends(Shows(EVERYONE))]
Exporting = Annotated[View, Depends(Shows(EXPORT))]
Leading = Annotated[View, Depends(Shows(LEAD))]
Setting = Annotated[View, Depends(Shows(SET))]


def stranger(request: Request) -> View:
    """The view of somebody who is not signed in: words and formats, no rights."""
    service = service_of(request)
    nobody = Visit(service, Caller("", "", "viewer"), service.clock(), "")
    return View(request, service, locale_of(request), nobody)


def redirected(address: str) -> Response:
    """Send the browser on with a GET; `address` is one of ours."""
    return Response(status_code=303, headers={"Location": address, **HEADERS})
