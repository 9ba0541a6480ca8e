"""What people enter in the customers' files of the simulated world: the temperature, and much else.

The temperature is the one signal here. All else is the trace of a cause or means nothing; how often somebody enters
something depends on the person and on the order book, never on the state of the relationship.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.contract import GROWTHS, ORDER_PATTERNS, RANKS, RISKS
from features.simulate.accounts import REGIONS
from features.simulate.arrays import Floats, Integers
from features.simulate.customers import owner_names, owner_on, ranks
from features.simulate.market_events import arrival_names, rival_names
from features.simulate.observed import Observations
from features.simulate.office import by_chance, listed, moments, opened, usual_year
from features.simulate.scene import Scene

Texts = npt.NDArray[np.object_]

ENTRIES = {"A": 5.0, "B": 3.5, "C": 2.2, "D": 1.3}  # temperatures entered a year, by rank
IDLE = 0.2  # of the sales people hardly ever enter one
IDLE_RATE = 0.08  # what they enter, as a multiple of the others
ZEAL_SPREAD = 0.4  # sd of the log of what the others enter
HOT, COLD = 0.3, 0.35  # of the warm ones are called hot, of the cool ones cold: whoever enters it decides
LATE = 0.3  # of the temperatures are entered late and dated back to the day of the judgement
LATE_DAYS, SOON_DAYS = (14, 42), (0, 3)  # from the judgement to the entry
OWNER_DAYS = (0, 10)  # from the leaving of a sales person to the new name in the file
CONTACT_DAYS = (0, 20)  # from the first day of a new contact to the new name in the file
TERMS_NAMED = 0.35  # of price rises are entered as new terms
TERMS_DAYS = (0, 30)  # from the price rise to that entry
RIVAL_NOTED = 0.06  # of the customers of a region note an arriving competitor, reached by it or not
RIVAL_DAYS = (14, 90)  # from the arrival to that entry
# Entries a year that mean nothing: by chance alone, in any state of the relationship.
PER_YEAR = {
    "rank": 0.08, "order_pattern": 0.08, "growth": 0.15, "risk": 0.20, "credit_limit": 0.12, "next_action": 0.60,
    "note": 0.50, "competitor": 0.03,
}  # fmt: skip
RISK_SHARES = (0.60, 0.25, 0.10, 0.05)  # of `RISKS`
CREDIT_YEARS = (0.08, 0.12, 0.16, 0.2, 0.25)  # credit limits, as parts of the usual sales of a year

NEXT_ACTIONS = {
    "latin": ("send the new catalogue", "call after the fair", "visit next month", "prepare samples", "check stock"),
    "japanese": ("新カタログを送付", "展示会後に電話", "来月訪問", "サンプルを準備", "在庫を確認"),
    "chinese": ("寄送新产品目录", "展会后致电", "下月拜访", "准备样品", "确认库存"),
}
NOTES = {
    "latin": ("moved to a new office", "reception closes at four", "prefers deliveries on Tuesdays", "met at the fair"),
    "japanese": ("事務所を移転", "受付は16時まで", "納品は火曜日を希望", "展示会で面談"),
    "chinese": ("办公室已搬迁", "前台下午四点下班", "希望周二送货", "在展会上见过面"),
}


def account_changes_table(scene: Scene, made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `account_changes` table of the contract, in order of time.

    Needs `customers` among the tables made, and `contacts` for the changes of a contact. A temperature that is
    entered anew stands there even if it is the old one; `changed_at` is the day that it is dated to, `recorded_at`
    the day of the entry. `old` is what the file said at the entry, missing for the first one.
    """
    parts = [
        _temperatures(scene, rng),
        _owners(scene, rng),
        _contacts(scene, made, rng),
        _terms(scene, rng),
        _competitors(scene, rng),
        *(_filed(scene, made, field, rng) for field in ("rank", "order_pattern")),
        *(_harmless(scene, field, values, rng) for field, values in _values(scene).items()),
    ]
    drawn = pd.concat(parts, ignore_index=True).sort_values(["recorded_at", "account"], kind="stable")
    before = drawn.groupby(["account", "field"])["new"].shift()
    drawn["old"] = drawn["old"].where(drawn["old"].notna(), before)
    # Only a temperature is confirmed by entering it again.
    drawn = drawn[(drawn["field"] == "temperature") | (drawn["old"] != drawn["new"])]
    drawn = drawn.sort_values(["changed_at", "account", "field"], kind="stable", ignore_index=True)
    account = drawn["account"].to_numpy().astype(np.int64)
    entered = scene.span.day(drawn["recorded_at"].to_numpy())
    owner, place = np.unique(owner_on(scene, account, entered), return_inverse=True)
    columns: dict[str, object] = {
        "customer_id": pd.array(scene.accounts.customer_id[account], dtype="str"),
        "changed_at": drawn["changed_at"],
        "recorded_at": drawn["recorded_at"],
        **{name: drawn[name].astype("str") for name in ("field", "old", "new")},
        "author": pd.array(owner_names(scene, owner)[place], dtype="str"),
    }
    return pd.DataFrame(columns)


