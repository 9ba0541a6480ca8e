"""How precise and how early are rules and health on a company's past? Writes a page of `results/rules/`.

Example: python benchmarks/rule_report.py --data online_retail_ii.parquet --layout online-retail-ii
"""

import argparse
import tempfile
from pathlib import Path

from features.errors import KizashiError
from pipelines.settings import prepare_environment

OUT = Path(__file__).resolve().parent / "results" / "rules"


def main() -> None:
    """Replay the past of the data and write the page."""
    example = "Example: python benchmarks/rule_report.py --data online_retail_ii.parquet --layout online-retail-ii"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog=example)
    parser.add_argument("--data", required=True, help="folder or file, as for `kizashi rules`")
    parser.add_argument("--layout", default="", help="ready column mapping, such as online-retail-ii")
    parser.add_argument("--predictions", type=Path, help="file of `kizashi backtest`; its dates are taken")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        prepare_environment(Path(work))
        try:
            page = report(given, Path(work))
        except KizashiError as refused:
            parser.exit(2, f"{refused}\n")
    print(page)


def report(given: argparse.Namespace, work: Path) -> Path:
    """Write the page of one company; returns its file."""
    # the number of threads is set before NumPy is imported
    from benchmarks.standing_truth import simulated_by
    from pipelines.console_rules import markdown
    from pipelines.intake import Request, take_in
    from pipelines.rule_report import rule_report

    data, name = Path(given.data), Path(given.data).stem.replace("_", "-")
    found = rule_report(take_in(Request(given.data, work, layout=given.layout)), predictions=given.predictions)
    options = f" --layout {given.layout}" if given.layout else ""
    options += f" --predictions {given.predictions.name}" if given.predictions else ""
    given.out.mkdir(parents=True, exist_ok=True)
    page: Path = given.out / f"{name}.md"
    command = f"python benchmarks/rule_report.py --data {data.name}{options}"
    text = markdown(found, f"`{data.name}`", command)
    if made := simulated_by(given.data):
        text += f"- `{data.name}`: {made}.\n"
    page.write_text(text, encoding="utf-8")
    return page


if __name__ == "__main__":
    main()
