"""The page and the plot of the benchmark of the feature engine, drawn from the measurements in ``features.json``."""

import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

Record = dict[str, Any]

SAID = {
    "product": "the product, listed features",
    "product_as_pandas": "the product, the features of pandas",
    "everything": "the product, all features",
    "by_hand": "SQL by hand",
    "by_hand_at_once": "SQL by hand, all customers at once",
    "by_pandas": "plain pandas",
    "by_featuretools": "featuretools",
}
STEPS = {
    "laid out once": "laid out, once for all cutoffs",
    "order_days": "aggregates of order days",
    "gaps": "gaps between order days",
    "products": "products",
    "product_lines": "product lines",
}
#: The goals: times the CPU of SQL by hand, and memory, at so many lines.
MOST_TIMES, MOST_MB, AT_LINES = 2.0, 4000, 10_000_000


def write(folder: Path) -> None:
    """Write ``features.md`` and ``features.png`` beside ``features.json``."""
    known = json.loads((folder / "features.json").read_text(encoding="utf-8"))
    (folder / "features.md").write_text(page(known), encoding="utf-8")
    draw(known["runs"], folder / "features.png")


def page(known: dict[str, Any]) -> str:
    """The page as Markdown."""
    runs: list[Record] = known["runs"]
    parts = [_head(), _verdict(runs), _sizes(runs), _per_cutoff(runs), _per_line(runs), _others(runs), _ingest(runs)]
    return "\n\n".join(part for part in [*parts, _facts(known)] if part) + "\n"


def _head() -> str:
    return (
        "# What the feature engine costs\n\n"
        "![CPU seconds and peak memory against order lines, and CPU per value of every contestant](features.png)\n\n"
        "*A mark with a white dot: the run was ended early and is counted by the buckets that it had done.*\n\n"
        "Features of every customer at monthly cutoffs, written to Parquet, from the same clean order lines; every "
        "contestant in a process of its own. CPU seconds are user and system time, the start of Python included; peak "
        "MB is the largest resident size. Values of the product and of the SQL are compared one by one in a test."
    )


def _runs(runs: Iterable[Record], contestant: str, **given: int) -> list[Record]:
    """The measurements of a contestant with these properties, by size and cutoffs."""
    given = {"lines_per_order": 10} | given
    found = [one for one in runs if one["contestant"] == contestant and all(one[key] == given[key] for key in given)]
    return sorted(found, key=lambda one: (one["asked_lines"], one["cutoffs"]))


def _cpu(one: Record) -> float:
    """CPU seconds of the whole; of a run that was ended early, in proportion to its buckets."""
    seconds: float = one["cpu_seconds"]
    return seconds * one["buckets"] / one.get("buckets_done", one["buckets"])


def _whole(one: Record) -> bool:
    return bool(one.get("buckets_done", one["buckets"]) == one["buckets"])


def _cpu_said(one: Record) -> str:
    if _whole(one):
        processes = one.get("processes", 1)
        return f"{one['cpu_seconds']:,.1f}" + (f" in {processes} processes together" if processes > 1 else "")
    return f"{one['cpu_seconds']:,.1f} for {one['buckets_done']} of {one['buckets']} buckets: {_cpu(one):,.0f} for all"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    aligned = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, aligned, *rows))


def _verdict(runs: list[Record]) -> str:
    ours, theirs = (_runs(runs, name, asked_lines=AT_LINES, cutoffs=24) for name in ("product", "by_hand"))
    if not (ours and theirs):
        return ""
    times, peak = _cpu(ours[0]) / _cpu(theirs[0]), ours[0]["peak_mb"]
    reached = "reached" if times <= MOST_TIMES and peak < MOST_MB else "missed"
    return (
        f"**The goal** at {AT_LINES / 1e6:.0f} million lines and 24 cutoffs - at most {MOST_TIMES:.0f} times the CPU "
        f"of the same aggregates in SQL by hand, less than {MOST_MB / 1000:.0f} GB - is {reached}: {times:.2f} times, "
        f"{peak / 1000:.1f} GB, {ours[0]['columns']} features."
        + ("" if _whole(ours[0]) and _whole(theirs[0]) else " Runs that were ended early count by the buckets done.")
    )


