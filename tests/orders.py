"""Order lines and other tables written in a test or drawn at random, as the feature engine reads them."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from features import cutoffs, peers, snapshots
from features.buckets import Events
from features.contract import ALWAYS_KNOWN, CONTRACT, KNOWN_AT
from features.options import resolved
from features.simulate import PRESETS, simulate
from features.sql import quiet_connection

RUN_AT = datetime(2030, 1, 1)
WORLD_END = date(2025, 7, 1)


def lines(text: str) -> pd.DataFrame:
    """Rows of a table with a header of contract columns, fields between spaces; ``-`` is missing, ``_`` a space."""
    table = pd.read_csv(StringIO(text.strip()), sep=r"\s+", na_values="-", dtype="str")
    for name in table.columns:
        if name.endswith("_at") or name in ("valid_from", "valid_to"):
            table[name] = pd.to_datetime(table[name], format="ISO8601")
        elif name in ("text", "name", "new", "old"):
            table[name] = table[name].str.replace("_", " ")
        elif name in ("urgent", "trial", "invited", "attended", "accepted", "disputed"):
            table[name] = (
                table[name].map({"true": True, "True": True, "false": False, "False": False}).astype("boolean")
            )
        elif not name.endswith("_id"):
            table[name] = pd.to_numeric(table[name]) if _is_number(table[name]) else table[name]
    return table


def _is_number(column: pd.Series) -> bool:
    return bool(pd.to_numeric(column, errors="coerce").notna().eq(column.notna()).all() and column.notna().any())


def known_at(name: str, table: pd.DataFrame) -> pd.Series:
    """The moment from which a row of a table is both past and known."""
    contract = CONTRACT[name]
    times = [table[column] for column in (contract.time, "recorded_at") if column in table.columns]
    if "recorded_at" not in table.columns and contract.published in table.columns:
        times.append(table[contract.published])
    late = pd.concat(times, axis=1).max(axis=1) if times else pd.Series(pd.NaT, index=table.index)
    return late.astype("datetime64[us]").fillna(pd.Timestamp(ALWAYS_KNOWN))


def visible_at(table: pd.DataFrame) -> pd.Series:
    """The moment from which an order line is both past and known."""
    return known_at("transactions", table)


def present(table: pd.DataFrame, **others: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The contract columns that each table has, as an ingest would name them."""
    tables = {"transactions": table, **others}
    return {
        name: tuple(column for column in CONTRACT[name].names if column in held.columns)
        for name, held in tables.items()
    }


@contextmanager
def laid_out(table: pd.DataFrame, **others: pd.DataFrame) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with these order lines as `transactions`, other tables beside them, and time laid out."""
    tables = {"transactions": table, **others}
    with quiet_connection() as con:
        for name, contract in CONTRACT.items():
            held = tables.get(name, pd.DataFrame({column: [] for column in contract.names}))
            own = [column.name for column in contract.columns]
            typed = [
                f"CAST({column.name if column.name in held.columns else 'NULL'} AS {column.sql_type}) AS {column.name}"
                for column in contract.columns
            ]
            typed += [f'"{column}"' for column in held.columns if contract.further and column not in own]
            con.register("written", held.assign(**{KNOWN_AT: known_at(name, held)}))
            con.execute(f"CREATE TABLE {name} AS SELECT {', '.join(typed)}, {KNOWN_AT} FROM written")
        cutoffs.lay_out_time(con)
        yield con


def snapshots_of(
    table: pd.DataFrame,
    as_ofs: Iterable[date],
    options: dict[str, Any] | None = None,
    cohort: snapshots.Cohort | None = None,
    **others: pd.DataFrame,
) -> pd.DataFrame:
    """All features of these order lines and other tables, one row per (as_of, customer), their cohort and window."""
    held, values = present(table, **others), resolved(options or {})
    with laid_out(table, **others) as con:
        frame = snapshots.first_pass(con, list(as_ofs), held, cohort or snapshots.Cohort(), options=values)
    with quiet_connection() as con:
        con.register("frame", frame)
        levels = peers.market_levels("SELECT * FROM frame", con, held)
    return snapshots.finish(frame, levels, snapshots.Window(), held, values)


def features_of(
    text: str,
    as_of: date,
    customer: str = "A",
    options: dict[str, Any] | None = None,
    cohort: snapshots.Cohort | None = None,
    **others: str,
) -> pd.Series:
    """The features of one customer at one cutoff; every table is written as for :func:`lines`."""
    tables = {name: lines(written) for name, written in others.items()}
    frame = snapshots_of(lines(text), [as_of], options, cohort, **tables)
    numbers = frame.set_index("customer_id").drop(columns=["as_of", "segment", "cohort", "rhythm_class"])
    return numbers.loc[customer].astype("float64")


def ingested(table: pd.DataFrame, folder: Path, buckets: int = 1, **others: pd.DataFrame) -> Events:
    """Clean events of these order lines and other tables, made by an ingest."""
    from features.quarantine import ingest
    from features.sources import open_source

    source = folder / "source"
    source.mkdir(parents=True)
    for name, held in {"transactions": table, **others}.items():
        held.to_parquet(source / f"{name}.parquet", index=False)
    done = ingest(open_source(source), folder / "events", run_at=RUN_AT, timezone="UTC", max_share=1, buckets=buckets)
    return done.events


@cache
def world_lines() -> pd.DataFrame:
    """A small simulated company with many late bookings and credit notes, each row once. Not to be changed in place."""
    often = replace(PRESETS["normal"], credit_notes=0.15, late_rows=0.15, duplicates=0.0)
    return simulate(80, 30, seed=11, preset=often, end=WORLD_END).tables["transactions"]


@cache
def nasty_lines(seed: int = 3, customers: int = 30) -> pd.DataFrame:
    """Lines as unkind as the contract allows. Not to be changed in place.

    Few order numbers and days, so that orders share days, move, grow and are cancelled under their own number after
    the fact; customers with only returns, with one order, without products; amounts that cancel to 0.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(customers):
        count = int(rng.integers(1, 40)) if number % 3 else int(rng.integers(1, 4))
        reach = int(rng.choice([20, 200, 900]))
        day = rng.choice(np.arange(0, reach, max(1, reach // 25)), count)
        amounts = (-5.0, -2.5, 2.5, 5.0, 10.01, 80.3) if number % 7 else (-5.0, -2.5)
        late = np.where(rng.random(count) < 0.4, rng.integers(-5, 120, count), 0)
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": f"N{number:02d}",
                    "order_id": rng.integers(1, 2 + count // 2, count).astype(str),
                    "ordered_at": pd.Timestamp(2025, 6, 30)
                    - pd.to_timedelta(day, "D")
                    + pd.to_timedelta(rng.integers(0, 24, count), "h"),
                    "amount": rng.choice(amounts, count),
                    "product_id": rng.choice(["p1", "p2", "p3", "p4"], count),
                    "product_line": rng.choice(["l1", "l2"], count),
                    "quantity": rng.choice([-1.0, 1.0, 2.5, np.nan], count),
                    "margin": rng.choice([-1.0, 0.5, 3.5, np.nan], count),
                    "list_amount": rng.choice([3.0, 12.0, np.nan], count),
                    "urgent": pd.array(rng.choice([True, False, None], count), dtype="boolean"),
                    "late_days": late,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    missing = table["customer_id"].isin(["N01", "N02"]) | (rng.random(len(table)) < 0.2)
    table["product_id"] = table["product_id"].where(~missing, None)
    table["recorded_at"] = table["ordered_at"] + pd.to_timedelta(table.pop("late_days"), "D")
    return table
