"""No feature, cohort, window or outcome knows what happened, or became known, at or after its midnight.

Every registered feature is tested by itself, one that is added tomorrow too. Three worlds are the same before a
cutoff: as it is; with all later rows deleted; with all later rows scrambled and more of them invented. What is
computed at the cutoff must be the same to the last bit.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from orders import ingested, laid_out, nasty_lines, present, snapshots_of, visible_at, world_lines

from features import cutoffs, labels, registry, snapshots

CUTOFFS = (date(2024, 3, 1), date(2025, 1, 7), date(2025, 6, 12), date(2025, 6, 23))
WORLDS = {"world": world_lines, "nasty": nasty_lines}
KEYS = ["as_of", "customer_id"]
NAMES = [one.name for one in registry.registered()]
Change = Callable[[pd.DataFrame, date], pd.DataFrame]


def deleted(table: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Without the rows that happened or became known at or after the cutoff."""
    return table[visible_at(table) < pd.Timestamp(as_of)].reset_index(drop=True)


def scrambled(table: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """With all those rows twice, shuffled, each time with other amounts, customers, orders, products and days.

    Half of them are of orders that were known before, on days that were known before, but recorded later.
    """
    rng = np.random.default_rng(1)
    cut = pd.Timestamp(as_of)
    past = deleted(table, as_of)
    later = pd.concat([table[visible_at(table) >= cut]] * 2, ignore_index=True)
    later = later if len(later) else past.sample(50, replace=True, random_state=1).reset_index(drop=True)
    numbers = [name for name in ("amount", "quantity", "margin", "list_amount") if name in later]
    later[numbers] = rng.choice([-1000.0, -0.01, 0.01, 33.0, 5000.0], (len(later), len(numbers)))
    later["product_id"] = rng.choice(["new", "p1", "L01-01"], len(later))
    later["urgent"] = pd.array(rng.random(len(later)) < 0.5, dtype=table["urgent"].dtype)
    after = cut + pd.to_timedelta(rng.integers(0, 200 * 86_400, len(later)), "s")
    later["recorded_at"] = after.where(rng.random(len(later)) < 0.9, cut)
    of_known = past.sample(len(later), replace=True, random_state=2).reset_index(drop=True)
    known = rng.random(len(later)) < 0.5
    for name in ("customer_id", "order_id"):
        later[name] = of_known[name].where(known, later[name].sample(frac=1, random_state=3).to_numpy())
    later["ordered_at"] = (of_known["ordered_at"] - pd.Timedelta(days=1)).where(known, later["recorded_at"])
    return pd.concat([later, past.sample(frac=1, random_state=4)], ignore_index=True)


def apart(
    build: Callable[[pd.DataFrame, list[date]], pd.DataFrame], table: pd.DataFrame, change: Change
) -> pd.DataFrame:
    """Each cutoff built alone, from a world that was changed after it."""
    return pd.concat([build(change(table, as_of), [as_of]) for as_of in CUTOFFS], ignore_index=True)


def with_cohort(table: pd.DataFrame, as_ofs: list[date]) -> pd.DataFrame:
    frame = snapshots_of(table, as_ofs)
    frame = frame.assign(cohort=snapshots.cohort_of(frame, snapshots.Cohort()))
    return frame.assign(churn_window_days=snapshots.churn_windows(frame, snapshots.Window()))


def differing(left: pd.DataFrame, right: pd.DataFrame) -> set[str]:
    """Columns that are not the same to the last bit; NaN is NaN."""
    if not left[KEYS].equals(right[KEYS]):
        return set(KEYS)
    return {name for name in left.columns if not left[name].equals(right[name])}


@cache
def together(world: str) -> pd.DataFrame:
    """All cutoffs at once, from the whole world."""
    return with_cohort(WORLDS[world](), list(CUTOFFS))


@cache
def found_in(world: str, change: Change) -> set[str]:
    return differing(together(world), apart(with_cohort, WORLDS[world](), change))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("change", [deleted, scrambled])
@pytest.mark.parametrize("name", [*KEYS, *NAMES, "cohort", "churn_window_days"])
def test_what_comes_later_changes_nothing(name, change, world):
    assert name not in found_in(world, change)


def test_the_two_changes_leave_the_past_as_it_is_and_change_the_future():
    table = world_lines()
    for as_of in CUTOFFS:
        past = deleted(table, as_of)
        other = scrambled(table, as_of)
        columns = list(past.columns)
        again = deleted(other, as_of).sort_values(columns, ignore_index=True)
        pd.testing.assert_frame_equal(again, past.sort_values(columns, ignore_index=True), check_dtype=False)
        assert len(past) < len(table) < len(other)
        back = other[(other["recorded_at"] >= pd.Timestamp(as_of)) & (other["ordered_at"] < pd.Timestamp(as_of))]
        assert len(back) > 20
        assert (other["recorded_at"] == pd.Timestamp(as_of)).any()


@pytest.mark.parametrize("world", WORLDS)
def test_every_feature_is_known_of_somebody(world):
    unknown = {name for name in NAMES if together(world)[name].isna().all()}
    assert unknown == set()


def later_by_a_day(relation: str) -> str:
    return relation.replace(
        "e.visible_from <= c.as_of AND c.as_of <", "e.visible_from <= c.as_of + 1 AND c.as_of + 1 <"
    )


def by_its_own_time(relation: str) -> str:
    """Rows of before the cutoff in their last version, whenever that became known."""
    return relation.replace("e.visible_from <= c.as_of AND c.as_of <", "e.day < c.as_of AND DATE '9999-12-30' <")


@pytest.mark.parametrize("change", [deleted, scrambled])
@pytest.mark.parametrize("mistake", [later_by_a_day, by_its_own_time])
def test_features_that_read_too_far_are_caught(monkeypatch, mistake, change):
    for over, relation in registry._RELATIONS.items():
        assert mistake(relation) != relation
        monkeypatch.setitem(registry._RELATIONS, over, mistake(relation))
    seen = snapshots_of(world_lines(), CUTOFFS)
    blind = apart(snapshots_of, world_lines(), change)
    shared = seen[KEYS].merge(blind[KEYS])
    caught = differing(*(shared.merge(frame, on=KEYS) for frame in (seen, blind)))
    assert {"revenue_30d", "order_days_ever", "gap_mean_days_ever", "last_gap_days", "top_product_share_365d"} <= caught
    assert {"revenue_90d_vs_usual", "longer_gap_probability", "product_line_concentration_365d"} <= caught
    assert "time_of_year_cos" not in caught


def test_a_feature_that_reads_the_customer_s_next_cutoff_is_caught(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))

    @registry.feature("frame", unit="money", concept="revenue")
    def revenue_to_come(frame: pd.DataFrame) -> pd.Series:
        """Net revenue that the next row of the customer will show."""
        return frame.groupby("customer_id")["revenue_90d"].shift(-1)

    seen = snapshots_of(world_lines(), CUTOFFS)
    assert differing(seen, apart(snapshots_of, world_lines(), deleted)) == {"revenue_to_come"}


