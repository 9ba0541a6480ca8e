"""A level keeps its promised precision and its room on matured predictions, or is off."""

import numpy as np
import pandas as pd
import pytest

from models.evaluation import wilson
from models.level_capacity import within_capacity
from models.levels import (
    CAPACITY,
    DEFAULT_PROMISES,
    LEVELS,
    MIN_ROWS,
    PROMISE,
    Level,
    LevelChange,
    Levels,
    Promise,
    changes,
    level_names,
    loudness,
    solve,
)

AS_OF = pd.Timestamp("2024-01-01")
RED = {"red": Promise(0.7, 1.0)}
#: 100 customers of one date: 40 at .9 of whom 36 were lost, 30 at .6 of whom 15, 30 at .2 of whom 3.
STEPS = [(0.9, 40, 36), (0.6, 30, 15), (0.2, 30, 3)]


def steps(*rows: tuple[float, int, int]) -> tuple[pd.Series, pd.Series]:
    """Probabilities and outcomes of groups (probability, customers, lost ones among them)."""
    probability = np.repeat([p for p, _, _ in rows], [n for _, n, _ in rows])
    outcome = np.concatenate([np.arange(n) < lost for _, n, lost in rows]).astype("float64")
    return pd.Series(probability), pd.Series(outcome)


def one_date(probability: pd.Series) -> pd.Series:
    return pd.Series(AS_OF, index=probability.index)


def solved(promises: dict[str, Promise], *rows: tuple[float, int, int]) -> Levels:
    probability, outcome = steps(*rows)
    return solve(probability, outcome, one_date(probability), promises)


# --- thresholds


@pytest.mark.parametrize(
    ("precision", "threshold", "n", "kept"),
    [
        (0.95, None, 0, None),
        (0.90, 0.9, 40, 36 / 40),
        (0.73, 0.9, 40, 36 / 40),
        (0.72, 0.6, 70, 51 / 70),
        (0.54, 0.2, 100, 54 / 100),
        (0.10, 0.2, 100, 54 / 100),
    ],
)
def test_the_threshold_is_the_lowest_that_keeps_the_promise(precision, threshold, n, kept):
    (level,) = solved({"red": Promise(precision, 1.0)}, *STEPS).levels
    assert (level.threshold, level.n, level.precision) == (threshold, n, kept)


def test_the_record_has_its_wilson_interval():
    (level,) = solved(RED, (0.8, 50, 40), (0.1, 50, 0)).levels
    assert (level.n, level.precision) == (50, 0.8)
    assert (level.low, level.high) == pytest.approx((0.66964, 0.88756), abs=1e-4)
    assert (level.low, level.high) == tuple(map(float, wilson(40, 50)))


@pytest.mark.parametrize(("share", "threshold"), [(0.39, None), (0.40, 0.9), (0.69, 0.9), (0.70, 0.6), (1.0, 0.2)])
def test_a_level_does_not_outgrow_its_share_of_the_cohort(share, threshold):
    (level,) = solved({"red": Promise(0.5, share)}, *STEPS).levels
    assert level.threshold == threshold


@pytest.mark.parametrize(("customers", "opened"), [(29, False), (30, True), (31, True)])
def test_a_level_opens_on_thirty_matured_predictions(customers, opened):
    assert MIN_ROWS == 30
    (level,) = solved(RED, (0.9, customers, customers), (0.1, 70, 0)).levels
    assert (level.threshold == 0.9) == opened


@pytest.mark.parametrize(
    ("precision", "lost", "of"), [(0.55, 55, 100), (0.57, 57, 100), (0.7, 35, 50), (0.28, 28, 100)]
)
def test_a_promise_that_is_just_kept_is_kept(precision, lost, of):
    (level,) = solved({"red": Promise(precision, 1.0)}, (0.9, of, lost), (0.1, 10, 0)).levels
    assert (level.threshold, level.precision) == (0.9, precision)


def test_a_promise_that_cannot_be_kept_switches_the_level_off_and_its_customers_go_to_the_next_one():
    promises = {"red": Promise(0.95, 0.5), "orange": Promise(0.7, 1.0)}
    red, orange = solved(promises, *STEPS).levels
    assert red == Level("red", None, promised=0.95, largest_share=0.5)
    assert (orange.threshold, orange.n) == (0.6, 70)


