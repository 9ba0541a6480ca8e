"""Files that a command writes."""

from pathlib import Path

import pandas as pd


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table aside first, then rename it, so that a reader never sees half a file; makes the folder."""
    aside = with_folder(path).with_name(f".{path.name}.part")
    frame.to_parquet(aside, index=False)
    aside.replace(path)


def with_folder(path: Path) -> Path:
    """The path itself, once its folder is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
