"""The repository itself: what stands at its top, what goes into the wheel, how long a file may be."""

import importlib
import pkgutil
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from features import errors

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("features", "models", "serving", "pipelines")
FOLDERS = (*PACKAGES, "notebooks", "tests", "benchmarks", "docs")
FILES = ("pyproject.toml", "uv.lock", "README.md", "CHANGELOG.md", "LICENSE", "Makefile")
LONGEST = 420


def git(*arguments):
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone of the repository: there is no .git here")
    answer = subprocess.run(
        [shutil.which("git") or "git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return answer.stdout.splitlines()


def test_the_top_of_the_repository_holds_what_it_should_and_no_more():
    kept = git("ls-files", "--cached", "--others", "--exclude-standard")
    tops = {path.split("/")[0] for path in kept}
    assert sorted(top for top in tops if not top.startswith(".") and top not in (*FOLDERS, *FILES)) == []
    needed = {
        *PACKAGES,
        "tests",
        "docs",
        "pyproject.toml",
        "uv.lock",
        "README.md",
        "LICENSE",
        "Makefile",
        ".ci",
    }
    assert sorted(needed - tops) == []


def test_no_ignore_rule_hides_a_file_of_the_packages():
    hidden = git("ls-files", "--others", "--ignored", "--exclude-standard", "--", *PACKAGES)
    assert [path for path in hidden if "__pycache__" not in path] == []


def test_the_wheel_holds_the_four_packages_and_the_command_that_is_promised():
    assert tuple(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    for name in PACKAGES:
        assert Path(importlib.import_module(name).__file__).parent.parent == ROOT
    assert (ROOT / PROJECT["project"]["license-files"][0]).read_text(encoding="utf-8").count("Apache License") > 0


def test_tests_are_no_package():
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_file_of_the_product_is_too_long_to_read():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_every_error_is_drawn_in_the_tree():
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            importlib.import_module(module.name)
    drawn = dict(re.findall(r"^    .*[`|]-- (\w+) +(.*)$", errors.__doc__, re.MULTILINE))
    found = {kind.__name__: kind.__module__.replace(".", "/") + ".py" for kind in below(errors.KizashiError)}
    found = {name: place for name, place in found.items() if place.split("/")[0] in PACKAGES}
    assert set(drawn) == set(found)
    home = "features/errors.py"
    assert {name: place for name, place in found.items() if place != home and place not in drawn[name]} == {}


def below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


def test_every_target_of_make_is_explained_by_make_help():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split())
    assert {"demo", "test", "lock", "format", "clean", "help"} <= targets
    answer = subprocess.run(
        [shutil.which("make") or "make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(re.findall(r"^make (\w+) ", answer.stdout, re.MULTILINE)) == targets


def test_the_environment_is_made_for_the_python_that_the_project_asks_for():
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"OLDEST_PYTHON := {oldest}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
