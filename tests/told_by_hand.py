"""What is told of one customer, by following the description step by step: slow, plain, and apart from the code."""

import pandas as pd

from features.registry import registered
from models.reasons import (
    AGAINST,
    LEAST,
    LEAST_SMALL,
    OTHER,
    REASON,
    REST,
    RHYTHM_CONCEPT,
    SMALL,
    SMALL_TOLD,
    TOLD_THROUGH,
    concept_of,
    dimension_of,
)


def worst_deviation(concept: str, snapshot: pd.Series) -> float:
    """The largest known deviation, of those of the concept, from the own past towards the side that worries; else 0."""
    found = []
    for one in registered():
        if one.concept == concept and one.unit == "standard deviations" and one.worse and one.name in snapshot:
            value = snapshot[one.name] if one.worse == "more" else -snapshot[one.name]
            found.append(0.0 if pd.isna(value) else min(max(value, -6.0), 6.0))
    return max(found, default=0.0)


def by_hand(
    share: pd.Series, flags: pd.DataFrame, count: int, snapshot: pd.Series
) -> list[tuple[str, str, str, float]]:
    """Role, concept, feature and contribution of all that is told of one customer."""
    concepts: dict[str, list[str]] = {}
    for name in share.index:
        concepts.setdefault(concept_of(name), []).append(name)
    sums = {concept: share[names].sum() for concept, names in concepts.items()}

    def through(concept: str, fits: pd.Series, sign: int = 1) -> str | None:
        first = TOLD_THROUGH.get(concept)
        if first and (fits[first] or sign < 0):
            return first if fits[first] else None
        held = [name for name in concepts[concept] if name in fits and fits[name] and share[name] * sign > 0]
        return max(held, key=share.mul(sign).get, default=None)

    clear = {one: name for one in sums if sums[one] >= LEAST and (name := through(one, flags["odd"]))}
    slight = {
        one: name
        for one in sums
        if sums[one] >= LEAST_SMALL and one not in clear and (name := through(one, flags["plain"]))
    }
    turn = {one: worst_deviation(one, snapshot) + 1e-6 * sums[one] for one in sums}
    rows: list[tuple[str, str, str, float]] = []
    for role, left, most in ((REASON, clear, count), (SMALL, slight, SMALL_TOLD)):
        while left and len(rows) < most:
            rhythm = any(concept == RHYTHM_CONCEPT for _, concept, *_ in rows)
            fresh = [one for one in left if not rhythm or dimension_of(left[one]) != "transaction"]
            concept = max(fresh or left, key=lambda one: turn[one])
            rows.append((role, concept, left.pop(concept), sums[concept]))
    lowered = sorted((one for one in sums if sums[one] <= -LEAST), key=sums.get)
    rows += [(AGAINST, one, name, sums[one]) for one in lowered if (name := through(one, flags["calm"], -1))][:2]
    return [*rows, (REST, OTHER, OTHER, sum(sums.values()) - sum(value for *_, value in rows))]
