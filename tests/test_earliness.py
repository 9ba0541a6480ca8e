"""Early warning against tables done by hand and an episode counter written the slow way."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.earliness import ALL, EARLY, OVERDUE, RANDOM, Terms, earliness_table
from models.figures import InvalidPredictions
from models.losses import derived_losses
from models.plots import earliness_plot

UNTIL = date(2025, 12, 31)


def weekly(scores, start="2025-01-06", run_in=6):
    """One row per week and customer; customer -> scores. Before them a run-in of low ones, just long enough."""
    first = pd.Timestamp(start) - pd.Timedelta(weeks=run_in)
    rows = [
        {"customer_id": who, "as_of": first + pd.Timedelta(weeks=week), "probability": score}
        for who, values in scores.items()
        for week, score in enumerate([0.0] * run_in + values)
    ]
    return pd.DataFrame(rows).assign(contestant="model", overdue=False)


def lost(**days):
    return pd.DataFrame({"customer_id": list(days), "event_at": pd.to_datetime(list(days.values()))})


def measured(predictions, losses, baseline="model", known_until=UNTIL, repeats=20, seed=0, **terms):
    rng = np.random.default_rng(seed)
    return earliness_table(
        predictions,
        losses,
        known_until=known_until,
        baseline=baseline,
        terms=Terms(**terms),
        repeats=repeats,
        rng=rng,
    ).set_index(["queue", "contestant"])


def company(customers=60, months=8, seed=1, skill=1.5):
    """Monthly scores that rise before a loss, and the losses."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2025-01-01", periods=months, freq="MS")
    losses = pd.DataFrame({"customer_id": [f"C{i:03}" for i in range(customers // 2)]})
    losses["event_at"] = dates[0] + pd.to_timedelta(rng.integers(0, 30 * months, len(losses)), unit="D")
    losses["revenue"] = rng.uniform(1, 9, len(losses))
    frame = pd.DataFrame({"customer_id": [f"C{i:03}" for i in range(customers)]}).merge(
        pd.DataFrame({"as_of": dates}), how="cross"
    )
    to_go = (frame["customer_id"].map(losses.set_index("customer_id")["event_at"]) - frame["as_of"]).dt.days
    near = to_go.between(0, 150).astype(float)
    parts = [
        frame.assign(contestant=name, probability=strength * near + rng.normal(size=len(frame)), overdue=near > 0)
        for name, strength in {"model": skill, "cycle": 0.5}.items()
    ]
    return pd.concat(parts, ignore_index=True), losses


def slow_openings(rows, threshold, closed_after):
    """Rows that open a warning, counted one by one as a person would."""
    opened, last = [], {}
    for row in rows.sort_values(["customer_id", "as_of"]).itertuples():
        if row.probability >= threshold:
            before = last.get(row.customer_id)
            if before is None or (row.as_of - before).days > closed_after:
                opened.append((row.customer_id, row.as_of))
            last[row.customer_id] = row.as_of
    return opened


def test_a_customer_who_stays_high_is_one_warning_and_one_who_comes_back_later_another():
    # A stays high for ten weeks; B is high twice, eight weeks apart; C twice, four weeks apart.
    scores = {"A": [0.9] * 10, "B": [0.8, *[0.1] * 7, 0.8, 0.1], "C": [0.7, *[0.1] * 3, 0.7, *[0.1] * 5]}
    # 30 customer-weeks are 6.9 customer-months: 58 per 100 are 4 warnings.
    table = measured(weekly(scores), lost(A="2025-03-01"), per_100_a_month=58.0)
    assert table.loc[(ALL, "model"), "warnings"] == 4
    assert table.loc[(ALL, "model"), "months"] == pytest.approx(30 * 7 * 12 / 365.25)


@pytest.mark.parametrize(("closed_after_days", "run_in", "warnings"), [(48, 6, 2), (49, 7, 1), (50, 7, 1)])
def test_a_warning_is_over_once_the_score_stayed_low_for_longer_than_the_stated_days(
    closed_after_days, run_in, warnings
):
    scores = {"A": [0.9, *[0.1] * 6, 0.9], "B": [0.05] * 8}
    table = measured(
        weekly(scores, run_in=run_in),
        lost(A="2025-06-01"),
        closed_after_days=closed_after_days,
        per_100_a_month=100 * warnings / 3.68,
    )
    assert table.loc[(ALL, "model"), "warnings"] == warnings


@pytest.mark.parametrize(("closed_after_days", "run_in"), [(20, 1), (45, 1), (75, 2)])
@pytest.mark.parametrize("budget", [3.0, 8.0])
def test_the_threshold_is_the_highest_that_opens_as_many_new_warnings_as_the_budget_allows(
    closed_after_days, run_in, budget
):
    predictions, losses = company()
    table = measured(predictions, losses, closed_after_days=closed_after_days, per_100_a_month=budget)
    settled = sorted(predictions["as_of"].unique())[run_in]
    wanted = round(budget * table.loc[(ALL, "model"), "months"] / 100)
    for name, rows in predictions.groupby("contestant"):
        for threshold in np.sort(rows["probability"])[::-1]:
            opened = slow_openings(rows, threshold, closed_after_days)
            new = [(who, day) for who, day in opened if day >= settled]
            if len(new) >= wanted:
                break
        found = table.loc[(ALL, name)]
        assert found["warnings"] == len(new) == wanted
        assert found["warnings_per_100"] == pytest.approx(100 * wanted / found["months"])
        assert found["standing"] == pytest.approx((rows["probability"] >= threshold).mean())
        events = losses.set_index("customer_id")["event_at"]
        late = [day for who, day in new if who in events and events[who] < day]
        assert found["already_lost"] == pytest.approx(len(late) / wanted)
        hits = [0 <= (events[who] - day).days <= 180 if who in events else False for who, day in new]
        old = [(pd.Timestamp(UNTIL) - day).days >= 180 for _, day in new]
        assert found["precision"] == pytest.approx(np.mean([hit for hit, told in zip(hits, old, strict=True) if told]))
        first = {}
        for who, day in new:
            if who in events and 0 <= (events[who] - day).days <= 180:
                first.setdefault(who, day)
        inside = events[(events >= settled) & (events < pd.Timestamp("2025-08-01") + pd.Timedelta(days=31))]
        for lead in (0, 60, 120):
            could = inside[inside >= settled + pd.Timedelta(days=lead)]
            told = [who in first and (day - first[who]).days >= lead for who, day in could.items()]
            assert found[f"losses_{lead}"] == len(could)
            assert found[f"warned_{lead}"] == pytest.approx(np.mean(told))
        revenue = losses.set_index("customer_id")["revenue"][inside.index]
        told = [who in first and first[who] <= day for who, day in inside.items()]
        assert found["revenue_recall"] == pytest.approx(revenue[told].sum() / revenue.sum())


def test_who_stands_high_when_the_dates_begin_is_no_new_warning_and_earns_none():
    # A stands high from the first date of the run-in and is lost ten weeks later; B rises after it.
    scores = {"A": [0.9] * 12, "B": [0.1] * 4 + [0.8] * 8, "C": [0.05] * 12}
    rows = weekly(scores)
    rows.loc[rows["customer_id"] == "A", "probability"] = 0.9
    table = measured(rows, lost(A="2025-03-17", B="2025-03-17"), per_100_a_month=12.0, leads=(0, 42, 60, 70, 71))
    found = table.loc[(ALL, "model")]
    assert found[["warnings", "already_lost"]].tolist() == [1, 0]
    assert found[["warned_0", "warned_42", "warned_60", "warned_70"]].tolist() == [0.5, 0.5, 0, 0]
    # The first date after the run-in is 70 days before.
    assert found[["losses_70", "losses_71"]].tolist() == [2, 0]
    assert found["standing"] == pytest.approx((18 + 8) / 54)


def test_a_score_that_never_moves_opens_nothing_and_warns_of_nothing():
    rows = weekly({f"C{i}": [i / 10] * 20 for i in range(10)})
    rows["probability"] = rows["customer_id"].str[1:].astype(float)
    found = measured(rows, lost(C9="2025-04-01", C1="2025-04-01")).loc[(ALL, "model")]
    assert found[["warnings", "standing", "warned_0"]].tolist() == [0, 0, 0]


def test_who_knows_nothing_gains_nothing_by_holding_warnings_open():
    rng = np.random.default_rng(2)
    dates = pd.date_range("2025-01-01", periods=12, freq="MS")
    enters = np.where(rng.random(2_000) < 0.75, 0, rng.integers(1, 12, 2_000))
    frame = pd.DataFrame([(f"C{who:04}", month) for who in range(2_000) for month in range(enters[who], 12)])
    frame = frame.set_axis(["customer_id", "month"], axis=1).assign(overdue=False)
    frame["as_of"] = dates[frame["month"]]
    who = frame["customer_id"].str[1:].astype(int).to_numpy()
    own, held = rng.random(2_000), rng.random((2_000, 3))
    turn = (frame["month"].to_numpy() + (own[who] * 6).astype(int)) // 6
    scores = {
        "one for all": np.full(len(frame), 0.5),
        "one for each": own[who],
        "nearly": own[who] + 0.01 * rng.random(len(frame)),
        "half a year": held[who, turn],
    }
    rows = pd.concat([frame.assign(contestant=name, probability=score) for name, score in scores.items()])
    lives = rng.choice(2_000, 600, replace=False)
    events = pd.DataFrame({"customer_id": [f"C{one:04}" for one in lives]})
    events["event_at"] = dates[0] + pd.to_timedelta(rng.integers(60, 360, 600), unit="D")
    table = measured(rows, events, baseline="nearly", known_until=date(2026, 6, 1)).loc[ALL]
    assert table.loc["half a year", "standing"] > 4 * table.loc[RANDOM, "standing"]
    assert table.loc["one for all", "standing"] > 0.9
    for lead in (0, 60, 120):
        assert (table[f"warned_{lead}"] < table.loc[RANDOM, f"warned_{lead}"] + 0.04).all()


def test_dates_that_end_within_the_run_in_give_no_table():
    predictions, losses = company(months=1)
    rng = np.random.default_rng(0)
    assert earliness_table(predictions, losses, known_until=UNTIL, baseline="cycle", repeats=5, rng=rng).empty


def test_every_contestant_opens_the_same_number_of_warnings_and_so_does_chance():
    predictions, losses = company()
    table = measured(predictions, losses, baseline="cycle").loc[ALL]
    assert table.index.tolist() == ["model", "cycle", RANDOM]
    assert table["warnings"].nunique() == 1


def test_skill_warns_earlier_than_the_rule_and_the_rule_earlier_than_chance():
    predictions, losses = company(customers=3_000, skill=4.0)
    table = measured(predictions, losses, baseline="cycle", repeats=100).loc[ALL]
    assert table["warned_30"].is_monotonic_decreasing
    assert table["warned_30"].nunique() == 3
    assert table.loc["model", "times_baseline_low"] > 1
    assert table.loc["cycle", ["times_baseline", "times_baseline_low", "times_baseline_high"]].tolist() == [1, 1, 1]
    ratio = table.loc["model", "warned_60"] / table.loc["cycle", "warned_60"]
    assert table.loc["model", "times_baseline"] == pytest.approx(ratio)


def test_random_scores_have_the_figures_of_the_random_policy():
    predictions, losses = company(customers=2_000)
    noise = np.random.default_rng(7).random(len(predictions))
    table = measured(predictions.assign(probability=noise), losses, baseline="cycle", repeats=50).loc[ALL]
    for name in ("model", "cycle"):
        low, high = table.loc[name, ["warned_0_low", "warned_0_high"]]
        assert low < table.loc[RANDOM, "warned_0"] < high


def test_customers_who_tie_share_the_place_on_average():
    # All alike: whoever is warned about is drawn, once each, whatever the order of the rows.
    scores = {f"C{i:02}": [0.5] * 20 for i in range(50)}
    events = lost(**{f"C{i:02}": "2025-05-01" for i in range(10)})
    rows = weekly(scores)
    found = [measured(part, events, per_100_a_month=5.0).loc[(ALL, "model")] for part in (rows, rows.iloc[::-1])]
    assert found[0]["warnings"] == pytest.approx(round(0.05 * found[0]["months"]))
    expected = found[0]["warnings"] / 50
    assert found[0]["warned_0"] == pytest.approx(expected, abs=0.12)
    assert found[0]["warned_0"] == pytest.approx(found[1]["warned_0"])
    alone = weekly({"C00": [0.5] * 20, "C01": [0.5] * 20})
    half = measured(alone, lost(C00="2025-05-01"), per_100_a_month=1.0, seed=3).loc[(ALL, "model"), "warned_0"]
    assert 0 < half < 1


def test_a_queue_sees_only_its_own_rows():
    # Six weeks not yet overdue, then overdue; the loss comes at the end.
    scores = {"A": [0.9] * 12, "B": [0.1] * 12}
    rows = weekly(scores)
    rows["overdue"] = (rows["as_of"] >= "2025-02-17") & (rows["customer_id"] == "A")
    table = measured(rows, lost(A="2025-03-24"), per_100_a_month=20.0, leads=(0, 60, 77, 78))
    assert table.loc[(EARLY, "model"), ["n_customers", "losses_77", "losses_78"]].tolist() == [2, 1, 0]
    assert table.loc[(EARLY, "model"), "warned_60"] == 1
    assert table.loc[(OVERDUE, "model"), ["n_customers", "losses_0", "losses_60"]].tolist() == [1, 1, 0]
    assert np.isnan(table.loc[(OVERDUE, "model"), "warned_60"])
    nobody = measured(rows.assign(overdue=False), lost(A="2025-03-24"))
    assert sorted(nobody.index.get_level_values("queue").unique()) == [ALL, EARLY]


def test_a_return_ends_the_loss_and_the_next_loss_needs_a_warning_of_its_own():
    # Lost in January, back on 1 March, lost again in May; warned about in February (lost already) and in April.
    scores = {"A": [0.1] * 6 + [0.9] + [0.1] * 7 + [0.9] + [0.1] * 6, "B": [0.05] * 21}
    events = pd.DataFrame(
        {
            "customer_id": ["A", "A"],
            "event_at": pd.to_datetime(["2025-01-20", "2025-05-15"]),
            "ends_at": pd.to_datetime(["2025-03-01", None]),
        }
    )
    table = measured(weekly(scores), events, per_100_a_month=21.0).loc[(ALL, "model")]
    assert table["warnings"] == 2
    assert table["already_lost"] == 0.5
    assert table[["losses_0", "warned_0", "losses_30", "warned_30"]].tolist() == [2, 0.5, 1, 1]
    assert table["precision"] == 0.5


@pytest.mark.parametrize(("day", "warned", "gone"), [("2025-01-12", 0, 1), ("2025-01-13", 1, 0), ("2025-01-14", 1, 0)])
def test_a_warning_on_the_day_of_the_loss_is_in_time_and_one_a_day_later_is_not(day, warned, gone):
    scores = {"A": [0.1, 0.9, 0.8], "B": [0.05] * 3}
    table = measured(weekly(scores), lost(A=day), per_100_a_month=50.0).loc[(ALL, "model")]
    assert [table["warnings"], table["warned_0"], table["already_lost"]] == [1, warned, gone]


@pytest.mark.parametrize(("known_until", "precision"), [("2025-07-04", None), ("2025-07-05", 1.0)])
def test_a_warning_is_judged_only_when_its_window_has_passed(known_until, precision):
    scores = {"A": [0.9, 0.9], "B": [0.1, 0.1]}
    until = date.fromisoformat(known_until)
    found = measured(weekly(scores), lost(A="2025-01-20"), known_until=until).loc[(ALL, "model"), "precision"]
    assert found == precision or (precision is None and np.isnan(found))


def test_a_silence_is_a_loss_once_it_outlasts_the_usual_gap_by_the_confirmation():
    days = {
        "stopped": ["2025-01-01", "2025-01-11", "2025-01-21"],  # every 10 days, then none
        "back": ["2025-01-01", "2025-01-21", "2025-06-01", "2025-06-21"],  # a silence of 131 days after a gap of 20
        "slow": ["2025-01-01", "2025-04-01"],  # 90 days are usual: expected on 30 June
        "single": ["2025-01-01"],
    }
    rows = pd.DataFrame([(who, pd.Timestamp(day)) for who, all_days in days.items() for day in all_days])
    rows.columns = ["customer_id", "day"]
    found = derived_losses(rows, date(2025, 9, 27)).set_index("customer_id")
    assert found["expected_at"].dt.strftime("%Y-%m-%d").to_dict() == {"stopped": "2025-01-31", "back": "2025-02-10"}
    assert found["last_order_at"].dt.strftime("%Y-%m-%d").to_dict() == {"stopped": "2025-01-21", "back": "2025-01-21"}
    assert found.loc["back", "returned_at"] == pd.Timestamp("2025-06-01")
    assert pd.isna(found.loc["stopped", "returned_at"])
    assert set(derived_losses(rows, date(2025, 9, 28))["customer_id"]) == {"stopped", "back", "slow"}
    # What is seen later never changes which silences before were losses.
    assert set(derived_losses(rows[rows["day"] < "2025-05-11"], date(2025, 5, 11))["customer_id"]) == {
        "stopped",
        "back",
    }


def test_what_cannot_be_judged_is_refused_in_one_line():
    predictions, losses = company(customers=20)
    wrong = {
        "no queue": (predictions.drop(columns="overdue"), losses),
        "no date": (predictions, losses.assign(event_at=pd.NaT)),
        "doubled loss": (predictions, pd.concat([losses, losses])),
        "fewer rows": (predictions.iloc[1:], losses),
    }
    for frame, events in wrong.values():
        with pytest.raises(InvalidPredictions) as raised:
            measured(frame, events)
        assert "\n" not in str(raised.value)
    with pytest.raises(InvalidPredictions, match="No predictions of"):
        measured(predictions, losses, baseline="nobody")


def test_the_seed_decides_the_intervals_and_the_figure_lies_inside():
    predictions, losses = company(customers=200)
    first, again, other = (measured(predictions, losses, repeats=100, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first.loc[(ALL, "model"), "warned_0_low"] != other.loc[(ALL, "model"), "warned_0_low"]
    for metric in ("warned_0", "warned_60", "precision", "already_lost", "revenue_recall", "warnings_per_100"):
        low, value, high = first.loc[(ALL, "model"), [f"{metric}_low", metric, f"{metric}_high"]]
        assert low < value < high


def test_the_plot_tells_contestants_apart_without_colour():
    predictions, losses = company(customers=200)
    table = measured(predictions, losses).reset_index()
    figure = earliness_plot(table, contestants=["model", "absent", "cycle", RANDOM], queue=ALL, title="Lead")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["model", "cycle", RANDOM]
    lines = [line for line in axes.get_lines() if line.get_marker() in tuple("os^Dv")]
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 3
    shown = table[(table["queue"] == ALL) & (table["contestant"] == "model")].iloc[0]
    assert lines[0].get_ydata().tolist() == pytest.approx([shown[f"warned_{days}"] for days in (0, 30, 60, 90, 120)])
