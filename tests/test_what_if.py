"""What would bring a level down: re-scored and never stored, and the same as if it had really happened."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import Company
from two_clocks import as_it_was
from two_days import LATER, TwoDays

from features import cutoffs
from features.errors import SettingsError
from features.variants import Variant
from models.level_trust import held_down
from models.levels import LOUDNESS
from pipelines.dated import DatedDay, levels_of
from pipelines.intake import Request, take_in
from pipelines.what_if import ORDER_WITHIN, Supposed, clearing, what_if
from serving.story import Story, WhatIf

pytest_plugins = ["trained", "told"]

ON = (0, 7, 28)


@pytest.fixture(scope="module")
def past(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company's tables as they stood on the day."""
    return company.changed(tmp_path_factory.mktemp("past"), **as_it_was(company.tables(), LATER))


def known_only(company: Company, two_days: TwoDays, data: Path, out: Path) -> DatedDay:
    """The day with events of other data, among the same customers."""
    intake = take_in(Request(str(data), out, LATER, company.data / "kizashi.toml"))
    return replace(two_days.later, intake=replace(two_days.intake, report=intake.report))


@pytest.fixture(scope="module")
def ordered(two_days: TwoDays) -> dict[int, WhatIf]:
    """The one warned of the most, had it ordered so many days from the date."""
    return {days: what_if(two_days.later, two_days.warned, Supposed(LATER + timedelta(days=days))) for days in ON}


def owing(day: DatedDay) -> pd.DataFrame:
    """Customers with an order whose invoices are overdue, with what they owe."""
    found = []
    for bucket in range(day.intake.events.buckets):
        with day.intake.events.connect(bucket) as con:
            cutoffs.lay_out_events(con, ["finances"])
            cutoffs.set_cutoffs(con, [day.as_of])
            found.append(con.execute(f"SELECT * FROM ({cutoffs.past('finances')})").df())
    rows = pd.concat(found)
    rows = rows[(rows["amount"] > 0) & rows["paid_at"].isna() & (rows["due_at"] < pd.Timestamp(day.as_of))]
    rated = day.scores.loc[day.scores["cohort"] == "eligible", "customer_id"]
    return rows[rows["customer_id"].isin(rated)].astype({"amount": "float64"})


def state(out: Path) -> dict[str, object]:
    """Every file of an output folder with its time, and every row of the database; without what is kept for stories."""
    kept = {"populations", "cases"}
    files = {
        str(file.relative_to(out)): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in out.rglob("*")
        if file.is_file() and not kept & set(file.relative_to(out).parts) and not file.name.startswith("kizashi.db")
    }
    with closing(sqlite3.connect(out / "kizashi.db")) as con:
        return {**files, "kizashi.db": list(con.iterdump())}


def test_ml_12_an_order_lowers_the_risk_whenever_it_comes(ordered: dict[int, WhatIf]) -> None:
    for days, found in ordered.items():
        assert (found.kind, found.by) == ("given", LATER + timedelta(days=days))
        assert found.as_of == found.by + timedelta(days=1)
        assert found.probability is not None
        assert found.probability_otherwise is not None
        assert found.probability < found.probability_otherwise
        assert LOUDNESS[found.level] <= LOUDNESS[found.level_otherwise]


def test_the_amount_is_that_of_a_usual_order(company: Company, two_days: TwoDays, ordered: dict[int, WhatIf]) -> None:
    lines = company.orders()
    lines = lines[lines["customer_id"] == two_days.warned]
    lines = lines[lines[["ordered_at", "recorded_at"]].max(axis=1) < pd.Timestamp(LATER)]
    lines = lines[lines["ordered_at"] >= pd.Timestamp(LATER - timedelta(days=730))]
    orders = lines.groupby("order_id")["amount"].sum()
    orders = orders[orders > 0]
    amounts = {found.amount for found in ordered.values()}
    assert len(amounts) == 1
    [amount] = amounts
    gap = (orders - orders.median()).abs()
    assert abs(amount - orders.median()) <= gap.min() + lines.loc[lines["amount"] < 0, "amount"].abs().sum() + 1e-6


