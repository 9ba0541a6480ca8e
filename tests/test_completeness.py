"""The completeness grade on snapshots written by hand: what raises it, and that nothing more can lower it."""

import itertools

import numpy as np
import pandas as pd
import pytest

from features.registry import REGISTRY
from features.relations import RELATIONS
from models.completeness import BESIDE, GRADES, LACKING, LATELY, completeness, grades_table, stale_tables

ORDERS = {"transactions": ("customer_id", "order_id", "ordered_at", "amount")}
WIDE = ORDERS | {"interactions": ("channel",), "services": ("kind",), "finances": ("due_at", "paid_at")}
#: A feature of each table and a value that it has only for a customer with a row there.
MARK = {
    "interactions": ("days_since_last_interaction", 30.0),
    "services": ("complaints_365d", 1.0),
    "finances": ("payment_days_mean_90d", 41.0),
    "partnerships": ("document_depth_90d", 2.0),
    "contracts": ("days_until_contract_end", 90.0),
}


def snapshot(orders, days, *tables, **more):
    """A customer with so many order days in so many days, and rows in these tables."""
    marks = {name: value if table in tables else np.nan for table, (name, value) in MARK.items()}
    lately = {"order_days_90d": 1.0, "interactions_90d": float("interactions" in tables)}
    return {"order_days_ever": orders, "days_since_first_order": days} | lately | marks | more


def graded(rows, present=WIDE, as_of="2024-05-01"):
    return completeness(pd.DataFrame(rows, dtype="float64").assign(as_of=pd.Timestamp(as_of)), present)


def grade(*arguments, present=WIDE, **more):
    return graded([snapshot(*arguments, **more)], present)["grade"].iloc[0]


@pytest.mark.parametrize(
    ("orders", "days", "alone", "with_two"),
    [
        (60, 2_000, "B", "A"),
        (9, 365, "B", "A"),
        (8, 365, "C", "B"),
        (9, 364, "C", "B"),
        (5, 180, "C", "B"),
        (4, 180, "D", "C"),
        (5, 179, "D", "C"),
        (2, 10, "D", "C"),
        (1, 900, "D", "D"),
        (0, 0, "D", "D"),
        (np.nan, np.nan, "D", "D"),
    ],
)
def test_the_grade_follows_the_history_and_the_sources_beside_the_orders(orders, days, alone, with_two):
    assert grade(orders, days) == alone
    assert grade(orders, days, "services") == alone
    assert grade(orders, days, "services", "finances") == with_two


def test_a_company_with_orders_alone_reaches_b_and_no_more():
    found = graded([snapshot(500, 5_000)], ORDERS)
    assert found["grade"].tolist() == ["B"]
    assert found["lacking"].iloc[0] == ("no_interactions", "no_services", "no_finances", "no_partnerships")


@pytest.mark.parametrize("table", MARK)
def test_each_table_counts_only_where_it_knows_the_customer(table):
    present = WIDE | {"partnerships": ("kind",), "contracts": ("ends_at",)}
    name = next(name for name, tables in BESIDE.items() if table in tables)
    other = "services" if name != "services" else "finances"
    found = graded([snapshot(9, 365, other, table), snapshot(9, 365, other)], present)
    assert found["grade"].tolist() == ["A", "B"]
    assert [f"not_in_{name}" in one for one in found["lacking"]] == [False, True]


def test_two_tables_of_one_dimension_count_once():
    assert grade(9, 365, "partnerships", "contracts", present=WIDE | {"partnerships": (), "contracts": ()}) == "B"


def test_a_count_of_zero_is_no_row():
    assert REGISTRY["complaints_365d"].empty == 0
    assert grade(9, 365, "finances", complaints_365d=0.0) == "B"
    assert grade(9, 365, "finances", complaints_365d=1.0) == "A"


