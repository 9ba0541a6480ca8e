"""The buy-till-you-die models against integration, simulation, textbook formulas and their own likelihood."""

import json
from dataclasses import replace
from math import factorial

import numpy as np
import pytest
from scipy.special import betaln, expit, gammaln, logsumexp
from scipy.stats import beta as beta_law
from scipy.stats import gamma as gamma_law

from benchmarks.btyd import TRUTH as DRAWN_FROM
from benchmarks.btyd import measure, page
from features.errors import ArtefactError, SettingsError, TooLittleData
from models.btyd import BTYD, _log_likelihood

TRUTH = BTYD(k=2, dropout_at_zero=True, r=0.8, alpha=20.0, a=0.7, b=3.0, log_likelihood=None, n=0)


def simulated_book(model, customers, window, rng):
    """Customers drawn from the model itself, followed for `window` days past their own cutoff."""
    rate = rng.gamma(model.r, 1 / model.alpha, customers)
    leaving = rng.beta(model.a, model.b, customers)
    age = rng.uniform(100, 900, customers)
    x, t_x, log_gaps, clock = (np.zeros(customers) for _ in range(4))
    alive = np.ones(customers, dtype=bool)
    if model.dropout_at_zero:
        alive = rng.random(customers) >= leaving
    ordered_later, active = np.zeros(customers, dtype=bool), alive.copy()
    while active.any():
        rows = np.flatnonzero(active)
        gap = rng.gamma(model.k, 1 / rate[rows])
        clock[rows] += gap
        before = clock[rows] <= age[rows]
        past, future = rows[before], rows[~before]
        x[past] += 1
        t_x[past] = clock[past]
        log_gaps[past] += np.log(gap[before])
        ordered_later[future] = clock[future] <= age[future] + window
        leaves = past[rng.random(past.size) < leaving[past]]
        alive[leaves] = False
        active[np.concatenate([future, leaves])] = False
    return x, t_x, age, log_gaps, alive, ordered_later


def integrated(model, x, t_x, T, window):
    """P(alive) and P(no order): one customer's own likelihood summed over a grid of rates and dropouts."""
    chances = x + 1 if model.dropout_at_zero else x
    rate = np.exp(np.linspace(-25, 5, 20_001))
    leaving = expit(np.linspace(-25, 25, 20_001))
    rates = gamma_law.pdf(rate, model.r, scale=1 / model.alpha) * rate * rate ** (model.k * x)
    leavings = beta_law.pdf(leaving, model.a, model.b) * leaving * (1 - leaving)

    def quiet(days):
        return sum((rate * days) ** j * np.exp(-rate * (t_x + days)) / factorial(j) for j in range(model.k))

    stay = (leavings * (1 - leaving) ** chances).sum()
    alive, later = (stay * (rates * quiet(T - t_x + days)).sum() for days in (0, window))
    leave = (leavings * leaving * (1 - leaving) ** (chances - 1)).sum() if chances else 0.0
    gone = leave * (rates * np.exp(-rate * t_x)).sum()
    return alive / (alive + gone), (gone + later) / (alive + gone)


@pytest.mark.parametrize("dropout_at_zero", [True, False])
@pytest.mark.parametrize(
    ("k", "x", "t_x", "T", "window"),
    [(1, 0, 0, 60, 30), (1, 3, 40, 90, 60), (2, 0, 0, 60, 90), (3, 2, 50, 55, 20), (4, 4, 80, 140, 45)],
)
def test_the_closed_form_is_the_integral_over_rate_and_dropout(k, dropout_at_zero, x, t_x, T, window):
    model = BTYD(k, dropout_at_zero, r=1.6, alpha=12.0, a=1.4, b=2.5, log_likelihood=None, n=0)
    alive, quiet = integrated(model, x, t_x, T, window)
    assert model.p_alive(x, t_x, T) == pytest.approx(alive, rel=1e-7)
    assert model.p_no_order(x, t_x, T, window) == pytest.approx(quiet, rel=1e-7)


