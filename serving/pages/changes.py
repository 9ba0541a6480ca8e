"""All changes: every customer whose level moved since the day published before, and why."""

from fastapi import APIRouter
from fastapi.responses import Response

from serving.api_story import moved
from serving.charts import SIGNS
from serving.pages.today import MOST, PageNumber
from serving.pages.view import Reading, first_of
from serving.story import change_of
from serving.story_words import change_text
from serving.words.speech import text

router = APIRouter()


@router.get("/changes")
def changes(view: Reading, page: PageNumber = 1) -> Response:
    """Whose level moved, those with the most to lose first."""
    day, rows = moved(view.visit)
    first = first_of(page, len(rows), MOST)
    part = rows.iloc[first : first + MOST].to_dict("records")
    since = view.service.store.day_before(day.as_of)
    return view.page(
        "changes.html",
        title=view.say(text("All changes")),
        here="today",
        day=view.day(day.as_of),
        since=view.day(since) if since else "",
        rows=[
            {
                "name": row["name"] if isinstance(row["name"], str) else row["customer_id"],
                "id": row["customer_id"],
                "address": view.link("customers", row["customer_id"]) + "#change",
                "before": _level(row["level_before"]),
                "after": _level(row["level_after"]),
                "text": change_text(change_of(row["change"]), view.locale, view.service.currency),
                "loss": view.money(row["expected_loss"]),
                "owner": row["owner"] if isinstance(row["owner"], str) else view.say(NOBODY),
            }
            for row in part
        ],
        first=first + 1,
        last=first + len(part),
        total=len(rows),
        most=MOST,
    )


def _level(code: str) -> str:
    return code if code in SIGNS else "none"


NOBODY = text("Nobody")
