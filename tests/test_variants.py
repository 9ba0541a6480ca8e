"""Customers under other circumstances: without a change the real ones to the last bit, with one changed by it alone."""

import pickle
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from orders import ingested, lines
from two_clocks import nasty, simulated

from features.accounts import RISK
from features.briefs import account_brief
from features.buckets import Events
from features.contact_curve import contact_periods
from features.daily_facts import daily_facts
from features.errors import SettingsError
from features.passes import SnapshotParts, take_parts
from features.population import Population
from features.snapshots import Cohort, Window, all_starts
from features.variants import Variant, Variants, new_facts, variants
from models.health_history import health_rows

THEN, NOW = date(2025, 5, 20), date(2025, 6, 12)
WORLDS = {"world": simulated, "nasty": nasty}
SOME = 12


def taken(events: Events, as_ofs: list[date], folder: Path, population: Population | None = None) -> SnapshotParts:
    folder.mkdir(parents=True)
    return take_parts(events, as_ofs, folder, cohort=Cohort(), window=Window(), population=population)


class World:
    """A company with its real snapshots, and the means to make others."""

    def __init__(self, tables, folder: Path, as_ofs: list[date]) -> None:
        others = {name: table for name, table in tables.items() if name != "transactions"}
        self.events = ingested(tables["transactions"], folder / "data", 3, **others)
        self.parts = taken(self.events, as_ofs, folder / "parts")
        frames = [self.parts.frame(bucket) for bucket in range(3)]
        self.real = pd.concat(frames, ignore_index=True).sort_values(["as_of", "customer_id"], ignore_index=True)
        self.starts = all_starts(self.events)
        self.folder = folder

    def customers(self) -> list[str]:
        """Some of those who are known at all dates, of every bucket."""
        dates = self.real["as_of"].nunique()
        known = self.real.groupby("customer_id").size()
        names = list(known.index[known == dates])
        return names[:: max(1, len(names) // SOME)]

    def of(self, *chosen: Variant) -> Variants:
        return variants(self.events, chosen, self.starts)

    def snapshots(self, events: Variants, *as_ofs: date) -> pd.DataFrame:
        folder = self.folder / f"variants-{len(list(self.folder.iterdir()))}"
        frame = taken(events, list(as_ofs), folder, self.parts.population).frame(0)
        return frame.sort_values(["as_of", "customer_id"], ignore_index=True)

    def real_of(self, customers: list[str], *as_ofs: date) -> pd.DataFrame:
        wanted = self.real["customer_id"].isin(customers) & self.real["as_of"].isin(pd.to_datetime(list(as_ofs)))
        return self.real[wanted].reset_index(drop=True)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Callable[[str], World]:
    """Makes each world once."""
    return cache(lambda name: World(WORLDS[name](), tmp_path_factory.mktemp(name), [THEN, NOW]))


@pytest.fixture(params=WORLDS)
def company(request, worlds) -> World:
    return worlds(request.param)


@pytest.fixture
def simulated_company(worlds) -> World:
    return worlds("world")


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def all_seen(events: Events, customer: str, name: str) -> Variant:
    new = new_facts(events, [customer], THEN, NOW)
    days = frozenset(zip(new["table"], [day.date() for day in new["day"]], strict=True))
    return Variant(name, customer, unseen_from=THEN, seen=days)


def test_a_variant_without_a_change_is_the_real_customer_at_every_date(company):
    customers = company.customers()
    assert len(customers) >= 10
    plain = company.of(*(Variant(name, name) for name in customers))
    same(company.snapshots(plain, THEN, NOW), company.real_of(customers, THEN, NOW))


def test_what_came_later_is_not_missed_at_the_cutoff_that_does_not_see_it(company):
    customers = company.customers()
    unseen = company.of(*(Variant(name, name, unseen_from=THEN) for name in customers))
    same(company.snapshots(unseen, THEN), company.real_of(customers, THEN))


def test_with_all_new_facts_seen_it_is_the_real_customer_of_the_later_cutoff(company):
    customers = company.customers()
    replayed = company.of(*(all_seen(company.events, name, name) for name in customers))
    same(company.snapshots(replayed, NOW), company.real_of(customers, NOW))


def test_where_nothing_is_new_only_time_has_passed(company):
    customers = sorted(set(company.real_of(company.real["customer_id"], THEN)["customer_id"]))
    new = new_facts(company.events, customers, THEN, NOW)
    ordered = set(new["customer_id"][new["table"] == "transactions"])
    still = set(customers) - set(new["customer_id"])
    assert ordered
    unseen = company.of(*(Variant(name, name, unseen_from=THEN) for name in customers))
    found = company.snapshots(unseen, NOW).set_index("customer_id")
    real = company.real_of(customers, NOW).set_index("customer_id")
    differs = ~((found == real) | (found.isna() & real.isna())).all(axis=1)
    assert not differs[differs].index.intersection(still).size
    assert differs[list(ordered)].all()


def test_the_new_facts_of_two_spans_are_those_of_the_whole(company):
    customers, between = company.customers(), THEN + timedelta(days=9)
    parts = [new_facts(company.events, customers, *span) for span in ((THEN, between), (between, NOW))]
    whole = pd.concat(parts).sort_values(["customer_id", "day", "table"], ignore_index=True)
    same(whole, new_facts(company.events, customers, THEN, NOW))
    assert parts[0]["day"].between(pd.Timestamp(THEN), pd.Timestamp(between), inclusive="right").all()


def test_two_variants_of_a_customer_do_not_see_each_other(company):
    names = company.customers()[:3]
    order = ("transactions", {"ordered_at": pd.Timestamp(2025, 6, 10, 9), "amount": 123.0})
    plain = [Variant(f"{name} as it is", name) for name in names]
    changed = [Variant(f"{name} ordering", name, unseen_from=THEN, added=(order,)) for name in names]
    together = company.snapshots(company.of(*plain, *changed), NOW)
    apart = [company.snapshots(company.of(*some), NOW) for some in (plain, changed)]
    whole = pd.concat(apart).sort_values(["as_of", "customer_id"], ignore_index=True)
    same(together, whole)
    back = together[together["customer_id"].isin([one.name for one in plain])].assign(customer_id=names)
    same(back.reset_index(drop=True), company.real_of(names, NOW))


def test_health_and_daily_facts_of_variants_are_the_real_ones(company):
    customers = company.customers()
    plain = company.of(*(Variant(name, name) for name in customers))
    assert {"quotes", "finances"} <= set(company.events.columns)
    for rows in (
        lambda events: health_rows(events, [THEN, NOW]),
        lambda events: daily_facts(events, NOW),
        lambda events: contact_periods(events, NOW).drop(columns="begun_days"),
    ):
        real = rows(company.events)
        same(rows(plain), real[real["customer_id"].isin(customers)].reset_index(drop=True))


def test_an_account_can_be_told_of_under_other_circumstances(simulated_company):
    world = simulated_company
    customer = world.customers()[0]
    note = {"changed_at": pd.Timestamp(2025, 6, 11, 8), "field": "risk", "new": RISK[-1]}
    told = account_brief(world.of(Variant("as if", customer, added=(("account_changes", note),))), "as if", NOW)
    real = account_brief(world.events, customer, NOW)
    assert told.newest("risk")["new"] == RISK[-1]
    assert len(told.timeline) == len(real.timeline) + 1
    assert told.file["name"] == real.file["name"]
    same(told.people, real.people)


def test_an_added_order_is_the_last_one(simulated_company):
    world = simulated_company
    customer = world.customers()[3]
    chosen = [
        Variant(
            str(day),
            customer,
            unseen_from=THEN,
            added=(("transactions", {"ordered_at": day, "amount": np.float64(50)}),),
        )
        for day in (pd.Timestamp(2025, 6, 1), pd.Timestamp(2025, 6, 11, 23), pd.Timestamp(2025, 6, 12))
    ]
    found = world.snapshots(world.of(Variant("0", customer, unseen_from=THEN), *chosen), NOW)
    silent = found["days_since_last_order"].iloc[0]
    # the order of the cutoff's own day is not yet known
    assert found["days_since_last_order"].tolist() == [silent, 11.0, 1.0, silent]
    assert (found["order_days_90d"] - found["order_days_90d"].iloc[0]).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_an_order_that_was_recorded_late_is_seen_only_then(simulated_company):
    world = simulated_company
    customer = world.customers()[3]
    late = {"ordered_at": "2025-06-01 10:00", "recorded_at": "2025-06-12 00:00", "amount": 50, "order_id": "X"}
    found = world.snapshots(
        world.of(
            *(
                Variant(name, customer, unseen_from=THEN, added=(("transactions", row),))
                for name, row in (("late", late), ("seen", {**late, "recorded_at": "2025-06-11 23:59"}))
            )
        ),
        NOW,
    )
    assert found["days_since_last_order"].iloc[0] > found["days_since_last_order"].iloc[1] == 11.0


SMALL = lines(
    """
    customer_id order_id ordered_at amount promised_at delivered_at
    A           1        2025-01-10 100    2025-01-20  2025-03-04T12:00
    A           2        2025-02-10 100    -           -
    A           3        2025-03-03 100    -           -
    B           4        2025-01-15 100    -           -
    C           5        2025-01-15 100    -           -
    """
)
INVOICES = lines(
    """
    customer_id invoice_id issued_at  due_at     amount paid_at          recorded_at
    A           I1         2025-01-01 2025-01-31 70     -                2025-01-01
    A           I2         2025-01-02 2025-02-01 30     -                2025-01-02
    A           I2         2025-01-02 2025-02-01 40     -                2025-03-05T08:00
    B           I3         2025-01-02 2025-02-01 30     2025-03-01T09:00 2025-01-02
    B           I4         2025-01-02 2025-02-01 30     2025-03-01T09:00 2025-03-08
    C           I5         2025-01-02 2025-02-01 30     2025-03-07T09:00 2025-01-02
    C           I5         2025-01-02 2025-02-01 30     -                2025-03-05T08:00
    """
)
ACCOUNTS = pd.DataFrame(
    {
        "customer_id": ["A", "B", "C", "D"],
        "parent_id": ["D", None, "D", None],
        "industry": "trade",
        "size": [4, 5, 6, 7],
    }
)
MARCH = date(2025, 3, 1)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Events:
    folder = tmp_path_factory.mktemp("small")
    return ingested(SMALL, folder, 5, finances=INVOICES, customers=ACCOUNTS)


def first(events: Events, as_of: date, folder: Path) -> pd.DataFrame:
    """Snapshots by customer."""
    parts = taken(events, [as_of], folder)
    return pd.concat([parts.frame(bucket) for bucket in range(events.buckets)]).set_index("customer_id")


def test_the_day_of_a_fact_is_the_first_cutoff_that_sees_it(small):
    found = new_facts(small, ["A", "B"], MARCH, date(2025, 3, 9))
    told = [(who, table, f"{day:%m-%d}", rows) for who, table, day, rows in found.itertuples(index=False)]
    assert told == [
        ("A", "transactions", "03-04", 1),
        ("A", "transactions", "03-05", 1),
        ("A", "finances", "03-06", 1),
        ("B", "finances", "03-02", 1),
        ("B", "finances", "03-09", 1),
    ]
    assert found.dtypes.astype("str").tolist() == ["str", "str", "datetime64[s]", "int64"]


def test_a_fact_that_was_taken_back_before_its_time_is_not_new(small):
    found = new_facts(small, ["C"], MARCH, date(2025, 3, 31))
    assert [(table, f"{day:%m-%d}") for table, day in zip(found["table"], found["day"], strict=True)] == [
        ("finances", "03-06")
    ]


def test_a_span_begins_after_its_first_cutoff_and_ends_with_its_last(small):
    day = date(2025, 3, 6)
    spans = [(day - timedelta(days=2), day - timedelta(days=1)), (day - timedelta(days=1), day), (day, date.max)]
    assert ["finances" in set(new_facts(small, ["A"], *span)["table"]) for span in spans] == [False, True, False]


def test_a_paid_invoice_is_not_overdue_and_its_other_version_neither(small, tmp_path):
    def paid(name: str, *invoices: str) -> Variant:
        facts = tuple(("finances", {"invoice_id": one}, {"paid_at": "2025-03-09 12:00"}) for one in invoices)
        return Variant(name, "A", set_facts=facts)

    chosen = variants(
        small, [paid("none"), paid("one", "I1"), paid("other", "I2"), paid("both", "I1", "I2")], all_starts(small)
    )
    overdue = [first(chosen, date(2025, 3, day), tmp_path / str(day))["overdue_amount"] for day in (9, 10)]
    assert overdue[0].to_dict() == dict.fromkeys(("none", "one", "other", "both"), 110.0)
    assert overdue[1].to_dict() == {"none": 110.0, "one": 40.0, "other": 70.0, "both": 0.0}


def test_a_restatement_that_is_unseen_leaves_the_version_before_it(small, tmp_path):
    seen = frozenset({("finances", date(2025, 3, 6))})
    chosen = [
        Variant("then", "A", MARCH),
        Variant("now", "A", MARCH, seen),
        Variant("other", "A", MARCH, frozenset({("transactions", date(2025, 3, 6))})),
    ]
    found = first(variants(small, chosen, all_starts(small)), date(2025, 3, 10), tmp_path / "parts")
    assert found["overdue_amount"].to_dict() == {"then": 100.0, "now": 110.0, "other": 100.0}


def test_a_payment_is_seen_without_what_else_is_new(small, tmp_path):
    chosen = [Variant("then", "B", MARCH), Variant("paid", "B", MARCH, frozenset({("finances", date(2025, 3, 2))}))]
    found = first(variants(small, chosen, all_starts(small)), date(2025, 3, 10), tmp_path / "parts")
    assert found["overdue_amount"].to_dict() == {"then": 30.0, "paid": 0.0}


def test_customers_come_from_any_bucket_with_their_columns_and_parents(small):
    chosen = variants(small, [Variant(f"{name}!", name) for name in "DCBA"], all_starts(small))
    with chosen.connect(0) as con:
        found = con.execute("SELECT customer_id, parent_id, size FROM customers ORDER BY 1").fetchall()
        invoices = con.execute("SELECT invoice_id FROM finances ORDER BY 1").fetchall()
    assert found == [("A!", "D", 4), ("B!", None, 5), ("C!", "D", 6), ("D!", None, 7)]
    assert invoices == [("A!/I1",), ("A!/I2",), ("A!/I2",), ("B!/I3",), ("B!/I4",), ("C!/I5",), ("C!/I5",)]


def test_sources_begin_when_those_of_the_company_do(small):
    starts = all_starts(small)
    same(all_starts(variants(small, [Variant("x", "C")], starts)), starts)
    assert starts["source"].unique().tolist() == ["finances"]


def test_variants_can_be_handed_to_another_process(small, tmp_path):
    chosen = variants(small, [Variant("x", "A", MARCH)], all_starts(small))
    again = pickle.loads(pickle.dumps(chosen))
    same(first(again, NOW, tmp_path / "1"), first(chosen, NOW, tmp_path / "2"))


ORDER = {"ordered_at": "2025-03-09", "amount": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"added": (("transactions", {"amount": 1}),)}, "without \\['ordered_at'\\]"),
        ({"added": (("transactions", {**ORDER, "price": 1}),)}, "with \\['price'\\]"),
        ({"added": (("quotes", {"quoted_at": "2025-03-09"}),)}, "the source has no such table"),
        ({"set_facts": (("finances", {"invoice_id": "I3"}, {"paid_at": "2025-03-09"}),)}, "no row of finances"),
        ({"set_facts": (("finances", {"invoice_id": "I1"}, {"issued_at": "2025-03-09"}),)}, "issued_at"),
        ({"set_facts": (("finances", {"invoice_id": "I1"}, {"customer_id": "B"}),)}, "customer_id"),
        ({"set_facts": (("finances", {"invoice": "I1"}, {"paid_at": "2025-03-09"}),)}, "'invoice'"),
        ({"set_facts": (("finances", {"invoice_id": "I1"}, {}),)}, "no value at all"),
    ],
)
def test_a_change_without_effect_is_refused(small, change, words):
    with pytest.raises(ValueError, match=words):
        variants(small, [Variant("x", "A", **change)], all_starts(small))


