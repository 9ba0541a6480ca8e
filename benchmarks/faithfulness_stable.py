"""Do reasons stay as they are when nothing has happened, with other draws, and with other trainings? What of noise?"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.faithfulness_exact import WORDS, of_kind
from benchmarks.faithfulness_figures import DRAWS, Figure, Section, mean_of
from benchmarks.faithfulness_made import NEXT_DAYS, Champion, Company, relearnt
from benchmarks.faithfulness_told import CONCEPTS, Told, concept_sums, jaccard, told
from features.registry import REGISTRY
from features.snapshots import ELIGIBLE, drawn
from features.variants import new_facts
from models import reasons as why
from models.churn_model import ChurnModel
from models.classifiers import LIGHTGBM
from models.contestants import Training
from models.folds import training_at
from models.logistic import LOGISTIC
from models.reasons import dimension_of

#: Concepts that are compared.
TOP = 3
STABLE = 0.7
#: A dimension that tells of nobody may have so much of the contributions, and of the reasons told.
NO_SHARE, NO_REASONS = 0.05, 0.02
#: The learners of which it is asked one by one.
LEARNT = (LIGHTGBM, LOGISTIC)
#: Dimensions that neither the label-free model nor the window reads: their columns can be shuffled.
SHUFFLED = ("interaction", "service", "finance", "strategy")


def stability(company: Company, held: Told) -> Section:
    """Jaccard index of the concepts with the largest contributions, and of those told, between two of a kind.

    Parameters
    ----------
    held
        What the champion tells of those warned about at its first date.
    """
    champion, day = company.champions[company.first], company.first
    who = held.rows["customer_id"]
    lightgbm = of_kind(company.model, LIGHTGBM)
    pairs: list[tuple[str, Champion | ChurnModel, Champion | ChurnModel, float]] = []
    if any(len(bag) > 1 for bag in lightgbm.boosting.bags):
        pairs.append(("two halves of the bags, LightGBM alone", *(half_of_bags(lightgbm, i) for i in (0, 1)), STABLE))
    halves = [relearnt(champion, one, company.options) for one in halves_of(champion.training)]
    pairs.append(("trained on either half of the customers", *halves, np.nan))
    later = min(one for one in company.champions if one > day)
    pairs.append(("trained now and a month later", champion, company.champions[later], STABLE))
    figures = []
    spread, count = why.spread_of(company.cohort(day)), company.intake.settings.reasons.count
    read = int((held.sums.abs().max() > 0).sum())
    by_chance = _of_random_sets(min(TOP, read), read)
    for words, one, other, least in pairs:
        models = [each.model if isinstance(each, Champion) else each for each in (one, other)]
        both = [told(model, held.rows, spread, count) for model in models]
        same = jaccard(both[0].ranked, both[1].ranked, TOP)
        told_same = jaccard(both[0].concepts, both[1].concepts).mean()
        beside = (("of what is told", float(told_same)), ("by chance", by_chance))
        figures.append(mean_of(words, same, who, beside=beside, least=least))
    figures += _days_without_news(company, held, count)
    about = (
        f"Jaccard index of the {TOP} concepts with the largest contributions (*told*: of all that are told), of those "
        f"warned about at {day:%Y-%m-%d}; by chance: two draws of {TOP} out of the {read} that the model reads. "
        "*Without news*: nothing became known of the customer between the two days; same model."
    )
    return Section("Stability", about, figures)


def half_of_bags(model: ChurnModel, half: int) -> ChurnModel:
    """The champion with every second of its boosters."""
    bags = tuple(bag[half::2] for bag in model.boosting.bags)
    return replace(model, boosting=replace(model.boosting, bags=bags))


def halves_of(training: Training | None) -> list[Training]:
    """The training with the rows of one half of the customers, and of the other; both know the same book."""
    if training is None:
        raise ValueError("expected a champion that has kept what it learnt from")
    first = drawn(training.rows["customer_id"], 0.5)
    return [replace(training, rows=training.rows[half]) for half in (first, ~first)]


def _of_random_sets(size: int, number: int) -> float:
    """Mean Jaccard index of two independent draws of `size` out of `number`."""
    rng = np.random.default_rng(DRAWS)
    draws = np.argsort(rng.random((2, 20_000, number)), axis=2)[:, :, :size]
    common = (draws[0][:, :, None] == draws[1][:, None, :]).sum(axis=(1, 2))
    return float(np.mean(common / (2 * size - common)))


def _days_without_news(company: Company, held: Told, count: int) -> list[Figure]:
    """The same between the date and days after it, for those of whom nothing became known meanwhile."""
    champion, figures = company.champions[company.first], []
    for ahead in NEXT_DAYS:
        day = company.first + pd.Timedelta(days=ahead)
        here = company.cohort(day, champion)
        news = new_facts(company.intake.events, set(here["customer_id"]), company.first.date(), day.date())
        quiet = here["customer_id"].isin(held.rows["customer_id"]) & ~here["customer_id"].isin(news["customer_id"])
        then = told(champion.model, here[quiet], why.spread_of(here), count)
        names = then.rows["customer_id"]
        place = pd.Series(range(len(held.rows)), index=held.rows["customer_id"]).reindex(names).to_numpy()
        ranked, concepts = held.ranked, held.concepts
        same = jaccard([ranked[i] for i in place], then.ranked, TOP)
        told_same = jaccard([concepts[i] for i in place], then.concepts)
        beside = (("of what is told", float(np.mean(told_same)) if len(told_same) else np.nan),)
        words = f"{ahead} day{'s' if ahead > 1 else ''} later, without news"
        figures.append(mean_of(words, same, names, beside=beside, least=1.0))
    return figures


def shares(sums: pd.DataFrame) -> pd.Series:
    """Share of each dimension in the absolute contributions of the concepts."""
    of = {feature.concept: dimension_of(feature.name) for feature in REGISTRY.values()}
    weight = sums.abs().sum()
    return weight.groupby([of[str(name)] for name in sums.columns]).sum() / weight.sum()


def shuffled(frame: pd.DataFrame, columns: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """The frame with the values of some columns, all of a row together, handed to others of the same date and track."""
    values = frame[list(columns)].to_numpy()
    found = values.copy()
    for here in frame.groupby(["as_of", "cohort"]).indices.values():
        found[here] = values[rng.permutation(here)]
    return frame.assign(**{name: found[:, i] for i, name in enumerate(columns)})


def placebo(company: Company) -> Section:
    """The share of a dimension whose columns tell of other customers than their own, beside its real share."""
    champion, day = company.champions[company.first], company.first
    count = company.intake.settings.reasons.count
    here = company.cohort(day)
    eligible = company.table.frame["cohort"] == ELIGIBLE
    real = told(champion.model, here, why.spread_of(here), count)
    real_shares, real_reasons = shares(real.sums), real.reasons[real.reasons["role"] == why.REASON]
    figures = []
    for dimension in SHUFFLED:
        columns = [n for n, f in REGISTRY.items() if f.dimension == dimension and n in company.table.frame]
        if not company.table.frame.loc[eligible, columns].notna().any(axis=None):
            continue
        frame = shuffled(company.table.frame, columns, np.random.default_rng(DRAWS))
        mixed = replace(company, table=replace(company.table, frame=frame))
        learnt = relearnt(champion, training_at(mixed.table, day, company.options), company.options)
        rows = mixed.cohort(day, learnt)
        after = told(learnt.model, rows, why.spread_of(rows), count)
        size = after.sums.abs()
        of = [concept for concept in CONCEPTS if _dimension(concept) == dimension]
        share, who = size[of].sum(axis=1) / size.sum(axis=1), rows["customer_id"]
        kinds = [concept_sums(why.contributions(of_kind(learnt.model, kind), rows).values) for kind in LEARNT]
        of_kinds = [(f"{WORDS[kind]} alone", shares(sums)[dimension]) for kind, sums in zip(LEARNT, kinds, strict=True)]
        as_is = (("as it is", real_shares[dimension]), *of_kinds)
        figures.append(mean_of(f"{dimension}: share of contributions", share, who, beside=as_is, most=NO_SHARE))
        reasons = after.reasons[after.reasons["role"] == why.REASON]
        as_is = (("as it is", float((real_reasons["dimension"] == dimension).mean())),)
        told_of = reasons["dimension"] == dimension
        words = f"{dimension}: share of reasons told"
        figures.append(mean_of(words, told_of, reasons["customer_id"], beside=as_is, most=NO_REASONS))
    about = (
        "All columns of a dimension are handed to other customers of the same date, then the learners are trained anew "
        "(weights and calibration as they were). Share of the dimension in the absolute contributions of the concepts, "
        f"and in the reasons told, over the cohort of {day:%Y-%m-%d}. The orders themselves cannot be shuffled: window "
        "and label-free model read them."
    )
    return Section("Placebo", about, figures)


def _dimension(concept: str) -> str:
    return next(feature.dimension for feature in REGISTRY.values() if feature.concept == concept)
