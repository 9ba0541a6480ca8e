"""A registry of only what a test reads, so that tables of a few rows take no time for hundreds of other features."""

from collections.abc import Iterable

from features import registry
from features.registry import Feature
from features.rhythm_class import CLASSES

#: What every snapshot is finished with: its cohort, its window, its rhythm class.
_OF_EVERY_SNAPSHOT = {"order_days_ever", "days_since_first_order", "days_since_last_order", "gap_q90_days_ever"}
_OF_EVERY_SNAPSHOT |= {name for names in CLASSES.values() for name in names} - {"churn_window_days"}


def registry_of(*sources: str, also: Iterable[str] = ()) -> dict[str, Feature]:
    """The features that come from these tables, some others, and all that they read, in the registry's order."""
    registry.registered()
    kept = {*_OF_EVERY_SNAPSHOT, *also} | {name for name, one in registry.REGISTRY.items() if one.source in sources}
    for name in reversed(registry.REGISTRY):  # registered after what they read
        if name in kept:
            kept |= set(registry.dependencies(registry.REGISTRY[name]))
    return {name: one for name, one in registry.REGISTRY.items() if name in kept}