@pytest.mark.parametrize("dropout_at_zero", [True, False])
def test_simulated_customers_keep_what_the_probabilities_promise(dropout_at_zero):
    model = replace(TRUTH, dropout_at_zero=dropout_at_zero)
    x, t_x, T, _, alive, ordered = simulated_book(model, 60_000, 90, np.random.default_rng(11))
    for promised, happened in [
        (model.p_alive(x, t_x, T), alive),
        (model.p_no_order(x, t_x, T, 90), ~ordered),
    ]:
        for group in np.array_split(np.argsort(promised, kind="stable"), 8):
            error = promised[group].mean() - happened[group].mean()
            deviation = np.sqrt((promised[group] * (1 - promised[group])).sum()) / group.size
            assert abs(error) < 4 * deviation + 1e-4


def test_the_poisson_case_is_the_formula_of_fader_hardie_and_lee():
    model = BTYD(1, False, r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=None, n=0)
    x, t_x, T = np.array([1, 2, 7, 26]), np.array([1.71, 30.43, 29.43, 30.86]), np.full(4, 38.86)
    odds = model.a / (model.b + x - 1) * ((model.alpha + T) / (model.alpha + t_x)) ** (model.r + x)
    assert model.p_alive(x, t_x, T) == pytest.approx(1 / (1 + odds), rel=1e-12)
    assert model.p_alive([0], [0], [38.86]) == pytest.approx([1.0])


@pytest.mark.parametrize("dropout_at_zero", [True, False])
def test_a_fit_recovers_the_parameters_and_prefers_the_true_regularity(dropout_at_zero):
    truth = replace(TRUTH, dropout_at_zero=dropout_at_zero)
    rng = np.random.default_rng(3)
    x, t_x, T, log_gaps, _, _ = simulated_book(truth, 20_000, 1, rng)
    fits = {
        k: BTYD.fit(x, t_x, T, k=k, dropout_at_zero=dropout_at_zero, log_gap_sum=log_gaps, rng=rng) for k in (1, 2, 3)
    }
    assert max(fits, key=lambda k: fits[k].log_likelihood) == 2
    found = np.log([fits[2].r, fits[2].alpha, fits[2].a, fits[2].b])
    # Standard errors of the logarithms at 20,000 customers are .02 to .06.
    assert found == pytest.approx(np.log([0.8, 20.0, 0.7, 3.0]), abs=0.15)


def test_no_other_parameters_have_a_higher_likelihood_than_the_fitted_ones():
    rng = np.random.default_rng(4)
    x, t_x, T, log_gaps, _, _ = simulated_book(TRUTH, 3_000, 1, rng)
    best = BTYD.fit(x, t_x, T, k=2, log_gap_sum=log_gaps, rng=rng)

    def likelihood(model):
        """Independent of the fitting code: alive and gone weights written out in logarithms."""
        s, m, sums = model.r + 2 * x, x + 1, []
        with np.errstate(divide="ignore"):
            for j in range(2):
                sums.append(j * np.log(T - t_x) + gammaln(s + j) - (s + j) * np.log(model.alpha + T))
        alive = logsumexp(sums, axis=0) + betaln(model.a, model.b + m)
        gone = gammaln(s) - s * np.log(model.alpha + t_x) + betaln(model.a + 1, model.b + m - 1)
        common = model.r * np.log(model.alpha) - gammaln(model.r) - betaln(model.a, model.b)
        return float((np.logaddexp(alive, gone) + common + log_gaps).sum())

    assert best.log_likelihood == pytest.approx(likelihood(best), rel=1e-9)
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.95, 1.05):
            assert likelihood(replace(best, **{name: getattr(best, name) * factor})) < best.log_likelihood


@pytest.mark.parametrize("dropout_at_zero", [True, False])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_gradient_is_the_slope_of_the_likelihood(k, dropout_at_zero):
    data = np.array([[0, 1, 5, 40, 3], [0, 20, 90, 350, 40], [200, 90, 100, 365, 41]], dtype=float)
    theta = np.log([0.5, 8.0, 0.3, 1.0])
    _, gradient = _log_likelihood(theta, data, k, dropout_at_zero)
    for place, slope in enumerate(gradient):
        step = 1e-5 * np.eye(4)[place]
        above, below = (_log_likelihood(theta + way * step, data, k, dropout_at_zero)[0] for way in (1, -1))
        assert slope == pytest.approx((above - below) / 2e-5, rel=1e-6, abs=1e-6)


