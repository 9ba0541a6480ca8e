"""A process that loads a model and scores its golden rows: ``python -I -m models.golden_child FOLDER MEGABYTES``.

It reads the user's own features, as JSON, from standard input, prints one line, and exits with 0 where all rows score
as recorded and with 1 where the model is refused.
"""

import json
import sys
from pathlib import Path


def main(folder: str, megabytes: str) -> int:
    """Check the model in `folder`; the exit code."""
    _bound(int(megabytes))
    from features.errors import KizashiError
    from features.own import OwnFile, install
    from models import golden

    try:
        install([OwnFile(path, text) for path, text in json.load(sys.stdin)])
        rows = golden.check(Path(folder))
    except KizashiError as refusal:
        print(" ".join(str(refusal).split()))
        return 1
    print(f"the model loads in a process of its own and its {rows} golden rows score as recorded")
    return 0


def _bound(megabytes: int) -> None:
    """Take no more memory than that, and leave no core file behind; where the system has no such limits, nothing."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
