"""Label-free models as contestants: fitted on the book of a date, judged by P(no order within the horizon)."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from worlds import drawn_rows, training

from features.labels import HORIZONS
from models.btyd import BTYD
from models.label_free import (
    BGNBD_CONTESTANT,
    LIMIT,
    MBGCNBD_CONTESTANT,
    VARIANTS,
    YEAR,
    LabelFree,
    attach,
    best_variant,
    column,
    fit_book,
    history,
    log_odds,
)

MODEL = BTYD(k=1, dropout_at_zero=True, r=1.0, alpha=30.0, a=1.0, b=5.0, log_likelihood=None, n=100)
COLUMNS = [column(variant, days) for variant in VARIANTS for days in (*HORIZONS, YEAR)]


def bare(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns=COLUMNS).reset_index(drop=True)


def customers(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype="float64")


def test_four_order_days_of_which_the_first_is_100_and_the_last_10_days_ago():
    frame = customers(order_days_ever=[4], days_since_first_order=[100], days_since_last_order=[10])
    assert [float(values[0]) for values in history(frame)] == [3, 90, 100]


def test_log_odds_are_those_of_no_order_in_each_horizon():
    frame = customers(
        order_days_ever=[4, 9, 2], days_since_first_order=[100, 300, 40], days_since_last_order=[10, 9, 30]
    )
    margins = log_odds(MODEL, frame)
    for i, days in enumerate(HORIZONS):
        assert expit(margins[:, i]) == pytest.approx(MODEL.p_no_order(*history(frame), days))
    assert (np.diff(margins, axis=1) < 0).all()


def test_silence_is_never_certain():
    frame = customers(order_days_ever=[200, 2000], days_since_first_order=[1000, 4000], days_since_last_order=[900, 1])
    margins = log_odds(MODEL, frame)
    assert np.abs(margins).max() == LIMIT


def test_nobody_to_score_gives_no_margins():
    assert log_odds(
        MODEL, customers(order_days_ever=[], days_since_first_order=[], days_since_last_order=[])
    ).shape == (
        0,
        len(HORIZONS),
    )


def test_log_odds_of_a_date_are_the_same_whatever_other_dates_are_in_the_table():
    table = bare(drawn_rows())
    dates = sorted(table["as_of"].unique())
    whole = attach(table, seed=0)
    for last in dates[:3]:
        until = whole[whole["as_of"] <= last]
        pd.testing.assert_frame_equal(attach(table[table["as_of"] <= last], seed=0), until, check_exact=True)
    here = whole["as_of"] == dates[1]
    moved = table.assign(days_since_last_order=np.where(here, table["days_since_last_order"], 1.0))
    pd.testing.assert_frame_equal(attach(moved, seed=0).loc[here, COLUMNS], whole.loc[here, COLUMNS], check_exact=True)


def test_log_odds_of_a_date_follow_the_book_of_that_date():
    table = bare(drawn_rows())
    first = table["as_of"] == table["as_of"].min()
    moved = table.assign(days_since_last_order=np.where(first & (table.index > 0), 1.0, table["days_since_last_order"]))
    assert (attach(moved, seed=0).loc[0, COLUMNS] != attach(table, seed=0).loc[0, COLUMNS]).all()


def test_a_customer_without_an_order_keeps_the_row_and_has_no_log_odds():
    table = bare(drawn_rows())
    table.loc[7, ["order_days_ever", "days_since_first_order", "days_since_last_order"]] = [0, np.nan, np.nan]
    attached = attach(table, seed=0)
    pd.testing.assert_frame_equal(attached[table.columns], table)
    assert attached.loc[7, COLUMNS].isna().all()
    assert attached.drop(index=7)[COLUMNS].notna().all(axis=None)


def test_a_book_is_fitted_on_those_who_have_ordered():
    book = bare(drawn_rows(dates=1))
    with_strangers = pd.concat([book, book.head(20).assign(order_days_ever=0.0)], ignore_index=True)
    assert fit_book(with_strangers, VARIANTS[1], seed=0) == fit_book(book, VARIANTS[1], seed=0)


def judged(right: dict[str, str], observed_days: int = 400) -> pd.DataFrame:
    """Eight dates of two customers, one lost and one not; on each date the named variant is right and others are not.

    `right` maps dates from ``<date>`` on to the name of the variant.
    """
    rows = []
    for as_of in pd.date_range("2024-01-01", periods=8, freq="MS"):
        best = [name for since, name in right.items() if pd.Timestamp(since) <= as_of][-1]
        for lost in (True, False):
            margins = {
                column(variant, days): (2.0 if lost == (variant.name == best) else -2.0)
                for variant in VARIANTS
                for days in HORIZONS
            }
            rows.append(
                {"as_of": as_of, "days_to_next_order": np.nan if lost else 3.0, "observed_days": observed_days}
                | margins
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", [variant.name for variant in VARIANTS])
def test_the_variant_that_did_best_on_matured_dates_is_chosen(name):
    assert best_variant(judged({"2024-01-01": name}), VARIANTS).name == name


def test_the_newest_dates_decide():
    changed = judged({"2024-01-01": "mbgcnbd3", "2024-07-01": "mbgcnbd1"})
    assert best_variant(changed, VARIANTS, slices=2).name == "mbgcnbd1"
    assert best_variant(changed, VARIANTS, slices=8).name == "mbgcnbd3"


@pytest.mark.parametrize(("observed_days", "chosen"), [(29, "bgnbd"), (30, "mbgcnbd2"), (31, "mbgcnbd2")])
def test_what_has_not_matured_does_not_decide(observed_days, chosen):
    assert best_variant(judged({"2024-01-01": "mbgcnbd2"}, observed_days), VARIANTS).name == chosen


def test_without_a_single_date_the_first_variant_stands():
    assert best_variant(judged({"2024-01-01": "mbgcnbd2"}).head(0), VARIANTS) == VARIANTS[0]


@pytest.mark.parametrize("contestant", [BGNBD_CONTESTANT, MBGCNBD_CONTESTANT, LabelFree("rhythm", VARIANTS)])
def test_what_scores_a_date_is_what_learners_were_given_for_it(contestant):
    rows = drawn_rows()
    fitted = contestant.fit(training(rows))
    book = rows[rows["as_of"] == rows["as_of"].max()]
    assert fitted.variant in contestant.candidates
    assert (fitted.margins(book) == book[[column(fitted.variant, days) for days in HORIZONS]].to_numpy()).all()
