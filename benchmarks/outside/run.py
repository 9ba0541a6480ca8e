"""Runs one contestant at one cutoff, with the Python of that contestant's environment.

A contestant is a file with a function ``predict(task) -> probabilities``, one for each row of ``task.test`` in its
order. Called by benchmarks/outside_models.py as ``python run.py PREDICT.py FOLDER OUT.parquet``.
"""

import os
import runpy
import sys
from pathlib import Path

#: Read by the libraries when they are imported, so set before that: more threads only wait for each other.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(script: str, folder: str, out: str) -> None:
    """Predict the test rows of `folder` and write ``customer_id``, ``as_of`` and ``probability``.

    Raises
    ------
    SystemExit
        With one line, if there is not one probability within 0 to 1 for each row.
    """
    for name in THREADS:
        os.environ.setdefault(name, "2")
    import numpy as np
    from task import read

    task = read(Path(folder))
    probability = np.asarray(runpy.run_path(script)["predict"](task), dtype="float64")
    if probability.shape != (len(task.test),):
        sys.exit(f"expected {len(task.test)} probabilities, one per row to be predicted; found {probability.shape}.")
    wrong = int((~((probability >= 0) & (probability <= 1))).sum())
    if wrong:
        sys.exit(f"expected probabilities within 0 to 1; {wrong} of {len(probability)} are not, or are missing.")
    task.test.assign(probability=probability).to_parquet(out, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
