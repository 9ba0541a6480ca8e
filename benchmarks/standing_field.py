"""Who is judged on which rows: the product's own walk, anybody's files, the reference rules, chance and oracles.

Everybody is judged on the same rows: those of the cohort that every contestant has. What that leaves out is said.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pandas as pd

from benchmarks import standing_given, standing_truth
from benchmarks.standing_given import COLUMNS, WARNS_BY, Cost, Given
from benchmarks.standing_page import NAMES, plain
from benchmarks.standing_truth import Losses, Truth
from features.errors import SettingsError
from features.labels import derive
from features.snapshots import ELIGIBLE, Progress, monthly, take
from models import evaluation
from models.folds import CHAMPION, KEYS
from models.levels import OVERDUE, queue_of
from pipelines.intake import Intake, Request
from pipelines.replay import COLUMNS as PREDICTED
from pipelines.replay import backtest
from pipelines.train import SHOWN_HORIZON

#: First and last cutoff where neither is given, by layout.
REPORTED = {"online-retail-ii": (date(2011, 5, 1), date(2011, 9, 1))}
#: Other data: as many of the newest months whose outcome is known.
NEWEST_MONTHS = 6
#: What a prediction is joined with to form set B and the groups by history.
FACTS = ("days_since_last_order", "days_since_first_order", "order_days_ever")
#: What it is joined with besides, for segments and for the cost of a loss.
FURTHER = ("gap_cv_ever", "revenue_365d", "churn_window_days", "overdue")
#: Segments that a table of customers may have.
SEGMENTS = ("industry", "region")
OUTCOMES = [f"no_order_{SHOWN_HORIZON}", "churned"]


@dataclass(frozen=True)
class Field:
    """Everybody on the same rows.

    Attributes
    ----------
    predictions
        One row per contestant, customer and cutoff: what each says of every outcome, what came of it, and the facts of
        the customer at the cutoff.
    cutoffs
        All cutoffs that were asked for.
    subject
        The contestant whose lead over the others is given: the champion, else the first that was handed in.
    losses
        When customers were lost, in each of the ways in which that can be told.
    ranks_only
        Outcome -> contestants whose score is no probability of it.
    costs
        Contestant -> what its file says it took.
    rows
        How many rows everybody has and who lacks how many, as a line of the report; empty where the product is alone.
    """

    predictions: pd.DataFrame
    cutoffs: tuple[date, ...]
    subject: str
    losses: tuple[Losses, ...]
    ranks_only: Mapping[str, frozenset[str]]
    costs: Mapping[str, Cost]
    rows: str


def published(request: Request) -> Request:
    """The request with nobody set apart from set A where the data's figures are published; any other as it is."""
    if request.layout not in REPORTED:
        return request
    settings = request.settings()
    nobody = dict.fromkeys(("projects_apart", "seasons_apart", "reactivated_apart"), False)
    return replace(request, given=settings.model_copy(update={"cohort": settings.cohort.model_copy(update=nobody)}))