@pytest.mark.parametrize("change", [{"added": (("customers", {}),)}, {"added": (("absences", {"owner": "O"}),)}])
def test_nothing_is_added_where_no_row_is_the_customers_own(change):
    with pytest.raises(ValueError, match="no rows of its own"):
        Variant("x", "A", **change)


def test_a_fact_of_the_file_can_be_set(small):
    chosen = variants(small, [Variant("x", "A", set_facts=(("customers", {}, {"size": 9}),))], all_starts(small))
    with chosen.connect(0) as con:
        assert con.execute("SELECT customer_id, size FROM customers").fetchall() == [("x", 9)]


@pytest.mark.parametrize("chosen", [[], [Variant("x", "A"), Variant("x", "B")]])
def test_variants_have_names_of_their_own(small, chosen):
    with pytest.raises(ValueError, match="names of their own"):
        variants(small, chosen, all_starts(small))


def test_a_customer_that_nobody_knows_is_named(small):
    with pytest.raises(SettingsError, match=r"\['Z'\] are not known"):
        new_facts(small, ["A", "Z"], MARCH, NOW)
    with pytest.raises(ValueError, match="only bucket 0"):
        variants(small, [Variant("x", "A")], all_starts(small)).connect(1)


def test_nobody_has_no_new_facts(small):
    assert new_facts(small, [], MARCH, NOW).columns.tolist() == ["customer_id", "table", "day", "rows"]


