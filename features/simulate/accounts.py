"""What is usual for each customer of the simulated world."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.simulate.presets import Preset

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

LINES_PER_CLASS = 8  # product lines with a high margin, and as many with a low one


@dataclass(frozen=True)
class Industry:
    """A segment with its own season: log amplitude, and the day of the year on which most is ordered."""

    name: str
    share: float
    season: float
    peak_day: float


INDUSTRIES = (
    Industry("machinery", 0.22, 0.10, 75),
    Industry("electronics", 0.20, 0.15, 290),
    Industry("retail supply", 0.18, 0.40, 315),
    Industry("construction", 0.15, 0.30, 150),
    Industry("food processing", 0.13, 0.25, 330),
    Industry("chemicals", 0.12, 0.08, 60),
)
REGIONS = (  # name, script of the names there, share
    ("Kanto", "japanese", 0.20),
    ("Kansai", "japanese", 0.15),
    ("Jiangsu", "chinese", 0.18),
    ("Guangdong", "chinese", 0.14),
    ("Bavaria", "latin", 0.18),
    ("Lombardy", "latin", 0.15),
)


@dataclass(frozen=True)
class Span:
    """The simulated history: day 0 begins at midnight of `start`; the extract is taken `days` days later."""

    start: np.datetime64
    days: int

    def dates(self, days: Integers) -> npt.NDArray[np.datetime64]:
        """The midnights of day numbers, in microseconds."""
        return (self.start + days.astype("timedelta64[D]")).astype("datetime64[us]")


@dataclass(frozen=True)
class Accounts:
    """What is usual for each customer: one entry per customer in every array."""

    customer_id: npt.NDArray[np.object_]
    region: Integers  # index into REGIONS
    industry: Integers  # index into INDUSTRIES
    since_day: Integers  # day number of the start of the relationship, negative if before the history
    proneness: Floats  # multiplies the hazards of leaving, mean 1
    orders_per_year: Floats
    regularity: Integers  # Erlang shape of the gaps
    season: Floats  # log amplitude of its own season
    peak_day: Floats  # day of the year of its highest demand
    project: Booleans
    line_amount: Floats  # median net amount of a line
    extra_lines: Floats  # mean lines beyond the first
    high_share: Floats  # chance that a line is of a high-margin product
    discount: Floats  # usual discount
    breadth: Integers  # (customers, 2) product lines bought with a high, with a low margin
    assortment: Integers  # (customers, 2, LINES_PER_CLASS) product lines in order of liking
    favourite: Integers  # (customers, 2 * LINES_PER_CLASS) offset of the favourite product in each line

    def __len__(self) -> int:
        """Number of customers."""
        return len(self.customer_id)


def draw_accounts(count: int, preset: Preset, span: Span, rng: np.random.Generator) -> Accounts:
    """`count` customers, partly there from the start and partly won later, in no order of any meaning."""
    industry = rng.choice(len(INDUSTRIES), size=count, p=[industry.share for industry in INDUSTRIES])
    region = rng.choice(len(REGIONS), size=count, p=[share for _, _, share in REGIONS])
    rate = preset.orders_per_year * np.exp(preset.rate_spread * rng.standard_normal(count))
    spread = preset.loss_spread
    season = np.array([industry.season for industry in INDUSTRIES])[industry]
    peak = np.array([industry.peak_day for industry in INDUSTRIES])[industry]
    share, sd = preset.high_margin_share, preset.high_margin_spread
    weight = share * (1 - share) / sd**2 - 1  # a beta distribution by its mean and standard deviation
    liking = rng.gumbel(size=(count, 2, LINES_PER_CLASS)) - np.log(np.arange(1, LINES_PER_CLASS + 1))
    return Accounts(
        customer_id=np.array([f"C{number:05d}" for number in range(1, count + 1)], dtype=object),
        region=region,
        industry=industry,
        since_day=_since(count, preset, span, rng),
        proneness=np.exp(spread * rng.standard_normal(count) - spread**2 / 2),
        orders_per_year=np.clip(rate, preset.fewest_orders, preset.most_orders),
        regularity=rng.choice(preset.regularity, size=count, p=preset.regularity_shares),
        season=preset.season * season * rng.uniform(0.5, 1.5, count),
        peak_day=peak + 15 * rng.standard_normal(count),
        project=rng.random(count) < preset.project_share,
        line_amount=preset.line_amount * np.exp(preset.customer_size_spread * rng.standard_normal(count)),
        extra_lines=preset.extra_lines * np.exp(preset.extra_lines_spread * rng.standard_normal(count)),
        high_share=rng.beta(share * weight, (1 - share) * weight, count),
        discount=rng.beta(4.0, 4.0 / preset.discount - 4.0, count),
        breadth=1 + rng.binomial(LINES_PER_CLASS - 1, rng.beta(2, 3, count)[:, None], (count, 2)),
        assortment=np.argsort(-liking, axis=2),
        favourite=rng.integers(0, 1000, (count, 2 * LINES_PER_CLASS)),
    )


def _since(count: int, preset: Preset, span: Span, rng: np.random.Generator) -> Integers:
    """Day numbers on which the relationships began: a standing stock, and arrivals all over the history."""
    won = preset.new_per_year * span.days / 365.25
    is_new = rng.random(count) < won / (1 + won)
    before = -1 - np.minimum(rng.exponential(5 * 365.25, count), 25 * 365.25).astype(np.int64)
    return np.where(is_new, rng.integers(0, span.days, count), before)
