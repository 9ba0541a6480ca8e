"""No feature, cohort, window or outcome knows what happened, or became known, at or after its midnight.

Every registered feature is tested by itself, one that is added tomorrow too, on worlds with every table of the
contract.
Three worlds are the same before a cutoff: as it is; as it was then; with all later rows, versions and facts scrambled
and more of them invented. What is computed at the cutoff must be the same to the last bit.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pandas as pd
import pytest
from orders import ingested, known_at, laid_out, snapshots_of, visible_at
from two_clocks import Tables, as_it_was, nasty, scrambled, simulated

from features import cutoffs, labels, registry, snapshots
from features.contract import CONTRACT
from features.relations import RELATIONS

CUTOFFS = (date(2024, 3, 1), date(2025, 1, 7), date(2025, 6, 12), date(2025, 6, 23))
WORLDS = {"world": simulated, "nasty": nasty}
KEYS = ["as_of", "customer_id"]
NAMES = [one.name for one in registry.registered()]
#: What a snapshot holds besides.
MADE_OF_THEM = ("segment", "rhythm_class", "open_months", "cohort", "long_gap_days", "churn_window_days")
Change = Callable[[Tables, date], Tables]


def built(tables: Tables, as_ofs: list[date]) -> pd.DataFrame:
    """All snapshots of a world."""
    return snapshots_of(tables["transactions"], as_ofs, **{k: v for k, v in tables.items() if k != "transactions"})


def apart(tables: Tables, change: Change) -> pd.DataFrame:
    """Each cutoff built alone, from a world that was changed after it."""
    return pd.concat([built(change(tables, as_of), [as_of]) for as_of in CUTOFFS], ignore_index=True)


def differing(left: pd.DataFrame, right: pd.DataFrame) -> set[str]:
    """Columns that are not the same to the last bit; NaN is NaN."""
    if not left[KEYS].equals(right[KEYS]):
        return set(KEYS)
    return {name for name in left.columns if not left[name].equals(right[name])}


@cache
def together(world: str) -> pd.DataFrame:
    """All cutoffs at once, from the whole world."""
    return built(WORLDS[world](), list(CUTOFFS))


@cache
def found_in(world: str, change: Change) -> set[str]:
    return differing(together(world), apart(WORLDS[world](), change))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("change", [as_it_was, scrambled])
@pytest.mark.parametrize("name", [*KEYS, *NAMES, *MADE_OF_THEM])
def test_what_comes_later_changes_nothing(name, change, world):
    assert name not in found_in(world, change)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows sorted, whatever the types of the columns."""
    numbers = frame.select_dtypes("number")
    text = frame.assign(**{name: numbers[name].astype("float64") for name in numbers}).astype("str")
    return text.sort_values(list(text.columns), ignore_index=True)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", [name for name, table in CONTRACT.items() if table.time])
def test_the_two_changes_leave_the_past_as_it_is_and_change_the_future(name, world):
    tables = WORLDS[world]()
    for as_of in CUTOFFS:
        then, other = as_it_was(tables, as_of), scrambled(tables, as_of)
        again = as_it_was(other, as_of)[name]
        columns = list(then[name].columns)
        left, right = (as_text(frame[columns]) for frame in (again, then[name]))
        pd.testing.assert_frame_equal(left, right)
        assert len(then[name]) <= len(tables[name]) < len(other[name])


def test_back_dated_rows_are_among_the_scrambled_ones():
    for as_of in CUTOFFS:
        other = scrambled(simulated(), as_of)["transactions"]
        back = other[(other["recorded_at"] >= pd.Timestamp(as_of)) & (other["ordered_at"] < pd.Timestamp(as_of))]
        assert len(back) > 20
        assert (other["recorded_at"] == pd.Timestamp(as_of)).any()


def test_every_feature_is_known_of_somebody():
    unknown = {name for name in NAMES if all(together(world)[name].isna().all() for world in WORLDS)}
    assert unknown == set()


def later_by_a_day(relation: str) -> str:
    return relation.replace(
        "e.visible_from <= c.as_of AND c.as_of <", "e.visible_from <= c.as_of + 1 AND c.as_of + 1 <"
    )


def by_its_own_time(relation: str) -> str:
    """Rows of before the cutoff in their last version, whenever that became known."""
    return relation.replace("e.visible_from <= c.as_of AND c.as_of <", "e.day < c.as_of AND DATE '9999-12-30' <")


