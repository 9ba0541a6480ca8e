"""What a training shows: the model card and its pictures."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.blanks import features_off
from features.contract import CONTRACT
from features.snapshots import ELIGIBLE
from features.tracks import funnel
from models.card import CardFacts, card
from models.churn_model import ChurnModel
from models.completeness import completeness, grades_table
from models.folds import CHAMPION, Walk
from models.plots import lift_plot, smooth_reliability_plot
from models.smooth_curve import smooth_curve
from models.tuning import Tuned
from pipelines.intake import Intake
from pipelines.learning import Learnt
from pipelines.train import SHOWN_HORIZON, Judged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Who is drawn beside the champion: a label-free model and a rule.
_BESIDE = ("mbgcnbd", "days_since_last_order")


def figures_of(judged: Judged) -> dict[str, "Figure"]:
    """Reliability of the champion and lift beside others; none where nothing had matured."""
    rows = judged.predictions
    if rows.empty:
        return {}
    title = f"no order within {SHOWN_HORIZON} days, out of time"
    champions = rows[rows["contestant"] == CHAMPION]
    shown = rows[rows["contestant"].isin([CHAMPION, *_BESIDE])]
    figures = {"lift": lift_plot(shown, title=title)}
    if champions["outcome"].nunique() == 2:
        curve = smooth_curve(champions, rng=np.random.default_rng(0))
        figures["reliability"] = smooth_reliability_plot(champions, curve, title=title)
    return figures


def card_of(
    intake: Intake,
    walk: Walk,
    champion: ChurnModel,
    judged: Judged,
    here: pd.DataFrame,
    learnt: Learnt,
    tuned: Tuned | None,
) -> str:
    """The model card of a training."""
    events, settings = intake.events, intake.settings
    scores = champion.probabilities(here[here["cohort"] == ELIGIBLE])
    wide = scores["churn_high"] - scores["churn_low"]
    tables = [
        {
            "table": one.table,
            "rows_in": one.rows_in,
            "clean": one.clean,
            "quarantined": one.quarantined,
            "duplicates": one.duplicates,
        }
        for one in intake.report.tables
    ]
    notes = [*([] if champion.others is None else champion.others.words), *learnt.words]
    if tuned is not None:
        outcome = "adopted" if tuned.adopted else "not adopted, the defaults stay"
        notes.append(
            f"A search of {len(tuned.trials)} settings lowered the log loss by {tuned.gain:.4f} (standard error "
            f"{tuned.error:.4f}): {outcome}."
        )
    return card(
        CardFacts(
            as_of=intake.as_of,
            source=intake.request.shown,
            fingerprint=events.fingerprint,
            first_order=intake.first_order(),
            data_end=events.data_end,
            tables=pd.DataFrame(tables),
            tables_absent=[name for name in CONTRACT if name not in events.columns],
            features_used=len(champion.boosting.columns),
            features_off=features_off(events.columns),
            funnel=funnel(here),
            learnt_share=min(1.0, settings.training.max_rows / max(len(walk.table.frame), 1)),
            window=walk.choice.to_dict(),
            horizon_days=SHOWN_HORIZON,
            standing=judged.standing,
            selection=champion.selection.to_dict(),
            regret=judged.regret,
            certificate=judged.certificate,
            levels=champion.levels.to_dict(),
            intervals={
                "median width of the 90 % interval": float(wide.median()),
                "groups of customers whose observed share lay within it": judged.coverage,
            },
            grades=grades_table(completeness(here, events.columns)),
            versions=champion.facts["versions"],
            seed=settings.training.seed,
            notes=notes,
        )
    )
