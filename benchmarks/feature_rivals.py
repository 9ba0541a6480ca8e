"""The features of the benchmark once more, as a good analyst would write them in SQL for DuckDB, with no engine.

The same values at the same cutoffs from the same clean lines: what was booked under an order or bought of a product is
laid out once, in the versions in which it was known; every cutoff joins the versions that hold there. Aggregates over
windows are written with CASE: DuckDB takes several times as long for as many FILTER clauses in one query.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import duckdb

WINDOWS = (30, 60, 90, 180, 365)
_BEFORE = "ago BETWEEN 91 AND 455"
_HIGH = "amount > 0 AND margin >= 0.35 * amount"

_POSTINGS = f"""
CREATE OR REPLACE TEMP TABLE orders AS
WITH parts AS (
    SELECT customer_id, order_id, CAST(greatest(ordered_at, known_at) AS DATE) + 1 AS seen,
           min(CAST(ordered_at AS DATE)) AS day, sum(amount) AS amount,
           coalesce(-sum(CASE WHEN amount < 0 THEN amount END), 0) AS returned, count(*) AS lines,
           sum(quantity) AS units, sum(margin) AS margin,
           sum(CASE WHEN margin IS NOT NULL THEN amount END) AS margin_amount,
           sum(CASE WHEN {_HIGH} THEN amount END) AS high_amount
    FROM lines GROUP BY ALL
)
SELECT customer_id, seen, coalesce(lead(seen) OVER so_far, DATE '9999-12-31') AS until, min(day) OVER known AS day,
       sum(amount) OVER known AS amount, sum(returned) OVER known AS returned, sum(lines) OVER known AS lines,
       sum(units) OVER known AS units, sum(margin) OVER known AS margin,
       sum(margin_amount) OVER known AS margin_amount, sum(high_amount) OVER known AS high_amount
FROM parts WINDOW so_far AS (PARTITION BY customer_id, order_id ORDER BY seen),
                  known AS (PARTITION BY customer_id, order_id ORDER BY seen ROWS UNBOUNDED PRECEDING)
"""

_DAYS = """
CREATE OR REPLACE TEMP TABLE days AS
SELECT as_of, customer_id, as_of - day AS ago, sum(CASE WHEN amount > 0 THEN 1 ELSE 0 END) AS orders,
       max(amount) > 0 AS bought,
       sum(amount) AS amount, sum(returned) AS returned, sum(lines) AS lines, sum(units) AS units,
       sum(margin) AS margin, sum(margin_amount) AS margin_amount, sum(high_amount) AS high_amount
FROM orders JOIN cuts ON seen <= as_of AND as_of < until GROUP BY as_of, customer_id, day
"""


def _bought(things: str, thing: str, sums: str) -> str:
    """SQL that lays out what was bought of each thing on each day, in versions."""
    known = ", ".join(f"sum({name}) OVER known AS {name}" for name in ("amount", "units", "units_amount"))
    return f"""
CREATE OR REPLACE TEMP TABLE {things} AS
WITH parts AS (
    SELECT customer_id, {thing}, CAST(ordered_at AS DATE) AS day,
           CAST(greatest(ordered_at, known_at) AS DATE) + 1 AS seen, sum(amount) AS amount, {sums}
    FROM lines WHERE {thing.split(",")[0]} IS NOT NULL GROUP BY ALL
)
SELECT customer_id, {thing}, day, seen, coalesce(lead(seen) OVER so_far, DATE '9999-12-31') AS until, {known}
FROM parts WINDOW so_far AS (PARTITION BY customer_id, {thing}, day ORDER BY seen),
                  known AS (PARTITION BY customer_id, {thing}, day ORDER BY seen ROWS UNBOUNDED PRECEDING)
