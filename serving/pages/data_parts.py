"""What the page of the data shows: tables and their age, rows set aside, how much is known of customers, the model."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from features.contract import CONTRACT
from features.registry import REGISTRY, registered
from features.source_record import SourceRecord, TakenTable
from models.completeness import GRADES
from serving.pages.view import View
from serving.wording import cohort_reason, dimension_name
from serving.words.names import COHORTS
from serving.words.speech import plural, text

Row = dict[str, Any]

#: The tables of the contract as people call them.
TABLES: Mapping[str, str] = {
    "customers": text("Customers"),
    "contacts": text("Contact persons"),
    "transactions": text("Orders"),
    "interactions": text("Contacts and visits"),
    "quotes": text("Quotes"),
    "services": text("Service tickets"),
    "finances": text("Invoices and payments"),
    "partnerships": text("Joint activities"),
    "account_changes": text("Changes of the customer file"),
    "promotions": text("Promotions"),
    "contracts": text("Contracts"),
    "absences": text("Absences"),
    "market_events": text("Market events"),
}
#: Days without a new row from which on a table counts as old; the others may well rest for months.
OLD_AFTER = {
    "transactions": 7, "interactions": 7, "quotes": 30, "services": 30, "finances": 30, "account_changes": 30,
}  # fmt: skip
#: Kind of what is wrong with a row -> what it is, and what to do.
FAULTS: Mapping[str, tuple[str, str]] = {
    "missing": (text("A required value is missing"), text("Fill the value in the source.")),
    "not_a_date": (
        text("Not a date"),
        text("Write days as 2026-01-31, or give the format of the column in kizashi.toml."),
    ),
    "not_a_number": (text("Not a number"), text("Write numbers without words and thousands separators.")),
    "not_true_or_false": (text("Neither true nor false"), text("Write true or false.")),
    "not_finite": (text("Not a finite number"), text("Leave the value empty if it is not known.")),
    "out_of_range": (text("Out of range"), text("Correct the value in the source: it lies outside what can be.")),
    "unknown_value": (text("Not one of the known values"), text("Use one of the values that the contract names.")),
    "duplicate_key": (
        text("The key stands in an earlier row with other values"),
        text("Keep one row for each key; the first one counts."),
    ),
    "in_the_future": (
        text("After the moment of the run"),
        text("Nothing to do if the day is right: the row comes in once its day has come."),
    ),
    "unknown_customer": (
        text("The customer is not in the customers' table"),
        text("Add the customer: the row then comes in with the next run."),
    ),
    "mapping_check": (
        text("Does not pass a check of the mapping"),
        text("Correct the value, or the check under [sources] in kizashi.toml."),
    ),
    "ragged_row": (
        text("More or fewer fields than the header"),
        text("Put quotes around texts that hold the separator."),
    ),
}
_GRADES = {
    "A": text("A long history, and at least two sources besides orders know the customer."),
    "B": text("A long history; or a fair one with at least two sources besides orders."),
    "C": text("A fair history; or a short one with at least two sources besides orders."),
    "D": text("Less than that: treat the probability with care."),
}
_FEATURES = plural("{n} feature", "{n} features")
#: Characters of a value from the source that are shown.
LONGEST_VALUE = 120


def table_name(name: str, view: View) -> str:
    """A table of the contract as people call it."""
    return view.say(TABLES[name]) if name in TABLES else name


def source_rows(record: SourceRecord, as_of: date, view: View) -> list[Row]:
    """A row for each table that was taken in."""
    return [_source(table, as_of, view) for table in record.tables]


def _source(table: TakenTable, as_of: date, view: View) -> Row:
    age = None if table.last is None else max((as_of - table.last).days, 0)
    most = OLD_AFTER.get(table.name)
    return {
        "name": table_name(table.name, view),
        "code": table.name,
        "source": table.source,
        "rows": view.number(table.clean),
        "first": view.day(table.first),
        "last": view.day(table.last),
        "age": view.days(age),
        "old": most is not None and age is not None and age > most,
        "filled": view.number(len(table.filled)),
        "columns": view.number(len(CONTRACT[table.name].columns)),
    }


def absent_rows(record: SourceRecord, view: View) -> list[Row]:
    """A row for each table that is not there: what it would add."""
    rows = []
    for name in record.absent:
        features = [one for one in registered() if name in one.sources]
        dimensions = dict.fromkeys(one.dimension for one in features)
        told = view.say(text(", ")).join(dimension_name(one, view.locale) for one in dimensions)
        rows.append(
            {
                "name": table_name(name, view),
                "code": name,
                "adds": view.say(
                    text("{features}, of these sides of the relation: {dimensions}."),
                    features=view.count(_FEATURES, len(features)),
                    dimensions=told,
                )
                if features
                else view.say(text("Facts for lists and tasks alone.")),
            }
        )
    return rows


def sums(record: SourceRecord, view: View) -> Row:
    """Where every row went, as a table with its sum."""
    names = ("rows_in", "clean", "quarantined", "duplicates")
    rows = [
        (table_name(table.name, view), *(getattr(table, name) for name in names), table.quarantined / table.rows_in)
        if table.rows_in
        else (table_name(table.name, view), 0, 0, 0, 0, None)
        for table in record.tables
    ]
    whole = [sum(getattr(table, name) for table in record.tables) for name in names]
    share = whole[2] / whole[0] if whole[0] else None
    told = [{"cells": _sum_cells(row, view), "sum": False} for row in rows]
    told.append({"cells": _sum_cells((view.say(text("In all")), *whole, share), view), "sum": True})
    headings = (
        text("Table"), text("Rows in"), text("= clean"), text("+ set aside"), text("+ exact duplicates"),
        text("Share set aside"),
    )  # fmt: skip
    return {
        "caption": view.say(text("Rows in are the sum of clean rows, rows set aside and exact duplicates")),
        "columns": _columns(headings, view),
        "rows": told,
    }


def _sum_cells(row: tuple[Any, ...], view: View) -> list[str]:
    return [row[0], *(view.number(one) for one in row[1:-1]), view.share(row[-1])]


def _columns(headings: tuple[str, ...], view: View) -> list[Row]:
    return [{"heading": view.say(one), "look": "number" if place else ""} for place, one in enumerate(headings)]


def fault_rows(record: SourceRecord, view: View) -> list[Row]:
    """A row for each table and kind of problem, the most frequent first."""
    rows = [(table, reason) for table in record.tables for reason in table.reasons]
    return [
        {
            "table": table_name(table.name, view),
            "column": reason.column,
            "fault": fault_name(reason.kind, reason.words, view),
            "mend": mend(reason.kind, view),
            "rows": view.number(reason.rows),
            "address": view.link("data", "quarantine", table=table.name, reason=reason.kind, column=reason.column),
        }
        for table, reason in sorted(rows, key=lambda one: -one[1].rows)
    ]


def fault_name(kind: str, words: str, view: View) -> str:
    """What is wrong with a row."""
    return view.say(FAULTS[kind][0]) if kind in FAULTS else words


def mend(kind: str, view: View) -> str:
    """What to do about a row."""
    return view.say(FAULTS[kind][1]) if kind in FAULTS else ""


def shortened(value: Any) -> str:
    """A value from the source, cut where it is long."""
    if value is None or value != value:
        return ""
    told = str(value)
    return told if len(told) <= LONGEST_VALUE else told[: LONGEST_VALUE - 1] + "…"


def cohort_table(profile: pd.DataFrame, view: View) -> Row:
    """How many customers can be warned about, and why the others cannot."""
    counts = profile["cohort"].value_counts()
    codes = [code for code in COHORTS if code in counts]
    rows = [(cohort_reason(code, locale=view.locale), int(counts[code])) for code in codes]
    return _counted(view.say(text("Who can be warned about")), view.say(text("State")), rows, len(profile), view)


def grade_table(profile: pd.DataFrame, view: View) -> Row:
    """How many customers have each grade of completeness, with what the grade means."""
    counts = profile["completeness"].value_counts()
    rows = [
        (view.say(text("{grade}: {meaning}"), grade=grade, meaning=view.say(_GRADES[grade])), int(counts.get(grade, 0)))
        for grade in GRADES
    ]
    return _counted(view.say(text("Grades of completeness")), view.say(text("Grade")), rows, sum(counts), view)


def health_table(health: pd.DataFrame, customers: int, view: View) -> Row:
    """Of how many customers each dimension of the health is known."""
    names = [column.removeprefix("health_") for column in health.columns if column.startswith("health_")]
    dimensions = [name for name in names if name in ("transaction", "interaction", "service", "finance", "strategy")]
    known = health["known_dimensions"].fillna("").astype(str).str.split(", ")
    rows = [
        (dimension_name(name, view.locale), int(known.map(lambda all_, one=name: one in all_).sum()))
        for name in dimensions
    ]
    return _counted(
        view.say(text("Dimensions of the health that are known")), view.say(text("Dimension")), rows, customers, view
    )


def family_table(profile: pd.DataFrame, view: View) -> Row:
    """Of the features that a day keeps for lists and rules: the mean share of customers of whom they are known."""
    families: dict[str, list[str]] = {}
    for column in profile.columns:
        if column in REGISTRY:
            families.setdefault(REGISTRY[column].dimension, []).append(column)
    rows = []
    for dimension, columns in families.items():
        known = float(profile[columns].notna().to_numpy().mean()) if len(profile) else None
        cells = [dimension_name(dimension, view.locale), view.number(len(columns)), view.share(known)]
        rows.append({"cells": cells, "sum": False})
    headings = (text("Dimension"), text("Features kept"), text("Known on average"))
    return {
        "caption": view.say(text("Features that lists and rules read")),
        "columns": _columns(headings, view),
        "rows": rows,
    }


def _counted(caption: str, first: str, rows: list[tuple[str, int]], whole: int, view: View) -> Row:
    told = [
        {"cells": [name, view.number(n), view.share(n / whole if whole else None)], "sum": False} for name, n in rows
    ]
    columns = [{"heading": first, "look": ""}]
    columns += [{"heading": view.say(one), "look": "number"} for one in (text("Customers"), text("Share"))]
    return {"caption": caption, "columns": columns, "rows": told}


def model_facts(model: Mapping[str, Any] | None, version: str, runs: pd.DataFrame, view: View) -> list[Row]:
    """The model of the newest day: which, trained when, on what."""
    mine = runs[runs["model_version"] == version]
    facts = [
        (text("Version"), [version]),
        (text("In use since"), [view.day(mine["as_of"].min().date())] if len(mine) else []),
    ]
    if model is not None:
        told = model["facts"]
        facts += [
            (text("Trained on what was known on"), [view.day(told.get("trained_as_of"))]),
            (text("Customers it learnt from"), [view.number(told.get("customers"))]),
            (text("Features it reads"), [view.number(len(model.get("features", ())))]),
            (text("Fingerprint of the data"), [str(told.get("data_fingerprint", ""))[:16]]),
        ]
    return [{"label": view.say(label), "lines": lines} for label, lines in facts if lines]