def test_a_population_is_read_as_it_was_written(simulated_company, tmp_path):
    kept = simulated_company.parts.population
    kept.save(tmp_path)
    kept.save(tmp_path)
    again = Population.load(tmp_path)
    assert again.as_ofs == (THEN, NOW)
    same(again.starts, kept.starts)
    same(again.levels, kept.levels)
    assert {type(day) for day in again.as_ofs} == {date}


def test_a_population_of_other_dates_is_refused(simulated_company, tmp_path):
    plain = simulated_company.of(Variant("x", simulated_company.customers()[0]))
    with pytest.raises(ValueError, match="not of \\['2025-06-13'\\]"):
        taken(plain, [NOW + timedelta(days=1)], tmp_path / "parts", simulated_company.parts.population)


def test_the_spread_is_that_of_the_eligible_customers_of_the_date(simulated_company):
    world = simulated_company
    here = world.real[(world.real["as_of"] == pd.Timestamp(NOW)) & (world.real["cohort"] == "eligible")]
    found = world.parts.spread(NOW)
    assert found.columns.tolist() == ["q10", "q25", "median", "q75", "q90"]
    assert found.index.name == "feature"
    assert (found.dtypes == "float64").all()
    names = here.select_dtypes("float64").columns
    assert found.index.tolist() == [*names]
    expected = here[names].quantile([0.1, 0.25, 0.5, 0.75, 0.9]).T
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found.isna().all(axis=1).sum() == here[names].isna().all().sum()
    pd.testing.assert_series_equal(world.parts.medians(NOW), found["median"], check_names=False, check_exact=True)