"""


def _count(condition: str) -> str:
    return f"count(CASE WHEN {condition} THEN 1 END)"


def _sum(value: str, condition: str) -> str:
    return f"sum(CASE WHEN {condition} THEN {value} END)"


def _mean(value: str, condition: str) -> str:
    return f"avg(CASE WHEN {condition} THEN {value} END)"


def _day_columns() -> dict[str, str]:
    """Aggregates of the order days of one customer at one cutoff."""
    recent = {f"{days}d": f"ago <= {days}" for days in WINDOWS}
    spans = recent | {"90d_before": _BEFORE}
    gross = "(amount + returned)"
    columns = {
        "days_since_last_order": "min(CASE WHEN bought THEN ago END)",
        "days_since_first_order": "max(CASE WHEN bought THEN ago END)",
        "order_days_ever": _count("bought"),
        "order_days_prior_90d": _count("bought AND ago BETWEEN 91 AND 180"),
        "active_months_365d": "count(DISTINCT CASE WHEN bought AND ago <= 365 THEN (ago - 1) // 30 END)",
        "revenue_ever": "coalesce(sum(amount), 0)",
        "revenue_prior_90d": f"coalesce({_sum('amount', 'ago BETWEEN 91 AND 180')}, 0)",
        "order_value_mean_ever": _mean("amount", "bought"),
        "order_value_median_365d": "median(CASE WHEN bought AND ago <= 365 THEN CAST(amount AS DOUBLE) END)",
        "order_value_max_365d": "max(CASE WHEN bought AND ago <= 365 THEN amount END)",
        "last_order_value": "arg_min(amount, CASE WHEN bought THEN ago END)",
        "days_since_last_return": "min(CASE WHEN returned > 0 THEN ago END)",
        "revenue_recent_half_share_365d": f"coalesce({_sum(gross, 'ago <= 182')}, 0) / "
        f"nullif({_sum(gross, 'ago <= 365')}, 0)",
    }
    for name in ("30d", "60d", "90d", "180d", "365d", "90d_before"):
        columns[f"order_days_{name}"] = _count(f"bought AND {spans[name]}")
    for name in ("30d", "90d", "180d", "365d", "90d_before"):
        columns[f"revenue_{name}"] = f"coalesce({_sum('amount', spans[name])}, 0)"
    for name in ("30d", "90d", "180d", "365d"):
        columns[f"returned_{name}"] = f"coalesce({_sum('returned', spans[name])}, 0)"
    for name in ("90d", "365d", "90d_before"):
        inside = spans[name]
        for column in ("lines", "units"):
            columns[f"{column}_per_order_day_{name}"] = _mean(column, f"bought AND {inside}")
        columns[f"order_value_mean_{name}"] = _mean("amount", f"bought AND {inside}")
        columns[f"return_share_{name}"] = (
            f"CASE WHEN {_sum(gross, inside)} > 0 THEN least(1, {_sum('returned', inside)} / {_sum(gross, inside)}) END"
        )
        earned = f"nullif({_sum('margin_amount', inside)}, 0)"
        columns[f"margin_share_{name}"] = f"{_sum('margin', inside)} / {earned}"
        columns[f"high_margin_share_{name}"] = f"coalesce({_sum('high_amount', inside)}, 0) / {earned}"
    for name in ("90d", "365d"):
        columns[f"orders_per_order_day_{name}"] = _mean("orders", f"bought AND {spans[name]}")
        columns[f"return_days_{name}"] = _count(f"returned > 0 AND {spans[name]}")
        columns[f"margin_{name}"] = f"CASE WHEN {_count(spans[name])} = 0 THEN 0 ELSE {_sum('margin', spans[name])} END"
    return columns | _season_columns(gross)


def _season_columns(gross: str) -> dict[str, str]:
    first, year = "max(CASE WHEN bought THEN ago END)", f"nullif({_sum(gross, 'ago <= 365')}, 0)"
    ahead = "ago BETWEEN 276 AND 365"
    quarters = ", ".join(
        f"coalesce({_sum(gross, f'ago BETWEEN {low} AND {low + 90}')}, 0)" for low in (1, 92, 183, 274)
    )
    return {
        "order_days_next_90d_last_year": f"CASE WHEN {first} > 275 THEN {_count(f'bought AND {ahead}')} END",
        "order_days_same_90d_last_year": f"CASE WHEN {first} > 365 "
        f"THEN {_count('bought AND ago BETWEEN 366 AND 455')} END",
        "revenue_next_90d_last_year_share": f"CASE WHEN {first} > 275 "
        f"THEN coalesce({_sum(gross, ahead)}, 0) / {year} END",
        "busiest_quarter_share_365d": f"greatest({quarters}) / nullif({_sum(gross, 'ago <= 364')}, 0)",
    }


_GAPS = """
SELECT as_of, customer_id, avg(gap) AS gap_mean_days_ever, median(gap) AS gap_median_days_ever,
       quantile_cont(gap, 0.9) AS gap_q90_days_ever, max(gap) AS gap_max_days_ever,
       CASE WHEN count(*) > 1 THEN
           sqrt(greatest(0, sum(gap * gap) - sum(gap) * sum(gap) / count(*)) / (count(*) - 1))
       END AS gap_sd_days_ever,
       avg(ln(gap)) AS gap_log_mean_ever, max(CASE WHEN place = 1 THEN gap END) AS last_gap_days,
       avg(CASE WHEN place <= 3 THEN gap END) AS last_3_gaps_mean_days,
       avg(CASE WHEN place > 3 THEN gap END) AS gap_before_last_3_mean_days
