"""Tables of pages as files for a spreadsheet; the ledger keeps who took which."""

from fastapi.responses import StreamingResponse

from serving.api_lists import taken_away
from serving.exports import Sheet
from serving.pages.view import HEADERS, View


def file_answer(view: View, sheet: Sheet, kind: str) -> StreamingResponse:
    """A sheet as it is sent to a browser; `kind` is ``csv`` or ``xlsx``."""
    answer = taken_away(view.visit, sheet, kind)
    answer.headers.update(HEADERS)
    return answer