def test_a_louder_level_takes_its_customers_away_from_the_next_one():
    promises = {"red": Promise(0.9, 1.0), "orange": Promise(0.5, 1.0), "yellow": Promise(0.1, 1.0)}
    levels = solved(promises, *STEPS).levels
    assert [(level.threshold, level.n, level.precision) for level in levels] == [
        (0.9, 40, 0.9),
        (0.6, 30, 0.5),
        (0.2, 30, 0.1),
    ]


def test_the_same_probability_is_in_or_out_as_a_whole():
    # The 31 best alone would keep the promise, but the 31st cannot be told from the 39 that follow it.
    outcome = pd.Series(([1.0] * 31) + [0.0] * 39)
    probability = pd.Series([0.9] * 30 + [0.8] * 40)
    (level,) = solve(probability, outcome, one_date(probability), {"red": Promise(0.95, 1.0)}).levels
    assert (level.threshold, level.n) == (0.9, 30)
    (tied,) = solve(probability * 0 + 0.5, outcome, one_date(probability), {"red": Promise(0.95, 1.0)}).levels
    assert tied.threshold is None


def test_room_is_counted_within_each_date():
    # 40 of 100 on the first date and none on the second are 40 % of one cohort, though 20 % of all rows.
    first, lost = steps((0.9, 40, 40), (0.1, 60, 0))
    second, none_lost = steps((0.1, 100, 0))
    as_of = pd.Series([AS_OF] * 100 + [AS_OF + pd.Timedelta(days=30)] * 100)
    rows = pd.concat([first, second], ignore_index=True), pd.concat([lost, none_lost], ignore_index=True), as_of
    assert solve(*rows, {"red": Promise(0.7, 0.39)}).levels[0].threshold is None
    assert solve(*rows, {"red": Promise(0.7, 0.40)}).levels[0].threshold == 0.9


@pytest.mark.parametrize(("customers", "thresholds"), [(0, [0.7, 0.4]), (29, [0.7, 0.4]), (30, [0.9, None])])
def test_without_a_record_the_threshold_is_the_precision_that_is_promised(customers, thresholds):
    promises = {"red": Promise(0.7, 1.0), "blue": Promise(0.4, 1.0)}
    levels = solved(promises, (0.9, customers, customers)).levels
    assert [level.threshold for level in levels] == thresholds
    if customers < MIN_ROWS:
        assert all((level.n, level.precision, level.low, level.high) == (0, None, None, None) for level in levels)


# --- the level of a customer

FIXED = Levels(
    (
        Level("red", 0.8, 0.7, 0.2),
        Level("orange", None, 0.6, 0.3),
        Level("yellow", 0.5, 0.5, 0.6),
        Level("blue", 0.3, 0.4, 1.0),
    )
)


def test_each_customer_has_the_loudest_level_that_it_reaches():
    probability = pd.Series([0.95, 0.3, 0.55, 0.29, 0.1, 0.5, 0.49, 0.0, 0.2, 0.8])
    assert list(FIXED.of(probability)) == [
        "red", "blue", "yellow", "none", "none", "yellow", "blue", "none", "none", "red",
    ]  # fmt: skip


def test_who_finds_no_room_at_a_level_goes_to_the_next_one():
    assert list(FIXED.of(pd.Series([0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91, 0.9]))) == (
        ["red"] * 2 + ["yellow"] * 4 + ["blue"] * 4
    )


def test_ties_at_the_edge_of_the_room_are_out_together():
    assert list(FIXED.of(pd.Series([0.99, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]))) == (
        ["red", "yellow", "yellow"] + ["none"] * 7
    )
    assert list(FIXED.of(pd.Series([0.9] * 4))) == ["blue"] * 4


def test_nobody_has_no_level():
    assert len(FIXED.of(pd.Series([], dtype="float64"))) == 0


