"""What holds for every test: no telemetry, no files outside temporary folders."""

import tempfile
from pathlib import Path

from pipelines.settings import prepare_environment


def pytest_configure(config):
    # before any test module can import MLflow or Prefect; each worker of pytest-xdist has a folder of its own
    place = tempfile.TemporaryDirectory(prefix="kizashi-tests-")
    config.add_cleanup(place.cleanup)
    prepare_environment(Path(place.name))