def _sizes(runs: list[Record]) -> str:
    rows = []
    for one in (run for name in SAID for run in _runs(runs, name)):
        if one["cutoffs"] != 24 and one["asked_lines"] <= AT_LINES:
            continue
        hand = _runs(runs, "by_hand", asked_lines=one["asked_lines"], cutoffs=one["cutoffs"])
        same_list = one["contestant"] in ("product", "by_hand_at_once")
        times = f"{_cpu(one) / _cpu(hand[0]):.2f}" if hand and same_list else "-"
        rows.append(
            [
                SAID[one["contestant"]],
                str(one["cutoffs"]),
                f"{one['lines']:,}",
                f"{one['customers']:,}",
                str(one["buckets"]),
                str(one["columns"]),
                _cpu_said(one),
                f"{_cpu(one) / one['lines'] * 1e6:.1f}",
                f"{one['peak_mb']:,}",
                times,
            ]
        )
    head = ["contestant", "cutoffs", "lines", "customers", "buckets", "features", "CPU seconds"]
    return "## By size\n\n" + _table([*head, "per million lines", "peak MB", "times SQL by hand"], rows)


def _per_cutoff(runs: list[Record]) -> str:
    ours, hand = (
        {one["cutoffs"]: one for one in _runs(runs, name, asked_lines=1_000_000)} for name in ("product", "by_hand")
    )
    shared = sorted(set(ours) & set(hand))
    if len(shared) < 2:
        return ""
    rows = [
        [str(n), f"{_cpu(ours[n]):.1f}", f"{_cpu(hand[n]):.1f}", f"{ours[n]['peak_mb']:,}", f"{hand[n]['peak_mb']:,}"]
        for n in shared
    ]
    first, last = shared[0], shared[-1]
    each, each_by_hand = ((_cpu(of[last]) - _cpu(of[first])) / (last - first) for of in (ours, hand))
    return (
        f"## By cutoffs, {ours[last]['lines']:,} lines\n\n"
        + _table(["cutoffs", "product, CPU s", "SQL by hand, CPU s", "product, peak MB", "SQL by hand, peak MB"], rows)
        + f"\n\nOne cutoff more costs {each:.2f} CPU seconds ({each_by_hand:.2f} by hand)."
    )


def _per_line(runs: list[Record]) -> str:
    sides = [_runs(runs, "by_relation", cutoffs=24, lines_per_order=n) for n in (10, 40)]
    if not all(sides):
        return ""
    few, many = sides[0][0], sides[1][0]
    rows = []
    for step, said in STEPS.items():
        less, more = few["relations"][step], many["relations"][step]
        rows.append([said, f"{less:.2f}", f"{more:.2f}", f"{more / less:.1f}"])
    for name in ("product", "by_hand"):
        pair = [
            _runs(runs, name, cutoffs=24, asked_lines=n, lines_per_order=k)
            for n, k in ((1_000_000, 10), (4_000_000, 40))
        ]
        if all(pair):
            less, more = (_cpu(one[0]) for one in pair)
            rows.append([f"whole process: {SAID[name]}", f"{less:.1f}", f"{more:.1f}", f"{more / less:.1f}"])
    head = ["24 cutoffs, CPU seconds", f"{few['lines']:,} lines", f"{many['lines']:,} lines", "times"]
    return (
        "## Four times the lines, the same customers and order days\n\n"
        + _table(head, rows)
        + "\n\nOrder days and gaps do not know of lines any more; reading and laying out grow with the lines once, "
        "whatever the number of cutoffs. Products and product lines are joined to every cutoff by (customer, thing, "
        "day): they grow with different things bought per order day, which more lines an order are."
    )


def _others(runs: list[Record]) -> str:
    rows = []
    for one in (run for name in ("by_pandas", "by_featuretools") for run in _runs(runs, name)):
        given = {"asked_lines": one["asked_lines"], "cutoffs": one["cutoffs"]}
        same = _runs(runs, "product_as_pandas", **given) if one["contestant"] == "by_pandas" else []
        for run in (one, *same, *_runs(runs, "product", **given)):
            rows.append(
                [
                    SAID[run["contestant"]],
                    f"{run['lines']:,}",
                    str(run["cutoffs"]),
                    str(run["columns"]),
                    _cpu_said(run),
                    f"{per_value(run):.2f}",
                    f"{run['peak_mb']:,}",
                ]
            )
    if not rows:
        return ""
    head = ["contestant", "lines", "cutoffs", "features", "CPU seconds", "CPU seconds per million values", "peak MB"]
    return (
        "## What the others can bear\n\n"
        + _table(head, rows)
        + "\n\nA value is one feature of one customer at one cutoff. pandas computes a part of the list, anew at each "
        "cutoff and with all lines in memory; featuretools makes its own counts, sums, means, spreads and times of "
        "customers, orders and lines, with a cutoff time for each row, over everything and the last 90 and 365 days. "
        "The starts of Python and the libraries weigh most at such sizes."
    )