@pytest.mark.parametrize("seed", range(5))
def test_levels_of_the_rows_they_were_solved_on_have_the_record_that_they_state(seed):
    rng = np.random.default_rng(seed)
    n = 2000
    as_of = pd.Series(AS_OF + pd.to_timedelta(rng.integers(0, 6, n) * 30, "D"))
    # Rounded, so that there are ties; some dates run higher than others.
    probability = pd.Series(np.round(rng.beta(1.2, 1.6, n) * (0.6 + 0.08 * as_of.dt.month), 2))
    outcome = pd.Series((rng.random(n) < probability * 0.9).astype("float64"))
    levels = solve(probability, outcome, as_of)
    given = pd.Series("", index=probability.index)
    for rows in as_of.groupby(as_of).groups.values():
        given[rows] = levels.of(probability[rows])
        for i, level in enumerate(levels.levels):
            louder = [loud.name for loud in levels.levels[: i + 1]]
            assert given[rows].isin(louder).sum() <= np.ceil(level.largest_share * len(rows))
    assert set(given) <= set(LEVELS)
    opened = [level for level in levels.levels if level.threshold is not None]
    assert opened
    for level in levels.levels:
        here = given == level.name
        assert here.sum() == level.n
        if level.threshold is not None:
            assert outcome[here].mean() == pytest.approx(level.precision)
            assert level.precision >= level.promised
            assert level.low < level.precision < level.high


def test_a_queue_of_one_has_room_for_its_only_customer():
    levels = Levels((Level("red", 0.7, 0.7, 0.05),))
    assert list(levels.of(pd.Series([0.9]))) == ["red"]
    queue = pd.Series(["overdue", *["early"] * 40])
    assert list(levels.of(pd.Series([0.99, *[0.8] * 2, *[0.1] * 38]), queue))[:4] == ["red", "red", "red", "none"]


def test_a_share_that_is_a_whole_number_of_places_is_not_rounded_up():
    levels = Levels((Level("red", 0.0, 0.7, 0.15),))
    assert list(levels.of(pd.Series(np.linspace(0.9, 0.1, 20)))).count("red") == 3


def test_levels_survive_their_plain_form():
    levels = solved(dict(DEFAULT_PROMISES), (0.9, 4, 4), (0.8, 40, 36), (0.6, 80, 20), (0.2, 30, 3))
    assert Levels.from_dict(levels.to_dict()) == levels
    assert [level.name for level in levels.levels] == [name for name in LEVELS if name != "none"]


# --- how loud, and what has changed


def test_levels_are_ordered_from_silence_to_red_and_back():
    levels = pd.Series(["red", None, "blue", "none", "orange", "yellow"])
    assert list(loudness(levels)) == [4, 0, 1, 0, 3, 2]
    assert list(level_names(loudness(levels))) == ["red", "none", "blue", "none", "orange", "yellow"]


def test_the_lowest_threshold_that_is_on_is_where_levels_are_entered():
    assert FIXED.entry == 0.3
    assert Levels((Level("red", None, 0.7, 0.2),)).entry is None


def test_ml_04_every_change_of_a_threshold_has_its_line_with_before_after_why_and_n():
    before = Levels((Level("red", 0.8, 0.7, 0.2, n=40), Level("orange", 0.6, 0.6, 0.3), Level("blue", 0.3, 0.4, 1.0)))
    after = Levels(
        (
            Level("red", None, 0.7, 0.2),
            Level("orange", 0.65, 0.6, 0.3, 0.62, 0.5, 0.7, 90, CAPACITY, 10.0, 9.5),
            Level("blue", 0.3, 0.4, 1.0, 0.5, 0.4, 0.6, 200),
        )
    )
    assert changes(before, after) == (
        LevelChange("red", 0.8, None, "off", 0),
        LevelChange("orange", 0.6, 0.65, "capacity", 90),
    )
    assert changes(after, after) == ()
    assert changes(None, Levels((after.levels[2], Level("yellow", 0.5, 0.5, 0.3)))) == (
        LevelChange("blue", None, 0.3, "promise", 200),
        LevelChange("yellow", None, 0.5, "no_record", 0),
    )


# --- no more than there is capacity for


