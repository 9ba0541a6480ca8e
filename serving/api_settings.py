"""Settings that may be changed while the service runs, and what the lists are drawn by with them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from serving.api_visit import Limits, Service
from serving.list_rows import Terms
from serving.list_settings import OF_LISTS

#: Chances of no order from which on a level is given, by level; what is not named is as the training solved it.
THRESHOLDS = "levels.thresholds"
#: The industry profile of the health, and own weights of its dimensions, which count in place of any profile.
PROFILE, WEIGHTS = "health.profile", "health.weights"
#: New warnings that an owner gets in a week, and open tasks that one person is shown, at most.
NEW_PER_WEEK, MOST_PER_PERSON = "warnings.new_per_week", "tasks.most_per_person"


def changeable(service: Service) -> Mapping[str, Callable[[Any], Any]]:
    """Every setting that may be changed: those of the lists, and those that the service was given."""
    return {**OF_LISTS, **service.changeable}


def terms_now(service: Service) -> Terms:
    """What the lists are drawn by, with what was changed since the service began."""
    return service.desk.terms()


def limits_now(service: Service) -> Limits:
    """How much people are shown, with what was changed since the service began."""
    most = service.desk.settings().get(MOST_PER_PERSON)
    return service.limits if most is None else replace(service.limits, most_per_person=int(most))
