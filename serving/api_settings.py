"""Settings that may be changed while the service runs, and what the lists are drawn by with them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from serving.api_visit import Limits, Service
from serving.list_rows import Terms
from serving.list_settings import OF_LISTS

#: The setting of how many open tasks one person is shown.
MOST_PER_PERSON = "tasks.most_per_person"


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
