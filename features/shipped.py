"""All features that come with Kizashi: importing this module registers them, in the order of the columns."""

from features import rhythm  # noqa: F401  isort: skip  (others read the order rhythm)
from features import products, transactions  # noqa: F401
