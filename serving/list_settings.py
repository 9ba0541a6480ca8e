"""Settings of the lists that may be changed while the service runs, and what the lists are drawn by with them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from features.errors import SettingsError
from serving.list_rows import Terms

PREFIX = "lists."


def whole_number(name: str, least: int, most: int, value: Any) -> int:
    """A value as a whole number within its bounds.

    Raises
    ------
    SettingsError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SettingsError(f"{name}: expected a whole number from {least} to {most}; see docs/api.md.")
    return value


#: Terms of the lists: name -> what checks a value. A change shows in the next list that is read.
OF_LISTS: Mapping[str, Callable[[Any], Any]] = {
    f"{PREFIX}{name}": partial(whole_number, f"{PREFIX}{name}", least, most)
    for name, least, most in (
        ("week_ends", 0, 6),
        ("silent_days", 1, 3650),
        ("important_silent_days", 1, 3650),
        ("recent_days", 1, 3650),
        ("review_days", 1, 3650),
    )
}


def terms_with(terms: Terms, settings: Mapping[str, Any]) -> Terms:
    """What the lists are drawn by, with what was changed since the service began."""
    values = {name.removeprefix(PREFIX): settings[name] for name in OF_LISTS if name in settings}
    return replace(terms, **values)
