"""The hidden lives of the simulated customers: stages, losses and returns, what sets them off, what talks do."""

import numpy as np
import pandas as pd
import pytest
from simulated import END, START, company, normal, orders_alone

from features.simulate import PRESETS, World, simulate
from features.simulate.causes import CAUSES, Cause
from features.simulate.interventions import AFTER_DAYS

DAY = pd.Timedelta(days=1)
DRIVEN = {cause.name: cause for cause in CAUSES}


@pytest.fixture(scope="module")
def world() -> World:
    return company()


# --- stages ---------------------------------------------------------------------------------------------------


def test_stages_follow_each_other_without_a_gap_and_only_in_allowed_order(world: World) -> None:
    stages = world.truth["stages"]
    following = stages.groupby("customer_id")[["stage", "starts_at"]].shift(-1)
    inner = following["stage"].notna()
    assert (stages.loc[inner, "ends_at"] == following.loc[inner, "starts_at"]).all()
    assert stages.loc[~inner, "ends_at"].isna().all()
    steps = set(zip(stages.loc[inner, "stage"], following.loc[inner, "stage"], strict=True))
    assert steps == {
        ("healthy", "cooling"),
        ("healthy", "lost"),
        ("healthy", "comparison"),  # a talk that annoyed
        ("cooling", "healthy"),
        ("cooling", "comparison"),
        ("comparison", "healthy"),
        ("comparison", "decision"),
        ("decision", "lost"),
        ("lost", "healthy"),
    }
    lost = stages[stages["stage"] == "lost"]
    assert list(lost["starts_at"]) == list(world.truth["losses"]["lost_at"])


def test_only_a_talk_leads_from_health_straight_to_a_comparison(world: World) -> None:
    def annoyed(world: World) -> set[str]:
        stages = world.truth["stages"]
        before = stages.groupby("customer_id")["stage"].shift(1)
        return set(stages.loc[(before == "healthy") & (stages["stage"] == "comparison"), "customer_id"])

    talks = world.truth["interventions"]
    assert annoyed(world) <= set(talks.loc[talks["treated"] & (talks["response"] == "irritable"), "customer_id"])
    assert len(annoyed(world)) > 0
    assert annoyed(company(policy="none")) == set()


def test_a_symptomatic_loss_had_a_cause_and_a_cooling_and_a_sudden_one_neither(world: World) -> None:
    losses = world.truth["losses"]
    seen = losses["symptomatic"]
    assert losses.loc[seen, ["driver", "cooling_at"]].notna().all(axis=None)
    assert losses.loc[~seen, ["driver", "cooling_at"]].isna().all(axis=None)
    lead = (losses.loc[seen, "lost_at"] - losses.loc[seen, "cooling_at"]).dt.days
    assert 150 < lead.median() < 270


@pytest.mark.parametrize(("stage", "low", "high"), [("cooling", 90, 180), ("comparison", 30, 90), ("decision", 14, 35)])
def test_the_usual_length_of_a_stage_is_as_stated(stage: str, low: int, high: int) -> None:
    stages = company(policy="none").truth["stages"]
    whole = stages[(stages["stage"] == stage) & stages["ends_at"].notna()]
    days = (whole["ends_at"] - whole["starts_at"]).dt.days
    assert days.between(low, high).mean() > 0.7


@pytest.mark.parametrize("stage", ["cooling", "comparison"])
def test_some_relationships_recover_by_themselves(stage: str) -> None:
    stages = company(policy="none").truth["stages"]
    after = stages.groupby("customer_id")["stage"].shift(-1)[stages["stage"] == stage].dropna()
    share = {"cooling": PRESETS["normal"].cooling_recovers, "comparison": PRESETS["normal"].comparison_recovers}[stage]
    assert 0.2 < share < 0.5
    assert (after == "healthy").mean() == pytest.approx(share, abs=0.05)


