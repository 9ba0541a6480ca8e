"""Where a model must not be trusted: the known limits that follow from the facts of its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.card import CardFacts

YEAR_DAYS = 365
#: Fewer customers in the cohort make a small book.
SMALL_COHORT = 200
#: Sources beside the orders that a loss shows in first, and what is missing without them.
EARLY = {
    "interactions": "what was said and how fast it was answered",
    "services": "complaints and how they were settled",
    "finances": "late payments and disputes",
}
QUARANTINED = 0.01


def known_limits(facts: CardFacts) -> list[str]:
    """Sentences in plain text; the first ones hold for every model of this kind."""
    return [
        "It predicts silence, not its cause, and says nothing of what a visit would change.",
        "A probability is about customers alike: of those with 80 %, one in five will order again.",
        *_of_the_data(facts),
        *_of_the_labels(facts),
        *_of_the_evidence(facts),
    ]


def _of_the_data(facts: CardFacts) -> Iterator[str]:
    days = (facts.data_end - facts.first_order).days
    if days < YEAR_DAYS:
        yield f"Only {days} days of history: some seasons were never seen, and their level is a guess."
    elif days < 2 * YEAR_DAYS:
        yield f"Only {days} days of history: every season was seen once, so season and trend cannot be told apart."
    lacking = [name for name in EARLY if name in facts.tables_absent]
    for name in lacking:
        yield f"No table of {name}: {EARLY[name]} is not known."
    if len(lacking) == len(EARLY):
        yield "From orders alone no early warning is promised: much of what is found is already under way."
    for row in facts.tables.to_dict("records"):
        if row["rows_in"] and row["quarantined"] / row["rows_in"] > QUARANTINED:
            yield f"{row['quarantined'] / row['rows_in']:.1%} of the rows of {row['table']} are in quarantine."
    tracks = facts.funnel.groupby("track")["customers"].sum()
    eligible = int(tracks.get("eligible", 0))
    if eligible < SMALL_COHORT:
        yield f"A small book: {eligible} customers in the cohort; intervals are wide, and few things can be shown."
    outside = int(tracks.sum()) - eligible
    if outside:
        yield f"{outside:,} customers stand in tracks outside the cohort; none of the figures above is about them."


def _of_the_labels(facts: CardFacts) -> Iterator[str]:
    window = facts.window
    taken = next(one for one in window["tried"] if one["multiple"] == window["multiple"])
    if taken["share"] is None:
        yield "How many of the silent come back is not known yet: the label itself is unproven."
    elif not window["reached"]:
        yield (
            f"{taken['share']:.0%} of the silent came back within as long again, more than the "
            f"{window['max_false_churn']:.0%} asked for: part of what counts as a loss is none."
        )


def _of_the_evidence(facts: CardFacts) -> Iterator[str]:
    if facts.standing.empty:
        yield "No prediction has matured: nothing above shows that it ranks better than a rule."
    else:
        yield from _beaten_by(facts)
    one = facts.certificate
    if not one.shows_percentages:
        why = "too little has matured" if one.too_little else "they did not keep their promise"
        yield f"Percentages are withheld: {why}. Levels and the order of risk remain."
    if any(finding.code == "part_of_a_year" for finding in one.findings):
        yield "It was judged on a part of the year only."
    off = [str(level["name"]) for level in facts.levels if level["threshold"] is None]
    if off:
        yield f"Levels that are off, as no threshold kept their promise: {', '.join(off)}."


def _beaten_by(facts: CardFacts) -> Iterator[str]:
    """Contestants that ranked better, whatever their intervals."""
    auc = facts.standing.set_index("contestant")["roc_auc"]
    if "champion" in auc.index:
        better = [str(name) for name, value in auc.items() if value > auc["champion"]]
        if better:
            yield f"Ranked better on these cutoffs, within the noise or not: {', '.join(better)}."