def test_the_marks_of_this_test_are_features_of_their_tables():
    for table, (name, _) in MARK.items():
        assert RELATIONS[REGISTRY[name].over].tables == (table,)
    assert {table for tables in BESIDE.values() for table in tables} == set(MARK)
    assert {name: REGISTRY[column].source for name, column in LATELY.items()} == {name: name for name in LATELY}


def test_orders_that_are_no_longer_delivered_leave_a_history_short():
    stopped = {"order_days_90d": 0.0}
    found = graded([snapshot(60, 2_000, **stopped), snapshot(60, 2_000, "services", "finances", **stopped)])
    assert found["grade"].tolist() == ["D", "C"]
    assert all("stale_orders" in one for one in found["lacking"])
    # One customer's order shows that the table is still delivered.
    assert graded([snapshot(60, 2_000, **stopped), snapshot(2, 90)])["grade"].iloc[0] == "B"


def test_interactions_that_nobody_logs_any_more_make_nothing_known():
    old = snapshot(9, 365, "interactions", "finances", interactions_90d=0.0)
    found = graded([old, old])
    assert found["grade"].tolist() == ["B", "B"]
    assert found["lacking"].iloc[0] == ("stale_interactions", "not_in_services", "no_partnerships")
    assert graded([old, old | {"interactions_90d": 1.0}])["grade"].tolist() == ["A", "A"]


def test_each_date_is_told_for_itself():
    rows = pd.DataFrame([snapshot(9, 365, order_days_90d=0.0), snapshot(9, 365, order_days_90d=1.0)])
    dates = pd.to_datetime(["2024-05-01", "2024-06-01"])
    assert completeness(rows.assign(as_of=dates), ORDERS)["grade"].tolist() == ["D", "B"]


# --- customers by parts


def test_a_table_is_stale_where_nobody_of_the_date_had_a_row_lately():
    frame = pd.DataFrame({"order_days_90d": [0.0, 0.0, np.nan], "interactions_90d": [0.0, 2.0, np.nan]})
    assert stale_tables(frame) == {"transactions"}
    assert stale_tables(frame.head(1)) == {"transactions", "interactions"}
    assert stale_tables(frame.assign(order_days_90d=1.0)) == frozenset()
    # Without the column nobody can tell.
    assert stale_tables(frame[["interactions_90d"]].head(1)) == {"interactions"}
    assert stale_tables(frame[[]]) == frozenset()


def test_parts_of_a_date_are_graded_as_the_whole_of_it():
    quiet, busy = {"order_days_90d": 0.0, "interactions_90d": 0.0}, {"order_days_90d": 2.0, "interactions_90d": 1.0}
    rows = [
        snapshot(60, 2_000, "interactions", "finances", **quiet),
        snapshot(9, 365, "interactions", **quiet),
        snapshot(5, 200, "interactions", "services", **busy),
    ]
    whole = graded(rows)
    frame = pd.DataFrame(rows, dtype="float64").assign(as_of=pd.Timestamp("2024-05-01"))
    stale = stale_tables(frame)
    parts = pd.concat([completeness(frame.iloc[[place]], WIDE, stale) for place in range(3)])
    pd.testing.assert_frame_equal(parts, whole)
    # By itself the first part would look as if nothing were delivered any more.
    assert completeness(frame.head(1), WIDE)["grade"].tolist() == ["D"]
    assert whole["grade"].iloc[0] == "A"


@pytest.mark.parametrize(
    ("stale", "grade_", "said"),
    [
        (frozenset(), "A", ()),
        ({"transactions"}, "C", ("stale_orders",)),
        ({"interactions"}, "B", ("stale_interactions",)),
        ({"transactions", "interactions"}, "D", ("stale_orders", "stale_interactions")),
    ],
)
def test_what_is_said_to_be_stale_counts_and_not_what_the_part_shows(stale, grade_, said):
    frame = pd.DataFrame([snapshot(60, 2_000, "interactions", "finances")]).assign(as_of=pd.Timestamp("2024-05-01"))
    found = completeness(frame, WIDE, stale).iloc[0]
    assert found["grade"] == grade_
    assert tuple(code for code in found["lacking"] if code.startswith("stale")) == said


