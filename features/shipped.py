"""All features that come with Kizashi, in the order of their columns.

The order stands here and nowhere else: which module is imported first, and by whom, changes no column. A module comes
after those whose features it reads.
"""

from importlib import import_module

MODULES = (
    "rhythm",
    "products",
    "transactions",
    "clocks",
    "deliveries",
    "rhythm_class",
    "season",
    "interactions",
    "conversations",
    "roles",
    "accounts",
    "market",
    "quotes",
    "importance",
    "finances",
    "partnerships",
    "services",
    "stages",
    "weak_signals",
    "peers",
)

#: Place of each module's features; those of the user's own come after all of them.
PLACES = {f"features.{name}": place for place, name in enumerate(MODULES)}


def load() -> None:
    """Import every module, which registers its features, relations and options."""
    for name in PLACES:
        import_module(name)
