"""What a day publishes and the lists made of it: scores, reasons, the morning, every other list, files of them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from serving.api_data import NAMES, choice_of, columns_of, four_lists, listed, one, page, profile_of, said_in
from serving.api_errors import documented
from serving.api_languages import Tongue
from serving.api_models import One, Page
from serving.api_visit import Exporter, Id, Limit, Offset, Reader, Search, Sort, Visit, Where, Word
from serving.exports import MEDIA_TYPES, Sheet, written
from serving.ledger import Event, append
from serving.list_register import VIEWS
from serving.list_rows import arranged, chosen
from serving.lists import LISTS
from serving.records import SCORE_COLUMNS
from serving.words.lists import list_name

router = APIRouter(responses=documented(400, 401, 403, 404, 413, 422, 429, 500, 503))

_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}}}


@router.get("/scores", tags=["lists"])
def scores(
    visit: Reader,
    level: Word = None,
    q: Search = "",
    where: Where = [],  # noqa: B006 - FastAPI copies it
    sort: Sort = "-expected_loss",
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page:
    """The published scores of the newest day."""
    day, profile = profile_of(visit)
    choice = choice_of(where, q, sort, {"level": level})
    named = profile if "name" in profile.columns else profile.assign(name=None)
    found = arranged(chosen(named.astype({"name": "str"}), choice), choice)
    return page(found[list(SCORE_COLUMNS)], limit, offset, day)


@router.get("/reasons", tags=["lists"])
def reasons(
    visit: Reader,
    locale: Tongue,
    customer_id: Word = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page:
    """The published reasons of the newest day in the order of telling, in the caller's language.

    Reasons are published of customers who are warned about and of those whose level moved.
    """
    day, profile = profile_of(visit)
    found = day.reasons[day.reasons["customer_id"].isin(profile["customer_id"])]
    if customer_id is not None:
        found = found[found["customer_id"] == customer_id]
    part = said_in(found.iloc[offset : offset + limit], locale, visit.service.currency)
    return page(part, limit, 0, day).model_copy(update={"total": len(found), "offset": offset})


@router.get("/lists", tags=["lists"])
def lists(_: Reader, locale: Tongue) -> Page:
    """Every list by name: what it answers, in the caller's language, and its columns."""
    ids = {"red": ["WL-05"], "yellow": ["WL-06"], "blue": ["WL-07"], "grey": ["WL-08"]}
    rows = [
        {
            "name": name,
            "title": list_name(name, locale),
            "requirements": ids.get(name) or list(VIEWS[name].ids),
            "columns": list(columns_of(name)),
        }
        for name in NAMES
    ]
    return page(rows, len(rows), 0)


@router.get("/morning", tags=["lists"])
def morning(visit: Reader, owner: Word = None, most: Annotated[int, Query(ge=1, le=200)] = 50) -> One:
    """The four lists of today with their counts, in one call; of each the first `most` rows."""
    today = four_lists(visit, choice_of([], "", "", {"owner": owner})).to_dict()
    return one({**today, "lists": {name: today["lists"][name][:most] for name in LISTS}})


@router.get("/lists/{name}", tags=["lists"])
def one_list(
    visit: Reader,
    name: Id,
    owner: Word = None,
    level: Word = None,
    q: Search = "",
    where: Where = [],  # noqa: B006
    sort: Sort = "",
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page:
    """A list of today; what people have entered since the day was published is in it."""
    choice = choice_of(where, q, sort, {"owner": owner, "level": level})
    found = listed(visit, name, choice)
    told = page(found.rows, limit, offset, visit.service.board.newest())
    return told.model_copy(update={"source_absent": found.source_absent, "columns_absent": dict(found.columns_absent)})


@router.get("/exports/{name}", tags=["lists"], response_class=StreamingResponse, responses=_FILES)
def export(
    visit: Exporter,
    name: Id,
    kind: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
    owner: Word = None,
    level: Word = None,
    q: Search = "",
    where: Where = [],  # noqa: B006
    sort: Sort = "",
) -> StreamingResponse:
    """A list as a file for a spreadsheet, in which no text can run as a formula; the ledger keeps who took it."""
    found = listed(visit, name, choice_of(where, q, sort, {"owner": owner, "level": level}))
    return taken_away(visit, Sheet.of(name, found.rows), kind)


def taken_away(visit: Visit, sheet: Sheet, kind: str) -> StreamingResponse:
    """A sheet as a file; the ledger keeps who took it."""
    pieces = written(sheet, kind)
    taken = {"list": sheet.name, "format": kind, "rows": sheet.size}
    with visit.service.store.writing() as connection:
        append(connection, [Event("export_made", visit.caller.name, visit.now, taken)])
    published = visit.service.board.published()
    day = visit.today if published is None else published.run.as_of
    headers = {"Content-Disposition": f'attachment; filename="{sheet.name}-{day}.{kind}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[kind], headers=headers)
