"""The page of the settings: what holds, what a change would do, and that the next run does just that."""

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from companies import DAY, Company
from paged import Paged, words_of
from served import NINE, Served

from features.errors import SettingsError
from models.levels import DEFAULT_PROMISES, Level, Levels
from pipelines.changed_settings import REPORT, checks, in_use
from pipelines.score import score
from pipelines.setting_effects import SettingEffects
from pipelines.settings import Settings, database_url
from serving.api_settings import MOST_PER_PERSON, NEW_PER_WEEK, PROFILE, THRESHOLDS, WEIGHTS, limits_now
from serving.ledger import Event, append
from serving.store import Store

pytest_plugins = ["served_company", "trained"]

SILENT = "lists.silent_days"
LEVELS = Levels(tuple(Level(name, p.precision, p.precision, p.largest_share) for name, p in DEFAULT_PROMISES.items()))


@pytest.fixture
def paged(served: Served) -> Paged:
    """The company with the settings of the program itself."""
    known = checks(Settings(), lambda: LEVELS)
    served.service = served.app.state.service = replace(served.service, changeable=known)
    return Paged(served)


def stored(paged: Paged) -> dict[str, Any]:
    return paged.served.service.store.settings()


def field_of(text: str, identity: str) -> str:
    found = re.search(rf'<input id="{identity}"[^>]* value="([^"]*)"', text)
    assert found, identity
    return found[1]


# Who may


@pytest.mark.parametrize("path", ["/settings", f"/settings/preview?name={SILENT}&value=40"])
def test_reps_see_no_settings(paged: Paged, path: str) -> None:
    assert paged.get("rep", path).status_code == 403


@pytest.mark.parametrize("who", ["viewer", "manager"])
def test_who_oversees_reads_and_only_administrators_change(paged: Paged, who: str) -> None:
    page = paged.get(who, "/settings")
    assert page.status_code == 200
    assert "Holds now: 30" in words_of(page)
    assert "/settings/preview" not in page.text
    assert "kizashi user add" not in page.text, "accounts are for administrators"
    preview = paged.get(who, f"/settings/preview?name={SILENT}&value=40")
    assert (preview.status_code, "<button>Save" in preview.text) == (200, False)
    refused = paged.post(who, f"/settings/{SILENT}", {"version": "0", "value": "40"})
    assert (refused.status_code, stored(paged)) == (403, {})


def test_accounts_are_listed_for_administrators(paged: Paged) -> None:
    told = words_of(paged.get("admin", "/settings"))
    for words in ("kizashi user add", "May look", "Sales person", "bob"):
        assert words in told


# A change