@pytest.mark.parametrize("world", WORLDS)
def test_many_cutoffs_at_once_give_what_each_gives_alone(world):
    table = WORLDS[world]()
    alone = pd.concat([with_cohort(table, [as_of]) for as_of in CUTOFFS], ignore_index=True)
    assert differing(together(world), alone) == set()


@pytest.mark.parametrize("world", WORLDS)
def test_neither_the_order_of_rows_nor_the_number_of_buckets_changes_a_bit(world, tmp_path):
    table = WORLDS[world]()
    shuffled = table.sample(frac=1, random_state=5)
    taken = [
        snapshots.take(
            ingested(rows, tmp_path / name, buckets), CUTOFFS, cohort=snapshots.Cohort(), window=snapshots.Window()
        )
        for name, rows, buckets in (("one", table, 1), ("four", shuffled, 4))
    ]
    first, second = (one.frame for one in taken)
    assert differing(first, together(world)) == set()
    assert differing(first, second) == set()
    until = date(2025, 6, 15)
    pd.testing.assert_frame_equal(taken[0].outcomes(until), taken[1].outcomes(until), check_exact=True)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("change", [deleted, scrambled])
@pytest.mark.parametrize("until", [CUTOFFS[2], CUTOFFS[3]])
def test_outcomes_know_nothing_from_the_end_of_observation_on(world, change, until):
    table = WORLDS[world]()
    keys = together(world)[["customer_id", "as_of"]]
    with laid_out(table) as con:
        before = labels.outcomes(con, keys, until)
    with laid_out(change(table, until)) as con:
        after = labels.outcomes(con, keys, until)
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert before["days_to_next_order"].notna().any()


def test_outcomes_that_read_one_day_too_far_are_caught(monkeypatch):
    until = CUTOFFS[3]
    keys = together("world")[["customer_id", "as_of"]]
    honest = cutoffs.observed
    monkeypatch.setattr(cutoffs, "observed", lambda end: honest(end + timedelta(days=1)))
    found = []
    for table in (world_lines(), deleted(world_lines(), until)):
        with laid_out(table) as con:
            found.append(labels.outcomes(con, keys, until))
    assert not found[0].equals(found[1])


def test_the_world_has_what_a_blind_feature_must_not_see():
    table = world_lines()
    late = table["recorded_at"].dt.normalize() > table["ordered_at"].dt.normalize()
    assert late.mean() > 0.05
    assert (table["amount"] < 0).mean() > 0.02
    assert {pd.Timestamp(as_of) for as_of in CUTOFFS} <= set(visible_at(table).dt.normalize())
    assert set(present(table)) >= {"margin", "list_amount", "urgent", "product_line", "recorded_at"}
