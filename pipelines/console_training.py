"""What the command line shows of a training."""

from pipelines import console, console_models
from pipelines.console import out
from pipelines.learning import Learnt
from pipelines.train import Trained


def training(trained: Trained) -> None:
    """Tracks, standing table, the model in use and why, its certificate, levels, and what the gate said."""
    judged = trained.judged
    console.funnel_table(trained.funnel)
    out.print(trained.choice.words, markup=False)
    console.standing(judged.standing, console.own_horizon())
    out.print(trained.champion.selection.words, markup=False)
    if trained.tuned is not None:
        outcome = "adopted" if trained.tuned.adopted else "not adopted, the settings stay as they are"
        out.print(
            f"Search of {len(trained.tuned.trials)} settings: the best lowers the log loss by {trained.tuned.gain:.4f} "
            f"(standard error {trained.tuned.error:.4f}): {outcome}.",
            markup=False,
        )
    if trained.champion.others is not None:
        for line in trained.champion.others.words:
            out.print(line, markup=False)
    out.print("Calibration certificate:", markup=False)
    for line in judged.certificate.to_words():
        out.print(f"  {line}", markup=False)
    console.levels_table(trained.champion.levels)
    _learnt(trained.learnt)
    console_models.decision(trained.decision)
    aliases = " and ".join(trained.version.aliases) or "no alias"
    out.print(f"Registered version {trained.version.number} as {aliases}: {trained.version.folder}", markup=False)
    out.print(f"Model card: {trained.version.folder.parent / 'card.md'}", markup=False)
    if "champion" not in trained.version.aliases:
        out.print('The old champion stays in use; `kizashi promote --because "..."` replaces it.', markup=False)


def _learnt(learnt: Learnt) -> None:
    """What came of contacts and reviews, and the thresholds and weights that are not the champion's."""
    for line in learnt.words:
        out.print(line, markup=False)
    if learnt.against is None:
        return
    if learnt.moved.empty:
        out.print(f"Thresholds and weights are those of version {learnt.against}.", markup=False)
    for row in learnt.moved.to_dict("records"):
        was, now = (_number(row[name]) for name in ("before", "after"))
        why = row["why"] if row["why"] == "weights" else f"{row['why']}, {row['n']:,} predictions"
        out.print(f"Changed against version {learnt.against}: {row['what']} {was} -> {now} ({why})", markup=False)


def _number(value: float) -> str:
    return f"{value:.3f}" if value == value else "off"
