"""Do contributions add up, does the score fall with what is taken away, do facts lie on the side that worries?"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from benchmarks.faithfulness_figures import DRAWS, Figure, Section, mean_of
from benchmarks.faithfulness_made import Company
from benchmarks.faithfulness_told import CONCEPTS, Told
from features.labels import HORIZONS
from features.registry import REGISTRY, registered
from models import reasons as why
from models.churn_model import ChurnModel
from models.classifiers import LIGHTGBM
from models.horizons import probability_frame
from models.logistic import LOGISTIC
from models.moves import moves
from models.selection import ALONE, BLENDED, LABEL_FREE

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ADDITIVE = 1e-9
#: A blend in which every part counts.
MIXED = ((0.5, 0.25, 0.25),) * len(HORIZONS)
KINDS = {**ALONE, BLENDED: MIXED}
WORDS = {LIGHTGBM: "LightGBM", LOGISTIC: "logistic regression", LABEL_FREE: "order rhythm alone", BLENDED: "blend"}
#: Unit of what compares with the own past already, and where nothing has changed in it.
DEVIATION, AS_EVER = "standard deviations", {"ratio": 1.0, "standard deviations": 0.0}
_SILENCE, _USUAL_GAP = "days_since_last_order", "gap_median_days_ever"
#: What is the customer's own past level by its name, and stays.
PAST = ("_usual", "_ever")


def of_kind(model: ChurnModel, kind: str) -> ChurnModel:
    """The champion as if a certain one of :data:`KINDS` had been chosen."""
    return replace(model, selection=replace(model.selection, in_use=kind, weights=KINDS[kind]))


def additivity(company: Company) -> Section:
    """The largest gap between what contributions, reasons and moves add up to and what the model says."""
    day, later = company.first, company.asked[1]
    here, then = company.cohort(day), company.cohort(later, company.champions[day])
    both = sorted(set(here["customer_id"]) & set(then["customer_id"]))
    pair = [one.set_index("customer_id", drop=False).loc[both].reset_index(drop=True) for one in (here, then)]
    spread = why.spread_of(here)
    figures = []
    for kind in KINDS:
        model = of_kind(company.model, kind)
        split = why.contributions(model, here)
        said = model.probabilities(here)
        told = why.reasons(model, here, count=5, spread=spread, split=split)
        told_sums = told.groupby("customer_id", sort=False)[["contribution", "contribution_points"]].sum()
        base = split.base.to_numpy()
        gaps = {
            "base + contributions - log-odds": base + split.values.sum(axis=1) - said["margin"],
            "the same of what is told": base + told_sums["contribution"].to_numpy() - said["margin"],
            "the same in points of probability": special.expit(base)
            + told_sums["contribution_points"].to_numpy()
            - said["churn_probability"],
        }
        moved = moves(model, *pair)
        margins = [model.probabilities(one)["margin"] for one in pair]
        gaps["moves of a month - their difference"] = moved.sum(axis=1) - (margins[1] - margins[0])
        worst = {words: float(np.abs(gap).max()) for words, gap in gaps.items()}
        figures.append(
            Figure(
                WORDS[kind], max(worst.values()), n=len(here), beside=tuple(worst.items()),
                most=ADDITIVE,
            )
        )  # fmt: skip
    about = (
        f"The largest gap over the cohort of {day:%Y-%m-%d}, and between it and {later:%Y-%m-%d}, for each kind of "
        "champion: this company's own as if that kind had been chosen."
    )
    return Section("Additivity", about, figures)


def usual_rows(rows: pd.DataFrame, medians: pd.Series) -> pd.DataFrame:
    """The snapshots as they would be had nothing departed from the customer's own usual.

    A value becomes its own usual of the same unit, where that is known; a comparison with the own past becomes what
    says "as ever"; the silence becomes the own median gap, and what is told in multiples of it follows. What is the
    own past level by its name stays, and so does what is unknown. All else becomes the median of the peers.
    """
    found = {}
    gap = rows[_USUAL_GAP].fillna(medians.get(_USUAL_GAP, np.nan)).clip(upper=rows["days_since_first_order"])
    silence = gap / rows[_SILENCE].replace(0, np.nan)
    for one in registered():
        # `revenue_90d_usual` is the own past, `revenue_90d_vs_usual` how far the present is from it.
        if one.name not in rows or (one.name.endswith(PAST) and "_vs_" not in one.name):
            continue
        value = rows[one.name]
        peers = pd.Series(medians.get(one.name, np.nan), index=rows.index)
        if one.name == _SILENCE:
            usual = gap
        elif one.unit == DEVIATION or one.name.endswith("_vs_usual"):
            usual = pd.Series(AS_EVER.get(one.unit, 0.0), index=rows.index)
        elif one.name.startswith(f"{_SILENCE}_vs_") and not one.name.endswith("_peers"):
            usual = value * silence
        elif one.usual in rows and REGISTRY[one.usual].unit == one.unit and not one.name.endswith("_vs_peers"):
            usual = rows[one.usual]
        else:
            usual = peers
        found[one.name] = usual.fillna(peers).fillna(value).where(value.notna())
    return rows.assign(**found)


def rescored(model: ChurnModel, rows: pd.DataFrame, usual: pd.DataFrame, taken: Flags) -> Floats:
    """Log-odds of the own window with the features of some concepts as usual, shape (n,).

    The label-free model's part belongs to the order rhythm, so that it moves with that concept alone, whichever
    columns it reads.

    Parameters
    ----------
    taken
        Which of :data:`CONCEPTS` are as usual, shape (n, concepts).
    """
    changed = {}
    for one in registered():
        here = taken[:, CONCEPTS.index(one.concept)]
        if one.name in rows and here.any():
            changed[one.name] = np.where(here, usual[one.name], rows[one.name])
    then = rows.assign(**changed)
    rhythm = taken[:, CONCEPTS.index(why.RHYTHM_CONCEPT)]
    seen = rows.assign(**{_SILENCE: np.where(rhythm, usual[_SILENCE], rows[_SILENCE])})
    components = model.components(then) + (model.rhythm.margins(seen) - model.rhythm.margins(then))
    return np.asarray(probability_frame(model.calibrated(components), rows["churn_window_days"])["margin"])


def taken_of(chosen: npt.NDArray[np.intp]) -> Flags:
    """The same concepts as flags, from their numbers of shape (n, some)."""
    flags = np.zeros((len(chosen), len(CONCEPTS)), dtype=bool)
    np.put_along_axis(flags, chosen, True, axis=1)
    return flags


def deletion(model: ChurnModel, told: Told, medians: pd.Series) -> Section:
    """What the score loses with the concepts of the largest contributions as usual, beside others."""
    rows, usual = told.rows, usual_rows(told.rows, medians)
    who, sums, at = rows["customer_id"], told.sums.to_numpy(), np.arange(len(rows))
    columns = [np.full((len(rows), 1), i) for i in range(len(CONCEPTS))]
    now = rescored(model, rows, usual, taken_of(np.zeros((len(rows), 0), dtype=np.intp)))
    alone = np.column_stack([now - rescored(model, rows, usual, taken_of(column)) for column in columns])
    order = (-sums).argsort(axis=1, kind="stable")
    top = alone[at, order[:, 0]]
    # Of the others only those that the model reads: taking away the rest can change nothing.
    read = (np.abs(sums).max(axis=0) > 0)[None, :] & (np.arange(len(CONCEPTS))[None, :] != order[:, [0]])
    number = np.where(read.any(axis=1), read.sum(axis=1), np.nan)
    random = np.where(read, alone, 0.0).sum(axis=1) / number
    more = np.where(read, top[:, None] > alone, False).sum(axis=1) / number
    # Of concepts that do not raise the score no fall can be expected.
    raising = sums[at, order[:, 2]] > 0
    rng = np.random.default_rng(DRAWS)
    pool = np.flatnonzero(np.abs(sums).max(axis=0) > 0)
    lot = np.array([rng.permutation(pool if len(pool) >= 3 else len(CONCEPTS))[:3] for _ in at])
    steps, by_lot = (_steps(model, rows, usual, now, chosen) for chosen in (order[:, :3], lot))
    falling, falling_by_lot = ((np.diff(one, axis=1, prepend=0) > 0).all(axis=1) for one in (steps, by_lot))
    rank = [rank_correlation(*pair) for pair in zip(sums, alone, strict=True)]
    beside = (("any other concept", float(np.mean(random))),)
    lots = (("three at random", float(falling_by_lot.mean())),)
    figures = [
        mean_of("fall of the log-odds, top concept as usual", top, who, beside=beside),
        mean_of("how much more than any other concept", top - random, who, least=0.0),
        mean_of("customers and others of whom the top falls more", more, who, beside=(("by chance", 0.5),), least=0.5),
        mean_of("customers of whom the top lowers the score at all", top > 0, who),
        mean_of("customers whose score falls with top 1, 2 and 3", falling[raising], who[raising], beside=lots),
        mean_of("rank correlation of contribution and fall", rank, who, least=0.0),
    ]
    about = (
        "Of customers who are warned about, at the first date. The features of a concept are set to the customer's own "
        "usual (its usual column of the same unit, 'as ever' in comparisons with its past, the own median gap for the "
        "silence), or where none is known to the median of the peers; then the customer is scored again. *Any other*: "
        "the mean over all other concepts that the model reads."
    )
    falls = ", ".join(f"{fall:.2f}" for fall in steps[raising].mean(axis=0)) if raising.any() else "none"
    return Section("Taking a concept away", about, figures, [f"Mean fall with the top 1, 2 and 3 as usual: {falls}."])


def _steps(
    model: ChurnModel, rows: pd.DataFrame, usual: pd.DataFrame, now: Floats, chosen: npt.NDArray[np.intp]
) -> Floats:
    """The fall with the first, the first two, ... concepts of each row as usual, shape of `chosen`."""
    number = range(1, chosen.shape[1] + 1)
    return np.column_stack([now - rescored(model, rows, usual, taken_of(chosen[:, :taken])) for taken in number])


def rank_correlation(some: npt.ArrayLike, others: npt.ArrayLike) -> float:
    """Spearman's, over the pairs that are known; NaN where one of the two is constant."""
    pairs = pd.DataFrame({"some": np.asarray(some), "others": np.asarray(others)}).dropna().rank()
    if (pairs.nunique() < 2).any():
        return float("nan")
    return float(np.corrcoef(pairs.to_numpy().T)[0, 1])


