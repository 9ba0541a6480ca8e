"""Buy-till-you-die: chances of silence from order days alone, without a single churn label.

A customer orders at gaps that are Erlang-k with a rate of its own, until it drops out, unseen, right after
an order. The rate is Gamma(r, alpha) over customers (alpha in days), the chance of dropping out after an
order Beta(a, b). `k` = 1 is the Poisson process; a larger `k` says that orders come more regularly.

One customer is three numbers, all as known at the cutoff:

- `x`: repeat order days (order days after the first one),
- `t_x`: days from the first to the last order day (0 where `x` is 0),
- `T`: days from the first order day to the cutoff.

With `s = r + k x` and `m` orders after which it may have left (`m = x + 1` where dropping out may follow the
first order, else `m = x`), integrating rate and dropout out of the likelihood leaves two weights:

    alive  B(a, b + m)         sum_{j<k} (T - t_x)^j / j! * Gamma(s + j) / (alpha + T)^(s + j)
    gone   B(a + 1, b + m - 1) Gamma(s) / (alpha + t_x)^s

(`gone` is 0 where `m` is 0). Who is alive has no order in (T, T + H] with the chance Q(H), the sum at T + H
over the sum at T. So P(no order) = 1 - P(alive) (1 - Q(H)). That is the output to rank by: P(alive) alone
forgets how rarely some customers order.

Sources: Fader, Hardie & Lee (2005), Marketing Science 24(2), BG/NBD; Batislam, Denizel & Filiztekin (2007),
International Journal of Research in Marketing 24(3), dropout after the first order; Platzer & Reutterer
(2016), Marketing Science 35(5), and the R package BTYDplus, Erlang gaps. The sums above are derived anew;
the tests check them against simulation and numerical integration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, psi

from features.errors import ArtefactError, SettingsError, TooLittleData

FloatArray = npt.NDArray[np.float64]

LARGEST_K = 12
FEWEST_CUSTOMERS = 5
# Bounds of (r, alpha, a, b): wide enough for any trade, tight enough that no likelihood runs away.
_LOWEST = np.log([1e-3, 1e-3, 1e-3, 1e-3])
_HIGHEST = np.log([1e3, 1e6, 1e4, 1e4])
# A normal prior of this width on the log parameters keeps a book of a dozen customers in this world; among
# thousands it moves no parameter by a tenth of its standard error.
_PRIOR_WIDTH = 3.0
_FIRST_LOOK = 2_000


@dataclass(frozen=True)
class BTYD:
    """A fitted buy-till-you-die model; make one with `BTYD.fit`.

    Attributes
    ----------
    k : regularity of the gaps, 1 (Poisson) to 12.
    dropout_at_zero : True (MBG/CNBD-k) where a customer may leave after its first order already, False
        (BG/CNBD-k) where only after a repeat order.
    r, alpha : Gamma shape and rate (days) of the ordering rates; the usual gap is about `k alpha / r` days.
    a, b : Beta parameters of the chance to leave after an order; its mean is `a / (a + b)`.
    log_likelihood : at the fitted parameters, summed over the `n` customers fitted on. Comparable over `k` on
        the same customers; None where `k` > 1 and the gaps were not given.
    n : number of customers fitted on.
    """

    k: int
    dropout_at_zero: bool
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float | None
    n: int

    @classmethod
    def fit(
        cls,
        x: npt.ArrayLike,
        t_x: npt.ArrayLike,
        T: npt.ArrayLike,
        *,
        k: int = 1,
        dropout_at_zero: bool = True,
        log_gap_sum: npt.ArrayLike | None = None,
        sample: int = 20_000,
        near: BTYD | None = None,
        rng: np.random.Generator,
    ) -> BTYD:
        """Maximum likelihood fit on customers that have ordered at least once.

        Parameters
        ----------
        x, t_x, T : one value per customer, see the head of this module; days.
        k : regularity to assume; choose it by walk-forward log loss, as the likelihood overrates bursts.
        dropout_at_zero : whether a customer may leave right after its first order.
        log_gap_sum : per customer the sum of the logarithms of its `x` gaps in days; makes the likelihoods of
            several `k` comparable. It does not change the parameters.
        sample : fit on that many customers, drawn with `rng`, where there are more.
        near : the model of the whole book where these are a part of it: the search starts from its parameters and
            is held by them, which takes a quarter of the time.
        rng : used for that draw only.

        Raises
        ------
        TooLittleData : fewer than 5 customers, or not one repeat order.
        SettingsError : values that no customer can have, or `k` or `sample` out of range.
        """
        if not 1 <= k <= LARGEST_K or int(k) != k:
            raise SettingsError(f"k must be a whole number from 1 to {LARGEST_K}; found {k}. Usual are 1 to 4.")
        if sample < FEWEST_CUSTOMERS:
            raise SettingsError(f"sample must be at least {FEWEST_CUSTOMERS} customers; found {sample}.")
        data = np.stack(_checked(x, t_x, T))
        gaps = np.zeros(data.shape[1]) if log_gap_sum is None else np.asarray(log_gap_sum, dtype=float)
        if gaps.shape != data.shape[1:]:
            raise SettingsError(
                f"log_gap_sum must have one value per customer, {data.shape[1]}; found shape {gaps.shape}."
            )
        if data.shape[1] > sample:
            chosen = np.sort(rng.choice(data.shape[1], size=sample, replace=False))
            data, gaps = data[:, chosen], gaps[chosen]
        n, repeats = data.shape[1], float(data[0].sum())
        if n < FEWEST_CUSTOMERS or repeats == 0:
            raise TooLittleData(
                f"A buy-till-you-die model needs at least {FEWEST_CUSTOMERS} customers and one repeat order; "
                f"found {n} customers with {repeats:.0f} repeat orders. Give it more customers or history."
            )
        theta = _maximise(data, k, dropout_at_zero, near)
        r, alpha, a, b = (float(value) for value in np.exp(theta))
        total: float | None = None
        if k == 1 or log_gap_sum is not None:
            likelihood, _ = _log_likelihood(theta, data, k, dropout_at_zero)
            total = float(likelihood + (k - 1) * gaps.sum() - repeats * gammaln(k))
        return cls(int(k), bool(dropout_at_zero), r, alpha, a, b, total, n)

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
        """Chance that each customer has not dropped out by the cutoff, shape of the inputs.

        Not the chance of hearing from it: use `p_no_order` for warnings. Without `dropout_at_zero` it is 1
        wherever `x` is 0.
        """
        return expit(-self._log_odds_gone(*_checked(x, t_x, T)))

    def p_no_order(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, days: npt.ArrayLike) -> FloatArray:
        """Chance of no order in the `days` after the cutoff, shape of the inputs.

        `days` is one number, or one per customer (its own window); fractions are allowed. It falls as `days`
        grows, from 1 at 0 days towards the chance that the customer has gone.
        """
        x, t_x, T = _checked(x, t_x, T)
        window = np.asarray(days, dtype=float)
        if window.shape not in {(), T.shape}:
            raise SettingsError(f"days must be one number or one per customer, {T.shape}; found {window.shape}.")
        if not np.all(np.isfinite(window) & (window >= 0)):
            raise SettingsError("days must be 0 or more; found a negative, infinite or missing value.")
        shape, silence = self.r + self.k * x, T - t_x
        today = _erlang_sum(shape, silence / (self.alpha + T), self.k)
        later = _erlang_sum(shape, (silence + window) / (self.alpha + T + window), self.k)
        log_quiet = np.log(later) - np.log(today) - shape * np.log1p(window / (self.alpha + T))
        log_odds_gone = self._log_odds_gone(x, t_x, T)
        chance = expit(log_odds_gone) + expit(-log_odds_gone) * np.exp(log_quiet)
        return np.minimum(chance, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Every attribute, JSON-safe; `BTYD.from_dict` gives the same model back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BTYD:
        """The model that `to_dict` wrote; ArtefactError where fields are missing, unknown or impossible."""
        expected = [field.name for field in fields(cls)]
        if set(values) != set(expected):
            raise ArtefactError(
                f"A BTYD model has the fields {expected}; found {sorted(values)}. Fit and save it again."
            )
        model = cls(**values)
        parameters = [model.r, model.alpha, model.a, model.b]
        if not all(isinstance(value, int | float) and 0 < value < np.inf for value in parameters):
            raise ArtefactError(f"r, alpha, a and b must be positive; found {parameters}. Fit and save it again.")
        return model

    def _log_odds_gone(self, x: FloatArray, t_x: FloatArray, T: FloatArray) -> FloatArray:
        theta = (self.r, self.alpha, self.a, self.b)
        log_sum = np.log(_erlang_sum(self.r + self.k * x, (T - t_x) / (self.alpha + T), self.k))
        return _log_odds_gone(theta, x, t_x, T, log_sum, self.k, self.dropout_at_zero)


def _checked(x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The three columns as floats of one length, or SettingsError with the first customer that cannot be."""
    columns = [np.asarray(column, dtype=float) for column in (x, t_x, T)]
    if columns[0].ndim > 1 or len({column.shape for column in columns}) > 1:
        shapes = [column.shape for column in columns]
        raise SettingsError(f"x, t_x and T must be three columns of one length; found shapes {shapes}.")
    orders, last, age = columns
    possible = np.isfinite(orders) & np.isfinite(last) & np.isfinite(age)
    possible &= (orders >= 0) & (orders == np.floor(orders)) & (last <= age) & ((last > 0) == (orders > 0))
    possible &= last >= 0
    if not possible.all():
        bad = np.flatnonzero(~np.atleast_1d(possible))
        first = [float(np.atleast_1d(column)[bad[0]]) for column in columns]
        raise SettingsError(
            f"Every customer needs whole x >= 0, 0 <= t_x <= T, and t_x = 0 exactly where x = 0; {bad.size} "
            f"do not, first at position {bad[0]}: x, t_x, T = {first}. Count order days known at the cutoff."
        )
    return orders, last, age


