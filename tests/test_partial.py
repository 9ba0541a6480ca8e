"""Partial defection: what the season lets expect, what came, which product lines were lost, and when that is known."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from histories import before, ordered, table
from orders import ingested, laid_out, lines, world_lines

from features.partial import CATEGORY_DAYS, Partial, category_days, partial_defection
from features.snapshots import Cohort, Window, take

MAY_4 = date(2024, 5, 4)
LATE = date(2025, 5, 4)
NEVER = pd.Timestamp(9999, 12, 31)


def found(text: str, until: date = LATE, rule: Partial | None = None, days: int | None = None, **changes) -> pd.Series:
    """Partial defection of customer A on 4 May 2024, everything but its orders given by `changes`."""
    return of_rows(text, [changes], until, rule, days).loc[0]


def of_rows(
    text: str, rows: list[dict], until: date = LATE, rule: Partial | None = None, days: int | None = None
) -> pd.DataFrame:
    usual = {
        "customer_id": "A",
        "as_of": pd.Timestamp(MAY_4),
        "segment": None,
        "days_since_first_order": 700.0,
        "order_days_ever": 9.0,
        "revenue_365d": 1000.0,
    }
    frame = pd.DataFrame([usual | changes for changes in rows])
    frame["segment"] = frame["segment"].astype("str")
    own = None if days is None else pd.Series(days, index=frame.index)
    bought = lines(text)
    with laid_out(bought) as con:
        lines_bought = category_days(con, {"transactions": tuple(bought.columns)}, MAY_4)
        return partial_defection(con, frame, until, rule or Partial(), lines_bought, own)


def after(days: int) -> date:
    return MAY_4 + timedelta(days=days)


@pytest.mark.parametrize(("later", "partly"), [(49.99, 1.0), (50.0, 0.0), (50.01, 0.0), (100.0, 0.0)])
def test_less_than_half_of_the_same_days_a_year_before_is_partial_defection(later, partly):
    text = table(ordered([300, 290], amount=50), f"A n {after(10)} {later}")
    row = found(text)
    assert row[["revenue_expected", "revenue_after", "partial_defection"]].tolist() == [100.0, later, partly]


@pytest.mark.parametrize(("days_ago", "expected"), [(366, 0.0), (365, 10.0), (276, 10.0), (275, 0.0)])
def test_the_window_a_year_before_holds_its_first_day_and_not_the_day_after_its_last(days_ago, expected):
    assert found(table(ordered([days_ago], amount=10)))["revenue_expected"] == expected


@pytest.mark.parametrize(("day", "seen"), [(-1, 0.0), (0, 10.0), (89, 10.0), (90, 0.0)])
def test_the_window_after_the_cutoff_holds_its_first_day_and_not_the_day_after_its_last(day, seen):
    row = found(table(ordered([300]), f"A n {after(day)}T12:00 10"))
    assert row["revenue_after"] == seen


def test_a_window_of_their_own_is_as_long_after_as_a_year_before():
    text = table(ordered([365, 320], amount=30), f"A n {after(44)} 10", f"A m {after(45)} 100")
    row = found(text, days=45)
    assert row[["revenue_expected", "revenue_after", "partial_defection"]].tolist() == [30.0, 10.0, 1.0]


@pytest.mark.parametrize(("observed", "known"), [(89, False), (90, True), (91, True)])
def test_it_is_known_when_the_window_has_passed(observed, known):
    row = found(table(ordered([300])), until=after(observed))
    assert row[["revenue_after", "partial_defection"]].notna().tolist() == [known, known]


def test_windows_of_their_own_are_known_together_when_the_longest_has_passed():
    text = table(ordered([300]))
    frame = pd.DataFrame({"customer_id": ["A", "A"], "as_of": pd.Timestamp(MAY_4), "segment": ["s", "s"]})
    frame = frame.assign(days_since_first_order=700.0, order_days_ever=9.0, revenue_365d=1.0)
    for observed, known in ((59, False), (60, True)):
        with laid_out(lines(text)) as con:
            label = partial_defection(con, frame, after(observed), days=pd.Series([45, 60]))
        assert label["revenue_after"].notna().tolist() == [known, known]


def test_nothing_expected_is_no_question():
    assert np.isnan(found(table(ordered([100])))["partial_defection"])
    assert np.isnan(found(table(ordered([100], amount=-5)), days_since_first_order=np.nan)["revenue_expected"])


def test_what_was_expected_is_as_known_at_the_cutoff_and_what_came_as_known_when_it_is_read():
    text = f"""
    customer_id order_id ordered_at      recorded_at           amount
    A           1        {before(300)}   {before(300)}         100
    A           1        {before(300)}   2024-05-03T12:00      -20
    A           1        {before(300)}   2024-05-04T00:00      -70
    A           2        {after(5)}      {after(5)}            60
    A           2        {after(5)}      2024-09-01T12:00      -30
    """
    early, late = (found(text, until=until) for until in (date(2024, 9, 1), date(2024, 9, 2)))
    assert early[["revenue_expected", "revenue_after", "partial_defection"]].tolist() == [80.0, 60.0, 0.0]
    assert late[["revenue_expected", "revenue_after", "partial_defection"]].tolist() == [80.0, 30.0, 1.0]


def test_a_customer_of_less_than_a_year_is_expected_to_keep_its_rate():
    # Nobody was there for a year: every month is alike. 180 days, 5 order days: 4/5 of the revenue tell the rate.
    young = {"days_since_first_order": 180.0, "order_days_ever": 5.0, "revenue_365d": 1000.0}
    assert found(table(ordered([180])), **young)["revenue_expected"] == pytest.approx(1000 * 4 / 5 * 90 / 180)
    # A customer of 30 days is taken to have spent its revenue in 90.
    new = young | {"days_since_first_order": 30.0}
    assert found(table(ordered([30])), **new)["revenue_expected"] == pytest.approx(1000 * 4 / 5)
    one = found(table(ordered([30])), **(new | {"order_days_ever": 1.0}))
    assert one["revenue_expected"] == 0.0
    assert np.isnan(one["partial_defection"])


@pytest.mark.parametrize(("age", "there"), [(364.0, False), (365.0, False), (366.0, True)])
def test_who_was_there_before_the_window_of_a_year_ago_is_measured_by_it(age, there):
    row = found(table(ordered([300], amount=10)), days_since_first_order=age)
    assert bool(row["revenue_expected"] == 10.0) is there


def old_and_young(segment: str | None) -> list[dict]:
    old = [{"customer_id": f"O{n}", "segment": "old"} for n in range(20)]
    return [*old, {"customer_id": "Y", "segment": segment, "days_since_first_order": 120.0, "order_days_ever": 4.0}]


def test_the_rate_of_a_young_customer_follows_the_months_of_its_segment():
    # 20 customers of a year or more buy in May alone. The 365 days before 4 May 2024 have 30 days of May (5 to 31 and 1
    # to 3), so that its index is 365 / 30; 20 customers count half against an even year, and half against the company.
    text = table(*(ordered([350], customer=f"O{n}", amount=100) for n in range(20)), ordered([100], customer="Y"))
    rows = of_rows(text, old_and_young("old"))
    may = 365 / 30
    company, other = (1 + may) / 2, 1 / 2
    may_index, other_index = (may + company) / 2, other / 2
    # the 120 days before 4 May have 3 days of May, the 90 days from it on 28
    expected = 750 * (28 * may_index + 62 * other_index) / (3 * may_index + 117 * other_index)
    assert rows["revenue_expected"].iloc[-1] == pytest.approx(expected)
    # without a segment the company's months count
    rows = of_rows(text, old_and_young(None))
    expected = 750 * (28 * company + 62 * other) / (3 * company + 117 * other)
    assert rows["revenue_expected"].iloc[-1] == pytest.approx(expected)


LINED = "customer_id order_id ordered_at amount product_line"


def lined(*bought: tuple[int, str], customer: str = "A", amount: float = 10) -> str:
    """Order lines of so many days from the cutoff on (negative: before it)."""
    rows = [f"{customer} {line}{day} {after(day)} {amount} {line}" for day, line in bought]
    return "\n".join([LINED, *rows])


USUAL = [(-300, "p"), (-200, "p"), (-290, "q"), (-100, "q"), (-280, "r"), (-20, "r")]


@pytest.mark.parametrize(
    ("later", "lost"),
    [
        ([], 1.0),
        ([(5, "p")], 1.0),
        ([(5, "p"), (89, "q")], 0.0),
        ([(5, "p"), (90, "q")], 1.0),
        ([(5, "s")], 1.0),
        ([(5, "p"), (6, "q"), (7, "r")], 0.0),
    ],
)
def test_two_usual_product_lines_that_are_not_bought_in_the_window_are_lost(later, lost):
    assert found(lined(*USUAL, *later))["categories_lost"] == lost


@pytest.mark.parametrize(
    ("bought", "usual"),
    [
        ([(-300, "p"), (-200, "p"), (-290, "q"), (-100, "q")], True),
        ([(-300, "p"), (-200, "p"), (-290, "q")], False),  # bought once
        ([(-300, "p"), (-200, "p"), (-250, "q"), (-100, "q")], False),  # not in these 90 days of last year
        ([(-300, "p"), (-200, "p"), (-290, "q"), (-380, "q")], False),  # once in the year before
        ([(-300, "p"), (-200, "p")], False),  # one can not lose two
    ],
)
def test_usual_lines_were_bought_on_two_days_of_the_year_and_in_the_same_days_of_last_year(bought, usual):
    assert np.isfinite(found(lined(*bought))["categories_lost"]) is np.bool_(usual)


def test_of_a_young_customer_the_days_before_the_cutoff_tell_the_usual_lines():
    early = lined((-150, "p"), (-20, "p"), (-160, "q"), (-91, "q"))
    assert np.isnan(found(early, days_since_first_order=200.0)["categories_lost"])
    late = lined((-150, "p"), (-20, "p"), (-160, "q"), (-90, "q"))
    assert found(late, days_since_first_order=200.0)["categories_lost"] == 1.0


def test_lines_are_known_as_the_books_had_them():
    text = f"""
    {LINED} recorded_at
    A 1 {before(300)} 10 p {before(300)}
    A 2 {before(200)} 10 p {before(200)}
    A 3 {before(290)} 10 q {before(290)}
    A 4 {before(100)} 10 q {before(100)}
    A 5 {after(5)} 10 p {after(5)}
    A 6 {after(6)} 10 q 2024-09-01T12:00
    A 5 {after(5)} -10 p 2024-10-01T12:00
    """
    untils = (date(2024, 9, 1), date(2024, 9, 2), date(2024, 10, 2))
    rule = Partial(categories=1)
    assert [found(text, until)["categories_lost"] for until in untils] == [0.0, 0.0, 0.0]
    assert [found(text, until, rule)["categories_lost"] for until in untils] == [1.0, 0.0, 1.0]


def test_without_product_lines_no_lost_category_is_known():
    row = found(table(ordered([300])))
    assert np.isnan(row["categories_lost"])
    assert row["partial_defection"] == 1.0
    with laid_out(lines(table(ordered([300])))) as con:
        assert category_days(con, {"transactions": ("product_id",)}, MAY_4) is None


def test_the_table_of_snapshots_carries_what_partial_defection_needs(tmp_path):
    events = ingested(world_lines(), tmp_path, 3)
    days = [date(2024, 9, 1), date(2025, 3, 1)]
    held = take(events, days, cohort=Cohort(), window=Window())
    assert list(held.category_days) == list(CATEGORY_DAYS)
    until = date(2025, 6, 1)
    rows = held.partial(until)
    assert rows.index.equals(held.frame.index)
    matured = held.frame["as_of"] <= pd.Timestamp(until) - pd.Timedelta(days=90)
    assert rows["revenue_after"].notna().equals(matured)
    partly = rows.loc[matured, ["partial_defection", "categories_lost"]]
    assert all(set(partly[name].dropna()) == {0.0, 1.0} for name in partly)
    # the sums of the documents that were known then
    sold = world_lines()
    start = pd.Timestamp(days[1])
    seen = sold[sold["recorded_at"].clip(lower=sold["ordered_at"]) < pd.Timestamp(until)]
    days_of = seen.groupby(["customer_id", "order_id"]).agg(day=("ordered_at", "min"), amount=("amount", "sum"))
    inside = days_of[days_of["day"].between(start, start + pd.Timedelta(days=90), inclusive="left")]
    wanted = inside.groupby("customer_id")["amount"].sum()
    here = held.frame[held.frame["as_of"] == start]
    expected = wanted.reindex(here["customer_id"], fill_value=0.0).to_numpy()
    assert rows.loc[here.index, "revenue_after"].to_numpy() == pytest.approx(expected)
    # a window as long for everybody, given row by row, is the same
    again = held.partial(until, days=pd.Series(90, index=held.frame.index))
    pd.testing.assert_frame_equal(again, rows)