def test_ml_12_a_larger_order_does_not_raise_the_risk_and_nothing_is_stored(
    two_days: TwoDays, ordered: dict[int, WhatIf]
) -> None:
    out = two_days.intake.request.out
    before = state(out)
    usual = ordered[0].amount
    assert usual is not None
    small, large = (
        what_if(two_days.later, two_days.warned, Supposed(LATER, amount=usual * times)) for times in (0.1, 10.0)
    )
    assert (small.amount, large.amount) == pytest.approx((usual * 0.1, usual * 10))
    assert small.margin >= ordered[0].margin - 1e-9
    assert ordered[0].margin >= large.margin - 1e-9
    assert state(out) == before
    assert not list(out.glob(".*variants*"))


def test_paid_invoices_are_those_overdue_on_the_date(two_days: TwoDays) -> None:
    rows = owing(two_days.later)
    who = str(rows["customer_id"].iloc[0])
    found = what_if(two_days.later, who, Supposed(paid=True))
    assert found.amount == pytest.approx(rows.loc[rows["customer_id"] == who, "amount"].sum())
    assert (found.by, found.as_of) == (LATER, LATER + timedelta(days=1))
    assert found.probability != found.probability_otherwise


REFUSED = {
    "nothing": (Supposed(), "nothing is supposed to happen: name the day of an order, or that the invoices are paid"),
    "past": (
        Supposed(LATER - timedelta(days=1)),
        f"an order on {LATER - timedelta(days=1)} lies in the past of {LATER}: name a day from it on",
    ),
    "zero": (Supposed(LATER, 0.0), "the order's amount must be above 0; found 0.0"),
    "negative": (Supposed(LATER, -5.0), "the order's amount must be above 0; found -5.0"),
    "unknown": (Supposed(LATER, float("nan")), "the order's amount must be above 0; found nan"),
    "infinite": (Supposed(LATER, float("inf")), "the order's amount must be above 0; found inf"),
    "amount_alone": (Supposed(amount=5.0, paid=True), "an amount without an order: name the day of the order, too"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_supposed_is_refused_in_a_line(two_days: TwoDays, case: str) -> None:
    supposed, words = REFUSED[case]
    with pytest.raises(SettingsError) as caught:
        what_if(two_days.later, two_days.warned, supposed)
    assert str(caught.value) == f"{words}."


def test_without_an_overdue_invoice_none_can_be_paid(two_days: TwoDays) -> None:
    owes = set(owing(two_days.later)["customer_id"])
    who = next(one for one in two_days.rated_twice if one not in owes)
    with pytest.raises(SettingsError, match=f"customer '{who}' has no invoice that is overdue on {LATER}"):
        what_if(two_days.later, who, Supposed(paid=True))


def test_a_customer_that_nobody_knows_is_refused(two_days: TwoDays) -> None:
    with pytest.raises(SettingsError, match="C99999"):
        what_if(two_days.later, "C99999", Supposed(LATER))


def test_nothing_of_a_later_date_is_seen(company: Company, two_days: TwoDays, past: Path, tmp_path: Path) -> None:
    day = known_only(company, two_days, past, tmp_path / "out")
    orders = company.orders()
    since = orders[(orders["ordered_at"] >= pd.Timestamp(LATER)) & (orders["ordered_at"] < pd.Timestamp(2026, 9, 10))]
    who = next(one for one in two_days.rated_twice if one in set(since["customer_id"]))
    supposed = Supposed(LATER + timedelta(days=28))
    assert what_if(day, who, supposed) == what_if(two_days.later, who, supposed)


def test_whoever_bears_no_level_has_nothing_to_clear(two_days: TwoDays) -> None:
    scores = two_days.later.scores
    calm = scores[scores["level"] == "none"]
    for cohort in ("eligible", "dormant", "no_order"):
        assert clearing(two_days.later, str(calm.loc[calm["cohort"] == cohort, "customer_id"].iloc[0])) == ()


def test_what_clears_a_level_leaves_it_quieter_than_today_and_than_without_it(told: Story) -> None:
    assert told.clearing
    for found in told.clearing:
        assert found.clears
        assert LOUDNESS[found.level] < LOUDNESS[told.standing.level]
        assert LOUDNESS[found.level] < LOUDNESS[found.level_otherwise]
        assert found.by in {LATER + timedelta(days=days - 1) for days in ORDER_WITHIN}


def test_what_waiting_alone_brings_down_is_not_cleared_by_an_order(two_days: TwoDays) -> None:
    day = two_days.earlier
    scores = day.scores
    warned = scores[(scores["level"] == "blue") & (scores["model_level"] == "none")].set_index("customer_id")
    names = {f"#{i}": who for i, who in enumerate(warned.index)}
    last = day.as_of + timedelta(days=max(ORDER_WITHIN))
    chosen = [Variant(name, who, unseen_from=day.as_of) for name, who in names.items()]
    waited = levels_of(day, chosen, last)
    who = next(names[str(name)] for name in sorted(waited.index) if waited["level"][name] == "none")
    assert last not in {found.as_of for found in clearing(day, who)}
    found = what_if(day, who, Supposed(last - timedelta(days=1)))
    assert (found.level_otherwise, found.clears) == ("none", False)


def test_an_order_that_clears_does_so_when_it_really_comes(
    company: Company, two_days: TwoDays, told: Story, past: Path, tmp_path: Path
) -> None:
    [order] = [found for found in told.clearing if found.kind == "order"]
    lines = pd.read_parquet(past / "transactions.parquet")
    mine = lines[(lines["customer_id"] == told.customer_id) & (lines["amount"] > 0)]
    sums = mine[mine["ordered_at"] >= pd.Timestamp(LATER - timedelta(days=730))].groupby("order_id")["amount"].sum()
    usual = mine[mine["order_id"] == (sums - order.amount).abs().idxmin()]
    assert usual["amount"].sum() == pytest.approx(order.amount)
    same = ["customer_id", "product_id", "product_line", "quantity", "amount"]
    new = usual[same].assign(order_id="really", ordered_at=pd.Timestamp(order.by) + pd.Timedelta(hours=12))
    new["recorded_at"] = new["ordered_at"]
    grown = pd.concat([lines, new.reindex(columns=lines.columns).astype({"urgent": "object", "trial": "object"})])
    data = company.changed(tmp_path / "data", transactions=grown.astype({"urgent": "boolean", "trial": "boolean"}))
    for file in past.glob("*.parquet"):
        if file.stem != "transactions":
            (data / file.name).write_bytes(file.read_bytes())
    day = known_only(company, two_days, data, tmp_path / "out")
    really = levels_of(day, [Variant("#0", told.customer_id)], order.as_of).loc["#0"]
    assert really["level"] == order.level
    assert really["margin"] == pytest.approx(order.margin, abs=1e-6)
    assert really["churn_probability"] == pytest.approx(order.probability, abs=1e-6)


def test_where_no_rule_fires_nothing_is_held_down() -> None:
    none = pd.Series([], dtype="str")
    assert list(held_down(none, none, {"imbalance": "yellow"})) == []


def test_on_the_day_itself_everybody_stands_as_published(two_days: TwoDays) -> None:
    some = [two_days.warned, *two_days.rated_twice[:12], two_days.outside("dormant")]
    names = [f"#{i}" for i in range(len(some))]
    found = levels_of(two_days.later, [Variant(*pair) for pair in zip(names, some, strict=True)], LATER).loc[names]
    scores = two_days.later.scores.set_index("customer_id").loc[some]
    for name in ("level", "model_level", "cohort"):
        assert list(found[name]) == list(scores[name])
    np.testing.assert_allclose(found["margin"], scores["margin"], atol=1e-6)
    assert [parts if isinstance(parts, str) else None for parts in found["level_parts"]] == [
        parts if isinstance(parts, str) else None for parts in scores["level_parts"]
    ]


def test_the_dates_of_these_tests_are_before_the_datas_end(two_days: TwoDays) -> None:
    assert two_days.intake.events.data_end > date(2026, 9, 13)
