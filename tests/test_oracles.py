"""The machinery of the two oracles: exact laws, weights that undo what was forced, and no look into the future."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from features.contract import CONTRACT
from features.simulate import PRESETS, World, simulate
from features.simulate import oracles as oracles_module
from features.simulate.arrays import WEEK, Span
from features.simulate.cloud import AS_IS, Bold, Cloud, Hazard, Laws
from features.simulate.evidence import Steps
from features.simulate.filtering import BOLD, LEAST_SHARE, _normal, _resample
from features.simulate.oracles import FILTER, LATENT, OBSERVED, oracles
from features.simulate.recording import as_extracted
from features.simulate.stages import COMPARISON, COOLING, DECISION, HEALTHY, LOST, NEVER
from features.simulate.transactions import orders_observed

END = date(2026, 1, 1)
AS_OFS = (date(2025, 4, 1), date(2025, 7, 1))
PARTICLES = 40


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(130, 24, seed=8, end=END)


@pytest.fixture(scope="module")
def told(world: World) -> pd.DataFrame:
    return oracles(world, AS_OFS, 130, particles=PARTICLES)


def healthy(customers: int, particles: int, rng: np.random.Generator) -> Cloud:
    """A cloud of customers who are well, have just ordered and never cooled."""
    shape = (customers, particles)
    return Cloud(
        stage=np.full(shape, HEALTHY), start=np.full(shape, -1e3), end=np.full(shape, float(NEVER)),
        planned=np.full(shape, float(NEVER)), turns=np.zeros(shape, dtype=bool),
        driver=np.zeros(shape, dtype=np.int64), depth=np.zeros(shape), fading=np.zeros(shape),
        fading_comparing=np.zeros(shape), recovered=np.full(shape, -1e6), drift=rng.standard_normal(shape),
        attention=rng.standard_normal(shape), running=np.ones(shape, dtype=bool), buying=np.ones(shape, dtype=bool),
        waited=np.zeros(shape),
    )  # fmt: skip


# --- the laws -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [1, 2, 4, 8])
def test_a_gap_outlasts_a_wait_as_an_erlang_law_of_mean_one_says(shape: int) -> None:
    laws = Laws(PRESETS["normal"], np.array([shape]), np.array([False]))
    waited = np.array([[0.0, 0.1, 0.7, 1.0, 2.5, 9.0]])
    expected = gamma.logsf(waited, shape, scale=1 / shape)
    np.testing.assert_allclose(laws.log_survival(waited), expected, rtol=1e-9, atol=1e-12)


def test_customers_of_different_regularity_wait_by_their_own_laws() -> None:
    laws = Laws(PRESETS["normal"], np.array([8, 1]), np.array([False, False]))
    found = laws.log_survival(np.full((2, 3), 1.5))
    assert found[:, 0] == pytest.approx([gamma.logsf(1.5, 8, scale=1 / 8), -1.5])


def a_year(bold: Bold, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Stages after a year and the weights that undo the boldness; 40 customers alike, 500 particles each."""
    rng, customers = np.random.default_rng(seed), 40
    laws = Laws(PRESETS["normal"], np.full(customers, 2), np.zeros(customers, dtype=bool))
    hazard = Hazard(np.full((customers, 5), 0.46 / 5), np.full(customers, 0.07))
    cloud, weight = healthy(customers, 500, rng), np.zeros((customers, 500))
    for week in range(52):
        weight += laws.move(cloud, week * WEEK, (week + 1) * WEEK, hazard, rng, bold)
    return cloud.stage, np.exp(weight)


@pytest.mark.parametrize("stages", [(COOLING, COMPARISON, DECISION), (LOST,)])
def test_the_weights_of_bold_particles_give_back_the_shares_of_the_law(stages: tuple[int, ...]) -> None:
    (law, even), (bold, weight) = a_year(AS_IS, 1), a_year(BOLD, 2)
    assert (even == 1).all()
    true = np.isin(law, stages).mean(axis=1)
    drawn = (weight * np.isin(bold, stages)).mean(axis=1)
    error = np.sqrt(true.var(ddof=1) / len(true) + drawn.var(ddof=1) / len(drawn))
    assert abs(true.mean() - drawn.mean()) < 4 * error
    # Without them it would be quite another world.
    assert abs(true.mean() - np.isin(bold, stages).mean()) > 4 * error


