"""The sections of the settings: what each number may be. What they mean stands in ``kizashi.toml``."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipelines.setting_words import Allowed


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError("no such time zone") from None
    return name


def _address(url: str) -> str:
    if url and not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("no such kind of database")
    return url


def _rising(multiples: tuple[float, ...]) -> tuple[float, ...]:
    if not multiples or any(not 1 <= one <= 5 for one in multiples) or any(a >= b for a, b in pairwise(multiples)):
        raise ValueError("no rising multiples")
    return multiples


Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Days = Annotated[int, Field(ge=0)]
Zone = Annotated[str, AfterValidator(_zone), Allowed('a time zone\'s name, such as "Asia/Tokyo"')]
Currency = Annotated[str, Field(pattern="^([A-Z]{3})?$"), Allowed('three capital letters, such as "EUR", or ""')]
Address = Annotated[
    str,
    AfterValidator(_address),
    Allowed('"sqlite:///...", "postgresql://...", or "" for a file in the output folder', secret=True),
]
Flag = Annotated[bool, Allowed("true or false")]
Multiples = Annotated[
    tuple[float, ...],
    Field(strict=False),
    AfterValidator(_rising),
    Allowed("one or more numbers from 1 to 5, each above the one before, such as [1.5, 2.0]"),
]
Tongue = Annotated[Literal["en", "ja", "zh"], Allowed('"en", "ja" or "zh"')]
EngineKind = Annotated[Literal["local", "dask"], Allowed('"local" or "dask"')]
Scheduler = Annotated[
    str,
    Field(pattern=r"^((tcp|tls)://([^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})?$"),
    Allowed('"tcp://HOST:PORT", "tls://HOST:PORT", or "" for a cluster made for the run'),
]
EventsUrl = Annotated[
    str,
    Field(pattern=r"^(s3://[^/:@?]+(/[^?]*)?)?$"),
    Allowed('"s3://BUCKET/FOLDER" without keys, or "" for the output folder alone', secret=True),
]
Memory = Annotated[
    str,
    Field(pattern=r"^([0-9]+(\.[0-9]+)? ?[kMGT]i?B)?$"),
    Allowed('a size, such as "4GiB" or "500 MB", or "" for an equal share of the machine'),
]
Money = Annotated[Annotated[float, Field(ge=0)] | Literal[""], Allowed('a number, at least 0, or "" if unknown')]
Rate = Annotated[PositiveShare | Literal[""], Allowed('a number, above 0, at most 1, or "" if unknown')]
Ends = Annotated[
    tuple[Annotated[float, Field(ge=1)], ...], Field(strict=False, max_length=2), Allowed("up to 2 numbers from 1 on")
]
Horizons = Annotated[
    tuple[Literal[30], Literal[60], Literal[90], Literal[180]],
    Field(strict=False),
    Allowed("[30, 60, 90, 180] and nothing else"),
]


class Section(BaseModel):
    """A table of the file: no unknown name, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Project(Section):
    """The company's calendar and money."""

    timezone: Zone = "UTC"
    currency: Currency = ""
    language: Tongue = "en"


class Quarantine(Section):
    """How many bad rows a run bears."""

    max_share: Share = 0.01


class Cohort(Section):
    """Who can be warned about."""

    min_order_days: Count = 2
    max_days_since_last_order: Count = 365
    projects_apart: Flag = True
    seasons_apart: Flag = True
    reactivated_apart: Flag = True


class Window(Section):
    """The customer's own window: how long a silence counts as having left."""

    multiples: Multiples = (1.5, 2.0, 2.5, 3.0)
    max_false_churn: PositiveShare = 0.25
    min_days: Annotated[int, Field(ge=30, le=180)] = 45
    max_days: Annotated[int, Field(ge=30, le=180)] = 180
    shrink_gaps: Annotated[float, Field(gt=0)] = 4.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_days > self.max_days:
            raise ValueError("min_days must not be above max_days")
        return self


class Labels(Section):
    """What happened after a cutoff, and when we can know it."""

    horizons: Horizons = (30, 60, 90, 180)
    invoice_latency_days: Days = 0


class Training(Section):
    """Which snapshots a model is fitted and tried on."""

    slice_every_months: Annotated[int, Field(ge=1, le=12)] = 1
    max_slices: Count = 36
    test_cutoffs: Count = 6
    max_rows: Annotated[int, Field(ge=1000)] = 500_000
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 2026
    threads: Count = 2


class Lightgbm(Section):
    """The gradient-boosted trees, in LightGBM's own terms."""

    rounds: Count = 100
    learning_rate: PositiveShare = 0.03
    num_leaves: Annotated[int, Field(ge=2, le=255)] = 8
    min_child_samples: Count = 40
    feature_fraction: PositiveShare = 0.5
    bagging_fraction: PositiveShare = 0.8
    lambda_l2: Annotated[float, Field(ge=0)] = 5.0
    most_columns: Annotated[int, Field(ge=5)] = 100
    bags: Annotated[int, Field(ge=1, le=32)] = 8
    bag_share: PositiveShare = 0.667
    rows_per_bag: Annotated[int, Field(ge=1000)] = 20_000


class Level(Section):
    """When one warning level is given."""

    precision: PositiveShare
    largest_share: PositiveShare


class Levels(Section):
    """The four warning levels, the loudest first."""

    red: Level = Level(precision=0.70, largest_share=0.05)
    orange: Level = Level(precision=0.60, largest_share=0.15)
    yellow: Level = Level(precision=0.50, largest_share=0.30)
    blue: Level = Level(precision=0.40, largest_share=0.50)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        loudest_first = (self.red, self.orange, self.yellow, self.blue)
        for louder, quieter in pairwise(loudest_first):
            if louder.precision < quieter.precision:
                raise ValueError("precision must not rise from red through orange and yellow to blue")
            if louder.largest_share > quieter.largest_share:
                raise ValueError("largest_share must not fall from red through orange and yellow to blue")
        return self


class Promotion(Section):
    """What a new model and its data have to be like to take the champion's place."""

    log_loss_tolerance: Annotated[float, Field(ge=0)] = 0.005
    auc_tolerance: Share = 0.005
    load_seconds: Annotated[float, Field(gt=0)] = 120.0
    largest_factor: Annotated[float, Field(gt=1)] = 5.0
    largest_rewrite: PositiveShare = 0.1


class Reasons(Section):
    """How much of an explanation is kept."""

    count: Annotated[int, Field(ge=1, le=20)] = 5


class Economics(Section):
    """What a warning costs the company and what it is worth to it; nothing is claimed that is not set."""

    contact_cost: Money = ""
    offer_cost: Annotated[float, Field(ge=0)] = 0.0
    save_rate: Rate = ""
    margin_share: Rate = ""
    replacement_multiple: Ends = ()


class Features(Section):
    """What a company adds to the features, and what it wants otherwise."""

    files: tuple[str, ...] = Field(default=(), strict=False)
    options: dict[str, Any] = Field(default_factory=dict)


class Engine(Section):
    """Where the work on buckets of customers runs."""

    kind: EngineKind = "local"
    address: Scheduler = ""
    workers: Count = 2
    threads_per_worker: Count = 1
    memory_per_worker: Memory = ""
    retries: Annotated[int, Field(ge=0)] = 2
    events: EventsUrl = Field(default="", repr=False)


class Store(Section):
    """The application's database."""

    url: Address = Field(default="", repr=False)
