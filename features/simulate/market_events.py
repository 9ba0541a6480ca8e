"""What the market of the simulated world publishes: arrivals of competitors, and much that means nothing."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import REGIONS
from features.simulate.arrays import Integers, wander
from features.simulate.office import moments, opened
from features.simulate.phrases import RIVALS
from features.simulate.scene import Scene

ARRIVALS = ("new_branch", "price_cut", "campaign")
# Published like the rest and of no consequence.
NEWS = ("trade_fair", "product_news", "new_manager", "sponsorship")
NEWS_PER_YEAR = 4.0  # in each region
HEARD_AFTER = 9.0  # mean days until something is published, one at least
INDEX_MEMORY_DAYS = 300.0  # after which two thirds of a deviation of the market index are gone; unrelated to demand
INDEX_SPREAD = 4.0  # sd of the market index around 100
INDEX_AFTER = (12, 21)  # days after the end of the month on which its index is published


def market_events_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `market_events` table of the contract, in order of time; no row is a signal, an arrival is a cause.

    `value` is the invented size of an arrival (1 to 10), the level of a `market_index`, else missing.
    """
    arrivals = scene.causes.of("rival_arrives")
    size = np.round(rng.uniform(1, 10, len(arrivals.event_day)), 1)
    parts = [
        _acts(scene, arrivals.event_group, arrivals.event_day, arrival_names(scene), ARRIVALS, rng).assign(value=size),
        _news(scene, rng),
        _indices(scene, rng),
    ]
    drawn = pd.concat(parts, ignore_index=True).sort_values(["occurred_at", "region"], kind="stable", ignore_index=True)
    drawn["region"] = pd.array(region_names(drawn["region"].to_numpy()), dtype="str")
    for column in ("competitor", "kind"):
        drawn[column] = drawn[column].astype("str")
    drawn["recorded_at"] = drawn["published_at"]
    return drawn[["region", "occurred_at", "recorded_at", "competitor", "kind", "published_at", "value"]]


def region_names(region: Integers) -> npt.NDArray[np.object_]:
    """Names of regions by number."""
    return np.array([name for name, _, _ in REGIONS], dtype=object)[region]


def rival_names(region: Integers, pick: Integers) -> npt.NDArray[np.object_]:
    """Names of competitors in the script of each region; `pick` is any number."""
    names = [RIVALS[script] for _, script, _ in REGIONS]
    many = min(len(known) for known in names)
    return np.array([known[:many] for known in names], dtype=object)[region, pick % many]


def arrival_names(scene: Scene) -> npt.NDArray[np.object_]:
    """The competitor of each event of the cause `rival_arrives`, in the order of the events."""
    arrivals = scene.causes.of("rival_arrives")
    return rival_names(arrivals.event_group, np.arange(len(arrivals.event_group)) + arrivals.event_group)


def _acts(
    scene: Scene,
    region: Integers,
    day: Integers,
    competitor: npt.NDArray[np.object_],
    kinds: tuple[str, ...],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Acts of competitors with the time at which they were heard of."""
    heard = opened(scene.span, day + rng.geometric(1 / HEARD_AFTER, len(day)))
    return pd.DataFrame(
        {
            "region": region,
            "occurred_at": scene.span.dates(day),
            "competitor": competitor,
            "kind": np.array(kinds, dtype=object)[rng.integers(0, len(kinds), len(day))],
            "published_at": moments(scene.span, heard, rng),
        }
    )


def _news(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """News of competitors that change nothing."""
    span = scene.span
    region = np.repeat(np.arange(len(REGIONS)), rng.poisson(NEWS_PER_YEAR * span.days / 365.25, len(REGIONS)))
    day = rng.integers(0, span.days, len(region))
    competitor = rival_names(region, rng.integers(0, 1000, len(region)))
    return _acts(scene, region, day, competitor, NEWS, rng).assign(value=np.nan)


def _indices(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """A market index per region at the end of every month, which wanders by itself."""
    span = scene.span
    months = np.arange(span.start.astype("datetime64[M]") + 1, (span.start + span.days).astype("datetime64[M]") + 1)
    day = (months.astype("datetime64[D]") - span.start).astype(np.int64) - 1
    path = (
        wander(len(REGIONS), len(day), 365.25 / 12, INDEX_MEMORY_DAYS, rng) if len(day) else np.empty((len(REGIONS), 0))
    )
    region, month = (part.ravel() for part in np.indices(path.shape))
    published = opened(span, day[month] + rng.integers(INDEX_AFTER[0], INDEX_AFTER[1] + 1, len(month)))
    return pd.DataFrame(
        {
            "region": region,
            "occurred_at": span.dates(day[month]),
            "competitor": pd.array([None] * len(month), dtype="str"),
            "kind": "market_index",
            "published_at": moments(span, published, rng),
            "value": np.round(100 + INDEX_SPREAD * path.ravel(), 1),
        }
    )
