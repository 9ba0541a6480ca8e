"""Whose level moved since the day published before, and why: part of what the daily run publishes."""

from dataclasses import asdict

import pandas as pd

from features.briefs import plain
from pipelines.dated import DatedDay
from pipelines.story import changes_between
from serving.day_records import CHANGE_COLUMNS
from serving.story_words import change_text


def level_changes(earlier: DatedDay, later: DatedDay) -> pd.DataFrame:
    """One row per customer whose level differs between two days: :data:`serving.day_records.CHANGE_COLUMNS`.

    What became known is taken apart by table; `kizashi explain --since` tells every day of it.
    """
    both = earlier.scores[["customer_id", "level"]].merge(
        later.scores[["customer_id", "level", "history"]], on="customer_id", suffixes=("_before", "")
    )
    moved = both[(both["level"] != both["level_before"]) & (both["history"] != "none")]
    found = changes_between(earlier, later, list(moved["customer_id"]), by="table")
    currency = later.intake.settings.project.currency
    rows = [
        {
            "customer_id": who,
            "since": earlier.as_of,
            "level_before": change.before.level,
            "level_after": change.after.level,
            "margin_before": change.before.margin,
            "margin_after": change.after.margin,
            "change": plain(asdict(change)),
            "text": change_text(change, "en", currency),
        }
        for who, change in found.items()
    ]
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS)).astype(
        {"margin_before": "float64", "margin_after": "float64"}
    )
