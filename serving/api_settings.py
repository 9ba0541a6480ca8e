"""Settings that may be changed while the service runs, and what the lists are drawn by with them."""

from collections.abc import Callable, Mapping
from typing import Any

from serving.api_visit import Service
from serving.list_rows import Terms
from serving.list_settings import OF_LISTS


def changeable(service: Service) -> Mapping[str, Callable[[Any], Any]]:
    """Every setting that may be changed: those of the lists, and those that the service was given."""
    return {**OF_LISTS, **service.changeable}


def terms_now(service: Service) -> Terms:
    """What the lists are drawn by, with what was changed since the service began."""
    return service.desk.terms()
