"""What each rule's warnings were worth: how many it opened, how many were right, and how long before the loss.

A rule that goes on firing is one warning, and the episodes are those of :mod:`models.earliness`: one opens on a date on
which the rule fires after it has not for ``Terms.closed_after_days``; who already stands under a rule when the dates
begin is no new warning; a loss was warned about if a warning opened at most ``Terms.hit_within_days`` before it.

Beside each rule stands a policy that knows nothing: a score drawn anew for each customer and date, with the threshold
at which it opens as many warnings as the rule did. A rule that is no better than that is a calendar and not a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.earliness import COMPARED_LEAD, USUAL, Terms, cut_for, lowest_before, openings, ranks, settled_dates
from models.evaluation import InvalidPredictions, wilson
from models.figures import FloatArray, IntArray

RULE_COLUMNS = ("customer_id", "as_of", "rule")
#: What is measured of the random policy, too.
COMPARED = ("precision", "lead_days_median", f"warned_{COMPARED_LEAD}")
#: The columns of a record.
FOUND = (
    *("rule", "rows", "episodes", "matured", "right", "precision", "precision_low", "precision_high"),
    *("lead_days_median", f"losses_{COMPARED_LEAD}", f"warned_{COMPARED_LEAD}"),
    *(f"random_{name}" for name in COMPARED),
)
RANDOM_DRAWS = 50
#: Wider than any history in days: customer * _SPAN + day sorts by customer and then by day.
_SPAN = 1_000_000

Bools = npt.NDArray[np.bool_]


def rule_record(
    signals: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    rules: Sequence[str] | None = None,
    terms: Terms = USUAL,
    draws: int = RANDOM_DRAWS,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per rule.

    Parameters
    ----------
    signals
        ``customer_id``, ``as_of``, ``rule``: which rule fired for whom on which date. A signal of a customer and date
        that is not among the outcomes is left out.
    outcomes
        One row per customer and date that is judged, whether a rule fired or not: ``customer_id``, ``as_of``,
        ``churned`` (1, 0, or NaN where it is not known yet) and, where it is known, ``lost_at``, the day of the loss.
    rules
        The rules that are judged, in the order of the rows; by default those that fired, in order of appearance.
    draws
        Draws of the random policy, whose figures are means over them.

    Returns
    -------
    DataFrame
        ``rule``, ``rows`` (on which it fired), ``episodes`` (new ones, after the run-in), ``matured`` (of them, with a
        known outcome), ``right`` (lost), ``precision`` with ``precision_low`` and ``precision_high`` (95 %, Wilson),
        ``lead_days_median`` (from the opening of a right warning to the loss), ``losses_60`` (which could have been
        warned about 60 days ahead: the customer was judged on such a date), ``warned_60`` (share of them with a
        warning that opened then), and ``random_precision``, ``random_lead_days_median``, ``random_warned_60`` of the
        policy that knows nothing. NaN where there is nothing to divide by; without ``lost_at``, all about the lead.

    Raises
    ------
    InvalidPredictions
        If columns are missing, or a customer and date stands twice among the outcomes.
    """
    panel = _Panel.read(outcomes, terms)
    _refuse_without(signals, RULE_COLUMNS, "signals")
    names = list(dict.fromkeys(signals["rule"])) if rules is None else list(rules)
    fired = [panel.rows_of(signals[signals["rule"] == name]) for name in names]
    found = [panel.opened(flag) for flag in fired]
    random = panel.random([int(new.sum()) for new in found], draws, rng)
    rows = []
    for name, flag, new, chance in zip(names, fired, found, random, strict=True):
        known = new & np.isfinite(panel.churned)
        right = int((panel.churned[known] == 1).sum())
        low, high = wilson(right, int(known.sum()))
        counts = {"rows": int(flag.sum()), "episodes": int(new.sum()), "matured": int(known.sum()), "right": right}
        figures = panel.figures(new)
        bounds = {"precision_low": float(low), "precision_high": float(high), f"losses_{COMPARED_LEAD}": panel.losses}
        rows.append({"rule": name} | counts | figures | bounds | {f"random_{key}": chance[key] for key in COMPARED})
    return pd.DataFrame(rows, columns=list(FOUND))