def test_a_change_is_saved_kept_with_its_author_and_can_be_set_back(paged: Paged) -> None:
    answer = paged.post("admin", f"/settings/{SILENT}", {"version": "0", "value": "40"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings?done=setting")
    assert stored(paged) == {SILENT: 40}
    page = paged.get("admin", "/settings?done=setting")
    told = words_of(page)
    assert "The setting is changed." in told
    assert re.search(r"admin ?Days without contact ?30 ?40", told)
    form = re.search(rf'action="/settings/{re.escape(SILENT)}">(.*?)</form>', page.text, re.DOTALL)
    assert form
    back = dict(re.findall(r'name="(version|value)" value="([^"]*)"', form[1]))
    assert back == {"version": "1", "value": "30"}
    assert paged.post("admin", f"/settings/{SILENT}", back).status_code == 303
    assert stored(paged) == {SILENT: 30}
    assert [e.event.payload["value"] for e in paged.served.service.store.history(kinds=["setting_changed"])] == [40, 30]


def test_what_another_has_changed_meanwhile_is_not_lost_and_what_was_typed_stays(paged: Paged) -> None:
    paged.post("admin", f"/settings/{SILENT}", {"version": "0", "value": "40"})
    late = paged.post("admin", f"/settings/{SILENT}", {"version": "0", "value": "50"})
    assert late.status_code == 409
    assert "Somebody else has changed this" in words_of(late)
    assert field_of(late.text, "lists-silent_days") == "50"
    assert stored(paged) == {SILENT: 40}


def test_a_form_that_comes_twice_is_done_once(paged: Paged) -> None:
    for _ in range(2):
        sent = paged.post("admin", f"/settings/{SILENT}", {"version": "0", "value": "40"}, key="k" * 20)
        assert sent.status_code == 303
    assert len(paged.served.service.store.history(kinds=["setting_changed"])) == 1


@pytest.mark.parametrize("value", ["abc", "0", "1e9", "3.5", "nan", "<b>1</b>"])
@pytest.mark.parametrize("way", ["preview", "save"])
def test_an_invalid_value_stays_in_the_form_with_a_line(paged: Paged, way: str, value: str) -> None:
    if way == "preview":
        answer = paged.client.get(
            "/settings/preview",
            params={"name": SILENT, "value": value},
            headers={"Cookie": "; ".join(f"{k}={v}" for k, v in paged.cookies("admin").items())},
        )
    else:
        answer = paged.post("admin", f"/settings/{SILENT}", {"version": "0", "value": value})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert field_of(answer.text, "lists-silent_days") == value.replace("<", "&lt;").replace(">", "&gt;")
    assert "<b>1" not in answer.text
    assert stored(paged) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"part.red": "40"}, {"part.red": "100"}, {"part.blue": "0"}, {"part.blue": "-5"}, {"part.purple": "50"},
        {"part.yellow": "x"}, {"part.yellow": "65"},
    ],
)  # fmt: skip
def test_thresholds_are_chances_that_fall_from_red_to_blue(paged: Paged, fields: dict[str, str]) -> None:
    answer = paged.post("admin", f"/settings/{THRESHOLDS}", {"version": "0", **fields})
    assert (answer.status_code, stored(paged)) == (422, {})


def test_thresholds_are_typed_in_per_cent_and_empty_ones_are_the_trainings(paged: Paged) -> None:
    sent = {"version": "0", "part.red": "72.5 %", "part.orange": "", "part.blue": "35,5"}
    assert paged.post("admin", f"/settings/{THRESHOLDS}", sent).status_code == 303
    assert stored(paged) == {THRESHOLDS: {"red": 0.725, "blue": 0.355}}
    page = paged.get("admin", "/settings").text
    assert [field_of(page, f"levels-thresholds-{one}") for one in DEFAULT_PROMISES] == ["72.5", "", "", "35.5"]
    nothing = {"version": "1", "part.red": "", "part.blue": ""}
    assert paged.post("admin", f"/settings/{THRESHOLDS}", nothing).status_code == 303
    assert stored(paged) == {THRESHOLDS: None}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (WEIGHTS, {"part.transaction": "100"}),
        (WEIGHTS, dict.fromkeys([f"part.{one}" for one in vars(Settings().health.set_weights())], "25")),
        (PROFILE, {"value": "bakery"}),
        (NEW_PER_WEEK, {"value": "0"}),
        (MOST_PER_PERSON, {"value": "2.5"}),
    ],
)
def test_values_that_the_file_would_refuse_are_refused_here(paged: Paged, name: str, fields: dict[str, str]) -> None:
    answer = paged.post("admin", f"/settings/{name}", {"version": "0", **fields})
    assert (answer.status_code, stored(paged)) == (422, {})
    assert "Traceback" not in answer.text


def test_room_for_tasks_changes_at_once_and_the_preview_says_so(paged: Paged) -> None:
    assert limits_now(paged.served.service).most_per_person == 15
    told = words_of(paged.get("admin", f"/settings/preview?name={MOST_PER_PERSON}&value=1"))
    assert re.search(r"Shown ?2 ?2 ?0", told), "one task of each of two owners"
    assert paged.post("admin", f"/settings/{MOST_PER_PERSON}", {"version": "0", "value": "1"}).status_code == 303
    assert limits_now(paged.served.service).most_per_person == 1


