"""What is usual for each customer of the simulated world."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from features.simulate.arrays import Booleans, Floats, Integers, Span
from features.simulate.presets import Preset
from features.simulate.signals import SIGNALS, Signal

LINES_PER_CLASS = 8  # product lines with a high margin, and as many with a low one
CUSTOMERS_PER_OWNER = 40  # a usual portfolio of a sales person


@dataclass(frozen=True)
class Industry:
    """A segment with its own season: log amplitude, and the day of the year on which most is ordered."""

    name: str
    sector: str
    share: float
    season: float
    peak_day: float


@dataclass(frozen=True)
class Sector:
    """A kind of trade: how many of its customers order for projects, and how regular the others are.

    `regularity` are the shares of the Erlang shapes in `Preset.regularity`.
    """

    name: str
    project_share: float
    regularity: tuple[float, float, float, float]


SECTORS = (
    Sector("wholesale", 0.06, (0.40, 0.30, 0.20, 0.10)),
    Sector("fmcg", 0.0, (0.25, 0.30, 0.25, 0.20)),
    Sector("industrial", 0.20, (0.50, 0.30, 0.15, 0.05)),
)
INDUSTRIES = (
    Industry("retail supply", "wholesale", 0.18, 0.40, 315),
    Industry("construction supply", "wholesale", 0.15, 0.30, 150),
    Industry("electrical supply", "wholesale", 0.12, 0.15, 290),
    Industry("food and drink", "fmcg", 0.15, 0.25, 330),
    Industry("care products", "fmcg", 0.10, 0.15, 120),
    Industry("machinery", "industrial", 0.18, 0.10, 75),
    Industry("chemicals", "industrial", 0.12, 0.08, 60),
)
SECTOR_OF = np.array([[sector.name for sector in SECTORS].index(industry.sector) for industry in INDUSTRIES])
REGIONS = (  # name, script of the names there, share
    ("Kanto", "japanese", 0.20),
    ("Kansai", "japanese", 0.15),
    ("Jiangsu", "chinese", 0.18),
    ("Guangdong", "chinese", 0.14),
    ("Bavaria", "latin", 0.18),
    ("Lombardy", "latin", 0.15),
)


@dataclass(frozen=True)
class Accounts:
    """What is usual for each customer: one entry per customer in every array."""

    customer_id: npt.NDArray[np.object_]
    region: Integers  # index into REGIONS
    industry: Integers  # index into INDUSTRIES
    owner: Integers  # number of the first sales person, 0 to people - 1
    since_day: Integers  # day number of the start of the relationship, negative if before the history
    proneness: Floats  # multiplies the hazards of leaving, mean 1
    regularity: Integers  # Erlang shape of the gaps
    season: Floats  # log amplitude of its own season
    peak_day: Floats  # day of the year of its highest demand
    project: Booleans
    usual: Mapping[str, Floats]  # by signal, on the scale of its family
    breadth: Integers  # (customers, 2) product lines bought with a high, with a low margin
    assortment: Integers  # (customers, 2, LINES_PER_CLASS) product lines in order of liking
    favourite: Integers  # (customers, 2 * LINES_PER_CLASS) offset of the favourite product in each line

    def __len__(self) -> int:
        """Number of customers."""
        return len(self.customer_id)

    @property
    def sector(self) -> Integers:
        """Index into SECTORS per customer."""
        return SECTOR_OF[self.industry]

    @property
    def orders_per_year(self) -> Floats:
        """Usual orders per year."""
        return np.exp(self.usual["orders"])

    @property
    def people(self) -> int:
        """Number of sales people at the start."""
        return int(self.owner.max()) + 1


def draw_accounts(count: int, preset: Preset, span: Span, rng: np.random.Generator) -> Accounts:
    """`count` customers, partly there from the start and partly won later, in no order of any meaning."""
    industry = rng.choice(len(INDUSTRIES), size=count, p=[industry.share for industry in INDUSTRIES])
    region = rng.choice(len(REGIONS), size=count, p=[share for _, _, share in REGIONS])
    sector = SECTOR_OF[industry]
    usual = {signal.name: _usual(signal, sector, preset, rng) for signal in SIGNALS.values()}
    usual["orders"] = np.log(np.clip(np.exp(usual["orders"]), preset.fewest_orders, preset.most_orders))
    shares = np.cumsum([sector.regularity for sector in SECTORS], axis=1)[sector]
    regularity = np.array(preset.regularity)[(rng.random(count)[:, None] > shares[:, :-1]).sum(axis=1)]
    season = np.array([industry.season for industry in INDUSTRIES])[industry]
    peak = np.array([industry.peak_day for industry in INDUSTRIES])[industry]
    spread = preset.loss_spread
    liking = rng.gumbel(size=(count, 2, LINES_PER_CLASS)) - np.log(np.arange(1, LINES_PER_CLASS + 1))
    project = np.array([sector.project_share for sector in SECTORS])[sector] * preset.projects
    return Accounts(
        customer_id=np.array([f"C{number:05d}" for number in range(1, count + 1)], dtype=object),
        region=region,
        industry=industry,
        owner=_owners(region, rng),
        since_day=_since(count, preset, span, rng),
        proneness=np.exp(spread * rng.standard_normal(count) - spread**2 / 2),
        regularity=regularity,
        season=preset.season * season * rng.uniform(0.5, 1.5, count),
        peak_day=peak + 15 * rng.standard_normal(count),
        project=rng.random(count) < project,
        usual=usual,
        breadth=1 + rng.binomial(LINES_PER_CLASS - 1, rng.beta(2, 3, count)[:, None], (count, 2)),
        assortment=np.argsort(-liking, axis=2),
        favourite=rng.integers(0, 1000, (count, 2 * LINES_PER_CLASS)),
    )


def _usual(signal: Signal, sector: Integers, preset: Preset, rng: np.random.Generator) -> Floats:
    """The usual level of each customer, on the scale of the signal's family."""
    middle = {"value": float, "share": logit}.get(signal.family, np.log)(signal.usual)
    own = preset.spread * signal.spread * rng.standard_normal(len(sector))
    return middle + np.array(signal.sectors)[sector] + own


def _owners(region: Integers, rng: np.random.Generator) -> Integers:
    """Sales people by number; nobody sells in two regions."""
    owner = np.zeros(len(region), dtype=np.int64)
    before = 0
    for number in range(len(REGIONS)):
        here = np.flatnonzero(region == number)
        people = max(1, round(len(here) / CUSTOMERS_PER_OWNER)) if len(here) else 0
        owner[here] = before + rng.integers(0, max(people, 1), len(here))
        before += people
    return owner


def _since(count: int, preset: Preset, span: Span, rng: np.random.Generator) -> Integers:
    """Day numbers on which the relationships began: a standing stock, and arrivals all over the history."""
    won = preset.new_per_year * span.days / 365.25
    is_new = rng.random(count) < won / (1 + won)
    before = -1 - np.minimum(rng.exponential(5 * 365.25, count), 25 * 365.25).astype(np.int64)
    return np.where(is_new, rng.integers(0, span.days, count), before)
