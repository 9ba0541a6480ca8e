"""Do the first reasons name the true cause? In the simulated world alone is it known what drives a customer away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from benchmarks.faithfulness_figures import Figure, Section, mean_of
from benchmarks.faithfulness_made import Company
from benchmarks.faithfulness_told import CONCEPTS, concept_sums, ranked, told, warned
from features.registry import REGISTRY
from features.simulate.signals import DRIVERS, EVEN, SIGNALS
from models import reasons as why
from models.levels import LEVELS
from models.warning_conditions import conditions
from models.warning_rule_list import WARNING_RULES
from models.warning_rules import rule_options, signals

#: Signal of the simulated world -> the feature that shows it most directly, and with it a concept.
SHOWN_BY = {
    "orders": "order_days_90d",
    "extra_lines": "lines_per_order_day_90d",
    "line_amount": "order_value_mean_90d",
    "high_margin": "high_margin_share_90d",
    "outer_lines": "product_lines_90d",
    "discount": "discount_share_90d",
    "urgent": "urgent_order_share_90d",
    "contact_technical": "technical_interactions_90d",
    "contact_purchasing": "purchasing_interactions_90d",
    "contact_user": "user_interactions_90d",
    "contact_executive": "executive_interactions_90d",
    "inbound": "inbound_interactions_90d",
    "price_inquiry": "inquiries_90d",
    "replied": "answered_share_90d",
    "reply_days": "reply_hours_90d",
    "deferral": "deferral_share_90d",
    "rival_mention": "competitor_mentions_90d",
    "price_pressure": "price_talks_90d",
    "attended": "attended_share_90d",
    "maintenance_accepted": "maintenance_uptake_share_365d",
    "training_accepted": "training_uptake_share_365d",
    "upgrade_accepted": "upgrade_refusals_180d",
    "complaints": "complaints_90d",
    "survey_answered": "survey_silence_share_365d",
    "rating": "last_rating",
    "pay_days": "payment_days_mean_90d",
    "confirm_days": "confirmation_days_mean_90d",
    "disputed": "disputed_share_90d",
    "milestone_kept": "overdue_milestones",
    "quotes": "quotes_90d",
    "asked_discount": "asked_discount_share_90d",
    "quote_won": "quote_won_share_365d",
    "warm": "temperature_level",
    "renewed": "contract_running",
    "coupon_used": "used_promotion_share_365d",
}
#: A signal belongs to a driver that it answers to so much more than on average.
STRONG = 1.5
#: Stages in which a warning is early: the decision has not been taken.
EARLY_STAGES = ("cooling", "comparison")
AMONG = 2
GOAL = 0.6


def concepts_of_drivers(*, largest: bool = True) -> dict[str, frozenset[str]]:
    """The concepts in which each driver shows, by the multipliers that the simulated world itself is drawn with.

    Those of signals with a multiplier of :data:`STRONG` or more; with `largest`, also where it is the largest of the
    five. A signal that answers to all alike belongs to none.
    """
    found: dict[str, set[str]] = {driver.name: set() for driver in DRIVERS}
    for name, signal in SIGNALS.items():
        for driver, weight in zip(DRIVERS, signal.drivers, strict=True):
            if weight >= STRONG or (largest and signal.drivers != EVEN and weight == max(signal.drivers)):
                found[driver.name].add(REGISTRY[SHOWN_BY[name]].concept)
    return {name: frozenset(concepts) for name, concepts in found.items()}


def early_warnings(company: Company) -> pd.DataFrame:
    """Every warning at every date asked of a customer who was turning away and had not decided yet.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of``, ``stage``, ``driver``, ``lost_at`` (missing where no loss followed within the
        data), ``loud``, ``early``, and tuples of concepts: ``told``, ``largest`` (all by contribution), ``ahead``
        (all by what warns of losses to come; empty without it) and ``rules``. Ordered by date and customer.
    """
    parts = []
    for day in company.asked:
        model, cohort = company.at(day).model, company.cohort(day)
        about = standing(company, cohort, day).join(warned(model, cohort))
        kept = about["stage"].isin(EARLY_STAGES) & about["driver"].notna() & (about["loud"] | about["early"])
        rows = cohort[kept].reset_index(drop=True)
        if rows.empty:
            continue
        held = told(model, rows, why.spread_of(cohort), company.intake.settings.reasons.count)
        ahead: Sequence[tuple[str, ...]] = [()] * len(rows)
        if model.early is not None:
            values = pd.DataFrame(model.early.contributions(rows), columns=list(model.early.columns))
            ahead = ranked(concept_sums(values))
        parts.append(
            about[kept]
            .reset_index(drop=True)
            .assign(told=held.concepts, largest=held.ranked, ahead=ahead, rules=_fired(rows))
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def standing(company: Company, cohort: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """In which true stage each customer was on a day, what drove it, and when it was lost because of that."""
    if company.truth is None or company.stages is None:
        raise ValueError("expected a company whose truth is known")
    stages, losses = company.stages, company.truth.losses
    now = stages[(stages["starts_at"] <= day) & ~(stages["ends_at"] <= day)].drop_duplicates("customer_id")
    ahead = losses[(losses["cooling_at"] <= day) & (losses["lost_at"] > day)].drop_duplicates("customer_id")
    found = cohort[["customer_id", "as_of"]]
    found = found.merge(now[["customer_id", "stage", "driver"]], on="customer_id", how="left")
    return found.merge(ahead[["customer_id", "lost_at"]], on="customer_id", how="left")


def concepts_of_rules() -> dict[str, tuple[str, ...]]:
    """The concepts of the features that each shipped rule's conditions read, in the order of reading."""
    options = rule_options({}, WARNING_RULES)
    found = {}
    for rule in WARNING_RULES:
        read = [name for text in rule.texts for one in conditions(text) for name in one.columns(options)]
        found[rule.code] = tuple(dict.fromkeys(REGISTRY[name].concept for name in read if name in REGISTRY))
    return found


