"""Names of what people choose from: temperatures, risks, approaches, results and whatever else is entered by code."""

from collections.abc import Mapping

from features.errors import SettingsError
from serving.outcomes import APPROACHES, CAUSES, WHYS
from serving.words.speech import language, text

#: What is chosen -> code -> its name; the codes are the contract's and the loop's own, a test holds them together.
CHOICES: Mapping[str, Mapping[str, str]] = {
    "temperature": {"hot": text("Hot"), "warm": text("Warm"), "cool": text("Cool"), "cold": text("Cold")},
    "risk": {
        "low": text("Low risk"), "medium": text("Medium risk"), "high": text("High risk"), "urgent": text("Urgent"),
    },
    "queue": {"early": text("Early"), "overdue": text("Overdue")},
    "result": {
        "restarted": text("Orders again"), "kept": text("Was kept"), "lost": text("Was lost"),
    },
    "approach": APPROACHES,
    "why": WHYS,
    "cause": {code: name for code, (_, name) in CAUSES.items()},
    "family": {
        "service": text("Service"), "care": text("Care of the customer"), "price_range": text("Price and range"),
        "other": text("Something else"),
    },
    "verdict": {"true": text("True"), "false": text("False alarm"), "known": text("Known already")},
    "step": {
        "raised": text("Raised"), "acknowledged": text("Taken on"), "planned": text("Planned"),
        "in_progress": text("In progress"), "evaluated": text("Evaluated"), "learned": text("Learned"),
    },
    "team": {
        "sales": text("Sales"), "service": text("Service"), "technical": text("Technical support"),
        "product": text("Product"), "operations": text("Operations"), "management": text("Management"),
    },
    "task_state": {"open": text("Open"), "done": text("Done"), "waived": text("Dropped")},
    "visit": {"visit": text("Send somebody again"), "no_visit": text("Send nobody")},
    "role": {
        "viewer": text("May look"), "rep": text("Sales person"), "manager": text("Manager"),
        "admin": text("Administrator"),
    },
    "list": {
        "red": text("Red list"), "yellow": text("Yellow list"), "blue": text("Blue list"), "grey": text("Grey list"),
    },
}  # fmt: skip


def choice_name(kind: str, code: str, locale: str = "en") -> str:
    """The name of a choice.

    Raises
    ------
    SettingsError
        If there is no such choice, or no such locale.
    """
    if code not in CHOICES.get(kind, {}):
        raise SettingsError(f"{kind} is one of {sorted(CHOICES.get(kind, {}))}; found {code!r}.")
    return language(locale).words(CHOICES[kind][code])


def options(kind: str, locale: str = "en") -> list[tuple[str, str]]:
    """Every code of a choice with its name, in the order in which it is offered."""
    words = language(locale)
    return [(code, words.words(name)) for code, name in CHOICES[kind].items()]
