"""Features as declarations: what a name promises, what is refused, and what a missing column does."""

import re
import subprocess
import sys
from datetime import date
from functools import cache

import pandas as pd
import pytest
from orders import features_of, lines, snapshots_of
from two_clocks import nasty, simulated

from features import registry, shipped
from features.contract import CONTRACT
from features.registry import Baseline, feature, ratio_of, registered
from features.stages import COMPARISON, COOLING
from models.health_scheme import FIVE_DIMENSIONS, FIVE_INPUTS

MAY_4 = date(2024, 5, 4)
FEATURES = registered()
NAMES = {one.name for one in FEATURES}
#: The five dimensions of health, and the concepts of each by which reasons are grouped.
CONCEPTS = {
    "transaction": {"order_rhythm", "background", "spending", "breadth", "prices", "deliveries"},
    "interaction": {"contact", "responsiveness", "people", "conversation", "signs"},
    "service": {"problems", "service_use"},
    "finance": {"payment"},
    "strategy": {"partnership", "market"},
}
DIMENSIONS = set(CONCEPTS)
OPTIONAL = sorted({column for one in FEATURES for column in one.needs})
#: Columns of the snapshots of a company that has order lines only.
OF_ORDERS = {"customer_id", "as_of", "segment", "cohort", "rhythm_class", "open_months"} | {
    *("long_gap_days", "churn_window_days"),
    *(one.name for one in registry.available({"transactions": ()}) if not one.internal),
}
each_feature = pytest.mark.parametrize("one", FEATURES, ids=lambda one: one.name)


@pytest.fixture
def empty_registry(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", {})
    return registry.REGISTRY


def test_there_are_at_least_sixty_features_of_the_orders_and_no_name_twice():
    assert sum(one.source == "transactions" for one in FEATURES) >= 60
    assert len(NAMES) == len(FEATURES)


def test_the_registered_features_are_the_same_at_every_call():
    assert registered() == FEATURES


@each_feature
def test_a_feature_says_what_it_means_in_which_unit_and_where_it_belongs(one):
    assert one.meaning.endswith(".")
    assert len(one.meaning.split()) >= 2
    assert one.unit
    assert one.concept
    assert one.dimension in DIMENSIONS
    assert one.source in CONTRACT


def test_sixteen_concepts_group_the_features_each_within_one_dimension():
    found = {dimension: set() for dimension in DIMENSIONS}
    for one in registry.REGISTRY.values():  # steps on the way are no columns, yet are grouped alike
        if one.module in shipped.PLACES:
            found[one.dimension].add(one.concept)
    assert found == CONCEPTS
    assert sum(map(len, CONCEPTS.values())) == len(set().union(*CONCEPTS.values())) == 16


@each_feature
def test_the_worrying_side_is_more_or_less_or_neither_and_never_that_of_the_own_past(one):
    assert one.worse in {"more", "less", ""}
    if one.usual in NAMES and one.usual.endswith("_usual"):
        assert registry.REGISTRY[one.usual].worse == ""


@pytest.mark.parametrize("mark", [*FIVE_DIMENSIONS.marks, *FIVE_INPUTS.marks], ids=lambda mark: mark.feature)
def test_what_a_health_mark_calls_bad_lies_on_the_worrying_side(mark):
    assert registry.REGISTRY[mark.feature].worse == ("more" if mark.bad > mark.good else "less")


@pytest.mark.parametrize("condition", [*COOLING.values(), *COMPARISON.values()])
def test_what_a_sign_of_leaving_asks_for_lies_on_the_worrying_side(condition):
    name = re.search(r"\w+(?= (?:<=|>=|=)|,)", condition.removeprefix("coalesce("))[0]
    assert registry.REGISTRY[name].worse == ("less" if "<=" in condition else "more")


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("days_since_last_order", "more"),
        ("days_since_last_order_vs_q90_gap_vs_peers", "more"),
        ("days_to_next_expected_order", "less"),
        ("longer_gap_probability", "less"),
        ("order_days_90d_z", "less"),
        ("inbound_interactions_90d_vs_usual", "less"),
        ("complaints_90d_vs_peers", "more"),
        ("last_rating_vs_usual", "less"),
        ("overdue_amount", "more"),
        ("urgent_order_share_90d_vs_usual", "more"),
        # something bad that has just happened is worse than the same long ago
        ("days_since_temperature_fell", "less"),
        ("days_since_competitor_event", "less"),
        ("time_of_year_cos", ""),
        ("gap_median_days_ever", ""),
        ("discount_share_90d_z", ""),
    ],
)
def test_the_side_that_worries_is_what_a_supplier_fears(name, side):
    assert registry.REGISTRY[name].worse == side


@each_feature
def test_a_name_is_a_plain_word_of_a_query(one):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", one.name)


@each_feature
def test_a_window_stands_in_the_name(one):
    in_name = {int(days) for days in re.findall(r"_(\d+)d(?=_|$)", one.name)}
    if one.window_days:
        assert in_name & {one.window_days, one.window_days - registry.BASELINE_DAYS}
    elif not in_name:
        words = set(re.findall(r"days_ago <= (\d+)", one.expression))
        assert not words, "a feature with a window says so in its name"


