"""All features that come with Kizashi: importing this module registers them, in the order of the columns."""

from features import rhythm  # noqa: F401  isort: skip  (others read the order rhythm)
from features import products, transactions  # noqa: F401

from features import clocks, deliveries, importance, rhythm_class, season  # noqa: F401  isort: skip

from features import interactions  # noqa: F401  isort: skip  (others read its relations)
from features import conversations, roles  # noqa: F401  isort: skip
from features import accounts, market, quotes  # noqa: F401  isort: skip  (they read contacts and talks)
from features import finances, partnerships, services  # noqa: F401  isort: skip
from features import weak_signals  # noqa: F401  isort: skip  (it puts the sources together)
from features import stages  # noqa: F401  isort: skip  (the last one: it can be imported by itself)
