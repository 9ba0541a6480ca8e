"""A feed of files, day by day, and all that an ingest promises of it."""

# ruff: noqa: DTZ001 - clean events are naive, in the project's zone

from datetime import datetime
from pathlib import Path

import duckdb

from features.contract import CONTRACT
from features.mapping import mappings_from_dict
from features.quarantine import IngestReport, ingest
from features.sources import open_source

RUN = datetime(2024, 6, 1, 12)
ORDERS = "customer_id,order_id,ordered_at,amount\n"
QUOTES = "customer_id,quote_id,quoted_at,amount,recorded_at\n"

#: Three days of a feed. On each day there is what the days before make bad, double or restated.
DAYS = {
    "2024-05-01": {
        "transactions": ORDERS + "A,1,2024-05-01,100\nB,2,2024-05-01,20.5\nC,3,2024-05-01,7\nA,4,2024-05-04,5\n",
        "quotes": QUOTES + "A,q1,2024-05-01,10,\nB,q2,2024-05-01,10,2024-05-01\n",
    },
    "2024-05-02": {
        # a line of yesterday once more; one that cannot be read; a late one
        "transactions": ORDERS + "A,1,2024-05-01,100\nB,5,2024-05-02,x\nB,6,2024-04-01,8\n",
        # q1 is restated; then once more at the same moment; q2 again, with another amount and no later record
        "quotes": QUOTES
        + "A,q1,2024-05-01,12,2024-05-02\nA,q1,2024-05-01,13,2024-05-02\nB,q2,2024-05-01,9,2024-05-01\n",
    },
    "2024-05-03": {
        # the line that cannot be read once more; an account that is never known
        "transactions": ORDERS + "B,5,2024-05-02,x\nD,7,2024-05-03,1\nC,8,2024-05-03,2\n",
        # q1 is another account's, which it cannot be; a quote of an account that becomes known today
        "quotes": QUOTES + "B,q1,2024-05-01,12,2024-05-03\nC,q3,2024-05-03,1,\n",
    },
}
#: C becomes known with the third day.
KNOWN = {"2024-05-01": "AB", "2024-05-02": "AB", "2024-05-03": "ABC"}


def write(data: Path, name: str, text: str) -> Path:
    """Write a file as text, with a time of change of its own that lies long ago."""
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_day(data: Path, day: str) -> None:
    for table, text in DAYS[day].items():
        write(data, f"{table}/{day}.csv", text)
    write(data, "customers.csv", "customer_id,rank\n" + "".join(f"{name},A\n" for name in KNOWN[day]))


def take_in(data: Path, out: Path, *, run_at=RUN, max_share=1.0, mappings=None, **settings) -> IngestReport:
    source = open_source(data, mappings_from_dict(mappings or {}))
    return ingest(source, out, run_at=run_at, timezone="UTC", max_share=max_share, **settings)


def content(report: IngestReport) -> dict[str, object]:
    """All that an ingest promises, but what it read for it."""
    events = report.events
    held: dict[str, object] = {"report": {**report.to_dict(), "taken": None}}
    for bucket in range(events.buckets):
        with events.connect(bucket) as connection:
            for name in CONTRACT:
                held[f"{name} {bucket}"] = sorted(connection.execute(f"FROM {name}").fetchall(), key=repr)
    for table in report.tables:
        shown = events.folder / "quarantine" / f"{table.table}.parquet"
        held[f"quarantine {table.table}"] = duckdb.sql(f"FROM '{shown}'").fetchall()
    return held


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its content and the number of its place on the disk."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): (path.read_bytes(), path.stat().st_ino) for name, path in found.items()}


def rows(report: IngestReport, query: str) -> list[tuple]:
    found = []
    for bucket in range(report.events.buckets):
        with report.events.connect(bucket) as connection:
            found += connection.execute(query).fetchall()
    return sorted(found)


def second_day_to_come(folder: Path) -> Path:
    """Write ``data`` of two days, of which the first is taken in, in four buckets, in ``out``; return the folder."""
    write_day(folder / "data", "2024-05-01")
    take_in(folder / "data", folder / "out", buckets=4)
    write_day(folder / "data", "2024-05-02")
    return folder
