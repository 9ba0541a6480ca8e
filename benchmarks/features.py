"""What the feature engine costs: against SQL written by hand, plain pandas and featuretools, from one million lines on.

The measuring itself is in feature_bench.py.

Example: python benchmarks/features.py --lines 1000000 --work var/features
"""

import importlib
import sys
from pathlib import Path

# Python looks in a script's own folder first: every script here would find this file in the place of the package.
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]
if __name__ == "features":
    del sys.modules["features"]
    importlib.import_module("features")
if __name__ == "__main__":
    from benchmarks.feature_bench import main

    sys.exit(main())
