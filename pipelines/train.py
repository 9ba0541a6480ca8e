"""Monthly training: data against the champion's, snapshots, walk-forward, certificate, card, register and gate."""

import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from features.labels import derive
from features.snapshots import ELIGIBLE, Progress, SnapshotTable, silent
from features.tracks import funnel
from features.windows import WindowChoice
from models import evaluation, golden
from models.certificate import Certificate, certify, interval_coverage
from models.certificate import Limits as CertificateLimits
from models.churn_model import ChurnModel
from models.folds import CHAMPION, Walk, WalkOptions, past_rows, walk_forward, with_outcomes
from models.other_tracks import OtherTracks, learn
from models.selection import LADDER, regret
from models.tracking import Metric, Tracking, Version
from models.tuning import Tuned, tune
from pipelines import learning, model_record, promotion
from pipelines.data_profile import profile
from pipelines.files import write_parquet
from pipelines.intake import Intake
from pipelines.learning import Learnt
from pipelines.model_gate import Limits
from pipelines.settings import tracking_folder

#: The horizon whose figures are shown first: long enough for a quarter, short enough to mature.
SHOWN_HORIZON = 90
REPEATS = 300


@dataclass(frozen=True)
class Asked:
    """What a training is asked for besides the data.

    Attributes
    ----------
    who, when
        Who trains, and the moment with its time zone: for the history.
    promote
        Make the new model the champion if it passes the gate, although there is one already.
    accept_data
        Why data are right that are not as the champion's were; empty to refuse such data.
    tune
        Search LightGBM's settings first.
    """

    who: str
    when: datetime
    promote: bool = False
    accept_data: str = ""
    tune: bool = False


@dataclass(frozen=True)
class Judged:
    """What a walk is worth, from predictions whose outcome is known.

    Attributes
    ----------
    predictions
        All contestants at :data:`SHOWN_HORIZON`: :data:`models.evaluation.COLUMNS`.
    standing
        Their standing table; empty where nothing had matured.
    regret
        What the choice of the champion cost, see :func:`models.selection.regret`; empty likewise.
    certificate
        Of the champion's probabilities at that horizon.
    coverage
        Share of groups of customers whose observed share of lost lay within the mean interval; NaN where unknown.
    """

    predictions: pd.DataFrame
    standing: pd.DataFrame
    regret: pd.DataFrame
    certificate: Certificate
    coverage: float


@dataclass(frozen=True)
class Trained:
    """What a training leaves behind.

    Attributes
    ----------
    version
        The registered version.
    champion
        The model that was registered.
    judged
        What it is worth.
    choice
        How the customer's own window was chosen, and the purity of that label.
    funnel
        The tracks of all customers at the training date.
    decision
        What the gate said of it, and whether it is in use now.
    card
        The model card, in Markdown.
    learnt
        What it took from the store of what people did, and which thresholds and weights it moves.
    tuned
        The search of settings, where one was asked for.
    """

    version: Version
    champion: ChurnModel
    judged: Judged
    choice: WindowChoice
    funnel: pd.DataFrame
    decision: promotion.Decision
    card: str
    learnt: Learnt
    tuned: Tuned | None = None


