"""Connections to DuckDB: quiet everywhere, a notebook's kernel included."""

import subprocess
import sys

from features.sql import quiet_connection

#: What DuckDB takes for a Jupyter kernel; without ipywidgets it refuses every change of the progress bar there.
IN_JUPYTER = """
import sys, types
shell = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
sys.modules["ipywidgets"] = None
from features.sql import quiet_connection
print(quiet_connection().execute("SELECT current_setting('enable_progress_bar')").fetchall())
"""


def test_no_progress_is_shown() -> None:
    with quiet_connection() as con:
        assert con.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]


def test_a_jupyter_kernel_without_ipywidgets_can_connect() -> None:
    done = subprocess.run([sys.executable, "-c", IN_JUPYTER], capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.returncode) == ("[(False,)]\n", 0), done.stderr