def with_facts(predictions: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Predictions beside what was known of each customer at the cutoff (:data:`FACTS` and others).

    Raises
    ------
    InvalidPredictions
        If a predicted customer is not in the snapshots: the predictions are of other data.
    """
    joined = predictions.merge(facts, on=KEYS, how="left", validate="many_to_one")
    stray = joined.loc[joined["order_days_ever"].isna(), "customer_id"]
    if len(stray):
        raise evaluation.InvalidPredictions(
            f"{len(stray)} predictions are of customers that the data does not have at that date, such as "
            f"{stray.iloc[0]!r}: give the file that was made from this data."
        )
    return joined


def assemble(arguments: argparse.Namespace, intake: Intake, progress: Progress) -> Field:
    """Everybody who was asked for, on the rows that all of them have.

    Raises
    ------
    KizashiError
        For files, periods and options that do not fit the data or each other.
    """
    truth = standing_truth.read(arguments.data)
    given = standing_given.read_all(arguments.contestant, NAMES)
    if arguments.no_product and not given and (truth is None or truth.oracles.empty):
        raise SettingsError("--no-product leaves nobody to judge: give --contestant NAME=FILE, or data with oracles.")
    if arguments.no_product and arguments.predictions:
        raise SettingsError("--predictions is a file of the product: give it without --no-product.")
    product = None if arguments.no_product else _product(arguments, intake, truth, given, progress)
    if product is not None:
        cutoffs = _dates(product)
    elif given or truth is None:
        cutoffs = _common_dates(given, arguments, intake.as_of)
    else:
        cutoffs = _dates(_within(truth.oracles, arguments))
    table = take(intake.events, cutoffs, cohort=intake.cohort(), window=intake.window(), progress=progress)
    frame = table.frame.assign(overdue=queue_of(table.frame) == OVERDUE)
    eligible = frame[frame["cohort"] == ELIGIBLE].reset_index(drop=True)
    if product is None:
        # The outcome columns are derived from the whole cohort, so that a date matures for all of it at once.
        known = eligible.merge(table.outcomes(intake.observed_until), on=KEYS, validate="one_to_one")
        base = eligible[KEYS].join(derive(known)[OUTCOMES])
    else:
        base = product.drop_duplicates(KEYS)[[*KEYS, *OUTCOMES]].reset_index(drop=True)
    base = with_facts(base, frame[[*KEYS, *FACTS, *FURTHER]]).merge(_segments(intake), on="customer_id", how="left")
    if truth is not None:
        base = base.assign(lost_90=truth.lost_at(base))
    members = _members(product, given, truth, eligible)
    predictions, rows = _shared(members, base)
    alone = product is not None and not given and truth is None
    return Field(
        predictions,
        tuple(cutoffs),
        CHAMPION if product is not None else members[0].name,
        standing_truth.true_losses(truth)
        if truth is not None
        else standing_truth.losses_by_orders(table, intake.observed_until),
        {outcome: frozenset(m.name for m in members if outcome in m.ranks_only) for outcome in standing_given.SCORES},
        {member.name: member.cost for member in members if member.cost is not None},
        "" if alone else rows,
    )


def _product(
    arguments: argparse.Namespace,
    intake: Intake,
    truth: Truth | None,
    given: Sequence[Given],
    progress: Progress,
) -> pd.DataFrame:
    """The product's own predictions: from the file that `kizashi backtest` wrote, else from a backtest."""
    if arguments.predictions is None:
        return backtest(intake, *_period(arguments, intake, truth, given), progress=progress).predictions
    predictions = pd.read_parquet(arguments.predictions)
    missing = [name for name in PREDICTED if name not in predictions]
    if missing:
        raise evaluation.InvalidPredictions(
            f"{arguments.predictions.name}: columns are missing: {missing}. Give a file that `kizashi backtest` wrote."
        )
    return _within(predictions, arguments)


def _within(rows: pd.DataFrame, arguments: argparse.Namespace) -> pd.DataFrame:
    day = rows["as_of"].dt.date
    kept = (day >= (arguments.first or date.min)) & (day <= (arguments.last or date.max))
    return rows[kept].reset_index(drop=True)


def _period(
    arguments: argparse.Namespace, intake: Intake, truth: Truth | None, given: Sequence[Given]
) -> tuple[date, date]:
    """First and last cutoff: as given, else those of the files or oracles, the reported or the newest matured ones."""
    newest = intake.as_of - timedelta(days=SHOWN_HORIZON)
    first, last = REPORTED.get(arguments.layout, (None, newest))
    if given:
        days = _common_dates(given, arguments, intake.as_of)
        first, last = days[0], days[-1]
    elif truth is not None and len(truth.oracles):
        days = [day for day in _dates(truth.oracles) if day <= newest][-NEWEST_MONTHS:]
        first, last = (days[0], days[-1]) if days else (first, last)
    last = arguments.last or last
    return arguments.first or first or monthly(intake.first_order(), last)[-NEWEST_MONTHS:][0], last


def _dates(rows: pd.DataFrame) -> list[date]:
    return [pd.Timestamp(day).date() for day in sorted(rows["as_of"].unique())]


def _common_dates(given: Sequence[Given], arguments: argparse.Namespace, until: date) -> list[date]:
    """The dates of the period that all files have and the data reaches."""
    all_of = [set(_dates(_within(member.frame, arguments))) for member in given]
    days = sorted(day for day in set.intersection(*all_of) if day <= until)
    if not days:
        spans = ", ".join(
            f"{member.name} {member.frame['as_of'].min():%Y-%m-%d} to {member.frame['as_of'].max():%Y-%m-%d}"
            for member in given
        )
        raise evaluation.InvalidPredictions(
            f"The files have no as_of in common within the period and the data, which ends on {until}: {spans}. "
            "Predict the same dates, or give another --from and --to."
        )
    return days


def _members(
    product: pd.DataFrame | None, given: Sequence[Given], truth: Truth | None, eligible: pd.DataFrame
) -> list[Given]:
    """Everybody, the subject first."""
    rules = standing_given.rules(eligible)
    ours = [] if product is None else _contestants(product, {rule.name: rule.frame for rule in rules})
    alone = product is not None and not given and truth is None
    others = [] if alone else [standing_given.chance(eligible)]
    oracles = [] if truth is None else truth.contestants(eligible)
    return [*ours, *given, *([] if product is not None else rules), *oracles, *others]


def _contestants(product: pd.DataFrame, rules: Mapping[str, pd.DataFrame]) -> list[Given]:
    """The product's contestants; rules warn by their own variable, the others by the chance of the fixed horizon.

    Of the true loss they say nothing: there the own window's probability is judged as a ranking.
    """
    found = []
    for name, rows in product.groupby("contestant", sort=False):
        own, fixed = rows["churn_probability"], rows["p_no_order_90"]
        frame = rows[[*KEYS, "p_no_order_90", "churn_probability"]].assign(p_lost_90=own, **{WARNS_BY: fixed})[COLUMNS]
        if name in rules:
            bare = rules[str(name)][[*KEYS, WARNS_BY]]
            frame = frame.drop(columns=WARNS_BY).merge(bare, on=KEYS, how="left")
        found.append(Given(str(name), frame.reset_index(drop=True), frozenset({"lost_90"})))
    return found


def _shared(members: Sequence[Given], base: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows that everybody has, and the line that says how many of the cohort those are."""
    common, lacking = base[KEYS], []
    for member in members:
        mine = base[KEYS].merge(member.frame[KEYS], on=KEYS)
        if len(mine) < len(base):
            lacking.append(f"{plain(member.name)} {len(base) - len(mine):,}")
        common = common.merge(mine, on=KEYS)
    dates = f"{base['as_of'].min():%Y-%m-%d} to {base['as_of'].max():%Y-%m-%d}"
    if common.empty:
        raise evaluation.InvalidPredictions(
            f"No row is common to all: the cohort has {len(base)} customers and cutoffs, {dates}, of which there lack "
            f"{', '.join(lacking)}. Compare how customer_id and as_of are written."
        )
    kept = base.merge(common, on=KEYS)
    parts = [kept.merge(member.frame, on=KEYS).assign(contestant=member.name) for member in members]
    whole = f"{len(common):,} of the {len(base):,} of the cohort at these cutoffs"
    rows = f"- rows: {whole}, those that every contestant has; {'nobody lacks any' if not lacking else ''}"
    return pd.concat(parts, ignore_index=True), rows + f"{'lacking: ' if lacking else ''}{', '.join(lacking)}\n"


def _segments(intake: Intake) -> pd.DataFrame:
    """Industry and region of every customer, as far as there is a table that says."""
    present = [name for name in SEGMENTS if name in intake.events.columns.get("customers", ())]
    if not present:
        return pd.DataFrame({"customer_id": pd.Series(dtype="str")})
    parts = []
    for bucket in range(intake.events.buckets):
        with intake.events.connect(bucket) as con:
            parts.append(con.execute(f"SELECT customer_id, {', '.join(present)} FROM customers").df())
    return pd.concat(parts).drop_duplicates("customer_id").astype({"customer_id": "str"})