@each_feature
def test_a_unit_of_time_or_share_stands_in_the_name(one):
    compared = re.search(r"_vs_", one.name)
    if one.unit == "days":
        assert "days" in one.name or compared
    if one.unit == "share":
        assert "share" in one.name or compared
    if one.unit == "probability":
        assert one.name.endswith("_probability")
    if one.unit == "ratio":
        assert compared or one.name.endswith("_cv_ever")


@each_feature
def test_what_is_usual_for_the_customer_is_a_column_in_a_unit_that_compares(one):
    if one.usual is None:
        return
    assert one.usual in NAMES
    assert one.usual != one.name
    usual = next(other for other in FEATURES if other.name == one.usual)
    assert set(usual.sources) <= {"transactions", *one.sources}, "known wherever the feature is"


@each_feature
def test_a_feature_needs_only_optional_columns_of_its_table(one):
    for name, column in (needed.split(".") for needed in one.needs):
        assert column in set(CONTRACT[name].names) - set(CONTRACT[name].required)


def all_of(tables) -> pd.DataFrame:
    others = {name: held for name, held in tables.items() if name != "transactions"}
    return snapshots_of(tables["transactions"], [date(2025, 3, 1)], **others)


def with_every_column():
    return {**nasty(), "transactions": simulated()["transactions"]}


@cache
def whole() -> pd.DataFrame:
    return all_of(with_every_column())


@pytest.mark.parametrize("column", OPTIONAL)
def test_a_missing_optional_column_leaves_unknown_what_needs_it_and_changes_nothing_else(column):
    table, name = column.split(".")
    tables = with_every_column()
    with_it, without = whole(), all_of({**tables, table: tables[table].drop(columns=name)})
    unknown = [one.name for one in FEATURES if column in one.needs]
    assert unknown
    assert without[unknown].isna().all(axis=None)
    may_differ = {one.name for one in registry.REGISTRY.values() if column in one.needs}
    for one in registry.REGISTRY.values():  # registered after what they read
        if may_differ & set(registry.dependencies(one)):
            may_differ.add(one.name)
    same = [other for other in with_it if other not in may_differ]
    pd.testing.assert_frame_equal(with_it[same], without[same], check_exact=True)


@pytest.mark.parametrize(("column", "name"), [("margin", "margin_90d"), ("urgent", "urgent_order_share_90d")])
def test_a_value_that_is_missing_on_every_line_is_unknown_and_not_nothing(column, name):
    value = {"margin": 3, "urgent": "False"}[column]
    text = "customer_id order_id ordered_at amount {c}\nA 1 2024-05-01 10 -\nB 2 2024-05-01 10 {v}"
    frame = snapshots_of(lines(text.format(c=column, v=value)), [MAY_4]).set_index("customer_id")
    assert pd.isna(frame.loc["A", name])
    assert frame.loc["B", name] == {"margin": 3.0, "urgent": 0.0}[column]


def test_a_frame_has_one_row_per_customer_known_at_each_cutoff_in_order_and_typed():
    text = """
    customer_id order_id ordered_at amount
    B           1        2024-04-01 10
    A           2        2024-05-03 10
    A           3        2024-06-30 10
    """
    frame = snapshots_of(lines(text), [date(2024, 7, 1), MAY_4, date(2024, 5, 3)])
    keys = [
        (day.date().isoformat(), customer) for day, customer in zip(frame["as_of"], frame["customer_id"], strict=True)
    ]
    assert keys == [("2024-05-03", "B")] + [(day, who) for day in ("2024-05-04", "2024-07-01") for who in "AB"]
    assert set(frame.columns) == OF_ORDERS
    assert set(frame[[one.name for one in FEATURES if one.name in frame]].dtypes.astype(str)) == {"float64"}
    assert [str(kind) for kind in frame[["customer_id", "as_of", "segment"]].dtypes] == ["str", "datetime64[s]", "str"]


def test_a_cutoff_before_all_orders_gives_no_rows_but_all_columns():
    frame = snapshots_of(lines("customer_id order_id ordered_at amount\nA 1 2024-05-04 10"), [MAY_4])
    assert frame.empty
    assert set(frame.columns) == OF_ORDERS


@pytest.mark.usefixtures("empty_registry")
def test_a_feature_over_a_relation_that_nobody_declared_is_refused():
    def orders() -> str:
        """Orders."""
        return "count(*)"

    with pytest.raises(ValueError, match="feature orders: no relation is called 'ordrs'"):
        feature("ordrs", unit="orders", concept="spending")(orders)


@pytest.mark.usefixtures("empty_registry")
def test_a_feature_without_a_docstring_is_refused():
    def silent() -> str:
        return "count(*)"

    with pytest.raises(ValueError, match="feature silent has no docstring"):
        feature("order_days", unit="days", concept="spending")(silent)


