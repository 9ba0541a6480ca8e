"""Models from outside on the same customers and dates: each in an environment, and a process, of its own.

The contestants are the folders of ``outside/``: a ``predict.py`` with one function and a ``requirements.txt`` that pins
what it needs, its library first. None of them imports anything of Kizashi, and each is given one cutoff at a time, as
plain files that end there (see outside_exchange.py). One that cannot be installed or does not run is named with its
reason, and the others go on. What they predicted is then judged by standing_table.py.

Example: python benchmarks/outside_models.py --data online_retail_ii.parquet --layout online-retail-ii --out var/judged
"""

# Nothing heavy is imported before the last contestant has run: see resources.py.
import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.resources import REPORTED, StepFailedError, Usage, spent

HERE = Path(__file__).parent
SCRIPTS = HERE / "outside"
RUN = SCRIPTS / "run.py"
ENVIRONMENTS = Path("var") / "outside"
#: The horizon that the standing table judges.
HORIZON = 90


@dataclass(frozen=True)
class Contestant:
    """A folder with ``predict.py``; without ``requirements.txt`` it runs with the Python of this command."""

    folder: Path

    @property
    def name(self) -> str:
        """As in all tables."""
        return self.folder.name

    @property
    def requirements(self) -> Path:
        """The pins; may not exist."""
        return self.folder / "requirements.txt"

    @property
    def library(self) -> tuple[str, str]:
        """Name and version of the first pin; empty without one."""
        if not self.requirements.exists():
            return "", ""
        lines = self.requirements.read_text(encoding="utf-8").splitlines()
        pins = [line.split("#")[0].strip() for line in lines]
        name, _, version = next((pin for pin in pins if pin), "").partition("==")
        return name, version


@dataclass(frozen=True)
class Outcome:
    """How a contestant fared: what it took over all cutoffs together, or why it did not run."""

    contestant: Contestant
    usage: Usage | None
    reason: str = ""

    def record(self) -> dict[str, str | float]:
        """As it is kept beside the predictions."""
        library, version = self.contestant.library
        named: dict[str, str | float] = {"library": library, "version": version}
        if self.usage is None:
            return named | {"failed": self.reason}
        seconds, cpu_seconds = round(self.usage.wall_seconds, 1), round(self.usage.cpu_seconds, 1)
        return named | {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": round(self.usage.peak_mb)}

    def line(self) -> str:
        """A row of the table of costs."""
        library = " ".join(self.contestant.library).strip() or "-"
        if self.usage is None:
            return f"| {self.contestant.name} | {library} | did not run: {self.reason.replace('|', '/')} | | |"
        wall, cpu, peak = self.usage.wall_seconds, self.usage.cpu_seconds, self.usage.peak_mb
        return f"| {self.contestant.name} | {library} | {wall:.1f} | {cpu:.1f} | {peak:,.0f} |"


class UnknownContestantError(ValueError):
    """A name that is no folder of contestants."""


def contestants(scripts: Path, only: Sequence[str] = ()) -> list[Contestant]:
    """The contestants of a folder by name, or those named in `only`.

    Raises
    ------
    UnknownContestantError
        If there are none, or one that is named is not there.
    """
    known = {path.parent.name: Contestant(path.parent) for path in sorted(scripts.glob("*/predict.py"))}
    strange = [name for name in only if name not in known]
    if strange or not known:
        raise UnknownContestantError(
            f"expected contestants of {sorted(known)}, found {strange or 'none'}: each is a folder with a predict.py."
        )
    return [contestant for name, contestant in known.items() if not only or name in only]


def environment(contestant: Contestant, environments: Path, log: Path) -> Path:
    """The Python of a contestant's environment, which is made on the first call and kept until the pins change.

    Contestants with the same pins share one.

    Raises
    ------
    StepFailedError
        If it cannot be made.
    """
    if not contestant.requirements.exists():
        return Path(sys.executable)
    pins = contestant.requirements.read_text(encoding="utf-8") + sys.version
    place = environments.absolute() / hashlib.sha256(pins.encode()).hexdigest()[:12]
    python, made = place / "bin" / "python", place / "made"
    if not made.exists():
        shutil.rmtree(place, ignore_errors=True)
        environments.mkdir(parents=True, exist_ok=True)
        for command in _making(place, python, contestant.requirements):
            spent(command, log)
        made.touch()
    return python


def _making(place: Path, python: Path, requirements: Path) -> list[list[str]]:
    """The commands that make an environment: with uv where it is at hand, else with pip."""
    beside = Path(sys.prefix) / "uv" / "bin" / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "--requirement", str(requirements)]
        return [[uv, "venv", "--quiet", "--python", sys.executable, str(place)], install]
    quiet = ["--quiet", "--disable-pip-version-check"]
    install = [str(python), "-m", "pip", "install", *quiet, "--requirement", str(requirements)]
    return [[sys.executable, "-m", "venv", str(place)], install]


def predicted(contestant: Contestant, exchange: Path, environments: Path, parts: Path) -> Outcome:
    """Let a contestant predict every cutoff of the exchange, one after another, each in a process of its own.

    It writes ``parts/<name>/<cutoff>.parquet``. A failure at any cutoff is a failure of the contestant.
    """
    place = parts / contestant.name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    log = place / "log.txt"
    took = []
    try:
        python = environment(contestant, environments, log)
        for folder in sorted(path for path in exchange.iterdir() if path.is_dir()):
            part = place / f"{folder.name}.parquet"
            script = contestant.folder / "predict.py"
            # Whatever stands in the variables of Python here is not for other environments.
            command = [str(python), "-E", "-s", str(RUN), str(script), str(folder), str(part)]
            took.append(spent(command, log))
    except StepFailedError as error:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return Outcome(contestant, None, said[-1] if said else str(error))
    wall, cpu = sum(use.wall_seconds for use in took), sum(use.cpu_seconds for use in took)
    return Outcome(contestant, Usage(wall, cpu, max(use.peak_mb for use in took)))