@dataclass(frozen=True)
class _Panel:
    """The judged rows in order of customer and day."""

    keys: pd.MultiIndex
    customer: IntArray
    day: IntArray
    churned: FloatArray
    lead: FloatArray  # days to the customer's next loss, NaN without one
    loss: IntArray  # its number, -1 without one
    counted: Bools  # rows after the run-in
    terms: Terms

    @classmethod
    def read(cls, outcomes: pd.DataFrame, terms: Terms) -> _Panel:
        _refuse_without(outcomes, ("customer_id", "as_of", "churned"), "outcomes")
        if outcomes.empty or outcomes.duplicated(["customer_id", "as_of"]).any():
            raise InvalidPredictions(
                "A rule's record needs outcomes, each customer and date once; found "
                f"{len(outcomes)} rows, some of them twice or none at all. Keep one row of each."
            )
        rows = outcomes.sort_values(["customer_id", "as_of"])
        customer, day = pd.factorize(rows["customer_id"])[0].astype(np.int64), _days(rows["as_of"])
        lead, loss = np.full(day.size, np.nan), np.full(day.size, -1)
        if "lost_at" in rows and rows["lost_at"].notna().any():
            lost = rows["lost_at"].notna().to_numpy()
            losses = np.unique(customer[lost] * _SPAN + _days(rows["lost_at"][lost]))
            place = np.searchsorted(losses, customer * _SPAN + day)
            coming = np.append(losses, -1)[place]
            own = coming // _SPAN == customer
            lead, loss = np.where(own, coming % _SPAN - day, np.nan), np.where(own, place, -1)
        counted = np.isin(day, settled_dates(day, terms.closed_after_days)[0])
        keys = pd.MultiIndex.from_arrays([rows["customer_id"].astype("str"), day])
        return cls(keys, customer, day, rows["churned"].to_numpy(dtype="float64"), lead, loss, counted, terms)

    def rows_of(self, signals: pd.DataFrame) -> Bools:
        """Which rows these signals stand on."""
        on = pd.MultiIndex.from_arrays([signals["customer_id"].astype("str"), _days(signals["as_of"])])
        return np.asarray(self.keys.isin(on), dtype=bool)

    def opened(self, fired: Bools) -> Bools:
        """Which rows open an episode."""
        rank, _ = ranks(fired.astype(float), np.zeros(fired.size))
        nearest = lowest_before(rank, self.customer, self.day, self.terms.closed_after_days)
        cut = int(fired.sum())
        return self.counted & (rank < cut) & (nearest >= cut)

    @property
    def _early(self) -> Bools:
        """Rows on which a warning would have been in time and not too early."""
        return self.counted & (self.lead >= COMPARED_LEAD) & (self.lead <= self.terms.hit_within_days)

    @property
    def losses(self) -> int:
        """How many losses could have been warned about in time."""
        return int(np.unique(self.loss[self._early]).size)

    def figures(self, opened: Bools) -> dict[str, float]:
        """What these warnings were worth."""
        known = opened & np.isfinite(self.churned)
        right = known & (self.churned == 1) & np.isfinite(self.lead)
        warned = np.unique(self.loss[self._early & opened]).size
        values = (
            float(self.churned[known].mean()) if known.any() else np.nan,
            float(np.median(self.lead[right])) if right.any() else np.nan,
            warned / self.losses if self.losses else np.nan,
        )
        return dict(zip(COMPARED, values, strict=True))

    def random(self, numbers: Sequence[int], draws: int, rng: np.random.Generator) -> list[dict[str, float]]:
        """The mean figures of policies that know nothing and open so many warnings, one for each number."""
        found: list[list[dict[str, float]]] = [[] for _ in numbers]
        for _ in range(draws):
            rank, between = ranks(rng.random(self.day.size), np.zeros(self.day.size))
            nearest = lowest_before(rank, self.customer, self.day, self.terms.closed_after_days)
            opening = openings(rank, nearest, self.counted)
            for place, number in enumerate(numbers):
                cut = cut_for(opening, between, number)
                found[place].append(self.figures(self.counted & (rank < cut) & (nearest >= cut)))
        nothing = dict.fromkeys(COMPARED, np.nan)
        return [dict(pd.DataFrame(one, columns=list(COMPARED)).mean()) if one else nothing for one in found]


def _refuse_without(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    missing = [name for name in columns if name not in table]
    if missing:
        raise InvalidPredictions(
            f"A rule's record needs {what} with the columns {list(columns)}; {missing} missing. Add them."
        )


def _days(at: pd.Series) -> IntArray:
    """Days since 1970, rounded down."""
    return pd.to_datetime(at).to_numpy().astype("datetime64[D]").astype(np.int64)