def test_the_weights_of_bold_particles_are_one_on_average() -> None:
    _, weight = a_year(BOLD, 3)
    mean = weight.mean(axis=1)
    assert abs(mean.mean() - 1) < 4 * mean.std(ddof=1) / np.sqrt(len(mean))


# --- drawing anew ---------------------------------------------------------------------------------------------


def test_drawing_anew_keeps_every_weighted_mean_within_chance() -> None:
    rng = np.random.default_rng(4)
    cloud = healthy(200, 400, rng)
    cloud.stage = rng.choice(5, cloud.shape, p=[0.9, 0.04, 0.02, 0.02, 0.02])
    cloud.waited = rng.gamma(2.0, 1.0, cloud.shape)
    weight = 1.5 * rng.standard_normal(cloud.shape) + 0.5 * cloud.waited
    figures = {"waited": lambda it: it.waited, "drift": lambda it: it.drift, "lost": lambda it: it.stage == LOST}
    before = {name: (_normal(weight) * of(cloud)).sum(axis=1) for name, of in figures.items()}
    _resample(cloud, weight, rng)
    assert len(np.unique(cloud.drift[0])) < cloud.shape[1]
    for name, of in figures.items():
        moved = (_normal(weight) * of(cloud)).sum(axis=1) - before[name]
        assert abs(moved.mean()) < 4 * moved.std(ddof=1) / np.sqrt(len(moved)), name


def test_the_unlikely_keep_a_share_of_the_draws_and_weigh_no_more_for_it() -> None:
    rng = np.random.default_rng(5)
    cloud = healthy(1, 1000, rng)
    cloud.stage[0, :100] = LOST
    weight = np.where(cloud.stage == LOST, 0.0, -12.0)
    _resample(cloud, weight, rng)
    alive = cloud.stage[0] == HEALTHY
    assert alive.mean() == pytest.approx(LEAST_SHARE / (1 + LEAST_SHARE), abs=0.01)
    assert _normal(weight)[0, alive].sum() == pytest.approx(9 * np.exp(-12.0), rel=0.01)


def test_particles_of_like_weight_stay_as_they_are() -> None:
    rng = np.random.default_rng(6)
    cloud = healthy(3, 50, rng)
    before = cloud.copy()
    _resample(cloud, np.full(cloud.shape, -3.0), rng)
    np.testing.assert_array_equal(cloud.drift, before.drift)


# --- the time line --------------------------------------------------------------------------------------------


def test_steps_are_weeks_and_are_cut_at_the_as_of_dates() -> None:
    steps = Steps.until(np.array([10, 21, 24]))
    assert steps.edges.tolist() == [0, 7, 10, 14, 21, 24]
    assert len(steps) == 5
    # An as-of date opens a step: what happens on it is not among what was known.
    assert steps.of(np.array([-1, 0, 9, 10, 13, 23, 24, 30])).tolist() == [-1, 0, 1, 2, 2, 4, 5, 5]


# --- no look ahead --------------------------------------------------------------------------------------------


def known_on(world: World, as_of: date) -> World:
    """The same world as its tables would have been extracted at the midnight of `as_of`."""
    span = Span(world.scene.span.start, int((np.datetime64(as_of) - world.scene.span.start).astype(int)))
    cut = {
        name: as_extracted(CONTRACT[name], rows, span) if CONTRACT[name].time else rows
        for name, rows in world.tables.items()
    }
    return replace(world, tables=cut)


def of(told: pd.DataFrame, oracle: str, as_of: date) -> pd.DataFrame:
    return told[(told["oracle"] == oracle) & (told["as_of"] == pd.Timestamp(as_of))].reset_index(drop=True)


@pytest.mark.parametrize("as_of", AS_OFS)
def test_the_filter_knows_nothing_that_was_not_known_on_the_day(world: World, told: pd.DataFrame, as_of: date) -> None:
    until = [day for day in AS_OFS if day <= as_of]
    cut = known_on(world, as_of)
    assert len(cut.tables["interactions"]) < len(world.tables["interactions"])
    again = oracles(cut, until, 130, particles=PARTICLES)
    pd.testing.assert_frame_equal(of(again, FILTER, as_of), of(told, FILTER, as_of), check_exact=True)


