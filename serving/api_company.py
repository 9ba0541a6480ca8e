"""The company as a whole: runs, reports, plays and what was learned, settings, and who one is."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from serving.access import ROLES
from serving.api_data import customer_of, episode_of, one, page, plainly, seen
from serving.api_errors import Refused, documented
from serving.api_models import One, Page, SettingBody
from serving.api_once import once
from serving.api_settings import changeable
from serving.api_visit import Id, Key, Limit, Offset, Overseer, Reader, Setter, Visit, Word
from serving.ledger import Event, append
from serving.loop_rows import found, frame, told
from serving.migrations.loop_tables import SETTING
from serving.plays import PLAYS, advice, case_book, contributions_of, knowledge, play_name, play_record
from serving.words.speech import text

router = APIRouter(responses=documented(400, 401, 403, 404, 413, 422, 429, 500, 503))


@router.get("/me", tags=["service"])
def me(visit: Reader) -> One:
    """Who the token says one is, and what one may do."""
    who = visit.caller
    return one(
        {
            "name": who.name,
            "role": who.role,
            "owner": who.owner,
            "may": sorted(ROLES[who.role]),
            "today": visit.today,
        }
    )


@router.get("/runs", tags=["company"])
def runs(visit: Reader, limit: Limit = 50, offset: Offset = 0) -> Page:
    """The published days, the newest first: of which model and data each is."""
    return page(visit.service.store.runs().iloc[::-1].reset_index(drop=True), limit, offset)


@router.get("/reports", tags=["company"])
def reports(visit: Overseer) -> Page:
    """The names of what the newest day tells of the company as a whole."""
    day = visit.service.board.newest()
    names = [{"name": name} for name in visit.service.store.reports(day.as_of)]
    return page(names, len(names), 0, day)


@router.get("/reports/{name}", tags=["company"])
def report(visit: Overseer, name: Id) -> One:
    """One of the reports of the newest day, such as the track record of warnings."""
    day = visit.service.board.newest()
    held = visit.service.store.reports(day.as_of)
    if name not in held:
        words = text("There is no report of that name. Known: {names}.")
        raise Refused(404, "no_such_report", words, names=", ".join(held) or "-")
    return one({"as_of": day.as_of, "name": name, "content": held[name]})


def cases(visit: Visit) -> Any:
    """Every warning whose record is final, with what was planned and learned."""
    store = visit.service.store
    return case_book(frame(store, "episode"), frame(store, "outcome"), told(store, "step_moved"))


@router.get("/plays", tags=["company"])
def plays(visit: Reader) -> Page:
    """What can be done about a warning, and how often it ended well for each class of reasons."""
    record = play_record(cases(visit))
    rows = [
        {"play": play, "name": play_name(play), "record": plainly(record[record["play"] == play].drop(columns="play"))}
        for play in dict.fromkeys([*PLAYS, *record["play"]])
    ]
    return page(rows, len(rows), 0)


@router.get("/episodes/{episode_id}/plays", tags=["warnings"])
def plays_for(visit: Reader, episode_id: Id) -> Page:
    """What to do about a warning, the first to be tried first."""
    customer_id = episode_of(visit, episode_id)["customer_id"]
    day, _ = customer_of(visit, customer_id)
    reasons, signals = (rows[rows["customer_id"] == customer_id] for rows in (day.reasons, day.signals))
    least = visit.service.limits.least_cases_of_a_play
    advised = advice(contributions_of(reasons, signals), play_record(cases(visit)), least=least)
    rows = [{**vars(play), "name": play_name(play.play), "share": plainly(play.share)} for play in advised]
    return page(rows, len(rows), 0, day)


@router.get("/knowledge", tags=["company"])
def knowledge_base(visit: Reader, reason_class: Word = None, limit: Limit = 50, offset: Offset = 0) -> Page:
    """Cases that ended well, the newest first: what was the matter, what was done, what was learned."""
    return page(seen(visit, knowledge(cases(visit), reason_class)), limit, offset)


@router.get("/notices", tags=["company"])
def notices(visit: Overseer, state: Word = None, limit: Limit = 50, offset: Offset = 0) -> Page:
    """Notices on their way out and those that could not be delivered; what they say stays with their recipients."""
    rows = visit.service.store.notices(state=state).drop(columns="payload")
    return page(rows, limit, offset)


@router.get("/settings", tags=["company"])
def settings(visit: Overseer) -> Page:
    """The settings that may be changed while the service runs; without a value the one of the file holds."""
    rows = {row["name"]: row for row in plainly(frame(visit.service.store, "setting"))}
    names = [rows.get(name, {"name": name, "value": None, "version": 0}) for name in changeable(visit.service)]
    return page(names, len(names), 0)


@router.post("/settings/{name}", response_model=One, responses=documented(409), tags=["company"])
def change_setting(visit: Setter, name: Id, body: SettingBody, key: Key) -> Response:
    """Change a setting; the ledger keeps who did, when, and what it was."""
    known = changeable(visit.service)
    if name not in known:
        words = text("There is no setting of that name that may be changed here. Known: {names}.")
        raise Refused(404, "no_such_setting", words, names=", ".join(known))
    value = known[name](body.value)

    def work(connection: Any) -> dict[str, Any]:
        payload = {"name": name, "value": value, "version": body.version + 1}
        append(connection, [Event("setting_changed", visit.caller.name, visit.now, payload)])
        return found(connection, SETTING, name) or {}

    return once(visit, key, body, work)


@router.get("/ledger", tags=["company"])
def ledger(visit: Setter) -> One:
    """Whether the ledger is as it was written: every hash is computed again."""
    verified = visit.service.store.verified()
    return one({**vars(verified), "whole": verified.whole})