def _entries(
    scene: Scene,
    field: str,
    account: Integers,
    day: Integers,
    new: Texts,
    rng: np.random.Generator,
    old: Texts | None = None,
) -> pd.DataFrame:
    """Changes that are entered on the open day from `day` on; those before the relationship or after the history go."""
    day = opened(scene.span, day)
    kept = (day < scene.span.days) & (day >= scene.known_since(account))
    at = moments(scene.span, day, rng)
    before = np.full(len(account), None, dtype=object) if old is None else old
    columns = {"account": account, "changed_at": at, "recorded_at": at, "field": field, "old": before, "new": new}
    return pd.DataFrame(columns)[kept]


def _days(limits: tuple[int, int], count: int, rng: np.random.Generator) -> Integers:
    """Numbers of days between two limits, both included."""
    return rng.integers(limits[0], limits[1] + 1, count)


def _temperatures(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """The signal: how warm the owner thinks the relationship is, on the day that the entry is dated to."""
    most = float(np.exp(3 * ZEAL_SPREAD))
    per_year = np.asarray(pd.Series(ranks(scene.accounts)).map(ENTRIES), dtype=np.float64)
    account, day = by_chance(scene, most * per_year, rng)
    owner = owner_on(scene, account, day)
    zeal = np.exp(np.minimum(ZEAL_SPREAD * rng.standard_normal(owner.max(initial=0) + 1), np.log(most)))
    zeal = np.where(rng.random(len(zeal)) < IDLE, IDLE_RATE, zeal)
    kept = rng.random(len(account)) < zeal[owner] / most
    account, day = account[kept], day[kept]
    warm, rest = scene.happens("warm", account, day, rng), rng.random(len(account))
    word = np.select([warm & (rest < HOT), warm, rest < COLD], ["hot", "warm", "cold"], "cool").astype(object)
    drawn = _entries(scene, "temperature", account, day, word, rng)
    late = rng.random(len(drawn)) < LATE
    wait = np.where(late, _days(LATE_DAYS, len(drawn), rng), _days(SOON_DAYS, len(drawn), rng))
    entered = opened(scene.span, scene.span.day(drawn["changed_at"].to_numpy()) + wait)
    at_once = wait == 0
    drawn["recorded_at"] = np.where(at_once, drawn["changed_at"], moments(scene.span, entered, rng))
    return drawn


def _owners(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """A new sales person in the file, some days after the last one left."""
    left = scene.causes.of("seller_left")
    pairs = pd.DataFrame({"account": left.account, "day": left.day}).drop_duplicates()
    account, day = pairs["account"].to_numpy(), pairs["day"].to_numpy()
    numbers, place = np.unique(
        np.concatenate([owner_on(scene, account, day - 1), owner_on(scene, account, day)]), return_inverse=True
    )
    old, new = np.split(owner_names(scene, numbers)[place], 2)
    here = day >= scene.accounts.since_day[account]
    day = day + _days(OWNER_DAYS, len(day), rng)
    return _entries(scene, "owner", account[here], day[here], new[here], rng, old[here])


def _contacts(scene: Scene, made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """A new name for a contact that left, some days after the successor began."""
    none = np.empty(0, dtype=np.int64)
    if "contacts" not in made or made["contacts"].empty:
        return _entries(scene, "contact", none, none, none.astype(object), rng)
    people = made["contacts"][["customer_id", "role", "name", "valid_from", "valid_to"]]
    gone = people[people["valid_to"].notna()].sort_values("valid_to")
    after = people[people["valid_from"].notna()].sort_values("valid_from")
    pairs = pd.merge_asof(
        gone.drop(columns="valid_from"),
        after.drop(columns="valid_to"),
        left_on="valid_to",
        right_on="valid_from",
        by=["customer_id", "role"],
        direction="forward",
        suffixes=("_before", ""),
    ).dropna(subset="valid_from")
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(pairs["customer_id"]))
    day = scene.span.day(pairs["valid_from"].to_numpy()) + _days(CONTACT_DAYS, len(pairs), rng)
    old, new = (pairs[name].to_numpy(dtype=object) for name in ("name_before", "name"))
    return _entries(scene, "contact", account, day, new, rng, old)


def _terms(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """A price list named in the file after some price rises; the terms name the month of the rise."""
    rises = scene.causes.of("price_rise")
    # The page that the last rise left, whether it was entered or not.
    order = np.lexsort((rises.day, rises.account))
    account, day = rises.account[order], rises.day[order]
    new = _price_list(scene, day)
    same = np.append(False, account[1:] == account[:-1])
    first = _price_list(scene, np.full(len(day), -1))
    old = np.where(same, np.roll(new, 1), first)
    here = (rng.random(len(day)) < TERMS_NAMED) & (day >= scene.accounts.since_day[account])
    day = day + _days(TERMS_DAYS, len(day), rng)
    return _entries(scene, "terms", account[here], day[here], new[here], rng, old[here])


def _price_list(scene: Scene, day: Integers) -> Texts:
    """The name of the price list that came out on each day."""
    month, place = np.unique(scene.span.dates(day).astype("datetime64[M]"), return_inverse=True)
    names = np.array([f"price list {name}" for name in month.astype(str).tolist()], dtype=object)
    return names[place] if len(place) else np.empty(0, dtype=object)


def _competitors(scene: Scene, rng: np.random.Generator) -> pd.DataFrame:
    """A competitor named in the file: by chance, and more often some weeks after one has arrived in the region.

    Any customer of the region may name it: the entry says that it arrived, not whom it pushed.
    """
    arrivals, accounts = scene.causes.of("rival_arrives"), scene.accounts
    event, account = np.nonzero(arrivals.event_group[:, None] == accounts.region)
    noted = rng.random(len(event)) < RIVAL_NOTED
    event, account = event[noted], account[noted]
    day = arrivals.event_day[event] + _days(RIVAL_DAYS, len(event), rng)
    kept = listed(scene, account, day)
    heard = _entries(scene, "competitor", account[kept], day[kept], arrival_names(scene)[event[kept]], rng)
    account, day = by_chance(scene, np.full(len(accounts), PER_YEAR["competitor"]), rng)
    names = rival_names(accounts.region[account], rng.integers(0, 1000, len(account)))
    return pd.concat([heard, _entries(scene, "competitor", account, day, names, rng)])


def _filed(scene: Scene, made: Mapping[str, pd.DataFrame], field: str, rng: np.random.Generator) -> pd.DataFrame:
    """Changes of a field of `customers` by chance, of which the last one leads to what stands there."""
    words = np.array({"rank": RANKS, "order_pattern": ORDER_PATTERNS}[field], dtype=object)
    account, day = by_chance(scene, np.full(len(scene.accounts), PER_YEAR[field]), rng)
    old = words[rng.integers(0, len(words), len(account))]
    drawn = _entries(scene, field, account, day, old, rng, old).sort_values(["account", "changed_at"], kind="stable")
    following = drawn.groupby("account")["old"].shift(-1)
    now = made["customers"][field].to_numpy(dtype=object)[drawn["account"].to_numpy()]
    return drawn.assign(new=following.where(following.notna(), pd.Series(now, index=drawn.index)))


def _harmless(
    scene: Scene, field: str, values: Callable[[Integers, np.random.Generator], Texts], rng: np.random.Generator
) -> pd.DataFrame:
    """Entries by chance alone."""
    account, day = by_chance(scene, np.full(len(scene.accounts), PER_YEAR[field]), rng)
    return _entries(scene, field, account, day, values(account, rng), rng)


def _values(scene: Scene) -> Mapping[str, Callable[[Integers, np.random.Generator], Texts]]:
    """What is entered by chance, as a function of the customers."""
    sales = usual_year(scene.accounts)

    def word(values: tuple[str, ...], shares: tuple[float, ...] | None = None) -> Callable[..., Texts]:
        names = np.array(values, dtype=object)
        return lambda account, rng: rng.choice(names, len(account), p=shares)

    def phrase(phrases: Mapping[str, tuple[str, ...]]) -> Callable[..., Texts]:
        said = np.array([phrases[script] for _, script, _ in REGIONS], dtype=object)
        return lambda account, rng: said[scene.accounts.region[account], rng.integers(0, said.shape[1], len(account))]

    def limit(account: Integers, rng: np.random.Generator) -> Texts:
        money: Floats = np.maximum(np.round(sales[account] * rng.choice(CREDIT_YEARS, len(account)), -2), 100.0)
        return money.astype(np.int64).astype(str).astype(object)

    return {
        "growth": word(GROWTHS),
        "risk": word(RISKS, RISK_SHARES),
        "credit_limit": limit,
        "next_action": phrase(NEXT_ACTIONS),
        "note": phrase(NOTES),
    }


def account_changes_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """Every temperature that was entered, on the day of its entry: what it is dated to was not known before."""
    if "account_changes" not in tables:
        return []
    rows = tables["account_changes"]
    rows = rows[rows["field"] == "temperature"].drop_duplicates()
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    day = scene.span.day(rows["recorded_at"].to_numpy())
    return [Observations("warm", account, day, rows["new"].isin(["hot", "warm"]).to_numpy().astype(float))]
