"""A registry of only what a test reads, so that tables of a few rows take no time for hundreds of other features."""

from collections.abc import Iterable

from features import registry
from features.contract import CONTRACT
from features.registry import Feature
from features.rhythm_class import CLASSES

#: What every snapshot is finished with: its cohort, its window, its rhythm class.
_OF_EVERY_SNAPSHOT = {"order_days_ever", "days_since_first_order", "days_since_last_order", "gap_q90_days_ever"}
_OF_EVERY_SNAPSHOT |= {name for names in CLASSES.values() for name in names} | {"last_gap_days"}


def registry_of(*sources: str, also: Iterable[str] = ()) -> dict[str, Feature]:
    """The features that come from these tables, some others, and all that they read, in the registry's order."""
    every = registry.available(dict.fromkeys(CONTRACT, ()))
    kept = {*_OF_EVERY_SNAPSHOT, *also} | {one.name for one in every if one.source in sources}
    for one in reversed(every):  # each after what it reads
        if one.name in kept:
            kept |= set(registry.dependencies(one))
    return {one.name: one for one in every if one.name in kept}
