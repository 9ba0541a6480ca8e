"""One warning per customer: when it opens, when it is over, and what a full week holds back."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from models.episodes import EARLIER, Hysteresis, Moves, Pilot, after, episode_id, no_episodes, step
from models.levels import level_names

#: A Monday.
DAY = date(2026, 1, 5)
ENTRY = 0.5
UNLIMITED = Hysteresis(new_per_week=None)
PLAIN = {
    "customer_id": "A",
    "level": None,
    "model_level": "none",
    "rule_level": "none",
    "health_level": "none",
    "churn_probability": 0.1,
    "queue": "early",
    "dimension": "transaction",
    "priority": 100.0,
    "owner": "Sato",
}
LOUD = {"none": 0.4, "blue": 0.55, "yellow": 0.65, "orange": 0.75, "red": 0.85}


def scored(*rows: dict[str, object]) -> pd.DataFrame:
    """Today's scores: what a row does not say is that of `PLAIN`; its level is the loudest of its parts."""
    frame = pd.DataFrame([PLAIN | row for row in rows])
    order = list(LOUD)
    parts = [frame[name].map(order.index) for name in ("model_level", "rule_level", "health_level")]
    loudest = pd.Series(level_names(np.maximum.reduce(parts)), index=frame.index)
    return frame.assign(level=frame["level"].where(frame["level"].notna(), loudest))


def by_model(level: str, **more: object) -> dict[str, object]:
    return {"model_level": level, "churn_probability": LOUD[level]} | more


def scorings(*rows: tuple[int, str, float]) -> pd.DataFrame:
    """Of customer A: (days before `DAY`, level by the model, probability)."""
    return pd.DataFrame([("A", DAY - timedelta(days=back), p, level) for back, level, p in rows], columns=list(EARLIER))


def open_one(level: str = "yellow", **more: object) -> pd.DataFrame:
    """An episode of customer A that opened 40 days ago."""
    opened = DAY - timedelta(days=40)
    row = {"episode_id": episode_id("A", opened), "customer_id": "A", "opened_on": opened, "level": level}
    row |= {"highest_level": level, "dimension": "transaction", "below_since": None, "closed_on": None}
    return pd.DataFrame([row | {"queue": "early", "owner": "Sato", "priority": 100.0} | more]).astype(object)


def closed_one(days_ago: int, **more: object) -> pd.DataFrame:
    return open_one(closed_on=DAY - timedelta(days=days_ago), **more)


def moved(
    today: pd.DataFrame,
    earlier: pd.DataFrame | None = None,
    episodes: pd.DataFrame | None = None,
    terms: Hysteresis = UNLIMITED,
    as_of: date = DAY,
    entry: float | None = ENTRY,
) -> Moves:
    earlier = scorings() if earlier is None else earlier
    episodes = no_episodes() if episodes is None else episodes
    return step(today, earlier, episodes, terms, as_of=as_of, entry=entry)


def lived(levels: list[str], episodes: pd.DataFrame | None = None) -> list[str]:
    """The level of A's episode after each day ("" without an open one), scored daily with these levels."""
    episodes, earlier, told = no_episodes() if episodes is None else episodes, scorings(), []
    for day, level in enumerate(levels):
        as_of = DAY + timedelta(days=day)
        today = scored(by_model(level))
        episodes = after(episodes, moved(today, earlier, episodes, as_of=as_of))
        now = episodes.loc[episodes["closed_on"].isna(), "level"]
        told.append(now.iloc[0] if len(now) else "")
        more = today[["customer_id", "churn_probability", "model_level"]].assign(as_of=as_of)
        earlier = more[list(EARLIER)] if earlier.empty else pd.concat([earlier, more[list(EARLIER)]])
    return told


# --- opening


@pytest.mark.parametrize(
    ("before", "opens"),
    [
        ([(1, "none", 0.4), (2, "none", 0.4)], False),
        ([(1, "blue", 0.55), (2, "none", 0.4)], True),
        ([(1, "none", 0.4), (2, "blue", 0.55)], True),
        ([(1, "none", 0.4), (2, "none", 0.4), (3, "blue", 0.55)], False),
        ([(1, "none", 0.4)], False),
        ([(1, "blue", 0.55)], True),
    ],
)
def test_a_level_by_the_model_opens_when_met_in_two_of_the_last_three_scorings(before, opens):
    found = moved(scored(by_model("blue")), scorings(*before)).opened
    assert len(found) == opens
    assert list(found["reason"]) == ["steady"] * opens


