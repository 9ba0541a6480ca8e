"""What each source adds over the orders alone: ranking and early warning on a simulated company.

The same company is read with the orders alone, with other tables beside them, and with all but some; everybody is
judged on the same customers and dates, paired with the orders alone. Nothing is tuned on it.

Example: python benchmarks/ablation.py --data world-normal --from 2025-08-01 --to 2026-07-01
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks import ablation_walk, standing_truth
from benchmarks.ablation_walk import ALL, ORDERS, SETS, Dates
from benchmarks.standing_early import with_revenue
from benchmarks.standing_given import WARNS_BY, chance
from benchmarks.standing_page import DISTRIBUTIONS, figure, markdown
from benchmarks.standing_truth import Truth, simulated_by
from features.errors import KizashiError, SettingsError
from features.labels import derive
from features.registry import registered
from models import evaluation
from models.classifiers import LIGHTGBM
from models.earliness import EARLY, RANDOM, USUAL, earliness_table
from models.folds import CHAMPION, KEYS
from models.rules import RULES
from pipelines.train import REPEATS, SHOWN_HORIZON

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUT = Path(__file__).parent / "results" / "ablation"
FILE, PLOT = "ablation.md", "ablation.png"
#: Seed of the resamples of customers.
DRAWS = 101
#: Set -> how it is called on the page.
WORDS = {
    ORDERS: "orders alone",
    "interactions": "+ interactions",
    "interactions_services": "+ interactions and services",
    "interactions_services_finances": "+ interactions, services and finances",
    ALL: "all tables",
    "services": "+ services",
    "finances": "+ finances",
    "others": "+ the other tables",
    "without_interactions": "all but interactions",
    "without_services": "all but services",
    "without_finances": "all but finances",
}
REFERENCES = {
    standing_truth.LATENT: "oracle: latent state",
    standing_truth.FILTER: "oracle: particle filter",
    **{rule.name: f"rule: {rule.name.replace('_', ' ')}" for rule in RULES},
    RANDOM: "random",
}
SILENT, LOST, COMING = "no_order_90", "lost_90", "coming_90"
WARNED = "warned_60"
#: Outcome -> the column of a prediction that ranks for it, as in the standing table.
RANKS_BY = {SILENT: f"p_no_order_{SHOWN_HORIZON}", LOST: "churn_probability"}
#: Outcome -> the score that everybody is ranked by; a loss to come is ranked by what warns of it.
SCORES = {SILENT: "by_no_order_90", LOST: "by_lost_90", COMING: WARNS_BY}


@dataclass(frozen=True)
class Ablation:
    """The figures of every set, and of whom they are read beside.

    Attributes
    ----------
    table
        One row per set and model (``champion``, ``lightgbm``): ``set``, ``model``, ``columns`` (features that it has),
        then with ``_low`` and ``_high``: ``no_order_90``, ``lost_90``, ``coming_90`` (AUC), ``warned_60``,
        ``precision``; with ``_lead`` the AUC over the orders alone; ``times_baseline``: ``warned_60`` over theirs.
    references
        The same figures of oracles, rules and chance; ``contestant`` names them.
    facts
        What the page says of rows and dates.
    """

    table: pd.DataFrame
    references: pd.DataFrame
    facts: Mapping[str, str]


def made(data: Path, names: Sequence[str], first: date, last: date, work: Path) -> None:
    """Write the predictions of each set into a folder; those that are there already stay.

    ``base.parquet`` has who is judged, ``<set>.parquet`` what was said of them.

    Raises
    ------
    SettingsError
        If the folder holds predictions of other data or dates.
    """
    record, asked = work / "asked.txt", f"{simulated_by(str(data))}\n{first} to {last}"
    if record.is_file() and record.read_text(encoding="utf-8") != asked:
        raise SettingsError(f"{work}: it holds predictions of other data or dates. Give another --work, or remove it.")
    record.write_text(asked, encoding="utf-8")
    for name in (ORDERS, *(name for name in names if name != ORDERS)):
        file = work / f"{name}.parquet"
        if file.is_file():
            continue
        intake = ablation_walk.intake_of(data, SETS[name], work / name)
        dates = Dates.between(first, last, intake.first_order() + timedelta(days=60))
        options = replace(intake.walk_options(), threads=1)
        table = ablation_walk.snapshots(intake, dates)
        if name == ORDERS:
            ablation_walk.rhythms(table, options.seed).to_parquet(work / "rhythms.parquet")
            rows = ablation_walk.base_rows(table, dates.cutoffs, intake.observed_until)
            rows.to_parquet(work / "base.parquet")
        table = ablation_walk.with_rhythms(table, pd.read_parquet(work / "rhythms.parquet"))
        held = sum(one.name in table.frame for one in registered())
        ablation_walk.predictions(table, dates, options).assign(columns=held).to_parquet(file)


def measured(data: Path, names: Sequence[str], work: Path, repeats: int = REPEATS) -> Ablation:
    """The figures of the sets whose predictions are in a folder.

    Raises
    ------
    SettingsError
        If the data has no truth.
    """
    truth = standing_truth.read(str(data))
    if truth is None:
        raise SettingsError(f"{data}: expected a folder `truth` there. Give a company that `kizashi simulate` wrote.")
    base = _as_dated(pd.read_parquet(work / "base.parquet"))
    base = base.join(derive(base)[[SILENT]]).assign(**{LOST: truth.lost_at(base)})
    ahead = (truth.lost_at(base, 0) == 0) & ~base["overdue"]
    base = base.assign(**{COMING: base[LOST].where(ahead)})
    said = {name: _as_dated(pd.read_parquet(work / f"{name}.parquet")) for name in names}
    sets = pd.concat([_of_set(name, rows) for name, rows in said.items()], ignore_index=True)
    scored = pd.concat([sets, _references(base, truth)], ignore_index=True)
    scored = scored.merge(base[[*KEYS, SILENT, LOST, COMING, "overdue"]], on=KEYS, validate="many_to_one")
    figures = _ranking(scored, repeats).merge(_early(scored, base, truth, repeats), on="contestant")
    split = figures["contestant"].str.partition("|")
    table = figures.assign(set=split[0], model=split[2].replace("", CHAMPION))
    columns = {name: int(rows["columns"].iloc[0]) for name, rows in said.items()}
    table = table.assign(columns=table["set"].map(columns))
    ours = table["set"].isin(list(said))
    facts = {
        "rows": f"{len(base):,} rows of {base['customer_id'].nunique():,} customers at {base['as_of'].nunique()} "
        f"monthly cutoffs, {base['as_of'].min():%Y-%m-%d} to {base['as_of'].max():%Y-%m-%d}; {base[SILENT].mean():.3f} "
        f"without an order within {SHOWN_HORIZON} days, {base[LOST].mean():.3f} lost in truth that many days on",
        "losses": f"{figures['losses'].iloc[0]:,.0f} losses could have been warned about 60 days ahead",
    }
    shown = table[~ours].drop(columns=["set", "model", "columns"])
    return Ablation(table[ours].reset_index(drop=True), shown.reset_index(drop=True), facts)


def _as_dated(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(as_of=rows["as_of"].astype("datetime64[us]")).astype({"customer_id": "str"})


def _of_set(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """A set's two contestants, ``<set>`` and ``<set>|lightgbm``, with a score per outcome and what they warn by."""
    contestant = rows["contestant"].map({CHAMPION: name, LIGHTGBM: f"{name}|{LIGHTGBM}"})
    fixed = rows[RANKS_BY[SILENT]]
    return rows[KEYS].assign(
        contestant=contestant, by_no_order_90=fixed, by_lost_90=rows[RANKS_BY[LOST]], warns_by=fixed
    )


