"""Each notebook runs from top to bottom as a plain script, makes its figures, and calls public functions only."""

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from companies import DAY, Company

from models.tracking import Tracking
from pipelines.promotion import keep_walk
from pipelines.settings import tracking_folder

pytest_plugins = ["trained"]

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
PACKAGES = ("features", "models", "pipelines", "serving")
#: Notebooks that are given a trained company with its backtest; the others make what they need for themselves.
GIVEN = ("02_why_was_this_customer_flagged", "03_compare_two_models")
#: What each one is there to say.
SAID = {
    "01_tour_of_the_data": r"transactions: \d+ rows = \d+ clean \+ [1-9]\d* quarantined",
    "02_why_was_this_customer_flagged": r"base \S+ and reasons \S+ make (\S+), the margin is \1;",
    "03_compare_two_models": r"version 2: would be refused",
    "04_find_your_own_horizon": r"Take .*: .* come back",
}
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def prepared(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with the company's champion, a challenger that has it backwards, and its backtest."""
    out = company.register_at(tmp_path_factory.mktemp("notebooks") / "out")
    shutil.copy(company.predictions, out / "predictions.parquet")
    tracking = Tracking(tracking_folder(out))
    copied = shutil.copytree(tracking.champion_folder(), out / "challenger")
    version = tracking.log_training(
        name=str(DAY),
        params={},
        data_fingerprint="5f",
        folds=pd.DataFrame({"auc": [0.5]}),
        metrics=[],
        figures={},
        model=Path(copied),
        alias="challenger",
    )
    walk = pd.read_parquet(out / "walks" / "1.parquet")
    mine = walk["contestant"] == "champion"
    # as bad as can be: the higher the champion's probability, the lower the challenger's
    keep_walk(out, version.number, walk.assign(probability=walk["probability"].where(~mine, 1 - walk["probability"])))
    return out


def cells(path: Path) -> list[tuple[str, str]]:
    """Kind (``markdown`` or ``code``) and text of each cell of a notebook in the percent format."""
    _, *parts = re.split(r"^# %%(.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    heads, texts = parts[::2], parts[1::2]
    assert set(heads) <= {"", " [markdown]"}
    return [("markdown" if head else "code", text.strip("\n")) for head, text in zip(heads, texts, strict=True)]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> dict[str, object]:
    """What a notebook imports of this project, by the name that it has there."""
    found = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in PACKAGES:
            home = importlib.import_module(node.module)
            found |= {one.asname or one.name: getattr(home, one.name) for one in node.names}
    return found


def figures(path: Path) -> list[str]:
    """Names of the figures that a notebook shows."""
    return [
        node.args[1].value
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "show"
    ]


@EVERY
def test_a_notebook_runs_from_top_to_bottom_and_makes_its_figures(path, tmp_path, monkeypatch, request):
    out = tmp_path / "var" / "notebooks"
    monkeypatch.delenv("KIZASHI_NOTEBOOK_DATA", raising=False)
    monkeypatch.delenv("KIZASHI_NOTEBOOK_OUT", raising=False)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    if path.stem in GIVEN:
        out = request.getfixturevalue("prepared")
        monkeypatch.setenv("KIZASHI_NOTEBOOK_DATA", str(request.getfixturevalue("company").data))
        monkeypatch.setenv("KIZASHI_NOTEBOOK_OUT", str(out))
    run = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert re.search(SAID[path.stem], run.stdout), run.stdout
    made = {figure.stem for figure in (out / "plots").glob("*.png")}
    assert sorted(set(figures(path)) - made) == []


@EVERY
def test_a_notebook_is_in_the_percent_format(path):
    header = path.read_text(encoding="utf-8").split("# %%")[0]
    # without the extension jupytext takes the file for its light format, and cells fall apart
    assert "#     text_representation:\n#       extension: .py\n#       format_name: percent\n" in header
    found = cells(path)
    kind, title = found[0]
    assert kind == "markdown"
    assert title.startswith("# # ")
    assert {kind for kind, _ in found} == {"markdown", "code"}
    for kind, text in found:
        if kind == "markdown":
            assert [line for line in text.splitlines() if not re.match("# |#$", line)] == []
        else:
            ast.parse(text)


@EVERY
def test_a_notebook_calls_public_functions_only(path):
    private = [
        name
        for node in ast.walk(tree(path))
        for name in (
            [node.attr] if isinstance(node, ast.Attribute) else
            [one.name for one in node.names] if isinstance(node, ast.ImportFrom) else
            []
        )
        if name.startswith("_")
    ]  # fmt: skip
    assert private == []
    assert imported(path)


@EVERY
def test_every_call_in_a_notebook_fits_the_function_that_it_names(path):
    known = {name: one for name, one in imported(path).items() if callable(one)}
    calls = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known
    ]
    assert calls
    for call in calls:
        given = {word.arg: None for word in call.keywords if word.arg}
        splatted = len(given) < len(call.keywords)
        signature = inspect.signature(known[call.func.id])
        (signature.bind_partial if splatted else signature.bind)(*[None] * len(call.args), **given)


def test_all_notebooks_begin_with_the_same_company():
    made = {cells(path)[2] for path in NOTEBOOKS}
    assert len(made) == 1
    assert "prepare_environment(OUT)" in made.pop()[1]


def test_no_two_figures_have_one_name():
    names = [name for path in NOTEBOOKS for name in figures(path)]
    assert sorted(names) == sorted(set(names))


def test_every_notebook_is_told_of_and_has_something_to_say():
    assert [path.stem for path in NOTEBOOKS] == sorted(SAID)
    page = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert sorted(set(re.findall(r"\]\((\w+\.py)\)", page))) == [path.name for path in NOTEBOOKS]