def test_a_longer_window_is_quiet_less_often_and_no_window_is_quiet_for_sure():
    x, t_x, T = np.array([0, 1, 4, 30]), np.array([0, 20, 90, 350]), np.array([200, 90, 100, 365])
    chances = np.array([TRUTH.p_no_order(x, t_x, T, days) for days in (0, 30, 60, 90, 180, 10_000)])
    assert chances[0] == pytest.approx(np.ones(4))
    assert np.all(np.diff(chances, axis=0) < 0)
    assert np.all(chances[-1] > 1 - TRUTH.p_alive(x, t_x, T))
    own = TRUTH.p_no_order(x, t_x, T, np.array([30, 60, 90, 180]))
    assert own == pytest.approx([chances[1, 0], chances[2, 1], chances[3, 2], chances[4, 3]])


def test_silence_beyond_the_usual_gap_makes_leaving_likelier_the_more_regular_the_customer():
    regular, erratic = replace(TRUTH, k=4, alpha=10.0), replace(TRUTH, k=1, alpha=40.0)
    x, t_x = 12, 240
    for model in (regular, erratic):
        assert model.p_alive(x, t_x, 250) > model.p_alive(x, t_x, 290) > model.p_alive(x, t_x, 400)
    assert regular.p_alive(x, t_x, 320) < erratic.p_alive(x, t_x, 320)


@pytest.mark.parametrize("k", [1, 2, 12])
@pytest.mark.parametrize("dropout_at_zero", [True, False])
def test_ten_thousand_orders_and_ten_thousand_days_do_not_overflow(k, dropout_at_zero):
    x, t_x, T = (
        np.array([10_000, 10_000, 10_000, 0, 1]),
        np.array([9_999, 5_000, 10_000, 0, 1]),
        np.full(5, 10_000),
    )
    model = replace(TRUTH, k=k, dropout_at_zero=dropout_at_zero)
    for chance in (model.p_alive(x, t_x, T), model.p_no_order(x, t_x, T, 10_000)):
        assert np.all((chance >= 0) & (chance <= 1))
    fitted = BTYD.fit(np.tile(x, 9), np.tile(t_x, 9), np.tile(T, 9), k=k, rng=np.random.default_rng(0))
    assert np.all(np.isfinite([fitted.r, fitted.alpha, fitted.a, fitted.b]))


@pytest.mark.parametrize(
    ("x", "t_x", "T"),
    [
        ([0, 1, 2, 3, 5], [0, 30, 60, 80, 100], [100, 100, 100, 100, 100]),
        ([4] * 8, [100] * 8, [120] * 8),
        ([1] * 50, [1] * 50, [9_000] * 50),
        ([0] * 49 + [1], [0] * 49 + [1], [1] * 50),
        ([300] * 50, [300] * 50, [300] * 50),
    ],
    ids=["five customers", "all alike", "all gone", "one repeat order", "every single day"],
)
@pytest.mark.parametrize("k", [1, 3])
def test_a_strange_little_book_gives_a_usable_model(x, t_x, T, k):
    model = BTYD.fit(x, t_x, T, k=k, rng=np.random.default_rng(0))
    chances = np.array([model.p_no_order(x, t_x, T, days) for days in (30, 90)])
    assert np.all((chances >= 0) & (chances <= 1))
    assert np.all(chances[0] >= chances[1])


@pytest.mark.parametrize(("x", "t_x", "T"), [([4], [100], [120]), ([0] * 40, [0] * 40, [100] * 40)])
def test_too_few_customers_or_no_repeat_order_says_so_in_one_line(x, t_x, T):
    with pytest.raises(TooLittleData, match="at least 5 customers and one repeat order") as raised:
        BTYD.fit(x, t_x, T, rng=np.random.default_rng(0))
    assert "\n" not in str(raised.value)