def _references(base: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    """Oracles, rules and chance on the same rows."""
    parts = []
    for given in (*truth.contestants(base), chance(base)):
        held = given.frame.rename(columns={"p_no_order_90": "by_no_order_90", "p_lost_90": "by_lost_90"})
        parts.append(held[[*KEYS, "by_no_order_90", "by_lost_90", WARNS_BY]].assign(contestant=given.name))
    for rule in RULES:
        score = base[rule.name]
        scores = {"by_no_order_90": score, "by_lost_90": score, WARNS_BY: score}
        parts.append(base[KEYS].assign(**scores, contestant=rule.name))
    return _as_dated(pd.concat(parts, ignore_index=True))


def _ranking(scored: pd.DataFrame, repeats: int) -> pd.DataFrame:
    """AUC of everybody for each outcome, and the lead of each over the orders alone with the same model."""
    parts = []
    for outcome, score in SCORES.items():
        judged = scored[["contestant", *KEYS]].assign(probability=scored[score], outcome=scored[outcome])
        judged = judged.dropna(subset="outcome").reset_index(drop=True)
        names = list(judged["contestant"].unique())
        table = evaluation.standing_table(judged, repeats=repeats, ranks_only=names, rng=_rng())
        found = table.set_index("contestant")[["roc_auc", "roc_auc_low", "roc_auc_high"]]
        found.columns = [outcome, f"{outcome}_low", f"{outcome}_high"]
        leads = pd.DataFrame([_lead(judged, name, outcome, repeats) for name in names], index=names)
        parts.append(found.join(leads))
    return pd.concat(parts, axis=1).rename_axis("contestant").reset_index()


def _lead(judged: pd.DataFrame, name: str, outcome: str, repeats: int) -> dict[str, float]:
    reference = f"{ORDERS}|{LIGHTGBM}" if name.endswith(f"|{LIGHTGBM}") else ORDERS
    keys = [f"{outcome}_lead", f"{outcome}_lead_low", f"{outcome}_lead_high"]
    if name == reference:
        return dict.fromkeys(keys, np.nan)
    lead = evaluation.difference(
        judged, name, reference, "roc_auc", repeats=repeats, ranks_only=(name, reference), rng=_rng()
    )
    return dict(zip(keys, (lead.value, lead.low, lead.high), strict=True))


def _early(scored: pd.DataFrame, base: pd.DataFrame, truth: Truth, repeats: int) -> pd.DataFrame:
    """Early warning of those not yet overdue, of everybody at the same effort, against the true day of the loss."""
    (losses,) = standing_truth.true_losses(truth)
    events = losses.events[losses.events["customer_id"].isin(base["customer_id"])]
    events = with_revenue(events, base[[*KEYS, "revenue_365d"]].sort_values("as_of"))
    parts = []
    is_lightgbm = scored["contestant"].str.endswith(f"|{LIGHTGBM}")
    for rows, baseline in ((scored[~is_lightgbm], ORDERS), (scored[is_lightgbm], f"{ORDERS}|{LIGHTGBM}")):
        judged = rows[rows["contestant"] != RANDOM]
        judged = judged[["contestant", *KEYS, "overdue"]].assign(probability=judged[WARNS_BY])
        table = earliness_table(
            judged, events, known_until=losses.known_until, baseline=baseline, repeats=repeats, rng=_rng()
        )
        parts.append(table[table["queue"] == EARLY])
    table = pd.concat(parts).drop_duplicates("contestant").rename(columns={"losses_60": "losses"})
    names = [f"{name}{end}" for name in (WARNED, "precision", "times_baseline") for end in ("", "_low", "_high")]
    return table[["contestant", "losses", *names]]


def _rng() -> np.random.Generator:
    return np.random.default_rng(DRAWS)


COLUMNS = (
    (SILENT, "AUC: no order", 3),
    (f"{SILENT}_lead", "over orders alone", 4),
    (LOST, "AUC: lost in truth", 3),
    (f"{LOST}_lead", "over orders alone", 4),
    (COMING, "AUC: loss to come", 3),
    (f"{COMING}_lead", "over orders alone", 4),
    (WARNED, "warned >= 60 days ahead", 3),
    ("times_baseline", "times orders alone", 2),
    ("precision", "precision", 3),
)


def page(found: Ablation, head: str) -> str:
    """The page as Markdown."""
    parts = [
        "# What each source adds",
        head + "".join(f"\n- {words}" for words in found.facts.values()),
        "Each set is the company as it would be with these tables alone: the others are not there at all. *Lost in "
        "truth*: the customer is in the stage lost 90 days after the cutoff, ranked by the chance of no order in the "
        "own window. *Loss to come*: the same, of customers who were neither lost nor overdue at the cutoff, ranked by "
        "what warns of it, the chance of no order in 90 days. *Warned*: share of losses with a new warning that opened "
        f"at least 60 and at most {USUAL.hit_within_days} days before, of customers who were not overdue, at "
        f"{USUAL.per_100_a_month:g} new warnings per 100 customers and month for everybody. *Precision*: share of the "
        "new warnings that a loss followed. *Times*: share warned over that of the orders alone; surely more where the "
        "interval begins above 1. In brackets 95 % intervals over customers, paired where two are compared.",
        *_verdicts(found.table),
        _section("The champion", found, CHAMPION),
        _section("LightGBM by itself", found, LIGHTGBM),
        "## Beside them\n\nThe oracles know the parameters of the world and all tables; nobody else can.\n\n"
        + markdown(
            ["contestant", *(words for _, words, _ in COLUMNS)],
            [
                [words, *(figure(row, name, digits) for name, _, digits in COLUMNS)]
                for key, words in REFERENCES.items()
                for row in found.references[found.references["contestant"] == key].to_dict("records")
            ],
        ),
        f"![Differences to the orders alone]({PLOT})",
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, found: Ablation, model: str) -> str:
    rows = found.table[found.table["model"] == model]
    body = [
        [WORDS[row["set"]], f"{row['columns']:,.0f}", *(figure(row, name, digits) for name, _, digits in COLUMNS)]
        for row in rows.to_dict("records")
    ]
    return f"## {title}\n\n" + markdown(["tables", "features", *(words for _, words, _ in COLUMNS)], body)


def _verdicts(table: pd.DataFrame) -> Iterator[str]:
    """One sentence per figure: which sets surely differ from the orders alone, by the champion."""
    rows = table[(table["model"] == CHAMPION) & (table["set"] != ORDERS)]
    for name, words, even in (
        (f"{SILENT}_lead", "AUC for no order", 0.0),
        (f"{LOST}_lead", "AUC for the true loss", 0.0),
        (f"{COMING}_lead", "AUC for the loss to come", 0.0),
        ("times_baseline", "Losses warned about 60 days ahead", 1.0),
    ):
        better, worse = rows[rows[f"{name}_low"] > even], rows[rows[f"{name}_high"] < even]
        said = [
            f"{verb}: {'; '.join(WORDS[one] for one in held['set'])}"
            for verb, held in (("surely more with", better), ("surely less with", worse))
            if len(held)
        ]
        yield f"{words} against the orders alone: {'. '.join(said) or 'no set surely differs'}."


def plot(found: Ablation) -> "Figure":
    """The differences to the orders alone with their intervals, one panel per figure."""
    from matplotlib.figure import Figure

    rows = found.table[(found.table["model"] == CHAMPION) & (found.table["set"] != ORDERS)][::-1]
    sheet = Figure(figsize=(13, 0.42 * len(rows) + 1.4), layout="constrained")
    panels: Any = sheet.subplots(1, 4, sharey=True)
    for axes, (name, words, even) in zip(
        panels,
        (
            (f"{SILENT}_lead", "AUC, no order in 90 days:\nlead over orders alone", 0.0),
            (f"{LOST}_lead", "AUC, lost in truth:\nlead over orders alone", 0.0),
            (f"{COMING}_lead", "AUC, loss to come:\nlead over orders alone", 0.0),
            ("times_baseline", "share of losses warned >= 60 days\nahead, times orders alone", 1.0),
        ),
        strict=True,
    ):
        spread = np.abs(rows[[f"{name}_low", f"{name}_high"]].to_numpy().T - rows[name].to_numpy())
        axes.axvline(even, color="0.6", linewidth=1)
        axes.errorbar(rows[name], range(len(rows)), xerr=spread, fmt="o", color="black", capsize=2)
        axes.set_xlabel(words)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(rows)), [WORDS[name] for name in rows["set"]])
    return sheet


