"""Why one customer was flagged: everything that `kizashi explain` tells, from the same functions as the daily run."""

from dataclasses import dataclass

import pandas as pd

from features import cutoffs
from features.errors import SettingsError
from features.passes import SnapshotParts
from features.snapshots import ELIGIBLE, Progress, silent
from models import reasons as why
from models.horizons import PROBABILITIES
from pipelines.intake import Intake
from pipelines.score import champion_of, score_parts, snapshots_of
from pipelines.scoring import figures_of, sentence, with_columns
from serving.records import PERCENT


@dataclass(frozen=True)
class Story:
    """One customer at one date.

    Attributes
    ----------
    score
        The customer's row of the daily scores.
    facts
        The customer's snapshot: every feature.
    reasons
        All concepts, the strongest first, with their sentences; base + sum of the contributions = margin.
    place
        The customer's place in the cohort by churn probability, 1 is the highest; None outside the cohort.
    cohort_size
        Customers in the cohort.
    orders
        The newest order days: ``day``, ``revenue``.
    model_version
        The version of the champion.
    name
        The customer's name where the data has one.
    """

    score: pd.Series
    facts: pd.Series
    reasons: pd.DataFrame
    place: int | None
    cohort_size: int
    orders: pd.DataFrame
    model_version: str
    name: str


def explain(intake: Intake, customer_id: str, *, progress: Progress = silent) -> Story:
    """The story of one customer as of the intake's date.

    Raises
    ------
    SettingsError
        If no such customer had an order by then.
    """
    champion = champion_of(intake.request.out)
    with snapshots_of(intake, champion.model, progress=progress) as parts:
        found = _snapshot(parts, customer_id)
        if found.empty or found["order_days_ever"].iloc[0] < 1:
            book = parts.columns({"customer_id", "order_days_ever"})
            known = sorted(book.loc[book["order_days_ever"] >= 1, "customer_id"])
            raise SettingsError(
                f"customer {customer_id!r} has no order known before {intake.as_of}. "
                f"Known are for example {known[:3]}; give one of them, or a later --as-of."
            )
        day = score_parts(intake, champion.model, parts, progress=progress)
        medians = parts.medians(intake.as_of)
    score = day.scores[day.scores["customer_id"] == customer_id].set_index("customer_id").iloc[0]
    eligible = day.scores[day.scores["cohort"] == ELIGIBLE]
    place = None
    told = day.reasons[day.reasons["customer_id"] == customer_id]
    if score["cohort"] == ELIGIBLE:
        place = 1 + int((eligible["churn_probability"] > score["churn_probability"]).sum())
        model = champion.model
        read = (*model.boosting.columns, *model.logistic.columns, why.RHYTHM)
        every = len({why.concept_of(name) for name in read})
        told = why.reasons(model, with_columns(found, model), count=every, peers=medians)
        told = told[told["feature"] != why.OTHER]
    facts = found.iloc[0]
    row = figures_of(facts.drop(["customer_id", "as_of", "cohort"]).to_dict())
    currency = intake.settings.project.currency
    percent = score["shown"] == PERCENT
    words = [sentence(reason, row, intake.as_of, currency, percent=percent) for reason in told.to_dict("records")]
    told = told.assign(text=words).sort_values("contribution", key=lambda c: -c.abs(), ignore_index=True)
    orders, name = _orders_and_name(intake, customer_id)
    return Story(score, facts, told, place, len(eligible), orders, champion.version, name)


def _snapshot(parts: SnapshotParts, customer_id: str) -> pd.DataFrame:
    """The customer's row, or none."""
    for bucket in range(parts.events.buckets):
        frame = parts.frame(bucket)
        found = frame[frame["customer_id"] == customer_id]
        if len(found):
            return found.reset_index(drop=True)
    return frame.iloc[:0]


def _orders_and_name(intake: Intake, customer_id: str) -> tuple[pd.DataFrame, str]:
    """The newest twelve order days known at the date, and the name."""
    for bucket in range(intake.events.buckets):
        with intake.events.connect(bucket) as con:
            held = con.execute("SELECT count(*) FROM transactions WHERE customer_id = ?", [customer_id]).fetchall()
            if not held[0][0]:
                continue
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [intake.as_of])
            orders = con.execute(
                f"SELECT as_of - CAST(days_ago AS INTEGER) AS day, CAST(amount AS DOUBLE) AS revenue "
                f"FROM ({cutoffs.past('order_days')}) WHERE customer_id = ? AND is_order ORDER BY day DESC LIMIT 12",
                [customer_id],
            ).df()
            names = con.execute("SELECT name FROM customers WHERE customer_id = ?", [customer_id]).fetchall()
            return orders, (names[0][0] or "") if names else ""
    return pd.DataFrame({"day": [], "revenue": []}), ""


def probabilities(story: Story) -> dict[int, float]:
    """Days -> probability of no order within them."""
    return {int(name.rsplit("_", 1)[1]): float(story.score[name]) for name in PROBABILITIES}