def test_about_a_fifth_of_customers_is_lost_a_year_and_a_quarter_of_them_suddenly() -> None:
    stages, losses = (company(policy="none").truth[name] for name in ("stages", "losses"))
    active = stages[stages["stage"] != "lost"]
    begins = active["starts_at"].clip(lower=START)
    years = (active["ends_at"].fillna(pd.Timestamp(END)) - begins).dt.days.sum() / 365.25
    assert 0.15 < 1 - np.exp(-len(losses) / years) < 0.25
    assert 0.20 < 1 - losses["symptomatic"].mean() < 0.30


def test_some_of_the_lost_come_back_after_months(world: World) -> None:
    losses = world.truth["losses"]
    old = losses[losses["lost_at"] < pd.Timestamp(END) - 700 * DAY]
    assert 0.08 < old["returned_at"].notna().mean() < 0.2
    assert (losses["returned_at"] - losses["lost_at"]).median() > 90 * DAY


# --- causes ---------------------------------------------------------------------------------------------------


def days_of(table: pd.DataFrame, starts: pd.Series, ends: pd.Series) -> np.ndarray:
    """Whether each customer (row) is inside one of the intervals on each day (column)."""
    accounts, length = company().truth["customers"]["customer_id"], (pd.Timestamp(END) - START).days
    row = pd.Index(accounts).get_indexer(table["customer_id"])
    edges = np.zeros((len(accounts), length + 1), dtype=np.int32)
    for days, step in ((starts, 1), (ends.fillna(pd.Timestamp(END)), -1)):
        np.add.at(edges, (row, ((days - START) // DAY).clip(0, length).to_numpy()), step)
    return np.cumsum(edges, axis=1)[:, :-1] > 0


def coolings(world: World) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Who is healthy on each day, who begins to cool on it, and those beginnings with their place in the grid."""
    stages = world.truth["stages"]
    healthy = stages[stages["stage"] == "healthy"]
    began = stages[(stages["stage"] == "cooling") & (stages["starts_at"] > START)]
    grid = days_of(healthy, healthy["starts_at"], healthy["ends_at"])
    begins = days_of(began, began["starts_at"], began["starts_at"] + DAY)
    row = pd.Index(world.truth["customers"]["customer_id"]).get_indexer(began["customer_id"])
    return grid, begins, began.assign(row=row, day=(began["starts_at"] - START) // DAY)


def at_work(world: World, causes: list[Cause]) -> np.ndarray:
    """Whether one of the causes pushes each customer on each day."""
    happened = world.truth["causes"]
    happened = happened[happened["cause"].isin([cause.name for cause in causes])]
    lasts = pd.to_timedelta(happened["cause"].map({cause.name: cause.days for cause in causes}), "D")
    return days_of(happened, happened["occurred_at"], happened["occurred_at"] + lasts)


def hazard(world: World, where: np.ndarray) -> tuple[float, int]:
    """Coolings per healthy year on some days of some customers, and how many they were."""
    healthy, begins, _ = coolings(world)
    return 365.25 * float((begins & where).sum() / (healthy & where).sum()), int((begins & where).sum())


def test_a_cause_pushes_sometimes_and_mostly_does_nothing() -> None:
    world = company(policy="none")
    calm, _ = hazard(world, ~at_work(world, list(CAUSES)))
    for name in ("buyer_left", "open_tickets", "seller_left", "late_deliveries", "rival_arrives"):
        pushed, count = hazard(world, at_work(world, [DRIVEN[name]]))
        # Two standard errors of a count below the true ratio of at least 1 + push.
        assert pushed / calm > 1 + DRIVEN[name].push * (1 - 2 / np.sqrt(count)), name
        assert 1 - np.exp(-pushed * DRIVEN[name].days / 365.25) < 0.4, name


def test_where_causes_do_nothing_they_leave_the_hazard_alone() -> None:
    world = company(normal(causes=0.0), policy="none")
    calm, _ = hazard(world, ~at_work(world, list(CAUSES)))
    pushed, count = hazard(world, at_work(world, list(CAUSES)))
    assert pushed / calm == pytest.approx(1, abs=4 / np.sqrt(count))
    pd.testing.assert_frame_equal(world.truth["causes"], company(policy="none").truth["causes"])


def test_causes_decide_who_cools_and_when_not_how_many() -> None:
    counts = [len(coolings(company(preset, policy="none"))[2]) for preset in ("normal", normal(causes=0.0))]
    assert counts[0] == pytest.approx(counts[1], rel=0.08)


def test_a_cooling_that_a_cause_pushed_has_more_often_the_drive_of_that_cause() -> None:
    world = company(policy="none")
    _, _, began = coolings(world)
    calm = ~at_work(world, list(CAUSES))[began["row"], began["day"]]
    for name in ("buyer_left", "open_tickets", "late_deliveries", "rival_arrives", "price_rise"):
        inside = at_work(world, [DRIVEN[name]])[began["row"], began["day"]]
        own = began["driver"] == DRIVEN[name].driver
        assert own[inside].mean() > own[calm].mean() + 0.1, name


# --- talks ----------------------------------------------------------------------------------------------------


def with_share(treated_share: float) -> World:
    return company(normal(treated_share=treated_share), policy="overdue")


def orders_between(world: World, talks: pd.DataFrame, after: int, until: int) -> np.ndarray:
    """Orders of each candidate from `after` to before `until` days after the decision, up to the extract."""
    orders, span = world.scene.orders, world.scene.span
    row = pd.Index(world.truth["customers"]["customer_id"]).get_indexer(talks["customer_id"])
    day = span.day(talks["decided_at"].to_numpy())
    keys = orders.account * 100_000 + orders.day
    first, last = (row * 100_000 + np.clip(day + shift, 0, span.days) for shift in (after, until))
    return np.searchsorted(keys, last) - np.searchsorted(keys, first)


def test_each_candidate_is_talked_to_with_the_chance_that_is_on_record(world: World) -> None:
    talks = world.truth["interventions"]
    assert set(talks["propensity"]) == {PRESETS["normal"].treated_share}
    error = np.sqrt((talks["propensity"] * (1 - talks["propensity"])).mean() / len(talks))
    assert talks["treated"].mean() == pytest.approx(talks["propensity"].mean(), abs=3 * error)
    assert not talks["customer_id"].duplicated().any()


def test_the_kind_of_a_candidate_follows_from_both_lives(world: World) -> None:
    talks = world.truth["interventions"]
    until = talks["decided_at"] + AFTER_DAYS * DAY
    over = until <= pd.Timestamp(END)
    assert talks["kind"].notna().equals(over)
    lost_if = [(talks[f"lost_at_if_{case}"] < until)[over] for case in ("treated", "not")]
    words = {(False, True): "persuadable", (False, False): "sure_thing", (True, True): "lost_cause"}
    expected = [words.get(pair, "sleeping_dog") for pair in zip(*lost_if, strict=True)]
    assert talks.loc[over, "kind"].tolist() == expected
    assert set(expected) == {"persuadable", "sure_thing", "lost_cause", "sleeping_dog"}
    # Who is neither responsive nor irritable lives one life, whatever is said to him.
    same = talks[talks["response"] == "indifferent"]
    assert same["lost_at_if_treated"].equals(same["lost_at_if_not"])
    assert (same["orders_180d_if_treated"] == same["orders_180d_if_not"]).all()
    by_kind = talks[over].groupby("kind")["response"].value_counts().unstack(fill_value=0)
    assert by_kind.loc["persuadable"].idxmax() == "responsive"
    assert by_kind.loc["sleeping_dog"].idxmax() == "irritable"


@pytest.mark.parametrize(("share", "case"), [(1.0, "treated"), (0.0, "not")])
def test_the_life_of_each_case_is_the_one_of_a_world_in_which_all_or_none_are_talked_to(
    world: World, share: float, case: str
) -> None:
    talks, lived = world.truth["interventions"], with_share(share)
    pd.testing.assert_frame_equal(
        talks.drop(columns=["treated", "propensity"]),
        lived.truth["interventions"].drop(columns=["treated", "propensity"]),
    )
    assert orders_between(lived, talks, 0, AFTER_DAYS).tolist() == talks[f"orders_180d_if_{case}"].tolist()
    # The first loss that is not over by the day of the decision; who is lost on that day is lost from it on.
    losses = lived.truth["losses"].merge(talks[["customer_id", "decided_at"]], on="customer_id")
    to_come = losses[~(losses["returned_at"] <= losses["decided_at"])].drop_duplicates("customer_id")
    first = to_come.set_index("customer_id")[["lost_at", "decided_at"]].max(axis=1).reindex(talks["customer_id"])
    assert first.reset_index(drop=True).equals(talks[f"lost_at_if_{case}"].rename(None))


def before_the_decision(world: World, talks: pd.DataFrame) -> np.ndarray:
    """How far each candidate has turned away, by week; 0 from the week of the decision on."""
    row = pd.Index(world.truth["customers"]["customer_id"]).get_indexer(talks["customer_id"])
    week = world.scene.span.day(talks["decided_at"].to_numpy()) // 7
    turned_away = world.scene.state.turned_away[row]
    return np.where(np.arange(turned_away.shape[1]) < week[:, None], turned_away, 0.0)


def test_until_the_decision_both_lives_are_one() -> None:
    talked, left_alone = with_share(1.0), with_share(0.0)
    talks = talked.truth["interventions"]
    assert talks["treated"].all()
    assert not left_alone.truth["interventions"]["treated"].any()
    counts = [[orders_between(world, talks, -days, 0) for days in (30, 2000)] for world in (talked, left_alone)]
    assert np.array_equal(counts[0], counts[1])
    assert np.allclose(before_the_decision(talked, talks), before_the_decision(left_alone, talks))
    others = ~talked.truth["customers"]["customer_id"].isin(talks["customer_id"]).to_numpy()
    orders = [world.scene.orders for world in (talked, left_alone)]
    days = [one.day[others[one.account]] for one in orders]
    assert np.array_equal(days[0], days[1])
    after = [orders_between(world, talks, 0, 2000) for world in (talked, left_alone)]
    assert (after[0] != after[1]).mean() > 0.02


def test_the_world_shows_the_life_that_chance_decided(world: World) -> None:
    talks = world.truth["interventions"]
    shown = np.where(talks["treated"], talks["orders_180d_if_treated"], talks["orders_180d_if_not"])
    assert orders_between(world, talks, 0, AFTER_DAYS).tolist() == shown.tolist()


def test_a_comparison_of_the_treated_with_the_others_finds_the_true_effect() -> None:
    with orders_alone():
        preset = normal(treated_share=0.5, responsive_share=0.8, irritable_share=0.0)
        world = simulate(6000, 30, seed=12, preset=preset, end=END)
    talks = world.truth["interventions"].dropna(subset="kind")
    until = talks["decided_at"] + AFTER_DAYS * DAY
    if_treated, if_not = (talks[f"lost_at_if_{case}"] < until for case in ("treated", "not"))
    effect = (if_treated.astype(float) - if_not.astype(float)).mean()
    observed = if_treated.where(talks["treated"], if_not).astype(float)
    treated, others = observed[talks["treated"]], observed[~talks["treated"]]
    error = np.sqrt(treated.var() / len(treated) + others.var() / len(others))
    assert treated.mean() - others.mean() == pytest.approx(effect, abs=3 * error)
    assert effect < -0.02


@pytest.mark.parametrize("policy", ["random", "overdue"])
def test_a_policy_picks_its_candidates_by_what_it_says(policy: str) -> None:
    world = company(normal(treated_share=0.0), policy=policy)
    talks = world.truth["interventions"]
    customers = world.truth["customers"].set_index("customer_id")
    row = pd.Index(customers.index).get_indexer(talks["customer_id"])
    orders, span = world.scene.orders, world.scene.span
    day = span.day(talks["decided_at"].to_numpy())
    last = np.searchsorted(orders.account * 100_000 + orders.day, row * 100_000 + day) - 1
    ordered = (last >= 0) & (orders.account[np.maximum(last, 0)] == row)
    gap = 365.25 / customers["orders_per_year"].to_numpy()[row]
    waited = (day - orders.day[np.maximum(last, 0)]) / gap
    if policy == "overdue":
        assert ordered.all()
        assert (waited >= 1.5).all()
    else:
        assert (waited < 1.5).mean() > 0.4