def head(arguments: argparse.Namespace) -> str:
    """Where the figures come from."""
    from importlib.metadata import version

    name = Path(arguments.data).name
    versions = ", ".join(f"{one} {version(one)}" for one in DISTRIBUTIONS)
    command = f"python benchmarks/ablation.py --data {name} --from {arguments.first} --to {arguments.last}"
    if list(arguments.sets) != list(SETS):
        command += f" --sets {' '.join(arguments.sets)}"
    return (
        f"Made by `{command}`\n\n- data: {name}, {simulated_by(arguments.data)}\n- training: every "
        f"{ablation_walk.STEP_MONTHS} months on snapshots as far apart (the standing table: every month), "
        f"{ablation_walk.WARM_UP} trainings before the first cutoff for weights and calibration; each learnt only from "
        f"outcomes that had matured by it\n- figures: {REPEATS} resamples of customers\n- versions: {versions}"
    )


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Write what each source adds over the orders alone.")
    parser.add_argument("--data", required=True, help="folder that `kizashi simulate` wrote")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="first cutoff")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="last cutoff")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS), help="sets of tables")
    parser.add_argument("--work", type=Path, default=Path("var/ablation"), help="keeps predictions (%(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for table and plot (%(default)s)")
    arguments = parser.parse_args(given)
    from pipelines.settings import prepare_environment

    try:
        arguments.work.mkdir(parents=True, exist_ok=True)
        arguments.out.mkdir(parents=True, exist_ok=True)
        prepare_environment(arguments.work)
        arguments.sets = [name for name in SETS if name in {ORDERS, *arguments.sets}]
        made(Path(arguments.data), arguments.sets, arguments.first, arguments.last, arguments.work)
        found = measured(Path(arguments.data), arguments.sets, arguments.work)
    except (KizashiError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    (arguments.out / FILE).write_text(page(found, head(arguments)), encoding="utf-8")
    plot(found).savefig(arguments.out / PLOT, dpi=150, metadata={"Software": None})
    print(page(found, head(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