@pytest.mark.parametrize(("last", "opens"), [(0.31, False), (0.30, False), (0.29, True)])
def test_a_jump_by_more_than_a_quarter_opens_at_once(last, opens):
    before = scorings((1, "none", last), (2, "none", 0.3))
    found = moved(scored(by_model("blue")), before).opened
    assert list(found["reason"]) == ["jump"] * opens


def test_without_any_history_the_first_scoring_opens():
    found = moved(scored(by_model("yellow"))).opened
    assert found[["customer_id", "opened_on", "level", "reason"]].to_numpy().tolist() == [
        ["A", DAY, "yellow", "first_scoring"]
    ]


@pytest.mark.parametrize(("row", "reason"), [({"rule_level": "blue"}, "rule"), ({"health_level": "orange"}, "health")])
def test_wf_25_a_rule_or_a_fall_of_health_warns_on_the_first_run_from_its_day_on(row, reason):
    quiet = [(1, "none", 0.1), (2, "none", 0.1)]
    assert moved(scored({}), scorings(*quiet)).opened.empty
    found = moved(scored(row), scorings(*quiet)).opened
    assert found[["opened_on", "reason"]].to_numpy().tolist() == [[DAY, reason]]
    assert moved(scored(row), scorings((0, "none", 0.1), *quiet), after(no_episodes(), moved(scored(row)))).empty


def test_wf_25_a_missed_run_is_caught_up_on_the_next_day_and_dated_by_it():
    # The threshold was crossed on Tuesday, when nothing ran; Wednesday's run finds it.
    wednesday = DAY + timedelta(days=2)
    found = moved(scored({"rule_level": "blue"}), scorings((0, "none", 0.1)), as_of=wednesday).opened
    assert list(found["opened_on"]) == [wednesday]


def test_an_episode_opens_at_the_level_that_was_met_twice_and_follows_from_there():
    assert lived(["none", "blue", "red", "red", "yellow", "yellow"]) == ["", "", "red", "red", "red", "yellow"]
    # .85 after .55 is a jump, so that red counted at once; by single steps it has to be confirmed.
    assert lived(["blue", "blue", "yellow", "yellow"]) == ["blue", "blue", "blue", "yellow"]


def test_competitor_activity_keeps_its_step_above_the_smoothed_level():
    before = scorings((1, "blue", 0.6), (2, "blue", 0.6))
    found = moved(scored(by_model("yellow") | {"level": "orange"}), before).opened
    assert list(found["level"]) == ["yellow"]  # blue is what is confirmed, one step up


def test_an_episode_keeps_what_was_known_when_it_opened():
    today = scored(by_model("yellow", priority=7.0)).assign(stage="cooling")
    opened = moved(today).opened
    about = ["opened_level", "highest_level", "queue", "stage", "priority", "owner", "dimension"]
    assert opened[about].to_numpy().tolist() == [["yellow", "yellow", "early", "cooling", 7.0, "Sato", "transaction"]]
    assert moved(today.drop(columns="stage")).opened["stage"].isna().all()


def test_all_levels_off_leaves_rules_and_health_to_warn():
    assert len(moved(scored({"rule_level": "red"}), entry=None).opened) == 1
    assert len(moved(scored({}), episodes=open_one(below_since=DAY - timedelta(days=14)), entry=None).closed) == 1


# --- closing


@pytest.mark.parametrize(("p", "begins"), [(0.43, False), (0.42, False), (0.41, True), (np.nan, True)])
def test_an_episode_begins_to_end_only_well_below_the_threshold(p, begins):
    found = moved(scored({"churn_probability": p}), scorings((1, "none", 0.4)), open_one("blue"))
    assert list(found.changed["reason"]) == ["below"] * begins
    assert list(found.changed["below_since"]) == [DAY] * begins
    assert found.closed.empty


@pytest.mark.parametrize(("days", "closes"), [(13, False), (14, True), (15, True)])
def test_it_is_over_after_fourteen_days_there(days, closes):
    episodes = open_one("blue", below_since=DAY - timedelta(days=days))
    found = moved(scored({}), scorings((1, "none", 0.1)), episodes)
    assert found.closed[["customer_id", "closed_on", "reason"]].to_numpy().tolist() == [["A", DAY, "quiet"]] * closes
    assert found.changed.empty