def test_a_large_book_is_fitted_on_a_sample_that_the_seed_decides():
    x, t_x, T, *_ = simulated_book(TRUTH, 3_000, 1, np.random.default_rng(5))
    first, again, other = (
        BTYD.fit(x, t_x, T, k=2, sample=1_000, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.n == 1_000
    assert first.r != other.r


def test_the_likelihood_over_regularities_is_kept_back_without_the_gaps():
    x, t_x, T, log_gaps, *_ = simulated_book(TRUTH, 500, 1, np.random.default_rng(6))
    rng = np.random.default_rng(0)
    without, with_gaps = (BTYD.fit(x, t_x, T, k=2, log_gap_sum=gaps, rng=rng) for gaps in (None, log_gaps))
    assert without.log_likelihood is None
    assert with_gaps.log_likelihood is not None
    assert replace(with_gaps, log_likelihood=None) == without


def test_a_model_survives_json_and_a_foreign_record_is_refused():
    written = json.dumps(replace(TRUTH, log_likelihood=-12.5, n=7).to_dict(), allow_nan=False)
    assert BTYD.from_dict(json.loads(written)) == replace(TRUTH, log_likelihood=-12.5, n=7)
    with pytest.raises(ArtefactError, match="has the fields"):
        BTYD.from_dict({"r": 1.0})
    with pytest.raises(ArtefactError, match="must be positive"):
        BTYD.from_dict(TRUTH.to_dict() | {"alpha": float("nan")})


@pytest.mark.parametrize(
    ("x", "t_x", "T"),
    [
        ([1, 2], [10, 20], [30]),
        ([1, -1], [10, 0], [30, 30]),
        ([1, 1.5], [10, 20], [30, 30]),
        ([1, 2], [10, 31], [30, 30]),
        ([1, 0], [10, 5], [30, 30]),
        ([1, 2], [10, 0], [30, 30]),
        ([1, 2], [10, np.nan], [30, 30]),
    ],
    ids=[
        "lengths",
        "negative",
        "fraction",
        "after cutoff",
        "gap without order",
        "order without gap",
        "missing",
    ],
)
def test_impossible_customers_are_refused_with_the_first_of_them(x, t_x, T):
    with pytest.raises(SettingsError, match=r"position 1|one length"):
        TRUTH.p_no_order(x, t_x, T, 90)


@pytest.mark.parametrize("days", [-1, np.nan, [30, 60, 90]])
def test_an_impossible_window_is_refused(days):
    with pytest.raises(SettingsError, match="days must be"):
        TRUTH.p_no_order([1, 2], [10, 20], [30, 30], days)


@pytest.mark.parametrize("k", [0, 13, 1.5])
def test_an_impossible_regularity_is_refused(k):
    with pytest.raises(SettingsError, match="whole number from 1 to 12"):
        BTYD.fit([1] * 9, [3] * 9, [5] * 9, k=k, rng=np.random.default_rng(0))


def test_a_fit_near_another_model_is_the_one_from_scratch():
    x, t_x, T, *_ = simulated_book(TRUTH, 4_000, 1, np.random.default_rng(8))
    rng = np.random.default_rng(0)
    scratch = BTYD.fit(x, t_x, T, k=2, rng=rng)
    near = BTYD.fit(x, t_x, T, k=2, near=replace(TRUTH, r=1.2, alpha=40.0), rng=rng)
    assert near.p_no_order(x, t_x, T, 90) == pytest.approx(scratch.p_no_order(x, t_x, T, 90), abs=0.002)


@pytest.mark.parametrize("k", [1, 3])
def test_the_benchmark_s_customers_follow_the_law_that_it_names(k):
    found = measure(20_000, k, 20_000, seed=1)
    assert [found[name] for name in DRAWN_FROM] == pytest.approx(list(DRAWN_FROM.values()), rel=0.12)
    assert found["error"] < 0.005
    # One table of what it took and one of what was found, in which the law stands on a line of its own.
    text = page([(k, found), (k, found)], ["Made by a command.", "One fact."])
    assert text.startswith("Made by a command.")
    assert text.count(f"| Erlang-{k} | 20,000 |") == 4
    assert "| the law drawn from | | 0.800 | 20.000 | 0.700 | 3.000 | |" in text