def collect(outcomes: Sequence[Outcome], parts: Path, out: Path) -> dict[str, Path]:
    """Write ``<name>.json`` of every contestant, and ``<name>.parquet`` of those that ran; return the latter."""
    import pandas as pd

    files = {}
    for outcome in outcomes:
        name = outcome.contestant.name
        (out / f"{name}.json").write_text(json.dumps(outcome.record(), indent=2) + "\n", encoding="utf-8")
        target = out / f"{name}.parquet"
        target.unlink(missing_ok=True)  # of an earlier run, in which it may have succeeded
        if outcome.usage is not None:
            cutoffs = sorted((parts / name).glob("*.parquet"))
            rows = pd.concat([pd.read_parquet(path) for path in cutoffs], ignore_index=True)
            rows.to_parquet(target, index=False)
            files[name] = target
    return files


def page(outcomes: Sequence[Outcome], arguments: argparse.Namespace) -> str:
    """What every contestant took, as Markdown."""
    lines = [
        "| contestant | library | wall seconds | CPU seconds | peak MB |",
        "|---|---|---:|---:|---:|",
        *(outcome.line() for outcome in outcomes),
        "",
        f"Monthly cutoffs from {arguments.first} to {arguments.last}, no order within {arguments.horizon} days. Each "
        "cutoff is a process of its own; the seconds are those of all of them together, the start of Python included, "
        "the making of the environment not.",
    ]
    return "\n".join(lines) + "\n"


def judging(arguments: argparse.Namespace, files: dict[str, Path]) -> list[str]:
    """The command that judges the predictions, beside the product's own walk where that is wanted."""
    command = [sys.executable, str(HERE / "standing_table.py"), "--data", arguments.data]
    command += ["--layout", arguments.layout] if arguments.layout else []
    command += ["--from", arguments.first, "--to", arguments.last, "--out", str(arguments.out / "standing")]
    command += [] if arguments.product else ["--no-product"]
    for name, path in files.items():
        command += ["--contestant", f"{name}={path}"]
    return command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Let models of other libraries predict the same customers and dates, and judge them.",
        epilog="Example: python benchmarks/outside_models.py --data online_retail_ii.parquet "
        "--layout online-retail-ii --out var/judged",
    )
    parser.add_argument("--data", required=True, help="folder, file or database URL, as for `kizashi backtest`")
    parser.add_argument("--layout", default="", help="ready column mapping, such as online-retail-ii")
    parser.add_argument("--from", dest="first", help="first cutoff")
    parser.add_argument("--to", dest="last", help="last cutoff; one a month until then")
    parser.add_argument("--horizon", type=int, default=HORIZON, help="days without an order that count (%(default)s)")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="contestants to run, instead of all")
    parser.add_argument("--product", action="store_true", help="judge them beside the product's own contestants")
    parser.add_argument("--out", type=Path, required=True, help="folder for predictions, costs and tables")
    parser.add_argument("--scripts", type=Path, default=SCRIPTS, help="folder of the contestants (%(default)s)")
    parser.add_argument(
        "--environments", type=Path, default=ENVIRONMENTS, help="folder in which environments are kept (%(default)s)"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Write the exchange, let everybody predict, tell what it took, and judge."""
    chosen = contestants(arguments.scripts, arguments.only)
    exchange, parts = arguments.out / "exchange", arguments.out / "parts"
    shutil.rmtree(exchange, ignore_errors=True)
    parts.mkdir(parents=True, exist_ok=True)
    print("- the exchange: who is to be predicted, and what was known", file=sys.stderr, flush=True)
    given = ["--data", arguments.data, *(["--layout", arguments.layout] if arguments.layout else [])]
    given += ["--from", arguments.first, "--to", arguments.last, "--horizon", str(arguments.horizon)]
    writing = [sys.executable, str(HERE / "outside_exchange.py"), *given, "--out", str(exchange)]
    spent(writing, arguments.out / "exchange.log")
    outcomes = []
    for contestant in chosen:
        print(f"- {contestant.name}", file=sys.stderr, flush=True)
        outcomes.append(predicted(contestant, exchange, arguments.environments, parts))
    files = collect(outcomes, parts, arguments.out)
    text = page(outcomes, arguments)
    (arguments.out / "outside_models.md").write_text(text, encoding="utf-8")
    print(text, flush=True)
    if not files:
        print("no contestant ran: nothing to judge. The reasons stand in the table.", file=sys.stderr)
        return 1
    if arguments.horizon != HORIZON:
        print(f"the standing table judges {HORIZON} days: the predictions of {arguments.horizon} days are not judged.")
        return 0
    return subprocess.run(judging(arguments, files), check=False).returncode


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; a mistake in what is asked for is one line and exit code 2."""
    parser = _parser()
    arguments = parser.parse_args(given)
    first, last = REPORTED.get(arguments.layout, (None, None))
    arguments.first, arguments.last = arguments.first or first, arguments.last or last
    if not (arguments.first and arguments.last):
        parser.error("give --from and --to, the first and the last cutoff.")
    try:
        return run(arguments)
    except (StepFailedError, UnknownContestantError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
