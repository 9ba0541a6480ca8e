"""The list of features: the page is current, every feature stands on it, coverage tells what the data give."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from features.catalogue import VIEWS, catalogue, page, with_coverage
from features.contract import CONTRACT
from features.options import OPTIONS
from features.registry import registered

PAGE = Path(__file__).parents[1] / "docs" / "features.md"


def test_the_page_of_features_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_feature_and_option_stands_on_the_page() -> None:
    text = page()
    for one in registered():
        base = re.sub(rf"_({'|'.join(VIEWS)})$", "", one.name)
        assert f"`{one.name}`" in text or f"`{base}` |" in text
    for option in OPTIONS.values():
        assert f"| `{option.name}` |" in text
        assert option.meaning.endswith(".")


def test_the_side_that_worries_stands_in_the_list_and_on_the_page() -> None:
    sides = catalogue().set_index("feature")["worse"]
    assert sides[["complaints_90d", "revenue_90d", "revenue_90d_usual"]].tolist() == ["more", "less", ""]
    rows = {row.split("`")[1]: row for row in page().splitlines() if row.startswith("| `")}
    assert "| service | more |" in rows["complaints_90d"]
    assert "| transaction | less |" in rows["revenue_90d"]
    assert "| transaction |  |" in rows["time_of_year_cos"]


def test_there_are_at_least_two_hundred_features_of_twelve_tables() -> None:
    listed = catalogue()
    assert len(listed) >= 200
    assert listed["feature"].is_unique
    assert set(listed["source"]) >= set(CONTRACT) - {"customers"}
    assert listed["meaning"].str.endswith(".").all()


def test_coverage_is_the_first_day_of_the_source_and_the_share_that_is_unknown() -> None:
    listed = (
        catalogue().set_index("feature").loc[["days_since_last_order", "revenue_90d", "complaints_90d"]].reset_index()
    )
    eligible = pd.DataFrame({"days_since_last_order": [1.0, 2.0], "revenue_90d": [np.nan, 5.0]})
    told = with_coverage(listed, eligible, {"transactions": date(2024, 1, 2)}).set_index("feature")
    assert told["missing_share"].tolist() == [0.0, 0.5, 1.0]
    assert told["covered_from"].tolist()[:2] == [date(2024, 1, 2)] * 2
    assert told["covered_from"].isna().tolist() == [False, False, True]