def train(intake: Intake, asked: Asked, *, progress: Progress = silent) -> Trained:
    """Train on everything that was known at the intake's date, register the result and put it through the gate.

    The new version is the challenger; it becomes the champion where there is none yet or it is asked for, if it passes.

    Raises
    ------
    DataRefused
        If the data are not as the champion's were, and nobody has accepted them. Nothing is learnt or registered.
    """
    out = intake.request.out
    progress("holding the data against the champion's", 0.0)
    looked = profile(intake.events, intake.as_of, engine=intake.engine)
    limits = Limits.of(intake.settings.promotion)
    promotion.admit_data(out, looked, who=asked.who, when=asked.when, accept=asked.accept_data, limits=limits.data)
    table, tried = snapshots_to_learn(intake, progress)
    learnt = learning.counted(learning.learnt_from(intake), table, intake)
    options = replace(intake.walk_options(), cases=learnt.cases)
    tuned = tune(table, tried[0], options, progress=progress) if asked.tune else None
    if tuned is not None:
        options = replace(options, boosting=tuned.options)
    walk = walk_forward(table, tried, options, progress=progress)
    progress("figures and plots", 0.0)
    store_snapshots(table, intake)
    outcomes = with_outcomes(walk.predictions, table, intake.observed_until, learnt.cases)
    judged = judge(outcomes, intake.settings.training.seed)
    here = table.frame[table.frame["as_of"] == pd.Timestamp(intake.as_of)]
    champion = replace(walk.champion, others=_other_tracks(walk, intake, options))
    champion = champion.with_facts(
        **facts(intake, here, walk.choice),
        certificate=judged.certificate.to_dict(),
        profile=looked,
        record=model_record.of_training(
            outcomes, judged.predictions, judged.standing, walk, options, intake.observed_until, SHOWN_HORIZON
        ),
        **learnt.facts,
        **({"data_accepted": asked.accept_data} if asked.accept_data else {}),
    )
    from pipelines import training_report

    learnt = learning.compared(learnt, champion, intake)
    page = training_report.card_of(intake, walk, champion, judged, here, learnt, tuned)
    progress("registering the model", 0.8)
    registered = _register(intake, champion, walk, judged, here, page, learnt, tuned)
    promotion.keep_walk(out, registered.number, judged.predictions)
    progress("the gate", 0.9)
    decision = promotion.after_training(
        out, registered.number, who=asked.who, when=asked.when, promote_it=asked.promote, limits=limits
    )
    return Trained(decision.version, champion, judged, walk.choice, funnel(here), decision, page, learnt, tuned)


def _other_tracks(walk: Walk, intake: Intake, options: WalkOptions) -> OtherTracks:
    as_of = pd.Timestamp(intake.as_of)
    frame = walk.table.frame
    book = frame[(frame["as_of"] == as_of) & (frame["order_days_ever"] >= 1)]
    return learn(past_rows(walk.table, as_of, options), book, walk.champion.rhythm, options.seed)


def snapshots_to_learn(intake: Intake, progress: Progress) -> tuple[SnapshotTable, list[date]]:
    """The snapshots of a training and the dates that it is tried on."""
    dates = intake.dates_until(intake.as_of)
    tried = test_dates(dates, intake.observed_until, intake.settings.training.test_cutoffs)
    dates = intake.reach(dates, tried[0])
    table = intake.snapshots(dates, max_rows=intake.settings.training.max_rows, progress=progress)
    return table, tried


def store_snapshots(table: SnapshotTable, intake: Intake) -> Path:
    """Write the training table: every snapshot with its time to the next order and all labels; returns the file."""
    outcome = table.outcomes(intake.observed_until)[["days_to_next_order", "observed_days"]]
    rows = table.frame.join(outcome)
    path = intake.request.out / "snapshots" / f"{intake.as_of}.parquet"
    write_parquet(rows.join(derive(rows)).join(table.partial(intake.observed_until)), path)
    return path


def test_dates(dates: list[date], observed_until: date, cutoffs: int) -> list[date]:
    """The newest `cutoffs` dates whose shown horizon has matured at `observed_until`, and all dates after them.

    The last is the training date, whose model is the champion. Those in between cannot be judged yet, but what shorter
    horizons learnt at them belongs to the champion's record, as it does in a backtest from the first of these dates.
    """
    matured = [day for day in dates if day + timedelta(days=SHOWN_HORIZON) <= observed_until][-cutoffs:]
    return [day for day in dates if day >= matured[0]] if matured else dates[-1:]


def judged_rows(predictions: pd.DataFrame, days: int) -> pd.DataFrame:
    """Matured predictions of one horizon as the evaluation wants them."""
    return judged_by(predictions, f"p_no_order_{days}", f"no_order_{days}")


def judged_by(predictions: pd.DataFrame, probability: str, outcome: str) -> pd.DataFrame:
    """The same of any column of probabilities and any of outcomes."""
    named = predictions.rename(columns={probability: "probability", outcome: "outcome"})
    return named[list(evaluation.COLUMNS)].dropna(subset="outcome").reset_index(drop=True)


def stand(judged: pd.DataFrame, seed: int, *, ranks_only: bool = False) -> pd.DataFrame:
    """The standing table with intervals; empty where nothing has matured.

    With `ranks_only` all contestants are judged as rankings: of an outcome that none of them gives a probability of.
    """
    if judged.empty:
        return pd.DataFrame()
    names = sorted(judged["contestant"].unique()) if ranks_only else ()
    return evaluation.standing_table(judged, repeats=REPEATS, ranks_only=names, rng=np.random.default_rng(seed))