FROM (
    SELECT as_of, customer_id, lead(ago) OVER newest - ago AS gap, row_number() OVER newest AS place
    FROM days WHERE bought WINDOW newest AS (PARTITION BY as_of, customer_id ORDER BY ago)
) WHERE gap IS NOT NULL GROUP BY as_of, customer_id
"""


def _of_things(things: str, thing: str, further: str) -> str:
    """SQL of one row per thing that a customer bought in the 455 days before a cutoff."""
    before = f"amount > 0 AND {_BEFORE}"
    quarters = ", ".join(
        f"{_count(f'amount > 0 AND ago BETWEEN {90 * q + 1} AND {90 * q + 90}')} > 0 AS q{q}" for q in range(5)
    )
    return f"""
WITH bought AS (
    SELECT as_of, customer_id, {thing}, as_of - day AS ago, amount, units, units_amount
    FROM {things} JOIN cuts ON seen <= as_of AND as_of < until AND day >= as_of - 455
), one AS (
    SELECT as_of, customer_id, {thing}, {quarters}, min(CASE WHEN amount > 0 THEN ago END) AS last,
           max(CASE WHEN amount > 0 THEN ago END) AS first, min(CASE WHEN {before} THEN ago END) AS newest_before,
           max(CASE WHEN {before} THEN ago END) AS oldest_before,
           coalesce({_sum("amount", "ago <= 365")}, 0) AS earned,
           coalesce({_sum("amount", _BEFORE)}, 0) AS earned_before,
           list(ago) FILTER (amount > 0) AS agos, {further}
    FROM bought GROUP BY as_of, customer_id, {thing}
), timed AS (
    SELECT *, CASE WHEN len(agos) > 2 THEN list_sort(list_distinct(agos)) END AS own FROM one
)
SELECT *, CASE WHEN len(own) > 2 THEN list_median(list_transform(range(1, len(own)), lambda i: own[i + 1] - own[i])) END
       AS gap FROM timed
"""


def _concentration(earned: str) -> str:
    cents = f"CAST(greatest({earned}, 0) * 100 AS HUGEINT)"
    return f"sum({cents} * {cents}) / nullif(CAST(sum({cents}) AS DOUBLE) * CAST(sum({cents}) AS DOUBLE), 0)"


def _breadth(what: str) -> dict[str, str]:
    bought = " + ".join(_count(f"q{q}") for q in range(1, 5))
    active = " + ".join(f"CAST(bool_or(q{q}) AS INTEGER)" for q in range(1, 5))
    usual = f"({bought}) / nullif({active}, 0)"
    overdue = "last > 2 * gap"
    return {
        f"{what}s_90d": _count("last <= 90"),
        f"{what}s_365d": _count("last <= 365"),
        f"{what}s_90d_usual": usual,
        f"{what}_concentration_365d": _concentration("earned"),
        f"overdue_{what}s": _count(overdue),
        f"overdue_{what}_share": f"{_count(overdue)} / nullif(count(gap), 0)",
        f"overdue_{what}_revenue_share": f"coalesce({_sum('earned', f'earned > 0 AND {overdue}')}, 0) "
        f"/ nullif({_sum('earned', 'earned > 0')}, 0)",
    }


def _product_columns() -> dict[str, str]:
    regular = "newest_before < oldest_before"
    common = "units_recent > 0 AND units_before > 0 AND paid_recent > 0 AND paid_before > 0"
    at_old_prices = (
        "CAST(round(100 * CAST(units_recent AS DOUBLE) * CAST(paid_before AS DOUBLE) "
        "/ nullif(CAST(units_before AS DOUBLE), 0)) AS HUGEINT)"
    )
    paid, old = _sum("CAST(paid_recent * 100 AS HUGEINT)", common), _sum(at_old_prices, common)
    again = " + ".join(f"CAST(q{q} AS INTEGER)" for q in range(4))
    return _breadth("product") | {
        "products_30d": _count("last <= 30"),
        "new_products_90d": _count("first <= 90"),
        "repeat_product_share_365d": f"{_count(f'{again} > 1')} / nullif({_count('last <= 365')}, 0)",
        "lapsed_product_share_90d": f"{_count(f'{regular} AND last > 90')} / nullif({_count(regular)}, 0)",
        "lapsed_revenue_share_90d": f"coalesce({_sum('earned_before', 'earned_before > 0 AND last > 90')}, 0) "
        f"/ nullif({_sum('earned_before', 'earned_before > 0')}, 0)",
        "top_product_share_365d": f"max(earned) / nullif({_sum('earned', 'earned > 0')}, 0)",
        "price_90d_vs_usual": f"{paid} / nullif({old}, 0)",
        "price_effect_90d": f"({paid} - {old}) / 100",
    }


def _line_columns() -> dict[str, str]:
    usual = ", ".join(_concentration(f"earned_{q}") for q in range(1, 5))
    overdue = _sum("earned", "earned > 0 AND last > 2 * gap")
    return _breadth("product_line") | {
        "overdue_product_line_revenue_365d": f"coalesce({overdue}, 0)",
        "product_line_concentration_90d": _concentration("earned_0"),
        "product_line_concentration_90d_usual": f"list_avg(list_filter([{usual}], lambda x: x IS NOT NULL))",
    }


def _ratio(value: str, reference: str, added: str) -> str:
    return f"(greatest({value}, 0) + {added}) / nullif(greatest({reference}, 0) + {added}, 0)"


_ORDER_VALUE = "greatest(coalesce(order_value_mean_ever, 0), 0)"
_KNOWN = "days_since_first_order >= 150"


def _baselines() -> dict[str, str]:
    """Recent windows against the customer's own year before them."""
    found = {}
    for name, added in {"order_days": "1", "revenue": _ORDER_VALUE}.items():
        scaled = f"{name}_90d_before * 90 / least(365, days_since_first_order - 90)"
        found[f"{name}_90d_usual"] = f"CASE WHEN {_KNOWN} THEN {scaled} END"
        found[f"{name}_90d_vs_usual"] = _against(name, added)
    for name in ("order_value_mean", "lines_per_order_day", "units_per_order_day"):
        found[f"{name}_90d_usual"] = f"CASE WHEN {_KNOWN} THEN {name}_90d_before END"
        found[f"{name}_90d_vs_usual"] = _against(name, _ORDER_VALUE if name == "order_value_mean" else "1")
    for name in ("return_share", "margin_share", "high_margin_share"):
        found[f"{name}_90d_usual"] = f"CASE WHEN {_KNOWN} THEN {name}_90d_before END"
        found[f"{name}_90d_vs_usual"] = f"{name}_90d - {name}_90d_usual"
    return found


