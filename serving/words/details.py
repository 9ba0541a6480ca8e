"""Words of the details of events (:mod:`features.timelines`), which tell codes, counts and what people wrote.

What people wrote, names and ids stand as they are.
"""

import re

from serving.words.quantities import Speaker
from serving.words.speech import Language, Plural, plural, text

#: Codes, as the timeline says them.
CODES: dict[str, str] = {
    "inbound": text("from the account"),
    "outbound": text("from us"),
    "technical": text("technical side"),
    "purchasing": text("purchasing"),
    "user": text("user"),
    "executive": text("management"),
    "effective": text("useful"),
    "high value": text("very useful"),
    "unsuccessful": text("without result"),
    "attended": text("attended"),
    "did not attend": text("did not attend"),
    "returns taken off": text("returns taken off"),
    "planned for this day": text("planned for this day"),
    "postponed": text("postponed"),
    "cancelled": text("cancelled"),
}
#: Counts, as the timeline says them.
COUNTED: tuple[tuple[re.Pattern[str], Plural], ...] = (
    (re.compile(r"(\d+) lines?"), plural("{n} order line", "{n} order lines")),
    (re.compile(r"(\d+) orders"), plural("{n} order", "{n} orders")),
    (re.compile(r"(\d+) days late"), plural("{n} day late", "{n} days late")),
    (re.compile(r"(\d+) short"), plural("{n} line short", "{n} lines short")),
)
#: Between the parts of a detail.
_BETWEEN = "; "


def detail_text(detail: str, words: Language) -> str:
    """The detail of an event, its codes and counts in the reader's language."""
    return _BETWEEN.join(_part(part, words) for part in detail.split(_BETWEEN))


def _part(part: str, words: Language) -> str:
    if part in CODES:
        return words.words(CODES[part])
    for pattern, message in COUNTED:
        if found := pattern.fullmatch(part):
            number = int(found[1])
            return words.count(message, number, Speaker(words).number(number))
    return part