def judge(predictions: pd.DataFrame, seed: int) -> Judged:
    """What predictions beside their outcomes (:func:`models.folds.with_outcomes`) are worth."""
    rows = judged_rows(predictions, SHOWN_HORIZON)
    champions = predictions[predictions["contestant"] == CHAMPION]
    named = {f"p_no_order_{SHOWN_HORIZON}": "probability", f"no_order_{SHOWN_HORIZON}": "outcome"}
    about = ["customer_id", "as_of", "level", "segment", "queue"]
    shown = champions.rename(columns=named)[[*about, "probability", "outcome"]].dropna(subset="outcome")
    own = champions.rename(
        columns={
            "churn_probability": "probability",
            "churned": "outcome",
            "churn_low": "probability_low",
            "churn_high": "probability_high",
        }
    )
    own = own[["as_of", "probability", "outcome", "probability_low", "probability_high"]].dropna(subset="outcome")
    certificate = certify(shown, CertificateLimits(), np.random.default_rng(seed))
    cost = regret(rows, CHAMPION, LADDER_NAMES) if len(rows) else pd.DataFrame()
    return Judged(rows, stand(rows, seed), cost, certificate, interval_coverage(own))


#: The contestants that stand for the steps of the ladder of selection.
LADDER_NAMES = tuple("mbgcnbd" if name == "label_free" else name for name in LADDER)


def facts(intake: Intake, here: pd.DataFrame, choice: WindowChoice) -> dict[str, object]:
    """What the manifest says besides the model itself."""
    return {
        "data_fingerprint": intake.events.fingerprint,
        "cohort": asdict(intake.cohort()),
        "window": asdict(replace(intake.window(), multiples=(choice.multiple,))),
        "window_choice": choice.to_dict(),
        "options": intake.options(),
        learning.WEIGHTS: learning.weights_of(intake),
        "customers": int((here["cohort"] == ELIGIBLE).sum()),
        "versions": {name: version(name) for name in ("kizashi", "lightgbm", "duckdb", "pandas", "scikit-learn")},
    }


def _register(
    intake: Intake,
    champion: ChurnModel,
    walk: Walk,
    judged: Judged,
    here: pd.DataFrame,
    page: str,
    learnt: Learnt,
    tuned: Tuned | None,
) -> Version:
    from pipelines import training_report

    eligible = here[here["cohort"] == ELIGIBLE]
    tables = {
        "standing": judged.standing,
        "regret": judged.regret,
        "certificate": judged.certificate.groups,
        "funnel": funnel(here),
        "changes": learnt.moved,
    } | ({"tuning": tuned.trials} if tuned else {})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        champion.save(folder, {golden.GOLDEN: golden.text_of(golden.golden_rows(champion, eligible, 0))})
        return Tracking(tracking_folder(intake.request.out)).log_training(
            name=str(intake.as_of),
            params=intake.settings.flat(),
            data_fingerprint=intake.events.fingerprint,
            folds=walk.folds,
            metrics=metrics(judged, walk.choice),
            figures=training_report.figures_of(judged),
            model=folder,
            alias="challenger",
            texts={"card.md": page},
            tables={name: table for name, table in tables.items() if len(table)},
        )


def metrics(judged: Judged, choice: WindowChoice) -> list[Metric]:
    """Every finite figure of the standing table as ``<contestant>.<figure>``, purity, regret and the certificate."""
    rows = []
    for row in judged.standing.to_dict("records"):
        for name in (*evaluation.RANKING, *evaluation.CALIBRATION):
            rows.append((f"{row['contestant']}.{name}", *(row[key] for key in (name, f"{name}_low", f"{name}_high"))))
    chosen = choice.chosen
    rows.append(("false_churn_share", chosen.share, chosen.low, chosen.high))
    rows.append(("window_multiple", choice.multiple, None, None))
    rows.append(("percentages_shown", float(judged.certificate.shows_percentages), None, None))
    rows.append(("interval_coverage", judged.coverage, None, None))
    rows += [(f"regret.{row['contestant']}", row["regret"], None, None) for row in judged.regret.to_dict("records")[1:]]
    found = []
    for name, *numbers in rows:
        value, low, high = (float("nan") if number is None else float(number) for number in numbers)
        if np.isfinite(value):
            known = np.isfinite([low, high]).all()
            found.append(Metric(name, value, low if known else None, high if known else None))
    return found