def _against(name: str, added: str) -> str:
    known = f"{name}_90d IS NOT NULL AND {name}_90d_usual IS NOT NULL"
    return f"CASE WHEN {known} THEN {_ratio(f'{name}_90d', f'{name}_90d_usual', added)} END"


def derived_columns() -> dict[str, str]:
    """Arithmetic over the aggregates; each may name those before it."""
    since, spread = (
        "days_since_last_order",
        "CASE WHEN gap_sd_days_ever IS NOT NULL THEN greatest(gap_sd_days_ever, {}) END",
    )
    return _baselines() | {
        "order_days_90d_vs_prior_90d": "(order_days_90d + 1) / (order_days_prior_90d + 1)",
        "order_days_per_90d_ever": "CASE WHEN order_days_ever > 0 "
        "THEN 90 * order_days_ever / greatest(days_since_first_order, 30) END",
        "order_days_90d_vs_ever": "(order_days_90d + 1) / (order_days_per_90d_ever + 1)",
        "revenue_90d_vs_prior_90d": _ratio("revenue_90d", "revenue_prior_90d", _ORDER_VALUE),
        "revenue_30d_vs_90d": _ratio("revenue_30d", "revenue_90d / 3", _ORDER_VALUE),
        "last_order_value_vs_usual": "last_order_value / nullif(order_value_mean_ever, 0)",
        "order_value_mean_90d_vs_ever": "order_value_mean_90d / nullif(order_value_mean_ever, 0)",
        "order_days_90d_vs_last_year": "(order_days_90d + 1) / (order_days_same_90d_last_year + 1)",
        "season_ahead_vs_season_past": "(order_days_next_90d_last_year + 1) / (order_days_same_90d_last_year + 1)",
        "gap_cv_ever": "gap_sd_days_ever / nullif(gap_mean_days_ever, 0)",
        "last_3_gaps_vs_usual": "(last_3_gaps_mean_days + 7) / (gap_before_last_3_mean_days + 7)",
        "last_gap_vs_usual": "(last_gap_days + 7) / (gap_mean_days_ever + 7)",
        **{
            f"{since}_vs_{name}_gap": f"{since} / nullif(gap_{name}_days_ever, 0)"
            for name in ("median", "mean", "q90", "max")
        },
        f"{since}_z": f"({since} - gap_mean_days_ever) / ({spread.format(3)})",
        f"{since}_own_z": f"({since} - gap_mean_days_ever) / ({spread.format(1)})",
        f"{since}_vs_tenure": f"{since} / nullif(days_since_first_order, 0)",
        "products_90d_vs_usual": "(products_90d + 1) / (products_90d_usual + 1)",
        "products_per_order_day_365d": "products_365d / nullif(order_days_365d, 0)",
        "volume_effect_90d": "revenue_90d - revenue_90d_usual - price_effect_90d",
        "product_lines_90d_vs_usual": "(product_lines_90d + 1) / (product_lines_90d_usual + 1)",
        "product_lines_90d_change": "product_lines_90d / nullif(product_lines_90d_usual, 0) - 1",
        "product_line_concentration_90d_vs_usual": "product_line_concentration_90d "
        "- product_line_concentration_90d_usual",
    }