# --- more is never less


def test_more_data_never_lowers_the_grade():
    """Every step up in orders, days, rows, tables and freshness, from every other state."""
    tables = ("interactions", "services", "finances")
    orders, days, stops = (0, 1, 2, 4, 5, 8, 9, 50), (0, 100, 180, 365, 900), (0.0, 1.0)
    subsets = [part for n in range(4) for part in itertools.combinations(tables, n)]
    states = list(itertools.product(orders, days, subsets, stops, stops))
    frames = [
        snapshot(o, d, *held, order_days_90d=fresh, interactions_90d=logged) for o, d, held, fresh, logged in states
    ]
    # Each customer alone at its own date, so that nobody else shows that a table is delivered.
    dates = pd.date_range("2000-01-01", periods=len(states))
    frame = pd.DataFrame(frames, dtype="float64").assign(as_of=dates)
    rank = dict(zip(states, completeness(frame, WIDE)["grade"].map({g: -i for i, g in enumerate(GRADES)}), strict=True))
    assert set(rank.values()) == {0, -1, -2, -3}
    for state in states:
        o, d, held, fresh, logged = state
        more = [(p, d, held, fresh, logged) for p in orders if p > o]
        more += [(o, p, held, fresh, logged) for p in days if p > d]
        more += [(o, d, p, fresh, logged) for p in subsets if set(p) > set(held)]
        more += [(o, d, held, 1.0, logged), (o, d, held, fresh, 1.0)]
        assert all(rank[other] >= rank[state] for other in more)


def test_a_further_table_or_column_that_says_nothing_of_a_customer_lowers_no_grade():
    row = snapshot(9, 365, "services", "finances")
    for present in (WIDE, WIDE | {"partnerships": ("kind",), "contracts": ("ends_at",)}):
        found = graded([row | {"days_since_roadmap": np.nan, "last_rating": np.nan}], present)
        assert found["grade"].tolist() == ["A"]


def test_the_known_share_counts_the_features_that_the_columns_can_fill():
    row = snapshot(9, 365, "services", last_rating=np.nan, complaints_90d=0.0)
    found = graded([row, row | {"last_rating": 4.0}], WIDE | {"services": ("kind", "rating")})
    assert found["known_service"].tolist() == [pytest.approx(2 / 3), 1.0]
    without = graded([row], WIDE | {"services": ("kind",)})
    assert without["known_service"].tolist() == [1.0]
    assert graded([row], ORDERS)["known_finance"].isna().all()


def test_every_code_has_words_and_no_code_is_unused():
    present = [ORDERS, WIDE | {"partnerships": ()}]
    rows = [snapshot(0, 0), snapshot(2, 9), snapshot(2, 9, "interactions", order_days_90d=0.0, interactions_90d=0.0)]
    seen = {code for held in present for row in rows for code in graded([row], held)["lacking"].iloc[0]}
    assert seen == set(LACKING)
    assert all(words for words in LACKING.values())


def test_the_index_and_the_order_of_the_rows_are_kept():
    frame = pd.DataFrame([snapshot(1, 5), snapshot(9, 365)], index=[7, 3]).assign(as_of=pd.Timestamp("2024-05-01"))
    found = completeness(frame, ORDERS)
    assert found.index.tolist() == [7, 3]
    assert found["grade"].tolist() == ["D", "B"]
    assert completeness(frame.head(0), ORDERS).empty


def test_the_table_of_grades_has_all_of_them():
    table = grades_table(graded([snapshot(9, 365), snapshot(9, 365), snapshot(1, 3), snapshot(5, 180)]))
    assert table["grade"].tolist() == ["A", "B", "C", "D"]
    assert table["customers"].tolist() == [0, 2, 1, 1]
    assert table["share"].tolist() == [0, 0.5, 0.25, 0.25]
    assert grades_table(graded([snapshot(1, 3)]).head(0))["customers"].tolist() == [0, 0, 0, 0]
