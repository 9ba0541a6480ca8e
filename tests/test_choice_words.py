"""What people choose from has a name for every code that the contract and the loop know, and for no other."""

import pytest

from features.contract import RISKS, TEMPERATURES
from features.errors import SettingsError
from serving import loop, outcomes, task_kinds
from serving.access import ROLES
from serving.lists import LISTS
from serving.words.choices import CHOICES, choice_name, options
from serving.words.speech import LANGUAGES

CODES = {
    "temperature": TEMPERATURES,
    "risk": RISKS,
    "result": outcomes.RESULTS,
    "approach": outcomes.APPROACHES,
    "why": outcomes.WHYS,
    "cause": outcomes.CAUSES,
    "family": outcomes.FAMILIES,
    "verdict": loop.VERDICTS,
    "step": loop.STEPS,
    "team": task_kinds.TEAMS,
    "task_state": ("open", "done", "waived"),
    "queue": ("early", "overdue"),
    "visit": ("visit", "no_visit"),
    "role": ROLES,
    "list": LISTS,
}


def test_every_code_has_a_name_and_no_other() -> None:
    assert {kind: list(names) for kind, names in CHOICES.items()} == {
        kind: list(codes) for kind, codes in CODES.items()
    }


@pytest.mark.parametrize("locale", LANGUAGES)
def test_names_of_one_choice_can_be_told_apart(locale: str) -> None:
    for kind in CHOICES:
        names = [name for _, name in options(kind, locale)]
        assert all(names)
        assert len(set(names)) == len(names), kind


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(SettingsError, match="temperature is one of"):
        choice_name("temperature", "lukewarm")
    with pytest.raises(SettingsError, match="weather is one of"):
        choice_name("weather", "fine")
