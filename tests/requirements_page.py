"""The page of requirements, made from the tests: each row, its rule, and the tests that bear its id.

``python tests/requirements_page.py > docs/requirements.md`` writes it again; `make docs` does that too.
"""

import ast
import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = TESTS.parent / "docs" / "requirements.csv"
_ID = re.compile(r"test_([a-z]{2})_(\d\d)(?=_)")

SECTIONS = {
    "DM": "Data model and fields",
    "FE": "Features",
    "RB": "Rules and baselines",
    "HS": "Health score",
    "WL": "Warning levels",
    "LV": "Lists, dashboards, views",
    "WF": "Workflows and tasks",
    "CL": "Closed loop and learning",
    "ML": "Model, retraining, evaluation, rollout",
    "HR": "Headline results and claims",
    "OP": "Operating and platform",
}
HEAD = ("| id | what | rule | numbers | state | tests |", "|---|---|---|---|---|---|")
KINDS = {
    "given": "the numbers are the source's own",
    "ours": "the source names the capability, the numbers are our defaults",
    "later": "the source calls it future work",
    "context": "nothing to build",
}


@dataclass(frozen=True)
class Row:
    """One requirement: id, kind of its numbers (:data:`KINDS`), what is wanted, the rule, the acceptance test."""

    id: str
    kind: str
    what: str
    rule: str
    test: str


def rows() -> list[Row]:
    """Every row, in the order of the page."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def held_by() -> dict[str, list[str]]:
    """Id of a row -> ``file::test`` of every test whose name begins with it."""
    found = defaultdict(list)
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (named := _ID.match(node.name)):
                found[f"{named[1].upper()}-{named[2]}"].append(f"{path.name}::{node.name}")
    return dict(found)


def state(row: Row, tests: dict[str, list[str]]) -> str:
    """What can be said of a row: held by tests, context, later, or open."""
    if row.id in tests:
        return "held"
    return {"context": "context", "later": "later"}.get(row.kind, "**open**")


def page() -> str:
    """The page in Markdown."""
    tests = held_by()
    every = rows()
    counted = [f"{sum(state(row, tests) == one for row in every)} {one.strip('*')}" for one in _states(every, tests)]
    lines = [
        "# Requirements",
        "",
        "Made from the tests by `make docs`: a row is *held* when tests bear its id (`test_rb_01_...`); those tests "
        f"run with all others in `make test`. {len(every)} rows: {', '.join(counted)}.",
        "",
        "Numbers: " + "; ".join(f"*{name}*: {text}" for name, text in KINDS.items()) + ".",
    ]
    for code, title in SECTIONS.items():
        lines += [
            "",
            f"## {code}. {title}",
            "",
            *HEAD,
        ]
        for row in every:
            if row.id.startswith(code):
                named = "<br>".join(f"`{one}`" for one in tests.get(row.id, []))
                cells = (row.id, _cell(row.what), _cell(row.rule), row.kind, state(row, tests), named)
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _states(every: list[Row], tests: dict[str, list[str]]) -> list[str]:
    return sorted({state(row, tests) for row in every}, key="held later context **open**".index)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(page(), end="")