def per_value(one: Record) -> float:
    """CPU seconds per million features of a customer at a cutoff."""
    return _cpu(one) / (one["customers"] * one["cutoffs"] * one["columns"]) * 1e6


def _ingest(runs: list[Record]) -> str:
    rows = [
        [f"{one['lines']:,}", str(one["buckets"]), f"{one['cpu_seconds']:,.1f}", f"{one['peak_mb']:,}"]
        for one in _runs(runs, "ingest")
    ]
    if not rows:
        return ""
    head = ["clean lines", "buckets", "CPU seconds", "peak MB"]
    return "## Before it: the ingest that checks and partitions the lines\n\n" + _table(head, rows)


def _facts(known: dict[str, Any]) -> str:
    machine = known["machine"]
    return (
        "## How it was measured\n\n"
        "- `python benchmarks/features.py --lines 1000000 10000000 --work var/features`, then "
        "`--lines 100000000 --contestants product`; `--lines` alone draws this page from `features.json` again.\n"
        "- Lines: `benchmarks/feature_lines.py`, drawn from hashes: 20 orders a customer and 10 lines an order on the "
        "average, three years, one line in 40 taken back later under its order's number, one in 50 recorded late; "
        "taken in by the product's own ingest.\n"
        "- The listed features are those of `names()` in `benchmarks/feature_rivals.py`: order days, money, gaps, "
        "season, products, product lines, clocks, and baselines against the customer's own year. The SQL there works "
        "bucket by bucket like the product, on the same files, and aggregates with CASE, which DuckDB does faster than "
        "so many FILTER clauses in one query; the product asks in parts for the same reason. All features are those "
        "that order lines alone give, "
        "robust deviations and peers included.\n"
        f"- Machine: {machine['cores']} cores, {machine['memory_gb']} GB of memory, {machine['system']}, shared with "
        "other work: CPU seconds and their ratios count; wall time is kept in `features.json` and says nothing.\n"
        f"- {known['date']}; duckdb {version('duckdb')}, pandas {version('pandas')}."
    )


def draw(runs: list[Record], path: Path) -> None:
    """CPU and memory against lines, and CPU per value of every contestant."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.8), layout="constrained")
    cpu, memory, bars = figure.subplots(1, 3)
    for name, marker in (("product", "o"), ("by_hand", "s"), ("everything", "^")):
        found = _runs(runs, name, cutoffs=24)
        lines = [one["lines"] for one in found]
        cpu.plot(lines, [_cpu(one) for one in found], marker=marker, label=SAID[name])
        memory.plot(lines, [one["peak_mb"] for one in found], marker=marker, label=SAID[name])
        early = [one for one in found if not _whole(one)]
        cpu.plot([one["lines"] for one in early], [_cpu(one) for one in early], marker, color="white", markersize=3)
    scale = "log" if cpu.has_data() and any(one["cutoffs"] == 24 for one in runs) else "linear"
    cpu.set(xscale=scale, yscale=scale, xlabel="order lines", ylabel="CPU seconds", title="24 monthly cutoffs")
    memory.set(xscale=scale, yscale=scale, xlabel="order lines", ylabel="peak MB", title="bucket by bucket")
    memory.set_ylim(100, 10_000)
    memory.axhline(MOST_MB, color="grey", linestyle=":", linewidth=1)
    cpu.legend(frameon=False, fontsize=8)
    shown = _bars(runs)
    bars.barh([said for said, _ in shown], [value for _, value in shown], log=True)
    bars.set(xlabel="CPU seconds per million values", title="one feature, customer and cutoff")
    bars.invert_yaxis()
    bars.tick_params(axis="y", labelsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _bars(runs: list[Record]) -> list[tuple[str, float]]:
    """Every contestant at the largest size and most cutoffs that it was given, with the product beside each."""
    shown = []
    for name in SAID:
        found = _runs(runs, name)
        if not found:
            continue
        last = found[-1]
        sizes = f"{last['asked_lines'] / 1e6:g} M lines, {last['cutoffs']} cutoffs"
        shown.append((f"{SAID[name]}\n({sizes})", per_value(last)))
    return shown