def _erlang_sum(shape: FloatArray, q: FloatArray, k: int) -> FloatArray:
    """Sum over j < k of Gamma(shape + j) / (Gamma(shape) j!) q^j; with k <= 12 it cannot overflow."""
    term = np.ones_like(q)
    total = term.copy()
    for j in range(k - 1):
        term = term * q * (shape + j) / (j + 1)
        total = total + term
    return total


def _erlang_slopes(shape: FloatArray, q: FloatArray, k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The Erlang sum, its derivative in the shape, and q times its derivative in q."""
    term, slope = np.ones_like(q), np.zeros_like(q)
    total, in_shape, in_q = term.copy(), slope.copy(), slope.copy()
    for j in range(k - 1):
        slope = (slope * (shape + j) + term) * q / (j + 1)
        term = term * q * (shape + j) / (j + 1)
        total, in_shape, in_q = total + term, in_shape + slope, in_q + (j + 1) * term
    return total, in_shape, in_q


def _log_odds_gone(
    theta: tuple[float, float, float, float],
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
    log_sum: FloatArray,
    k: int,
    dropout_at_zero: bool,
) -> FloatArray:
    """Logarithm of (gone / alive); -inf where no dropout was possible yet."""
    r, alpha, a, b = theta
    wait = (r + k * x) * np.log1p((T - t_x) / (alpha + t_x))
    if dropout_at_zero:
        return np.log(a / (b + x)) + wait - log_sum
    survived = np.where(x > 0, b + x - 1, 1.0)
    return np.where(x > 0, np.log(a / survived) + wait - log_sum, -np.inf)


def _log_likelihood(log_theta: FloatArray, data: FloatArray, k: int, dropout_at_zero: bool) -> tuple[float, FloatArray]:
    """Log likelihood without the gap term, and its gradient in the logarithms of (r, alpha, a, b)."""
    r, alpha, a, b = (float(value) for value in np.exp(log_theta))
    x, t_x, T = data
    shape, m = r + k * x, x + dropout_at_zero
    total, in_shape, in_q = _erlang_slopes(shape, (T - t_x) / (alpha + T), k)
    log_sum = np.log(total)
    log_odds = _log_odds_gone((r, alpha, a, b), x, t_x, T, log_sum, k, dropout_at_zero)
    gone = expit(log_odds)
    alive = 1 - gone
    value = (
        gammaln(shape)
        - gammaln(r)
        + r * np.log(alpha)
        - shape * np.log(alpha + T)
        + log_sum
        + betaln(a, b + m)
        - betaln(a, b)
        + np.logaddexp(0, log_odds)
    )
    by_r = np.log(alpha) - psi(r) + psi(shape)
    by_r = by_r + alive * (in_shape / total - np.log(alpha + T)) - gone * np.log(alpha + t_x)
    by_alpha = r / alpha - alive * (shape + in_q / total) / (alpha + T) - gone * shape / (alpha + t_x)
    both = psi(a + b) - psi(a + b + m)
    by_a = both + gone / a
    by_b = both + psi(b + m) - psi(b) - gone / np.where(m > 0, b + m - 1, 1.0)
    slopes = np.array([by_r.sum() * r, by_alpha.sum() * alpha, by_a.sum() * a, by_b.sum() * b])
    return float(value.sum()), slopes


def _maximise(data: FloatArray, k: int, dropout_at_zero: bool, near: BTYD | None = None) -> FloatArray:
    """Logarithms of the best (r, alpha, a, b): several starts on a few customers, then all from the best."""
    x, t_x, _ = data
    usual_gap = float(t_x.sum() / x.sum())
    usual = (1.0, max(usual_gap, 0.1) / k, 1.0, 4.0) if near is None else (near.r, near.alpha, near.a, near.b)
    centre = np.clip(np.log(usual), _LOWEST, _HIGHEST)

    def climb(start: FloatArray, rows: FloatArray) -> tuple[float, FloatArray]:
        def cost(log_theta: FloatArray) -> tuple[float, FloatArray]:
            value, slope = _log_likelihood(log_theta, rows, k, dropout_at_zero)
            away = (log_theta - centre) / _PRIOR_WIDTH
            count = rows.shape[1]
            return (0.5 * away @ away - value) / count, (away / _PRIOR_WIDTH - slope) / count

        options = {"maxiter": 500, "ftol": 1e-11, "gtol": 1e-7}
        bounds = list(zip(_LOWEST, _HIGHEST, strict=True))
        found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return float(found.fun), np.asarray(found.x, dtype=float)

    if near is not None:
        return climb(centre, data)[1]
    # Evenly spread rows of the sorted book: the first look meets the rarest customers too, without chance.
    order = np.lexsort((t_x, x))
    few = data[:, order[np.linspace(0, x.size - 1, min(x.size, _FIRST_LOOK)).astype(int)]]
    moves = ([0.0, 0.0, 0.0, 0.0], [-1.0, -1.0, -1.0, 0.0], [1.0, 1.0, 1.0, 2.0])
    starts = [np.clip(centre + np.array(move), _LOWEST, _HIGHEST) for move in moves]
    best = min((climb(start, few) for start in starts), key=lambda result: result[0])[1]
    return climb(best, data)[1]
