"""Only the features of this contestant, for benchmarks/features.py: every customer at every one of some cutoffs.

Called as ``python at_cutoffs.py LINES.parquet OUT.parquet 2024-12-01 2025-01-01``.
"""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # where task.py and history.py lie

from predict import synthesised


def main(lines: str, out: str, *as_ofs: str) -> None:
    """Write the features, one row per customer and cutoff that sees any of its lines."""
    orders = pd.read_parquet(lines)
    known = orders.groupby("customer_id")["known_at"].min().reset_index()
    cutoffs = pd.DataFrame({"as_of": pd.to_datetime(list(as_ofs))})
    rows = known.merge(cutoffs, how="cross").query("known_at < as_of")[["customer_id", "as_of"]]
    synthesised(orders, rows.reset_index(drop=True)).to_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