def weekly(weeks: int = 10, customers: int = 40) -> pd.DataFrame:
    """Every week `customers` new ones with probabilities .01, .02, ... of whom every second is lost if above .2."""
    rank = np.arange(customers) + 1
    parts = [
        pd.DataFrame(
            {
                "customer_id": [f"{week}-{i}" for i in rank],
                "as_of": AS_OF + pd.Timedelta(days=7 * week),
                "probability": rank / 100,
                "queue": "early",
                "lost": np.where(week < 8, (rank % 2 == 0) & (rank > 20), np.nan),
            }
        )
        for week in range(weeks)
    ]
    return pd.concat(parts, ignore_index=True)


#: Both open to everybody, so that only the capacity is in the way.
FREE = Levels((Level("red", 0.01, 0.0, 1.0), Level("blue", 0.01, 0.0, 1.0)))


@pytest.mark.parametrize(
    ("capacity", "threshold"), [(1, 0.40), (5, 0.36), (19.9, 0.22), (20, 0.21), (40, 0.01), (99, 0.01)]
)
def test_a_capacity_raises_the_threshold_until_as_few_open_in_a_week(capacity, threshold):
    (_, blue) = within_capacity(FREE, weekly(), {"blue": capacity}, closed_after_days=1).levels
    assert (blue.threshold, blue.capacity) == (threshold, capacity)
    assert blue.per_week <= capacity
    assert blue.by == (PROMISE if capacity >= 40 else CAPACITY)


@pytest.mark.parametrize(("tolerance", "threshold"), [(0.0, 0.31), (0.1, 0.30), (0.2, 0.29)])
def test_a_capacity_may_be_passed_by_its_tolerance(tolerance, threshold):
    (_, blue) = within_capacity(FREE, weekly(), {"blue": 10}, tolerance=tolerance, closed_after_days=1).levels
    assert blue.threshold == threshold


def test_a_quieter_level_counts_the_louder_ones_too_and_each_has_the_record_of_its_new_threshold():
    red, blue = within_capacity(FREE, weekly(), {"red": 10, "blue": 20}, closed_after_days=1).levels
    assert (red.threshold, red.per_week, blue.threshold, blue.per_week) == (0.31, 10, 0.21, 20)
    # Eight weeks have matured, with 5 lost of the 10 at each level.
    assert (red.n, red.precision, blue.n, blue.precision) == (80, 0.5, 80, 0.5)
    assert (red.low, red.high) == tuple(map(float, wilson(40, 80)))


def test_a_customer_that_stays_is_one_episode_and_whoever_stood_there_before_is_none():
    standing = weekly(6, 3).assign(customer_id=lambda rows: (rows["probability"] * 100).round().astype(str))
    blue = within_capacity(FREE, standing, {"blue": 1}, closed_after_days=8).levels[1]
    assert (blue.threshold, blue.per_week) == (0.01, 0.0)


def test_where_not_even_the_first_fit_the_level_is_off_and_a_promise_that_was_not_kept_stays_off():
    crowd = weekly().assign(probability=0.9)
    off = within_capacity(FREE, crowd, {"blue": 20}, closed_after_days=1).levels[1]
    assert (off.threshold, off.by, off.per_week) == (None, CAPACITY, None)
    unkept = Levels((Level("red", None, 0.9, 1.0),))
    assert within_capacity(unkept, weekly(), {"red": 20}, closed_after_days=1).levels[0].threshold is None


def test_a_walk_of_one_date_cannot_tell_what_is_new():
    red, blue = within_capacity(FREE, weekly(1), {"blue": 5}).levels
    assert (red.capacity, blue.capacity, blue.threshold, blue.per_week) == (None, 5, 0.01, None)
    assert within_capacity(FREE, weekly().head(0), {}).levels == FREE.levels


def test_capacities_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="do not fall from the loudest level to the quietest"):
        within_capacity(FREE, weekly(1), {"red": 20, "blue": 10})
    with pytest.raises(ValueError, match=r"found \['pink'\]"):
        within_capacity(FREE, weekly(1), {"pink": 10})


def test_levels_with_a_capacity_are_the_same_after_a_manifest():
    levels = within_capacity(FREE, weekly(), {"blue": 20}, closed_after_days=1)
    assert Levels.from_dict(levels.to_dict()) == levels
    assert Levels.from_dict([{"name": "red", "threshold": 0.8, "promised": 0.7, "largest_share": 0.2}]) == Levels(
        (Level("red", 0.8, 0.7, 0.2),)
    )
