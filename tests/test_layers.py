"""The house: each folder imports only to its left, and whatever lies outside has one door."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("features", "models", "serving", "pipelines")

CLOCK = (
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "pandas.Timestamp.now",
    "pandas.Timestamp.today",
    "pandas.Timestamp.utcnow",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "time.ctime",
    "time.strftime",
)

#: The modules of `serving` that speak with the database; whoever needs it passes their connections on.
OF_THE_STORE = (
    "store", "reading", "publication", "stepping", "ledger", "projection", "outbox", "idempotency", "backup",
    "loop", "loop_rows", "customer_file", "warning_history", "access", "accounts", "api_once",
)  # fmt: skip

#: What is named in the product -> where it may be named; a name stands for all that is below it.
DOORS = {
    "mlflow": ("models/tracking.py",),
    "prefect": ("pipelines/",),
    **dict.fromkeys(("dask", "distributed", "prefect_dask"), ("pipelines/engines.py", "pipelines/dask_clusters.py")),
    "sqlalchemy": (*(f"serving/{name}.py" for name in OF_THE_STORE), "serving/migrations/"),
    "alembic": ("serving/store.py", "serving/migrations/"),
    **dict.fromkeys(("os.environ", "os.environb", "os.getenv", "os.putenv"), ("pipelines/settings.py",)),
    **dict.fromkeys(CLOCK, ("pipelines/",)),
    **dict.fromkeys(("pickle", "joblib", "cloudpickle", "skops", "marshal", "shelve"), ()),
    **dict.fromkeys(("tests", "benchmarks", "notebooks"), ()),
}

SQL_CLOCK = re.compile(
    r"\b(current_date|current_time|current_timestamp|localtimestamp)\b|\b(now|today)\(\)", re.IGNORECASE
)


def faults(place, source):
    """What `source`, the file at `place`, names that it may not."""
    layer = place.split("/")[0]
    to_the_right = LAYERS[LAYERS.index(layer) + 1 :]
    tree = ast.parse(source)
    found = set()
    for name in names(tree):
        if name.split(".")[0] in to_the_right:
            found.add(f"{place} imports {name}, which stands to its right")
        for door, allowed in DOORS.items():
            if f"{name}.".startswith(f"{door}.") and not place.startswith(allowed or "nowhere"):
                found.add(f"{place} uses {name}, which only {allowed or 'nobody'} may")
    if layer != "pipelines":
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        found |= {f"{place} reads SQL's clock" for text in texts if SQL_CLOCK.search(str(text))}
    return sorted(found)


def names(tree):
    """Every imported name and every dotted use of one, in full: ``datetime.datetime.now``."""
    full = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                full[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that this test can read them"
            for alias in node.names:
                full[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        path, parts = node, []
        while isinstance(path, ast.Attribute):
            parts.append(path.attr)
            path = path.value
        if parts and isinstance(path, ast.Name) and path.id in full:
            yield ".".join([full[path.id], *reversed(parts)])


def sources():
    return sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def test_each_folder_imports_to_its_left_and_goes_through_the_doors():
    assert len(sources()) > len(LAYERS)
    found = []
    for path in sources():
        found += faults(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    assert found == []


@pytest.mark.parametrize(
    ("place", "source", "guilty"),
    [
        ("models/x.py", "from features.labels import outcomes", False),
        ("models/x.py", "import models.btyd", False),
        ("models/x.py", "from serving import records", True),
        ("features/x.py", "def f():\n    import models.btyd", True),
        (
            "features/x.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pipelines.cli",
            True,
        ),
        ("pipelines/x.py", "from serving.store import open_store\nimport prefect", False),
        ("models/x.py", "import mlflow.entities", True),
        ("models/tracking.py", "import mlflow.entities", False),
        ("models/x.py", "import mlflowers", False),
        ("serving/api.py", "import sqlalchemy as sa", True),
        ("serving/store.py", "import sqlalchemy as sa", False),
        ("models/x.py", "from datetime import datetime as d\nd.now()", True),
        ("models/x.py", "import datetime\ndatetime.date.today()", True),
        ("models/x.py", "from time import time", True),
        ("models/x.py", "import time\ntime.perf_counter()", False),
        ("models/x.py", "import pandas as pd\npd.Timestamp.now()", True),
        ("models/x.py", "import pandas as pd\npd.Timestamp('2011-09-01')", False),
        ("pipelines/x.py", "from datetime import datetime\ndatetime.now()", False),
        ("features/x.py", "SQL = 'SELECT current_date - day'", True),
        ("features/x.py", "SQL = 'SELECT NOW() - day'", True),
        ("pipelines/cli.py", "import os\nos.environ['HOME']", True),
        ("pipelines/cli.py", "import os\nos.getenv('HOME')", True),
        ("pipelines/cli.py", "import os\nos.getpid()", False),
        ("pipelines/settings.py", "import os\nos.environ['HOME']", False),
        ("models/x.py", "import pickle", True),
        ("pipelines/x.py", "from notebooks import explore", True),
    ],
)
def test_the_test_of_layers_sees_what_it_should(place, source, guilty):
    assert bool(faults(place, source)) == guilty


IMPORTS = """
import importlib, logging, os, pkgutil, sys
before = dict(os.environ), list(logging.getLogger().handlers)
for layer in sys.argv[1:]:
    package = importlib.import_module(layer)
    for module in pkgutil.walk_packages(package.__path__, layer + "."):
        importlib.import_module(module.name)
assert before == (dict(os.environ), list(logging.getLogger().handlers)), "an import changed the process"
print(sorted({"mlflow", "prefect", "sqlalchemy"} & set(sys.modules)))
"""


def test_features_and_models_import_without_servers_and_leave_nothing_behind(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-c", IMPORTS, "features", "models"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.stderr == ""
    assert answer.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []
