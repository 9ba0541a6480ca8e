"""Whoever asks is answered in the language that they prefer, of those that there are."""

import pytest
from served import Served
from starlette.datastructures import Headers

from features.errors import SettingsError
from serving.api import PREFIX
from serving.api_errors import WORDS, Refused
from serving.api_languages import spoken
from serving.words.errors import error_text
from serving.words.speech import language

pytest_plugins = ["served_company"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "en"),
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("zh-CN", "zh"),
        ("zh-Hans-CN", "zh"),
        ("ZH", "zh"),
        ("en-GB,ja;q=0.9", "en"),
        ("en;q=0.5, ja;q=0.8", "ja"),
        ("ja;q=0.5, zh;q=0.5", "ja"),
        ("fr, de;q=0.9, zh;q=0.1", "zh"),
        ("fr", "en"),
        ("*", "en"),
        ("*, ja;q=0.5", "en"),
        ("ja;q=0", "en"),
        ("ja;q=0, zh;q=0.1", "zh"),
        ("ja;q=high", "en"),
        ("ja;q=nan", "en"),
        ("ja;q=7", "en"),
        ("ja;level=1", "en"),
        (";;,,=;q", "en"),
        ("../../etc/passwd", "en"),
    ],
)
def test_the_preferred_language_of_those_that_there_are_is_spoken(accept: str, expected: str) -> None:
    assert spoken(Headers({"accept-language": accept})) == expected


def test_a_header_that_comes_in_parts_is_one_header() -> None:
    assert spoken(Headers(raw=[(b"accept-language", b"fr"), (b"accept-language", b"ja")])) == "ja"


def test_nobody_who_says_nothing_gets_anything_but_english() -> None:
    assert spoken(Headers({})) == "en"


@pytest.mark.parametrize("locale", ["en", "ja", "zh"])
@pytest.mark.parametrize(
    ("who", "path", "status"),
    [("", "/customers", 401), ("viewer", "/ledger", 403), ("admin", "/episodes/e-none", 404), ("admin", "/none", 404)],
)
def test_an_error_is_told_in_the_caller_s_language(
    served: Served, locale: str, who: str, path: str, status: int
) -> None:
    headers = {**served.headers(who), "Accept-Language": locale}
    answer = served.client.get(f"{PREFIX}{path}", headers=headers)
    assert answer.status_code == status
    code, english = WORDS[status]
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"] == language(locale).words(english)
    assert answer.headers["Content-Language"] == locale
    assert "Accept-Language" in answer.headers["Vary"]


def test_a_host_or_body_that_is_refused_at_the_door_is_told_in_the_caller_s_language(served: Served) -> None:
    answer = served.client.get(f"{PREFIX}/health", headers={"Host": "elsewhere.example", "Accept-Language": "ja"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unknown_host"
    assert answer.json()["error"]["message"] == language("ja").words("The service is not called by this name.")
    assert answer.headers["Content-Language"] == "ja"


def test_a_mistake_keeps_its_line_after_the_headline_in_the_caller_s_language(served: Served) -> None:
    answers = {
        locale: served.client.get(
            f"{PREFIX}/customers?column=shoe_size", headers={**served.headers("admin"), "Accept-Language": locale}
        ).json()["error"]
        for locale in ("en", "ja", "zh")
    }
    lines = {locale: told["message"] for locale, told in answers.items()}
    mistake = SettingsError("there are no columns ['shoe_size'].")
    for locale, line in lines.items():
        assert line.startswith(error_text(mistake, locale).removesuffix("."))
    assert len(set(lines.values())) == 3
    assert {told["code"] for told in answers.values()} == {"invalid"}


def test_what_is_put_into_a_message_is_not_read_as_part_of_it() -> None:
    refused = Refused(404, message="There is no list of that name. Known: {names}.", names="{name} {0}")
    assert refused.message() == "There is no list of that name. Known: {name} {0}."
    assert "{name} {0}" in refused.message("ja")
    assert Refused(422, error=SettingsError("found '{x}'")).message("ja").endswith("found '{x}'")


def test_lists_have_titles_in_the_caller_s_language(served: Served) -> None:
    titles = {}
    for locale in ("en", "ja"):
        answer = served.client.get(
            f"{PREFIX}/lists", headers={**served.headers("viewer"), "Accept-Language": f"{locale};q=0.9"}
        )
        assert answer.headers["Content-Language"] == locale
        titles[locale] = {row["name"]: row["title"] for row in answer.json()["items"]}
    assert titles["en"]["red"] == "Red list: act this week"
    assert titles["ja"].keys() == titles["en"].keys()
    assert all(titles["ja"][name] != title for name, title in titles["en"].items())
