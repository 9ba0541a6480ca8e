"""The numbers that stand in the modules of the simulated world, read from their sources with the reasons beside them.

A number that is not in `Preset` or in a declaration still makes the world what it is; this is how the page shows all.
"""

import ast
import importlib
import inspect
import io
import pkgutil
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import features.simulate

# These hold a clock, names or sentences, the page itself, or declarations that the page shows one by one.
LEFT_OUT = frozenset({"arrays", "constants", "names", "page", "page_words", "phrases", "presets", "signals"})


@dataclass(frozen=True)
class Constant:
    """A number of a module, or some that are set together: `name` and `value` as they stand, `why` may be empty."""

    module: str
    name: str
    value: str
    why: str


def modules() -> tuple[ModuleType, ...]:
    """The modules of the simulated world whose numbers are shown, in order of their names."""
    found = (module.name for module in pkgutil.iter_modules(features.simulate.__path__))
    return tuple(importlib.import_module(f"features.simulate.{name}") for name in sorted(set(found) - LEFT_OUT))


def constants(module: ModuleType) -> Iterator[Constant]:
    """Every number, tuple or mapping of numbers at the top level of a module, in order.

    Numbers that only tell things apart (0, 1, 2, ... in one assignment, or an index into a list) are left out.
    """
    source = inspect.getsource(module)
    comments = dict(_comments(source))
    short = module.__name__.rpartition(".")[2]
    for node in ast.parse(source).body:
        names = _names(node)
        if not names or not all(name.strip("_").isupper() for name in names):
            continue
        values = [getattr(module, name) for name in names]
        why = _why(node, comments)
        numbers = list(values[0].values()) if isinstance(values[0], dict) else values
        telling_apart = len(numbers) > 1 and numbers == list(range(len(numbers)))
        if all(_numeric(value) for value in values) and not telling_apart and not why.startswith("index into"):
            yield Constant(short, ", ".join(names), ", ".join(map(_shown, values)), why)


def _names(node: ast.stmt) -> list[str]:
    """The names that an assignment gives a value; none for other statements."""
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    else:
        return []
    flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [part.id for part in flat if isinstance(part, ast.Name)]


def _comments(source: str) -> Iterator[tuple[int, tuple[bool, str]]]:
    """Line number, whether the comment has the line for itself, and its words."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("# fmt", "# type", "# noqa")):
            alone = token.line.strip().startswith("#")
            yield token.start[0], (alone, token.string.lstrip("#: ").strip())


def _why(node: ast.stmt, comments: dict[int, tuple[bool, str]]) -> str:
    """The comments inside an assignment; without one, those on the lines right above it."""
    last = node.end_lineno or node.lineno
    inside = [comments[line][1] for line in range(node.lineno, last + 1) if line in comments]
    above: list[str] = []
    line = node.lineno - 1
    while not inside and line in comments and comments[line][0]:
        above.insert(0, comments[line][1])
        line -= 1
    return " ".join(inside or above)


def _numeric(value: object) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(_numeric(part) for part in value.values())
    if isinstance(value, tuple):
        return bool(value) and all(_numeric(part) for part in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value:g}"