@pytest.mark.parametrize("row", [{"churn_probability": 0.45}, {"rule_level": "blue"}, {"health_level": "blue"}])
def test_the_days_are_counted_anew_once_anything_speaks_for_a_level_again(row):
    episodes = open_one("blue", below_since=DAY - timedelta(days=20))
    found = moved(scored(row), scorings((1, "none", 0.4)), episodes)
    assert found.closed.empty
    assert found.changed[["below_since", "reason"]].to_numpy().tolist() == [[None, "back"]]


def test_an_order_lowers_the_level_at_once_and_closes_nothing_at_once():
    episodes = open_one("red")
    found = moved(scored({"churn_probability": 0.05}), scorings((1, "red", 0.9), (2, "red", 0.9)), episodes)
    assert found.closed.empty
    assert found.changed[["level", "highest_level", "below_since", "reason"]].to_numpy().tolist() == [
        ["blue", "red", DAY, "quieter"]
    ]
    assert lived(["red"] + ["none"] * 16)[13:] == ["blue", "blue", "", ""]  # from the 2nd to the 16th day, 14 days


def test_who_is_not_scored_any_more_is_let_go_after_the_same_days():
    other = scored({"customer_id": "B"})
    first = moved(other, episodes=open_one())
    assert list(first.changed["reason"]) == ["below"]
    later = moved(other, episodes=after(open_one(), first), as_of=DAY + timedelta(days=14))
    assert list(later.closed["reason"]) == ["not_scored"]


# --- the cool-down


@pytest.mark.parametrize(("days", "opens"), [(27, False), (28, True), (29, True)])
def test_after_closing_the_same_opens_nothing_for_28_days(days, opens):
    found = moved(scored(by_model("yellow")), episodes=closed_one(days)).opened
    assert list(found["reason"]) == ["first_scoring"] * opens


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (by_model("blue"), []),
        (by_model("yellow"), []),
        (by_model("orange"), ["louder"]),
        (by_model("blue", dimension="service"), ["new_dimension"]),
        (by_model("blue", dimension=None), []),
    ],
)
def test_within_the_cool_down_only_news_opens_another_one(row, reason):
    found = moved(scored(row), episodes=closed_one(10)).opened
    assert list(found["reason"]) == reason


def test_the_loudest_level_that_the_episode_ever_had_is_what_louder_means():
    episodes = closed_one(10, level="blue", highest_level="red")
    assert moved(scored(by_model("red")), episodes=episodes).opened.empty


# --- one per customer, the same each time


def test_an_open_episode_is_the_only_one():
    found = moved(scored(by_model("red", dimension="service")), episodes=open_one())
    assert found.opened.empty
    assert found.changed[["level", "dimension", "reason"]].to_numpy().tolist() == [
        ["red", "transaction,service", "louder"]
    ]
    news = moved(scored(by_model("yellow", dimension="service")), episodes=open_one())
    assert list(news.changed["reason"]) == ["new_dimension"]


def test_a_day_stepped_twice_moves_nothing():
    rows = [
        by_model("red", customer_id=name, priority=money) for name, money in zip("ABC", (1.0, 3.0, 2.0), strict=True)
    ]
    today, terms = scored(*rows, by_model("none", customer_id="D")), Hysteresis(new_per_week=2)
    fading = open_one(customer_id="D", episode_id="d", owner="Abe")
    over = open_one(customer_id="E", episode_id="e", owner="Abe", below_since=DAY - timedelta(days=14))
    episodes = pd.concat([fading, over], ignore_index=True)
    first = moved(today, episodes=episodes, terms=terms)
    assert [len(part) for part in (first.opened, first.changed, first.closed, first.held_back)] == [2, 1, 1, 1]
    again = moved(today, episodes=after(episodes, first), terms=terms)
    assert again.empty
    pd.testing.assert_frame_equal(again.held_back, first.held_back)


def test_moves_do_not_depend_on_the_order_of_the_rows():
    rows = [by_model("red", customer_id=name, priority=7.0) for name in "CABD"]
    one, two = scored(*rows), scored(*rows[::-1])
    terms = Hysteresis(new_per_week=2)
    for name in ("opened", "held_back"):
        pd.testing.assert_frame_equal(getattr(moved(one, terms=terms), name), getattr(moved(two, terms=terms), name))
    assert list(moved(one, terms=terms).opened["customer_id"]) == ["A", "B"]


