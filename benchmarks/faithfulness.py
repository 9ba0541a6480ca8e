"""Are the reasons those of the model, and do they name what is really the matter? Writes `results/faithfulness/`.

A simulated company, of which the true cause of every loss is known, or any other one, of which it is not. What is
measured and why: docs/reasons.md.

Example: python benchmarks/faithfulness.py --customers 1500 --seed 302
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.faithfulness_figures import Section, table_of
from features.errors import KizashiError

OUT = Path(__file__).parent / "results" / "faithfulness"
MARKERS = ("<!-- faithfulness -->", "<!-- /faithfulness -->")
DOC = Path(__file__).parents[1] / "docs" / "reasons.md"


def measured(arguments: argparse.Namespace, work: Path) -> tuple[list[Section], list[str]]:
    """All sections, and the facts that they depend on.

    Raises
    ------
    KizashiError
        If the data cannot be used.
    """
    # The number of threads is set before NumPy is imported.
    from benchmarks import faithfulness_drivers, faithfulness_exact, faithfulness_made, faithfulness_stable
    from benchmarks.faithfulness_speed import speed
    from benchmarks.faithfulness_told import told, warned
    from models import reasons as why
    from models.classifiers import LIGHTGBM
    from models.selection import ALONE

    data = arguments.data
    if not data:
        data = str(faithfulness_made.simulated(arguments.customers, arguments.seed, work / "company"))
    _say("snapshots and champions")
    company = faithfulness_made.company(data, arguments.layout, arguments.as_of, work / "out")
    cohort, model = company.cohort(company.first), company.model
    spread, count = why.spread_of(cohort), company.intake.settings.reasons.count
    about = warned(model, cohort)
    held = told(model, cohort[about["loud"] | about["early"]], spread, count)
    _say("additivity, deletion and signs")
    sections = [faithfulness_exact.additivity(company)]
    sections.append(faithfulness_exact.deletion(model, held, spread["median"]))
    if model.weights != ALONE[LIGHTGBM]:
        trees = faithfulness_exact.of_kind(model, LIGHTGBM)
        sections.append(
            _named(faithfulness_exact.deletion(trees, told(trees, held.rows, spread, count), spread["median"]))
        )
    if company.truth is not None:
        _say("true drivers")
        sections += faithfulness_drivers.driver_sections(company)
    _say("stability")
    sections.append(faithfulness_stable.stability(company, held))
    _say("placebo")
    sections.append(faithfulness_stable.placebo(company))
    sections.append(faithfulness_exact.signs(held, told(model, cohort, spread, count), spread["median"]))
    if not arguments.no_speed:
        _say("speed")
        sections.append(speed(company, held, spread, work))
    in_use = ", ".join(f"{day:%Y-%m-%d} {one.model.selection.in_use}" for day, one in company.champions.items())
    facts = [
        f"champions: {in_use}; the first learnt from {len(company.champions[company.first].training.rows):,} snapshots",
        f"first date: {company.first:%Y-%m-%d}, {len(cohort):,} customers in the cohort, {int(about['loud'].sum()):,} "
        f"at yellow or louder, {len(held.rows):,} warned about in all",
    ]
    return sections, facts


def _named(section: Section) -> Section:
    return Section(
        f"{section.title}, LightGBM alone", "As above, had LightGBM been chosen.", section.figures, section.remarks
    )


def _say(what: str) -> None:
    print(f"- {what}", file=sys.stderr, flush=True)


def page(sections: Sequence[Section], head: str) -> str:
    """The page as Markdown."""
    parts = ["# Are the reasons true?", head]
    for section in sections:
        parts += [f"## {section.title}", section.about, table_of(section), *section.remarks]
    return "\n\n".join(parts) + "\n"


def summary(sections: Sequence[Section]) -> str:
    """Every figure that has a goal or stands beside another, as one Markdown table."""
    lines = [
        "| question | measure | figure | 95 % interval | customers | beside | goal |",
        "|---|---|---:|---|---:|---|---|",
    ]
    for section in sections:
        rows = table_of(Section("", "", [one for one in section.figures if one.goal or one.beside])).splitlines()[2:]
        lines += [f"| {section.title} {row}" for row in rows]
    return "\n".join(lines)


def update_doc(text: str, table: str) -> str:
    """A page with the table between its markers.

    Raises
    ------
    ValueError
        If it has no markers.
    """
    before, start, rest = text.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    if not start or not end:
        raise ValueError(f"expected the markers {MARKERS[0]} and {MARKERS[1]}")
    return f"{before}{start}\n{table}\n{end}{after}"


def command_of(arguments: argparse.Namespace) -> str:
    """The command that makes the page again."""
    parts = ["python benchmarks/faithfulness.py"]
    if arguments.data:
        parts.append(f"--data {Path(arguments.data).name}")
        parts += [f"--layout {arguments.layout}"] if arguments.layout else []
    else:
        parts.append(f"--customers {arguments.customers} --seed {arguments.seed}")
    parts += [f"--as-of {arguments.as_of}"] if arguments.as_of else []
    return " ".join(parts)


def head(arguments: argparse.Namespace, facts: Sequence[str], load: float) -> str:
    """Where the figures come from."""
    from importlib.metadata import version

    from benchmarks.faithfulness_figures import REPEATS
    from benchmarks.standing_page import DISTRIBUTIONS

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{one} {version(one)}" for one in DISTRIBUTIONS)
    lines = [
        *facts,
        f"intervals: {REPEATS:,} resamples of customers; a goal that is missed is printed as missed",
        f"made on {date.today()}, {cores} cores, {memory:.0f} GB of memory, {platform.system()}; mean number of "
        f"processes that wanted a core at the end {load:.1f}",
        f"versions: {versions}",
    ]
    return f"Made by `{command_of(arguments)}`\n\n" + "\n".join(f"- {line}" for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure whether reasons are those of the model and name the true cause.",
        epilog="Example: python benchmarks/faithfulness.py --customers 1500 --seed 302",
    )
    parser.add_argument("--customers", type=int, default=1500, help="of the simulated company (%(default)s)")
    parser.add_argument("--seed", type=int, default=302, help="of the simulated company (%(default)s)")
    parser.add_argument("--data", default="", help="another company, as for `kizashi train`")
    parser.add_argument("--layout", default="", help="ready column mapping, such as online-retail-ii")
    parser.add_argument("--as-of", type=date.fromisoformat, help="date of the first champion (a year before the end)")
    parser.add_argument("--no-speed", action="store_true", help="leave out what takes a quiet machine")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the page (%(default)s)")
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; a user's mistake is one line and exit code 2."""
    arguments = _parser().parse_args(given)
    from pipelines.settings import prepare_environment

    with tempfile.TemporaryDirectory(prefix="kizashi-faithfulness-") as place:
        prepare_environment(Path(place))
        try:
            sections, facts = measured(arguments, Path(place))
        except KizashiError as error:
            print(error, file=sys.stderr)
            return 2
    text = page(sections, head(arguments, facts, os.getloadavg()[0]))
    name = Path(arguments.data).stem.replace("_", "-") if arguments.data else "simulated"
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{name}.md").write_text(text, encoding="utf-8")
    if not arguments.data and arguments.out == OUT and DOC.is_file():
        table = f"Made by `{command_of(arguments)}`\n\n{summary(sections)}"
        DOC.write_text(update_doc(DOC.read_text(encoding="utf-8"), table), encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