@pytest.mark.parametrize("change", [as_it_was, scrambled])
@pytest.mark.parametrize("mistake", [later_by_a_day, by_its_own_time])
def test_features_that_read_too_far_are_caught(monkeypatch, mistake, change):
    mistaken = {over: replace(relation, sql=mistake(relation.sql)) for over, relation in RELATIONS.items()}
    assert sum(mistaken[over] != relation for over, relation in RELATIONS.items()) > 0.9 * len(RELATIONS)
    for over, relation in mistaken.items():
        monkeypatch.setitem(RELATIONS, over, relation)
    seen = built(simulated(), list(CUTOFFS))
    blind = apart(simulated(), change)
    shared = seen[KEYS].merge(blind[KEYS])
    caught = differing(*(shared.merge(frame, on=KEYS) for frame in (seen, blind)))
    assert {"revenue_30d", "order_days_ever", "gap_mean_days_ever", "last_gap_days", "top_product_share_365d"} <= caught
    assert {"revenue_90d_vs_usual", "longer_gap_probability", "product_line_concentration_365d"} <= caught
    assert "time_of_year_cos" not in caught


def test_a_feature_that_reads_the_customer_s_next_cutoff_is_caught(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))

    @registry.feature("frame", unit="money", concept="spending", reads=("revenue_90d",))
    def revenue_to_come(frame: pd.DataFrame) -> pd.Series:
        """Net revenue that the next row of the customer will show."""
        return frame.groupby("customer_id")["revenue_90d"].shift(-1)

    seen = built(simulated(), list(CUTOFFS))
    assert differing(seen, apart(simulated(), as_it_was)) == {"revenue_to_come"}


@pytest.mark.parametrize("world", WORLDS)
def test_many_cutoffs_at_once_give_what_each_gives_alone(world):
    alone = pd.concat([built(WORLDS[world](), [as_of]) for as_of in CUTOFFS], ignore_index=True)
    assert differing(together(world), alone) == set()


@pytest.mark.parametrize("world", WORLDS)
def test_neither_the_order_of_rows_nor_the_number_of_buckets_changes_a_bit(world, tmp_path):
    tables = WORLDS[world]()
    shuffled = {name: table.sample(frac=1, random_state=5) for name, table in tables.items()}
    taken = [
        snapshots.take(
            ingested(rows.pop("transactions"), tmp_path / name, buckets, **rows),
            CUTOFFS,
            cohort=snapshots.Cohort(),
            window=snapshots.Window(),
        )
        for name, rows, buckets in (("one", dict(tables), 1), ("four", dict(shuffled), 4))
    ]
    first, second = (one.frame for one in taken)
    if world == "world":
        assert differing(first, together(world)) == set()
    assert differing(first, second) == set()
    until = date(2025, 6, 15)
    pd.testing.assert_frame_equal(taken[0].outcomes(until), taken[1].outcomes(until), check_exact=True)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("change", [as_it_was, scrambled])
@pytest.mark.parametrize("until", [CUTOFFS[2], CUTOFFS[3]])
def test_outcomes_know_nothing_from_the_end_of_observation_on(world, change, until):
    tables = WORLDS[world]()
    keys = together(world)[["customer_id", "as_of"]]
    with laid_out(tables["transactions"]) as con:
        before = labels.outcomes(con, keys, until)
    with laid_out(change(tables, until)["transactions"]) as con:
        after = labels.outcomes(con, keys, until)
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert before["days_to_next_order"].notna().any()


def test_outcomes_that_read_one_day_too_far_are_caught(monkeypatch):
    until = CUTOFFS[3]
    keys = together("world")[["customer_id", "as_of"]]
    honest = cutoffs.observed
    monkeypatch.setattr(cutoffs, "observed", lambda end: honest(end + timedelta(days=1)))
    found = []
    for tables in (simulated(), as_it_was(simulated(), until)):
        with laid_out(tables["transactions"]) as con:
            found.append(labels.outcomes(con, keys, until))
    assert not found[0].equals(found[1])


def test_the_world_has_what_a_blind_feature_must_not_see():
    table = simulated()["transactions"]
    late = table["recorded_at"].dt.normalize() > table["ordered_at"].dt.normalize()
    assert late.mean() > 0.05
    assert (table["amount"] < 0).mean() > 0.02
    assert {pd.Timestamp(as_of) for as_of in CUTOFFS} <= set(visible_at(table).dt.normalize())
    for name, contract in CONTRACT.items():
        if contract.time:
            frame = nasty()[name]
            assert set(contract.names) - set(frame.columns) <= {
                "trial",
                "promised_at",
                "delivered_at",
                "delivered_quantity",
                "currency",
            }
            assert (known_at(name, frame) > frame[contract.time]).mean() > 0.1
        if contract.key and contract.time:
            assert nasty()[name].duplicated(list(contract.key)).mean() > 0.1
