"""The language that a caller is answered in."""

from typing import Annotated

from babel import negotiate_locale
from fastapi import Depends, Request, Response
from starlette.datastructures import Headers

from serving.words.speech import LANGUAGES

ENGLISH = LANGUAGES[0]


def spoken(headers: Headers) -> str:
    """The language that a caller prefers (``Accept-Language``) among those that there are; English where there is none.

    A tag with a country or a script is its language: ``zh-CN`` is ``zh``. What is no tag is passed over.
    """
    wanted: list[tuple[float, str]] = []
    for part in ",".join(headers.getlist("accept-language")).split(","):
        tag, _, weight = (piece.strip() for piece in part.partition(";"))
        wanted.append((_weight(weight), ENGLISH if tag == "*" else tag.lower()))
    # sorted() keeps the order of tags that weigh the same
    tags = [tag for weight, tag in sorted(wanted, key=lambda one: -one[0]) if weight > 0 and tag]
    return negotiate_locale(tags, LANGUAGES, sep="-") or ENGLISH


def _told_in(request: Request, response: Response) -> str:
    """The caller's language, said in the headers of the answer."""
    locale = spoken(request.headers)
    response.headers.update(of_language(locale))
    return locale


#: Of a route whose words are in the caller's language.
Tongue = Annotated[str, Depends(_told_in)]


def of_language(locale: str) -> dict[str, str]:
    """The headers of an answer whose words depend on who asked."""
    return {"Content-Language": locale, "Vary": "Accept-Language"}


def _weight(parameter: str) -> float:
    """The number of ``q=0.8``: 1 where nothing is said, 0 where it is no number from 0 to 1."""
    if not parameter:
        return 1.0
    name, _, number = parameter.partition("=")
    try:
        weight = float(number) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