def test_every_observation_of_the_past_is_one_that_the_tables_of_that_day_show() -> None:
    often = replace(PRESETS["normal"], late_rows=0.3)
    world = simulate(120, 18, seed=9, preset=often, end=END)
    as_of = date(2025, 8, 1)
    day = int(world.scene.span.day(np.array([as_of], dtype="datetime64[D]"))[0])

    def seen(of_world: World) -> pd.DataFrame:
        read = [one for look in OBSERVED for one in look(of_world.scene, of_world.tables)]
        read.append(orders_observed(of_world.scene, of_world.tables))
        parts = [pd.DataFrame({"signal": o.signal, "account": o.account, "day": o.day, "value": o.value}) for o in read]
        whole = pd.concat(parts)
        return whole[whole["day"] < day].sort_values(list(whole), ignore_index=True)

    found = seen(world)
    assert found["signal"].nunique() > 30
    pd.testing.assert_frame_equal(found, seen(known_on(world, as_of)))


def test_an_order_counts_from_the_day_after_it_was_entered_on(world: World) -> None:
    as_of = AS_OFS[0]
    rows = world.tables["transactions"]
    recent = rows[(rows["ordered_at"] < pd.Timestamp(as_of)) & rows["order_id"].str.startswith("S")]
    last = recent.sort_values("ordered_at").drop_duplicates("customer_id", keep="last").iloc[-1]
    customer = pd.Index(world.scene.accounts.customer_id).get_loc(last["customer_id"])

    def forecast(tables: pd.DataFrame) -> pd.DataFrame:
        told = oracles(
            replace(world, tables={**world.tables, "transactions": tables}), [as_of], 130, particles=PARTICLES
        )
        mine = of(told, FILTER, as_of)
        return mine[mine["customer_id"] == world.scene.accounts.customer_id[customer]]

    mine = rows["order_id"] == last["order_id"]
    without = forecast(rows[~mine])
    for entered, counts in ((-1, True), (0, False), (20, False)):
        late = rows["recorded_at"].mask(mine, pd.Timestamp(as_of) + pd.Timedelta(days=entered, hours=9))
        same = forecast(rows.assign(recorded_at=late)).equals(without)
        assert same is not counts, entered


# --- the same every time --------------------------------------------------------------------------------------


def test_an_oracle_asked_twice_says_the_same(world: World, told: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(oracles(world, AS_OFS, 130, particles=PARTICLES), told, check_exact=True)


def test_what_is_told_of_a_customer_does_not_depend_on_other_batches(
    world: World, told: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracles_module, "THREADS", 1)
    alone = oracles(world, AS_OFS, oracles_module.BATCH, particles=PARTICLES)
    first = told["customer_id"].isin(world.scene.accounts.customer_id[: oracles_module.BATCH])
    assert 0 < len(alone) < len(told)
    pd.testing.assert_frame_equal(alone, told[first].reset_index(drop=True), check_exact=True)


def test_both_oracles_tell_of_everybody_whose_relationship_has_begun(world: World, told: pd.DataFrame) -> None:
    accounts, span = world.scene.accounts, world.scene.span
    for as_of in AS_OFS:
        begun = accounts.customer_id[span.dates(accounts.since_day) < np.datetime64(as_of)]
        for oracle in (FILTER, LATENT):
            assert sorted(of(told, oracle, as_of)["customer_id"]) == sorted(begun)
    chances = told.filter(like="p_")
    assert chances.to_numpy().min() >= 0
    assert chances.to_numpy().max() <= 1
    silent = told[[f"p_no_order_{days}" for days in (30, 60, 90, 180)]]
    assert (np.diff(silent, axis=1) <= 1e-12).all()


@pytest.mark.parametrize("as_ofs", [[date(2024, 1, 1)], [date(2023, 5, 1)], [date(2026, 1, 2)], []])
def test_a_day_outside_the_history_is_refused(world: World, as_ofs: list[date]) -> None:
    with pytest.raises(ValueError, match="as_ofs must lie within the history of 731 days"):
        oracles(world, as_ofs, 10, particles=PARTICLES)


def test_the_last_day_of_the_history_can_be_asked_for(world: World) -> None:
    assert len(oracles(world, [END], 10, particles=PARTICLES)) > 0
