"""Quotations, contracts, coupons, files, absences and market events of the simulated world say what they must."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from features.contract import CONTRACT
from features.quarantine import ingest
from features.simulate.absences import absences_table
from features.simulate.account_changes import account_changes_observed, account_changes_table
from features.simulate.arrays import WEEK, Span
from features.simulate.contracts import contracts_observed, contracts_table
from features.simulate.customers import customers_table, owner_names, owner_on
from features.simulate.demand import Orders
from features.simulate.market_events import arrival_names, market_events_table, region_names
from features.simulate.observed import Observations
from features.simulate.office import listed, opened
from features.simulate.presets import NORMAL, PRESETS, Preset
from features.simulate.promotions import promotions_observed, promotions_table
from features.simulate.quotes import quotes_observed, quotes_table
from features.simulate.scene import Scene
from features.simulate.signals import SIGNALS
from features.simulate.transactions import transactions_table
from features.simulate.truth import truth_of_losses
from features.simulate.world import set_scene
from features.sources import open_source

DRAWN = {
    "quotes": quotes_table,
    "account_changes": account_changes_table,
    "contracts": contracts_table,
    "promotions": promotions_table,
    "absences": absences_table,
    "market_events": market_events_table,
}
OBSERVED = (quotes_observed, account_changes_observed, contracts_observed, promotions_observed)
OWN_SIGNALS = {"quotes", "asked_discount", "quote_won", "warm", "renewed", "coupon_used"}
OF_CUSTOMERS = {"quotes": "quoted_at", "account_changes": "changed_at", "promotions": "issued_at"}
SPAN = Span(np.datetime64("2023-10-01"), 1096)  # until 2026-10-01
END = pd.Timestamp("2026-10-01")
LONG_AFTER = pd.Timestamp("2030-01-01").to_pydatetime()
# Nobody leaves, all are alike and at their usual level: every observation is a draw from the declaration alone.
STILL = replace(NORMAL, signal=0.0, spread=0.0, yearly_loss=1e-9, causes=0.0, policy="none")


@dataclass(frozen=True)
class Drawn:
    """A scene with its tables of this file."""

    scene: Scene
    tables: Mapping[str, pd.DataFrame]

    def observed(self) -> dict[str, Observations]:
        found = [one for function in OBSERVED for one in function(self.scene, self.tables)]
        assert len({one.signal for one in found}) == len(found)
        return {one.signal: one for one in found}


def draw(preset: Preset, customers: int, span: Span = SPAN, *, attentive: bool = True) -> Drawn:
    scene = set_scene(customers, preset, span, 5)
    if not attentive:
        scene = replace(scene, attention=np.zeros_like(scene.attention))
    tables = {"customers": customers_table(scene, {}, np.random.default_rng(1)), "contacts": contacts(scene)}
    for number, (name, table) in enumerate(DRAWN.items()):
        tables[name] = table(scene, tables, np.random.default_rng([5, number]))
    return Drawn(scene, tables)


def contacts(scene: Scene) -> pd.DataFrame:
    """A buyer for every account, and another one who takes the place on 2025-03-10, ten days after the first left."""
    people = pd.DataFrame({"customer_id": np.repeat(scene.accounts.customer_id, 2), "role": "purchasing"})
    count = len(scene.accounts)
    return people.assign(
        contact_id=["1", "2"] * count,
        name=["Ada Bergan", "Dan Dornau"] * count,
        valid_from=np.tile(np.array(["NaT", "2025-03-10"], dtype="datetime64[us]"), count),
        valid_to=np.tile(np.array(["2025-02-28", "NaT"], dtype="datetime64[us]"), count),
    )


@pytest.fixture(scope="module")
def normal() -> Drawn:
    return draw(NORMAL, 6000)


@pytest.fixture(scope="module")
def null() -> Drawn:
    return draw(PRESETS["null"], 4000)


@pytest.fixture(scope="module")
def still() -> Drawn:
    return draw(STILL, 3000, attentive=False)


def in_natural_units(name: str, level: np.ndarray) -> np.ndarray:
    return expit(level) if SIGNALS[name].family == "share" else level


def before_losses(world: Drawn, days: int, *, symptomatic: bool) -> pd.DataFrame:
    """Customer and day of each loss, with the first of the `days` before it; losses before which these were seen."""
    losses = truth_of_losses(world.scene)
    losses = losses[losses["symptomatic"] == symptomatic]
    account = pd.Index(world.scene.accounts.customer_id).get_indexer(losses["customer_id"])
    lost = SPAN.day(losses["lost_at"].to_numpy())
    seen = lost - 2 * days >= world.scene.known_since(account)
    return pd.DataFrame({"account": account, "first": lost - days, "lost": lost})[seen]


def shifts(world: Drawn, one: Observations, days: int, *, symptomatic: bool) -> np.ndarray:
    """Observed minus usual, for each observation (for a rate: loss) in the `days` before a loss."""
    losses = before_losses(world, days, symptomatic=symptomatic)
    facts = pd.DataFrame({"account": one.account, "day": one.day, "value": one.value})
    usual = world.scene.accounts.usual[one.signal]
    if SIGNALS[one.signal].family == "rate":
        near = losses.reset_index().merge(facts, on="account")
        near = near[(near["day"] >= near["first"]) & (near["day"] < near["lost"])]
        number = near.groupby("index").size().reindex(losses.index, fill_value=0).to_numpy()
        return number - np.exp(usual[losses["account"]]) * days / WEEK
    near = losses.merge(facts, on="account")
    near = near[(near["day"] >= near["first"]) & (near["day"] < near["lost"])]
    return near["value"].to_numpy() - in_natural_units(one.signal, usual[near["account"]])


def own_times(world: Drawn) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    """Table, customer and time of every row that belongs to a customer."""
    for name in (*OF_CUSTOMERS, "contracts"):
        rows = world.tables[name]
        yield name, rows["customer_id"], rows[CONTRACT[name].time]


def test_an_ingest_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    world = draw(NORMAL, 300)
    tables = {**world.tables, "transactions": transactions_table(world.scene, {}, np.random.default_rng(1))}
    for name, rows in tables.items():
        rows.to_parquet(tmp_path / f"{name}.parquet", index=False)
    report = ingest(open_source(tmp_path), tmp_path / "events", run_at=LONG_AFTER, timezone="UTC", buckets=1)
    for name in DRAWN:
        kept = report.table(name)
        assert (kept.quarantined, kept.duplicates) == (0, 0), kept.reasons
        assert kept.clean == len(tables[name]) > 0


@pytest.mark.parametrize("name", DRAWN)
def test_every_table_has_the_columns_and_types_of_the_contract(normal: Drawn, name: str) -> None:
    types = {"id": "str", "text": "str", "timestamp": "datetime64[us]"}
    rows, table = normal.tables[name], CONTRACT[name]
    assert set(rows.columns) == set(table.names)
    for column in table.columns:
        assert str(rows[column.name].dtype) == types.get(column.type, "float64"), column.name
        if column.values:
            assert set(rows[column.name].unique()) <= set(column.values)
    times = rows[table.time]
    assert times.is_monotonic_increasing
    assert (rows["recorded_at"] >= times).all() or name == "absences"
    if table.key:
        assert not rows.duplicated(list(table.key)).any()


def test_the_observations_are_of_the_signals_of_these_tables(normal: Drawn) -> None:
    assert set(normal.observed()) == OWN_SIGNALS == {name for name, signal in SIGNALS.items() if signal.table in DRAWN}


@pytest.mark.parametrize("name", sorted(OWN_SIGNALS))
def test_without_a_sign_every_signal_is_at_its_usual_level(still: Drawn, name: str) -> None:
    one, usual = still.observed()[name], still.scene.accounts.usual[name]
    if SIGNALS[name].family == "rate":
        weeks = (SPAN.days - still.scene.known_since(np.arange(len(usual)))) / WEEK
        expected = float(np.sum(np.exp(usual) * weeks))
        assert abs(len(one.day) - expected) < 4 * np.sqrt(expected) + 0.005 * expected
        return
    # Of a year or coupon that is still open at the extract, a yes is known and a no is not.
    value = one.value[one.day < SPAN.days - 70] if name != "coupon_used" else closed_coupons(still).value
    gap = value - in_natural_units(name, usual[0])
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap)), gap.mean()


def closed_coupons(world: Drawn) -> Observations:
    rows = world.tables["promotions"]
    closed = rows[rows["issued_at"] < END - pd.Timedelta(days=61)]
    return promotions_observed(world.scene, {"promotions": closed})[0]


@pytest.mark.parametrize("name", sorted(OWN_SIGNALS))
def test_before_a_loss_with_symptoms_every_signal_moves_as_declared(normal: Drawn, name: str) -> None:
    signal = SIGNALS[name]
    # A contract comes up once a year: a longer look back finds enough of them.
    moved = shifts(normal, normal.observed()[name], 120 if name == "renewed" else 30, symptomatic=True)
    way = np.sign(signal.comparing or signal.away)
    assert way * moved.mean() > 2 * moved.std() / np.sqrt(len(moved)), (moved.mean(), len(moved))


@pytest.mark.parametrize("name", sorted(OWN_SIGNALS))
def test_in_the_null_world_no_signal_moves_before_a_loss(null: Drawn, name: str) -> None:
    moved = shifts(null, null.observed()[name], 90, symptomatic=False)
    assert len(moved) > 20
    assert abs(moved.mean()) < 4 * moved.std() / np.sqrt(len(moved)), moved.mean()


def test_in_the_null_world_nothing_is_entered_or_given_more_or_less_before_a_loss(null: Drawn) -> None:
    losses = before_losses(null, 90, symptomatic=False).reset_index()
    for name, column in OF_CUSTOMERS.items():
        rows = null.tables[name]
        account = pd.Index(null.scene.accounts.customer_id).get_indexer(rows["customer_id"])
        both = losses.merge(pd.DataFrame({"account": account, "day": SPAN.day(rows[column].to_numpy())}), on="account")
        late = ((both["day"] >= both["first"]) & (both["day"] < both["lost"])).astype(int)
        early = ((both["day"] >= both["first"] - 90) & (both["day"] < both["first"])).astype(int)
        change = (late - early).groupby(both["index"]).sum().reindex(losses["index"], fill_value=0)
        assert abs(change.mean()) < 4 * change.std() / np.sqrt(len(change)), (name, change.mean())


def test_nothing_happens_before_the_relationship_began(normal: Drawn) -> None:
    since = normal.tables["customers"].set_index("customer_id")["since"]
    for name, customer, at in own_times(normal):
        assert (at.to_numpy() >= customer.map(since).to_numpy()).all(), name


def test_nothing_is_won_used_or_signed_by_who_is_lost(normal: Drawn) -> None:
    losses = truth_of_losses(normal.scene)
    facts = {
        "quotes": normal.tables["quotes"].query("status == 'won'")[["customer_id", "closed_at"]],
        "promotions": normal.tables["promotions"].dropna(subset="used_at")[["customer_id", "used_at"]],
        "contracts": normal.tables["contracts"][["customer_id", "signed_at"]],
    }
    for name, rows in facts.items():
        at = rows.columns[1]
        both = rows[rows[at] < END].merge(losses, on="customer_id")
        while_lost = (both[at] >= both["lost_at"]) & ~(both[at] >= both["returned_at"])
        assert not while_lost.any(), name


def test_a_quotation_is_answered_as_fast_with_a_no_as_with_a_yes(normal: Drawn) -> None:
    rows = normal.tables["quotes"]
    wait = (rows["closed_at"] - rows["quoted_at"]) / pd.Timedelta(days=1)
    won = wait[rows["status"] == "won"]
    lost = wait[rows["status"] == "lost"]
    assert wait.min() > 0
    assert abs(won.mean() - lost.mean()) < 4 * wait.std() * np.sqrt(1 / len(won) + 1 / len(lost))


def test_a_discount_that_was_not_asked_for_counts_as_what_it_hides(still: Drawn) -> None:
    asked = still.tables["quotes"]["asked_discount"]
    assert 0.01 < (asked == 0).mean() < 0.2
    assert asked.mean() > SIGNALS["asked_discount"].usual + 0.001
    assert still.observed()["asked_discount"].value.min() < -0.005


def test_an_open_quotation_says_nothing_yet(normal: Drawn) -> None:
    rows = normal.tables["quotes"].head(3).copy()
    rows["status"] = ["open", "won", "lost"]
    rows.loc[0, "closed_at"] = pd.NaT
    found = {one.signal: one for one in quotes_observed(normal.scene, {"quotes": pd.concat([rows, rows])})}
    assert len(found["quotes"].day) == 3
    assert found["quote_won"].value.tolist() == [1.0, 0.0]
    assert found["quote_won"].day.tolist() == SPAN.day(rows["closed_at"].to_numpy()[1:]).tolist()


def test_a_year_without_a_contract_is_a_no_and_the_next_one_a_new_question(normal: Drawn) -> None:
    day = normal.scene.accounts.customer_id[3]
    first, third = pd.Timestamp("2023-10-10"), pd.Timestamp("2023-10-10") + pd.Timedelta(days=730)
    rows = pd.DataFrame({"customer_id": [day, day], "starts_at": [first, third], "signed_at": [first, third]})
    (found,) = contracts_observed(normal.scene, {"contracts": rows})
    assert found.value.tolist() == [0.0, 1.0]
    assert found.day.tolist() == [9 + 365 + 30, 9 + 730]


def test_contracts_end_where_the_next_may_begin_and_last_a_year(normal: Drawn) -> None:
    rows = normal.tables["contracts"].sort_values(["customer_id", "starts_at"])
    assert ((rows["ends_at"] - rows["starts_at"]).dt.days == 364).all()
    gap = rows.groupby("customer_id")["starts_at"].diff().dropna().dt.days
    assert (gap % 365 == 0).all()
    assert (gap == 730).sum() > 10


def test_the_first_contract_comes_with_the_relationship_or_before_the_history(normal: Drawn) -> None:
    rows = normal.tables["contracts"].assign(start=lambda table: SPAN.day(table["starts_at"].to_numpy()))
    first = rows.groupby("customer_id")["start"].min()
    since = pd.Series(normal.scene.accounts.since_day, index=normal.scene.accounts.customer_id)[first.index]
    assert ((first == since) | ((first < 0) & (first > since))).all()


def test_a_coupon_is_used_in_time_or_never_and_known_then(normal: Drawn) -> None:
    rows = normal.tables["promotions"]
    wait = (rows["used_at"] - rows["issued_at"]).dropna() / pd.Timedelta(days=1)
    assert 0 < wait.min() < wait.max() < 60
    assert not rows.duplicated(["customer_id", "issued_at"]).any()
    two = pd.DataFrame({"customer_id": ["C00001"] * 2, "issued_at": pd.to_datetime(["2024-05-01", "2026-08-10"])})
    two["used_at"] = pd.Series([pd.NaT, pd.NaT], dtype="datetime64[us]")
    (found,) = promotions_observed(normal.scene, {"promotions": two})
    assert found.day.tolist() == [213 + 60]  # 2024-05-01 is day 213; the later coupon may still be used


def test_coupons_are_for_trade_and_consumer_goods(normal: Drawn) -> None:
    sectors = normal.tables["customers"].set_index("customer_id")["sector"]
    assert set(normal.tables["promotions"]["customer_id"].map(sectors)) == {"wholesale", "fmcg"}


def test_who_is_looked_after_follows_from_the_orders_before_the_day_alone(normal: Drawn) -> None:
    since = normal.scene.accounts.since_day
    old, new = int(np.flatnonzero(since < 0)[0]), int(np.flatnonzero(since > 0)[0])
    one = Orders(account=np.array([old]), day=np.array([500]), due=np.array([0.0]))
    scene = replace(normal.scene, orders=one)
    days = np.array([0, 365, 366, 500, 501, 865, 866])
    assert listed(scene, np.full(7, old), days).tolist() == [True, True, False, False, True, True, False]
    days = since[new] + np.array([-1, 0, 365, 366])
    assert listed(scene, np.full(4, new), days).tolist() == [False, True, True, False]


def test_the_chain_of_values_in_a_file_is_unbroken_and_ends_in_the_customers_table(normal: Drawn) -> None:
    changes = normal.tables["account_changes"].sort_values("recorded_at", kind="stable")
    now = normal.tables["customers"].set_index("customer_id")
    for field in ("rank", "order_pattern"):
        mine = changes[changes["field"] == field]
        last = mine.groupby("customer_id")["new"].last()
        assert (last == now.loc[last.index, field]).all()
    for _, part in changes[changes["field"].isin(["temperature", "rank", "growth"])].groupby("field"):
        before = part.groupby("customer_id")["new"].shift()
        assert (part["old"] == before)[before.notna()].all()
    other = changes[changes["field"] != "temperature"]
    assert (other["old"] != other["new"]).all()


def test_owners_and_contacts_in_the_files_are_those_of_the_other_tables(normal: Drawn) -> None:
    changes, scene = normal.tables["account_changes"], normal.scene
    owners = changes[changes["field"] == "owner"]
    account = pd.Index(scene.accounts.customer_id).get_indexer(owners["customer_id"])
    day = SPAN.day(owners["changed_at"].to_numpy())
    left = scene.causes.count_before("seller_left", account, day + 1)
    one = left == scene.causes.count_before("seller_left", account, day - 20) + 1
    assert (owner_names(scene, owner_on(scene, account, day))[one] == owners["new"].to_numpy()[one]).all()
    assert (owner_names(scene, owner_on(scene, account, day - 20))[one] == owners["old"].to_numpy()[one]).all()
    names = changes[changes["field"] == "contact"]
    assert set(zip(names["old"], names["new"], strict=True)) == {("Ada Bergan", "Dan Dornau")}
    assert names["changed_at"].min() >= pd.Timestamp("2025-03-10")
    assert names["customer_id"].is_unique


def test_temperatures_are_entered_late_by_some_and_hardly_ever_by_others(normal: Drawn) -> None:
    changes = normal.tables["account_changes"]
    entered = changes[changes["field"] == "temperature"]
    wait = (entered["recorded_at"] - entered["changed_at"]) / pd.Timedelta(days=1)
    assert 0.2 < (wait >= 13.5).mean() < 0.4
    assert wait.max() < 42 + 9
    authors = entered["author"].value_counts().reindex(changes["author"].unique(), fill_value=0)
    assert authors.quantile(0.1) < 0.2 * authors.median()
    ranks = normal.tables["customers"].set_index("customer_id")["rank"]
    share = entered["customer_id"].map(ranks).value_counts() / ranks.value_counts()
    assert share["A"] > share["B"] > share["C"] > share["D"]
    found = normal.observed()["warm"]
    assert sorted(found.day) == sorted(SPAN.day(entered["recorded_at"].to_numpy()))


def test_a_competitor_is_noted_more_often_after_it_arrived_by_whoever_is_asked(normal: Drawn) -> None:
    scene, changes = normal.scene, normal.tables["account_changes"]
    arrivals = scene.causes.of("rival_arrives")
    assert len(arrivals.event_day) > 3
    noted = changes[changes["field"] == "competitor"].merge(normal.tables["customers"], on="customer_id")
    events = pd.DataFrame(
        {"region": region_names(arrivals.event_group), "day": arrivals.event_day, "new": arrival_names(scene)}
    )
    both = noted.assign(noted_on=SPAN.day(noted["changed_at"].to_numpy())).merge(events, on=["region", "new"])
    ago = both["noted_on"] - both["day"]
    assert ago.between(14, 98).sum() > 3 * ago.between(-84, 0).sum()


def test_people_are_away_only_while_they_are_with_us_and_some_for_long_before_they_leave(normal: Drawn) -> None:
    scene, rows = normal.scene, normal.tables["absences"]
    left = scene.causes.of("seller_left")
    leavers = owner_names(scene, owner_on(scene, left.account, left.day - 1))
    until = pd.Series(SPAN.dates(left.day), index=leavers).groupby(level=0).min()
    gone = rows["owner"].map(until)
    assert not (rows["ends_at"] >= gone).any()
    long = (rows["ends_at"] - rows["starts_at"]).dt.days >= 25
    assert (gone[long] - rows["ends_at"][long] == pd.Timedelta(days=1)).all()
    assert 0.2 < long.sum() / len(until) < 0.6
    assert set(rows["owner"]) >= set(normal.tables["customers"]["owner"].sample(20, random_state=1))
    assert not rows.duplicated(["owner", "starts_at"]).any()


def test_every_arrival_is_published_some_days_later_among_events_that_mean_nothing(normal: Drawn) -> None:
    rows, arrivals = normal.tables["market_events"], normal.scene.causes.of("rival_arrives")
    acts = rows[rows["kind"].isin(["new_branch", "price_cut", "campaign"])]
    assert sorted(acts["occurred_at"].to_numpy()) == sorted(SPAN.dates(arrivals.event_day))
    assert (rows["published_at"] > rows["occurred_at"]).all()
    assert (rows["recorded_at"] == rows["published_at"]).all()
    assert (rows["kind"] == "market_index").sum() == 36 * 6
    assert rows["kind"].nunique() > 5
    assert set(rows["region"]) == set(normal.tables["customers"]["region"])


def test_the_office_is_open_on_the_days_of_business_and_moves_on_to_the_next() -> None:
    open_days = SPAN.open_days()
    days = np.arange(SPAN.days)
    assert (opened(SPAN, days[open_days]) == days[open_days]).all()
    closed = days[~open_days & (days < SPAN.days - 10)]
    following = np.flatnonzero(open_days)
    assert (opened(SPAN, closed) == following[np.searchsorted(following, closed)]).all()
    assert opened(SPAN, np.array([-1, SPAN.days + 2])).tolist() == [
        1,
        SPAN.days + 4,
    ]  # Saturdays: 2023-09-30, 2026-10-03


@pytest.mark.parametrize("preset", PRESETS)
def test_a_world_of_one_customer_and_one_month_has_its_tables(preset: str) -> None:
    tiny = draw(PRESETS[preset], 1, Span(np.datetime64("2025-12-01"), 31))
    for name in DRAWN:
        assert set(tiny.tables[name].columns) == set(CONTRACT[name].names)
    assert set(tiny.observed()) <= OWN_SIGNALS
    assert [one for function in OBSERVED for one in function(tiny.scene, {})] == []
