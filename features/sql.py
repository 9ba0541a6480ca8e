"""A quiet DuckDB connection, and names and texts written safely into SQL."""

from pathlib import Path

import duckdb

THREADS = 2


def quiet_connection(**settings: str | int | bool) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB connection: threads capped, UTC, nothing downloaded, no progress bar.

    ``settings`` are DuckDB's own, such as ``memory_limit`` and ``temp_directory``.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": THREADS,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        **settings,
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    # In a Jupyter kernel without ipywidgets it is off already, and DuckDB refuses every change of it.
    if connection.execute("SELECT current_setting('enable_progress_bar')").fetchall()[0][0]:
        connection.execute("SET enable_progress_bar = false")
    return connection


def text_sql(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def name_sql(name: str) -> str:
    """A column or table name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def path_sql(path: Path | str, *parts: str) -> str:
    """A file's path as an SQL literal that DuckDB does not take for a pattern; ``parts`` may hold ``*``."""
    exact = "".join(f"[{letter}]" if letter in "[*?" else letter for letter in str(path))
    return text_sql("/".join((exact, *parts)))


def one_line(error: BaseException) -> str:
    """The first sentence of a driver's error, without its line breaks."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
