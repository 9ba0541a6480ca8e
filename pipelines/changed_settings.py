"""What people may set while the service runs, and how it counts in place of what the file and the training say.

A change is an event of the ledger; the daily run reads the values that stand when it begins, and publishes which of
them it went by, so that whoever looks at the day again goes by the same.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from features.errors import SettingsError
from models.levels import Levels
from pipelines.champions import Champion
from pipelines.health_sections import Health
from pipelines.intake import Intake
from pipelines.settings import Settings
from serving.api_settings import MOST_PER_PERSON, NEW_PER_WEEK, PROFILE, THRESHOLDS, WEIGHTS

#: What a day goes by; the rest is for the service alone.
OF_THE_DAY = (THRESHOLDS, PROFILE, WEIGHTS, NEW_PER_WEEK)
#: No number that people set is larger: one that is out of all measure could not be shown any more.
LARGEST = 1_000_000
#: The report of a day that holds what it went by, where anything was changed.
REPORT = "changed_settings"


def checks(settings: Settings, levels: Callable[[], Levels | None]) -> Mapping[str, Callable[[Any], Any]]:
    """What checks a value of each setting and gives it back, or raises SettingsError; None is what file and training
    say.

    Parameters
    ----------
    settings
        Of the file.
    levels
        Gives the levels of the model in use, None where there is no model.
    """

    def thresholds(value: Any) -> Any:
        given = numbers(THRESHOLDS, value)
        if (known := levels()) is not None:
            known.with_thresholds(given)
        return given or None

    def of_the_file(name: str) -> Callable[[Any], Any]:
        def check(value: Any) -> Any:
            if isinstance(value, int | float) and not abs(value) <= LARGEST:
                raise SettingsError(f"{name}: expected a number up to {LARGEST:,}.")
            if value is not None:
                in_use(settings, {name: value})
            return value

        return check

    def weights(value: Any) -> Any:
        given = numbers(WEIGHTS, value)
        if given:
            in_use(settings, {WEIGHTS: given})
        return given or None

    found = {name: of_the_file(name) for name in (PROFILE, NEW_PER_WEEK, MOST_PER_PERSON)}
    if settings.health.scheme != "five_dimensions":
        del found[PROFILE]
    if not settings.health.learned:
        found[WEIGHTS] = weights
    else:
        found.pop(PROFILE, None)
    return {THRESHOLDS: thresholds, **found}


def numbers(name: str, value: Any) -> dict[str, float]:
    """A value as numbers by name; None is none.

    Raises
    ------
    SettingsError
        If it is something else.
    """
    if value is None:
        return {}
    right = isinstance(value, Mapping) and all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= LARGEST for one in value.values()
    )
    if not right:
        raise SettingsError(f"{name}: expected numbers by name, found {value!r}.")
    return {str(key): float(one) for key, one in value.items()}


def in_use(settings: Settings, changed: Mapping[str, Any]) -> Settings:
    """The settings of the file with what people have changed.

    Raises
    ------
    SettingsError
        If a value cannot be used with this file.
    """
    given = {name: value for name, value in changed.items() if value is not None}
    found = settings
    try:
        if WEIGHTS in given or PROFILE in given:
            health = settings.health.model_dump(exclude_unset=True)
            if PROFILE in given:
                health |= {"profile": given[PROFILE], "weights": {}}
            if WEIGHTS in given:
                health |= {"weights": given[WEIGHTS]}
                _whole(settings, given[WEIGHTS])
            found = found.model_copy(update={"health": Health.model_validate(health)})
        for name in (NEW_PER_WEEK, MOST_PER_PERSON):
            if name in given:
                section, _, key = name.partition(".")
                here = getattr(found, section)
                there = type(here).model_validate({**here.model_dump(), key: given[name]})
                found = found.model_copy(update={section: there})
    except ValidationError as refusal:
        first = refusal.errors()[0]
        said = str(first.get("ctx", {}).get("error", first["msg"]))
        named = ", ".join(name for name in given if name != THRESHOLDS)
        raise SettingsError(f"{named}: {said.removeprefix('Value error, ')}") from None
    return found


def _whole(settings: Settings, weights: Mapping[str, float]) -> None:
    """Refuse weights that leave a dimension to the file: changed ones count whole."""
    names = settings.health.set_weights().dimensions
    if set(weights) != set(names):
        raise SettingsError(f"{WEIGHTS}: expected a number for each of {', '.join(names)}; found {', '.join(weights)}.")


def of_the_day(changed: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the changed settings that a day goes by."""
    return {name: changed[name] for name in OF_THE_DAY if changed.get(name) is not None}


def applied(intake: Intake, champion: Champion, changed: Mapping[str, Any]) -> tuple[Intake, Champion]:
    """What a day is scored from, with what people have changed.

    Raises
    ------
    SettingsError
        If a value cannot be used with this file or this model: which, and where it is set back.
    """
    given = of_the_day(changed)
    if not given:
        return intake, champion
    try:
        settings = in_use(intake.settings, given)
        levels = champion.model.levels.with_thresholds(given.get(THRESHOLDS, {}))
    except SettingsError as error:
        raise SettingsError(f"{error} It was set on the page Settings; set it back there.") from None
    return replace(intake, settings=settings), replace(champion, model=replace(champion.model, levels=levels))


def with_changed(fingerprint: str, changed: Mapping[str, Any]) -> str:
    """A fingerprint of what a day stands on, with what people have changed."""
    given = of_the_day(changed)
    if not given:
        return fingerprint
    return hashlib.sha256(f"{fingerprint} {json.dumps(given, sort_keys=True)}".encode()).hexdigest()
