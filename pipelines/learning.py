"""What a training learns from what people did: contacts and reviews from the store, and what they moved."""

from dataclasses import asdict, dataclass, field, replace

import pandas as pd

from features.errors import ArtefactError
from features.snapshots import ELIGIBLE, SnapshotTable
from models.cases import Cases, Told
from models.churn_model import ChurnModel
from models.health_weight_history import in_use, read_changes
from models.levels import changes
from models.tracking import Tracking
from pipelines.intake import Intake
from pipelines.settings import database_url, tracking_folder
from serving.effects import change_report
from serving.store import Store
from serving.verification import training_facts

#: Columns of the report of what a training moved.
MOVED = ("what", "before", "after", "why", "n")
#: What the manifest calls the weights of the health score.
WEIGHTS = "health_weights"


@dataclass(frozen=True)
class Learnt:
    """What came of the loop in a training.

    Attributes
    ----------
    cases
        What is known; None where the store says nothing.
    treated, reviews, restarts
        Warnings that were acted upon, reviews of a loss, and customers that came back.
    told
        What of that changed snapshots.
    moved
        :data:`MOVED`: thresholds and weights that are not those of the champion; empty without a champion.
    against
        The version that it is compared with; None without a champion.
    """

    cases: Cases | None = None
    treated: int = 0
    reviews: int = 0
    restarts: int = 0
    told: Told = field(default_factory=Told)
    moved: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(MOVED)))
    against: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What was learnt from, in sentences; none where the store says nothing."""
        if self.cases is None:
            return ()
        return (
            f"From the store: {self.treated:,} warnings that were acted upon, {self.reviews:,} reviews of a loss, "
            f"{self.restarts:,} customers that came back.",
            self.told.words,
        )

    @property
    def facts(self) -> dict[str, object]:
        """What the manifest says of it; nothing where the store says nothing."""
        if self.cases is None:
            return {}
        labelled = {"reviews": self.reviews, "restarts": self.restarts}
        return {"cases": {"treated": self.treated, **labelled, **asdict(self.told)}}


def learnt_from(intake: Intake) -> Learnt:
    """What the store of an output folder says of contacts, losses and restarts."""
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        found = training_facts(store)
    cases = Cases(found.treated, found.confirmed_lost)
    if not cases:
        return Learnt(restarts=len(found.restarted))
    return Learnt(cases, len(found.treated), len(found.confirmed_lost), len(found.restarted))


def counted(learnt: Learnt, table: SnapshotTable, intake: Intake) -> Learnt:
    """The same with what the cases changed in the snapshots of the training."""
    if learnt.cases is None:
        return learnt
    until = min(intake.observed_until, table.data_end)
    outcome = table.outcomes(until)[(table.frame["cohort"] == ELIGIBLE).to_numpy()]
    return replace(learnt, told=learnt.cases.counts(outcome, until))


def weights_of(intake: Intake) -> dict[str, float]:
    """The weights of the health score that are in use, per cent by dimension."""
    section = intake.settings.health
    weights = section.set_weights()
    return asdict(in_use(read_changes(intake.request.out), weights) if section.learned else weights)


def compared(learnt: Learnt, champion: ChurnModel, intake: Intake) -> Learnt:
    """The same with the thresholds and weights that a new model moves against the champion's."""
    tracking = Tracking(tracking_folder(intake.request.out))
    old = next((one for one in tracking.versions() if "champion" in one.aliases), None)
    if old is None:
        return learnt
    try:
        before = ChurnModel.load(old.folder)
    except ArtefactError:  # a folder of an older format cannot be compared, and is no reason not to train
        return learnt
    moved = [
        (f"threshold_{one.level}", one.was, one.now, one.why, one.n) for one in changes(before.levels, champion.levels)
    ]
    if WEIGHTS in before.facts:
        weights = change_report(
            *({f"weight_{name}": value for name, value in held.items()} for held in _weights(before, champion))
        )
        moved += [(name, was, now, "weights", 0) for name, was, now in weights.itertuples(index=False)]
    report = pd.DataFrame(moved, columns=list(MOVED)).astype({"before": "float64", "after": "float64", "n": "int64"})
    return replace(learnt, moved=report, against=old.number)


def _weights(*models: ChurnModel) -> list[dict[str, float]]:
    return [dict(model.facts[WEIGHTS]) for model in models]