def test_ids_are_the_same_wherever_they_are_asked():
    assert episode_id("A", DAY) == "268eca4a6a9c3f67"
    assert len({episode_id("A", DAY), episode_id("B", DAY), episode_id("A", DAY + timedelta(days=1))}) == 3
    assert list(moved(scored(by_model("red"))).opened["episode_id"]) == [episode_id("A", DAY)]


# --- a full week


def test_a_week_takes_so_many_of_an_owner_and_the_rest_is_counted_with_its_money():
    rows = [by_model("red", customer_id=f"C{i}", priority=float(i)) for i in range(7)]
    found = moved(scored(*rows, by_model("blue", customer_id="X", owner="Abe")), terms=Hysteresis(new_per_week=5))
    assert list(found.opened["customer_id"]) == ["C2", "C3", "C4", "C5", "C6", "X"]
    assert list(found.held_back["customer_id"]) == ["C0", "C1"]
    assert set(found.held_back["reason"]) == {"capacity"}
    assert found.not_shown == (2, 1.0)


@pytest.mark.parametrize(("day", "opens"), [(6, 0), (7, 2)])
def test_the_week_begins_on_monday(day, opens):
    terms = Hysteresis(new_per_week=2)
    episodes = after(no_episodes(), moved(scored(*(by_model("red", customer_id=name) for name in "AB")), terms=terms))
    later = scored(*(by_model("red", customer_id=name) for name in "ABCDE"))
    assert len(moved(later, episodes=episodes, terms=terms, as_of=DAY + timedelta(days=day)).opened) == opens


def test_rules_with_a_working_list_are_never_held_back_and_take_their_room():
    rows = [by_model("red", customer_id="A"), {"customer_id": "B", "rule_level": "blue", "priority": 1.0}]
    terms = Hysteresis(new_per_week=1)
    found = moved(scored(*rows), terms=terms)
    assert list(found.opened["customer_id"]) == ["B"]
    assert list(found.held_back["customer_id"]) == ["A"]
    unlisted = scored(*rows).assign(listed=False)
    assert list(moved(unlisted, terms=terms).opened["customer_id"]) == ["A"]


def test_accounts_without_an_owner_share_one_week():
    rows = [by_model("red", customer_id=name, owner=None) for name in "ABC"]
    assert len(moved(scored(*rows), terms=Hysteresis(new_per_week=2)).opened) == 2


# --- a pilot


def test_ml_05_a_pilot_opens_nothing_outside_its_unit():
    today = scored(*(by_model("red", customer_id=name) for name in "AB")).assign(unit=["U", None])
    pilot = Pilot("unit", ("U",))
    assert list(moved(today.assign(may_open=pilot.of(today))).opened["customer_id"]) == ["A"]
    with pytest.raises(ValueError, match="expected a column 'branch'"):
        Pilot("branch", ("U",)).of(today)


def test_ml_05_shadow_mode_opens_nothing_at_all():
    today = scored(by_model("red"), {"customer_id": "B", "rule_level": "red"})
    assert moved(today.assign(may_open=Pilot(shadow=True).of(today))).empty
    assert len(moved(today.assign(may_open=Pilot().of(today))).opened) == 2


# --- what is refused


@pytest.mark.parametrize(
    ("earlier", "episodes"),
    [
        (scorings((-1, "none", 0.1)), no_episodes()),
        (scorings(), open_one(opened_on=DAY + timedelta(days=1))),
        (scorings(), open_one(below_since=DAY + timedelta(days=1))),
        (scorings(), closed_one(-1)),
    ],
)
def test_days_in_the_wrong_order_are_refused(earlier, episodes):
    with pytest.raises(ValueError, match=r"from 2026-01-06 on.*found 2026-01-05: step days in order"):
        moved(scored({}), earlier, episodes)


def test_rows_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="each customer once among today; found 'A' twice"):
        moved(scored({}, {}))
    with pytest.raises(ValueError, match="each customer once among open episodes; found 'A' twice"):
        moved(scored({}), episodes=pd.concat([open_one(), open_one()]))
    with pytest.raises(ValueError, match=r"columns .* of today; \['owner'\] are missing"):
        moved(scored({}).drop(columns="owner"))
    with pytest.raises(ValueError, match=r"found \['purple'\]"):
        moved(scored({"level": "purple"}))