def _fired(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """The concepts of the rules that fired for each row, those of the loudest rules first."""
    fired = signals(rows, WARNING_RULES, rule_options({}, WARNING_RULES))
    place = {rule.code: i for i, rule in enumerate(WARNING_RULES)}
    order = fired.assign(loud=fired["level"].map(LEVELS.index), place=fired["rule"].map(place))
    order = order.sort_values(["loud", "place"], kind="stable")
    concepts = concepts_of_rules()
    by = order.groupby("customer_id")["rule"].agg(list).to_dict()
    return [tuple(dict.fromkeys(c for code in by.get(who, ()) for c in concepts[code])) for who in rows["customer_id"]]


def hits(picked: Sequence[tuple[str, ...]], drivers: Sequence[str], own: Mapping[str, frozenset[str]]) -> np.ndarray:
    """Whether a concept of the true driver is among the first two of each, float64."""
    pairs = zip(picked, drivers, strict=True)
    return np.array([float(bool(own[driver] & set(concepts[:AMONG]))) for concepts, driver in pairs])


def by_chance(drivers: Sequence[str], own: Mapping[str, frozenset[str]], number: Sequence[int] | None = None) -> float:
    """The mean chance of a hit with so many different concepts drawn at random, two by default."""
    counts = [AMONG] * len(drivers) if number is None else [min(one, AMONG) for one in number]
    whole = len(CONCEPTS)
    pairs = zip(drivers, counts, strict=True)
    return float(np.mean([1 - comb(whole - len(own[driver]), k) / comb(whole, k) for driver, k in pairs]))


@dataclass(frozen=True)
class Hits:
    """The sections of the drivers: of losses, and what explains the figures."""

    warnings: pd.DataFrame

    @property
    def losses(self) -> pd.DataFrame:
        """The first early warning before each loss."""
        rows = self.warnings[self.warnings["lost_at"].notna()]
        return rows.drop_duplicates(["customer_id", "lost_at"])

    @property
    def all(self) -> pd.DataFrame:
        """The first early warning of each customer, whether a loss followed or not."""
        return self.warnings.drop_duplicates("customer_id")


def driver_sections(company: Company) -> list[Section]:
    """Hit rates beside chance, the two most frequent concepts and the rules, and what stands in the way."""
    found = Hits(early_warnings(company))
    if found.warnings.empty or found.losses.empty:
        return []
    wide, narrow = concepts_of_drivers(), concepts_of_drivers(largest=False)
    about = (
        "Warned about (level yellow or louder, or among the first tenth of those not overdue) while the true stage was "
        f"cooling or comparison, at {len(company.asked)} monthly dates; the first such warning of each loss that had a "
        "driver. A hit: a concept of the true driver is among the first two. *As told*: reasons, then the small "
        "changes that are listed beside few of them. A driver's concepts are those of the signals on which the "
        f"simulated world lets it act by {STRONG:g} times or more, or most of the five; *strictly*: by {STRONG:g} "
        "times or more alone."
    )
    figures = [*_figures(found.losses, wide, "", GOAL), *_figures(found.losses, narrow, ", strictly", np.nan)]
    figures += _figures(found.all, wide, ", recovered ones included", np.nan)[:2]
    return [Section("The true driver", about, figures), _ceiling(found.losses, wide)]


def _figures(rows: pd.DataFrame, own: Mapping[str, frozenset[str]], words: str, goal: float) -> list[Figure]:
    """As told, by the largest contributions, and by what warns of losses to come; baselines beside."""
    who, drivers = rows["customer_id"], list(rows["driver"])
    frequent = pd.Series([c for concepts in rows["told"] for c in concepts[:AMONG]]).value_counts().index[:AMONG]
    always = [tuple(frequent)] * len(rows)
    beside = (
        ("two at random", by_chance(drivers, own)),
        ("as many at random", by_chance(drivers, own, [len(one) for one in rows["told"]])),
        (f"always {' and '.join(frequent)}", float(hits(always, drivers, own).mean())),
        ("rules that fired", float(hits(list(rows["rules"]), drivers, own).mean())),
    )
    found = [mean_of(f"as told{words}", hits(list(rows["told"]), drivers, own), who, beside=beside, least=goal)]
    largest = hits(list(rows["largest"]), drivers, own)
    found.append(mean_of(f"two largest contributions{words}", largest, who, beside=beside[:1]))
    if any(rows["ahead"]):
        text = f"two largest of what warns of losses to come{words}"
        found.append(mean_of(text, hits(list(rows["ahead"]), drivers, own), who, beside=beside[:1]))
    return found


def _ceiling(rows: pd.DataFrame, own: Mapping[str, frozenset[str]]) -> Section:
    """What takes the place of the true driver, and what would be hit without it."""
    who, drivers = rows["customer_id"], list(rows["driver"])
    taken = pd.Series([c for concepts in rows["told"] for c in concepts[:AMONG]]).value_counts() / len(rows)
    told, largest = list(rows["told"]), list(rows["largest"])
    rhythm = why.RHYTHM_CONCEPT
    anywhere = [float(bool(own[driver] & set(one))) for one, driver in zip(told, drivers, strict=True)]
    figures = [
        mean_of("fewer than two concepts are told", [len(one) < AMONG for one in told], who),
        mean_of("order rhythm is among the first two told", [rhythm in one[:AMONG] for one in told], who),
        mean_of("hit as told, order rhythm left out", hits(_without(told, rhythm), drivers, own), who),
        mean_of("hit of the two largest, order rhythm left out", hits(_without(largest, rhythm), drivers, own), who),
        mean_of("hit anywhere in what is told", anywhere, who),
    ]
    hit = pd.DataFrame({"driver": drivers, "hit": hits(list(rows["told"]), drivers, own)}).groupby("driver")["hit"]
    by_driver = "; ".join(f"{name} {part.mean():.2f} of {len(part)}" for name, part in hit)
    places = "; ".join(f"{name} {share:.2f}" for name, share in taken.head(6).items())
    listed = [f"- {name}: {', '.join(sorted(concepts))}" for name, concepts in own.items()]
    remarks = [
        f"Told in the first two places: {places}.",
        f"Hit as told by driver: {by_driver}.",
        "A driver's concepts:\n\n" + "\n".join(listed),
    ]
    return Section("What stands in the way of the driver", "Of the same warnings.", figures, remarks)


def _without(picked: Sequence[tuple[str, ...]], concept: str) -> list[tuple[str, ...]]:
    return [tuple(one for one in concepts if one != concept) for concepts in picked]