@pytest.mark.usefixtures("empty_registry")
def test_a_worrying_side_that_is_none_is_refused():
    def orders() -> str:
        """Orders."""
        return "count(*)"

    with pytest.raises(ValueError, match="feature orders: worse is 'more', 'less' or empty, not 'higher'"):
        feature("order_days", unit="orders", concept="spending", worse="higher")(orders)


@pytest.mark.parametrize("side", ["more", "less", ""])
def test_all_columns_of_a_declaration_worry_on_its_side_but_the_own_past(empty_registry, side):
    @feature("order_days", unit="money", concept="spending", windows=(30, 90), baseline=Baseline(90), worse=side)
    def revenue(past: str) -> str:
        """Net revenue."""
        return f"sum(amount) FILTER ({past})"

    @feature("order_days", unit="days", concept="order_rhythm", worse=side, peers="ratio")
    def silence() -> str:
        """Days since the newest order."""
        return "min(days_ago)"

    made = {name: one.worse for name, one in empty_registry.items() if not one.internal}
    revenue_views = ("30d", "90d", "90d_vs_usual", "90d_z", "90d_vs_peers")
    on_its_side = [*(f"revenue_{view}" for view in revenue_views), "silence", "silence_vs_peers"]
    assert made == {**dict.fromkeys(on_its_side, side), "revenue_90d_usual": ""}


@pytest.mark.parametrize("windows", [(), (30,)])
def test_a_name_can_be_taken_once_only(empty_registry, windows):
    def orders(past: str = "true") -> str:
        """Orders."""
        return f"count(*) FILTER ({past})"

    register = feature("order_days", unit="orders", concept="spending", windows=windows)
    register(orders)
    with pytest.raises(ValueError, match="is registered twice"):
        register(orders)
    assert len(empty_registry) == 1


def test_windows_and_a_baseline_make_one_column_each(empty_registry):
    @feature("order_days", unit="money", concept="spending", windows=(30, 90), baseline=Baseline(90))
    def revenue(past: str) -> str:
        """Net revenue."""
        return f"sum(amount) FILTER ({past})"

    made = {
        name: (one.over, one.unit, one.window_days, one.usual)
        for name, one in empty_registry.items()
        if not one.internal
    }
    assert made == {
        "revenue_30d": ("order_days", "money", 30, None),
        "revenue_90d": ("order_days", "money", 90, "revenue_90d_usual"),
        "revenue_90d_usual": ("features", "money", 455, None),
        "revenue_90d_vs_usual": ("features", "ratio", 455, "revenue_90d_usual"),
        "revenue_90d_z": ("features", "standard deviations", 455, "revenue_90d_usual"),
        "revenue_90d_vs_peers": ("peers", "ratio", 455, "revenue_90d_usual"),
    }
    assert empty_registry["revenue_30d"].meaning == "Net revenue, last 30 days."


def test_a_feature_of_one_s_own_is_computed_with_the_others(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))

    @feature("order_days", unit="lines", concept="spending", windows=(60,))
    def lines_ordered(past: str) -> str:
        """Lines."""
        return f"coalesce(sum(lines) FILTER ({past}), 0)"

    @feature("frame", unit="ratio", concept="spending", reads=("lines_ordered_60d", "order_days_60d"))
    def lines_ordered_60d_vs_days(frame: pd.DataFrame) -> pd.Series:
        """Lines per order day."""
        return frame["lines_ordered_60d"] / frame["order_days_60d"]

    text = "customer_id order_id ordered_at amount\nA 1 2024-05-01 1\nA 1 2024-05-01 2\nA 2 2024-05-02 3"
    row = features_of(text, MAY_4)
    assert row[["lines_ordered_60d", "lines_ordered_60d_vs_days", "revenue_ever"]].tolist() == [3.0, 1.5, 6.0]


@pytest.mark.parametrize(
    ("value", "reference", "pseudo", "expected"),
    [("30", "20", "10", 40 / 30), ("-30", "20", "10", 10 / 30), ("30", "-20", "10", 4.0), ("1", "0", "0", None)],
)
def test_a_ratio_counts_what_is_below_0_as_0_and_is_unknown_over_0(value, reference, pseudo, expected):
    import duckdb

    with duckdb.connect() as con:
        found = con.execute(f"SELECT CAST({ratio_of(value, reference, pseudo)} AS DOUBLE)").fetchone()[0]
    assert found == (expected if expected is None else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize("first", ["features.weak_signals", "features.season", "features.snapshots", "models.folds"])
def test_whatever_is_imported_first_the_columns_stand_in_the_same_order(first):
    code = f"import {first}; from features.registry import registered; print(' '.join(o.name for o in registered()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [one.name for one in FEATURES]


def test_a_feature_comes_after_those_that_it_reads():
    place = {one.name: number for number, one in enumerate(registry.available(dict.fromkeys(CONTRACT, ())))}
    for one in registry.available(dict.fromkeys(CONTRACT, ())):
        assert all(place[name] < place[one.name] for name in registry.dependencies(one))