def signs(told: Told, whole: Told, medians: pd.Series) -> Section:
    """Are facts told on the side that worries, and do contributions rise towards it?

    Parameters
    ----------
    told, whole
        What is told of those warned about; of the whole cohort.
    """
    rows = told.reasons[(told.reasons["role"] == why.REASON) & (told.reasons["feature"] != why.RHYTHM)]
    usual = usual_rows(told.rows, medians).set_index("customer_id")
    side = rows["feature"].map(_side).to_numpy()
    pairs = zip(rows["customer_id"], rows["feature"], strict=True)
    against = np.array([usual.at[who, name] for who, name in pairs], dtype="float64")
    right = np.sign(rows["value"].to_numpy() - against) == side
    known = (side != 0) & ~np.isnan(against) & rows["value"].notna().to_numpy()
    told_on = mean_of("reasons whose fact lies on that side", right[known], rows.loc[known, "customer_id"], least=1.0)
    values, correlation, weight = whole.split.values, [], []
    for name in values.columns:
        if name == why.RHYTHM or _side(name) == 0 or values[name].nunique() < 10 or whole.rows[name].nunique() < 10:
            continue
        correlation.append(rank_correlation(whole.rows[name], values[name]) * _side(name))
        weight.append(float(values[name].abs().mean()))
    right_features = np.array(correlation) > 0
    heavy = float(np.average(right_features, weights=weight)) if weight else np.nan
    told_features = told.reasons.loc[told.reasons["role"] == why.REASON, "feature"]
    held = Figure(
        "features whose contribution rises towards that side", float(right_features.mean()) if weight else np.nan,
        n=len(whole.rows), beside=(("by chance", 0.5), ("weighted by contribution", heavy)), least=0.5,
    )  # fmt: skip
    about = (
        "A feature worries on the side that the registry says. A fact is held against the customer's own usual as "
        f"above, or the peers' median where none is known. {len(weight)} features with a side and ten values or more; "
        f"{len(rows)} reasons of {told_features.nunique()} features."
    )
    return Section("Signs", about, [told_on, held])


def _side(name: str) -> int:
    """1 where more worries, -1 where less does, 0 where neither is said."""
    feature = REGISTRY.get(name)
    return 0 if feature is None else {"more": 1, "less": -1}.get(feature.worse, 0)