def names() -> tuple[str, ...]:
    """The features of the benchmark, by the names that the product gives them."""
    gaps = ("mean", "median", "q90", "max", "sd")
    listed = [
        *(name for name in _day_columns() if not name.endswith("_before")),
        *(f"gap_{name}_days_ever" for name in gaps),
        "gap_log_mean_ever",
        "last_gap_days",
        "last_3_gaps_mean_days",
        "gap_before_last_3_mean_days",
        *_product_columns(),
        *_line_columns(),
        *derived_columns(),
    ]
    return tuple(listed)


def _select(columns: dict[str, str]) -> str:
    return ", ".join(f"CAST({sql} AS DOUBLE) AS {name}" for name, sql in columns.items())


def statements(paths: Iterable[str], as_ofs: Sequence[date], out: str) -> list[str]:
    """The statements that write the features of the lines in `paths` at the cutoffs to the Parquet file `out`."""
    cuts = ", ".join(f"(DATE '{as_of}')" for as_of in as_ofs)
    recent, units = "ago <= 90", {"units": "units", "paid": "units_amount"}
    of_product = ", ".join(
        f"{_sum(column, span)} AS {name}_{when}"
        for when, span in {"recent": recent, "before": _BEFORE}.items()
        for name, column in units.items()
    )
    of_line = ", ".join(
        f"{_sum('amount', f'ago BETWEEN {90 * q + 1} AND {90 * q + 90}')} AS earned_{q}" for q in range(5)
    )
    sums = "sum(quantity) AS units, sum(CASE WHEN quantity IS NOT NULL THEN amount END) AS units_amount"
    products, lines = (
        _of_things("product_days", "product_id", of_product),
        _of_things("line_days", "product_line", of_line),
    )
    return [
        f"CREATE OR REPLACE TEMP TABLE cuts AS SELECT * FROM (VALUES {cuts}) t(as_of)",
        f"CREATE OR REPLACE VIEW lines AS FROM read_parquet([{', '.join(paths)}], hive_partitioning = false)",
        _POSTINGS,
        _DAYS,
        _bought("product_days", "product_id, product_line", sums),
        _bought("line_days", "product_line", "NULL::INTEGER AS units, NULL::INTEGER AS units_amount"),
        f"CREATE OR REPLACE TEMP TABLE by_day AS SELECT as_of, customer_id, {_select(_day_columns())} "
        "FROM days GROUP BY as_of, customer_id",
        f"CREATE OR REPLACE TEMP TABLE by_gap AS {_GAPS}",
        f"CREATE OR REPLACE TEMP TABLE by_product AS SELECT as_of, customer_id, {_select(_product_columns())} "
        f"FROM ({products}) GROUP BY as_of, customer_id",
        f"CREATE OR REPLACE TEMP TABLE by_line AS SELECT as_of, customer_id, {_select(_line_columns())} "
        f"FROM ({lines}) GROUP BY as_of, customer_id",
        "COPY (WITH wide AS (SELECT * FROM by_day LEFT JOIN by_gap USING (as_of, customer_id) "
        "LEFT JOIN by_product USING (as_of, customer_id) LEFT JOIN by_line USING (as_of, customer_id)), "
        f"whole AS (SELECT *, {_select(derived_columns())} FROM wide) "
        f"SELECT customer_id, as_of, {', '.join(names())} FROM whole ORDER BY as_of, customer_id) "
        f"TO '{out}' (FORMAT parquet)",
    ]


def write_by_hand(con: duckdb.DuckDBPyConnection, paths: Iterable[str], as_ofs: Sequence[date], out: str) -> None:
    """Run them."""
    for statement in statements(paths, as_ofs, out):
        con.execute(statement)