def test_settings_that_there_are_not_are_not_found(paged: Paged) -> None:
    assert paged.get("admin", "/settings/preview?name=nothing&value=1").status_code == 404
    assert paged.post("admin", "/settings/nothing", {"version": "0", "value": "1"}).status_code == 404


# What holds


def test_a_profile_takes_the_place_of_the_files_weights_and_own_weights_that_of_both() -> None:
    whole = {"transaction": 10.0, "interaction": 20.0, "service": 30.0, "finance": 30.0, "strategy": 10.0}
    file = Settings.model_validate({"health": {"weights": {"transaction": 40.0, "interaction": 15.0}}})
    assert in_use(file, {}).health == file.health
    assert in_use(file, {PROFILE: None, WEIGHTS: None}).health == file.health
    assert vars(in_use(file, {PROFILE: "project"}).health.set_weights())["interaction"] == 35
    assert vars(in_use(file, {PROFILE: "project", WEIGHTS: whole}).health.set_weights()) == whole
    with pytest.raises(SettingsError, match=r"health\.weights: .*in sum 90"):
        in_use(file, {WEIGHTS: {**whole, "service": 20.0}})


# The next run


def set_to(store: Store, name: str, value: Any) -> None:
    with store.writing() as connection:
        append(connection, [Event("setting_changed", "Zoe", NINE, {"name": name, "value": value, "version": 1})])


@pytest.mark.parametrize("name", [THRESHOLDS, PROFILE])
def test_the_preview_is_what_the_next_run_does(company: Company, tmp_path: Any, name: str) -> None:
    out = company.register_at(tmp_path / "out")
    intake = company.taken_in(out, DAY)
    score(intake)
    with Store.open(database_url(intake.settings, out)) as store:
        effects = SettingEffects(intake.settings, out, store)
        solved = effects.usual()[THRESHOLDS]
        on = [level for level, one in solved.items() if one is not None]
        assert on, "the training opened some level"
        higher = {level: solved[level] + (1 - solved[level]) / 2 for level in on}
        value: Any = higher if name == THRESHOLDS else "project"
        told = effects.levels(name, value).set_index("customer_id")
        before = store.scores(DAY).set_index("customer_id")["level"]
        pd.testing.assert_series_equal(told["before"], before, check_names=False, check_dtype=False)
        moved = told.index[told["before"] != told["after"]]
        assert len(moved) > 0, "a preview without a move would prove nothing"
        assert store.settings() == {}, "a preview stores nothing"
        set_to(store, name, value)
    score(intake, supersede=True)
    with Store.open(database_url(intake.settings, out)) as store:
        after = store.scores(DAY).set_index("customer_id")["level"]
        pd.testing.assert_series_equal(told["after"], after, check_names=False, check_dtype=False)
        assert store.report(DAY, REPORT) == {name: value}, "the day says what it went by"
        again = SettingEffects(intake.settings, out, store).levels(name, None)
        assert (again.set_index("customer_id")["after"] == before).all(), "set back, all is as it was"


def test_thresholds_that_are_set_leave_the_others_and_know_nothing_of_their_past() -> None:
    known = replace(LEVELS.levels[0], precision=0.7, n=50)
    levels = Levels((known, *LEVELS.levels[1:])).with_thresholds({"red": 0.9})
    assert [level.threshold for level in levels.levels] == [0.9, 0.6, 0.5, 0.4]
    assert (levels.levels[0].precision, levels.levels[0].n, levels.levels[0].promised) == (None, 0, 0.7)
    same = Levels((known, *LEVELS.levels[1:])).with_thresholds({"red": 0.7})
    assert same.levels[0] == known, "what is as solved keeps its record"
    with pytest.raises(SettingsError, match=r"red begins at 0\.5, below orange at 0\.6"):
        LEVELS.with_thresholds({"red": 0.5})
