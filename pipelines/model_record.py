"""What is told of the model in use besides its scores: how it did on the past that it had not seen, with every n.

Worked out at the training from the walk-forward, kept among the facts of the model, and published with each day, so
that a page can show it without the register of models. Sums and shares alone: no customer is named.
"""

from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.labels import churned
from models import economics as money
from models.churn_model import ChurnModel
from models.figures import decile_table, reliability_bins
from models.folds import CHAMPION, KEYS, Walk, WalkOptions, known_outcomes
from models.record import in_window
from models.rules import RULES
from models.threshold_record import EDGES, at_equal_warnings, threshold_record
from pipelines.economics import numbers_of
from pipelines.intake import Intake
from pipelines.kept_record import kept

#: Under which name of the model's facts, and as which report of a day, the record stands.
RECORD = "record"
REPORT = "model_record"
#: As which report the record of the rules stands that `kizashi rules --keep` put in use.
RULES_REPORT = "rule_record"
#: Bins of a reliability diagram.
BINS = 10
_STANDING = ("roc_auc", "average_precision", "top_decile_lift", "brier", "log_loss")
_RULES = tuple(rule.name for rule in RULES)


def of_training(
    outcomes: pd.DataFrame,
    judged: pd.DataFrame,
    standing: pd.DataFrame,
    walk: Walk,
    options: WalkOptions,
    observed_until: date,
    horizon_days: int,
) -> dict[str, Any]:
    """The record of a training, as JSON holds it.

    Parameters
    ----------
    outcomes
        Predictions of all contestants beside their outcomes, of :func:`models.folds.with_outcomes`.
    judged, standing
        The matured ones at the shown horizon, and their standing table; empty where nothing had matured.
    options
        Those of the walk.
    """
    value = money.value_at_risk(walk.table.frame)
    own = _own(walk, options, observed_until, value)
    thresholds = [level.threshold for level in walk.champion.levels.levels if level.threshold is not None]
    fixed = judged[judged["contestant"] == CHAMPION] if len(judged) else judged
    return {
        "horizon_days": horizon_days,
        "fixed": _calibration(fixed),
        "own": _calibration(own),
        "standing": _standing(standing),
        "measure": money.measure_of(walk.table.frame),
        "thresholds": threshold_record(own, [*EDGES, *thresholds]) if len(own) else None,
        "compared": _compared(_side_by_side(outcomes, walk, value), thresholds, options.seed),
    }


def _own(walk: Walk, options: WalkOptions, observed_until: date, value: pd.Series) -> pd.DataFrame:
    """Matured predictions of the own window at every date of the walk and its warm-up, as levels read them."""
    if walk.record.rows is None:
        return pd.DataFrame()
    rows = in_window(walk.record.rows, options.window, walk.choice.multiple)
    found = known_outcomes(walk.table, observed_until, options.cases)
    columns = [*KEYS, "days_to_next_order", "observed_days"]
    rows = rows.merge(found[columns], on=KEYS, how="left", validate="one_to_one")
    at_risk = walk.table.frame[KEYS].assign(value=value)
    rows = rows.merge(at_risk, on=KEYS, how="left", validate="one_to_one").assign(
        contestant=CHAMPION, window_left=rows["churn_window_days"] - rows["days_since_last_order"]
    )
    return rows.assign(outcome=churned(rows)).dropna(subset="outcome").reset_index(drop=True)


def _side_by_side(outcomes: pd.DataFrame, walk: Walk, value: pd.Series) -> pd.DataFrame:
    """Matured predictions of the own window, of the champion and the rules, on the dates on which all were asked."""
    asked = outcomes["contestant"].isin([CHAMPION, *_RULES]) & outcomes["churned"].notna()
    rows = outcomes.loc[asked, ["contestant", *KEYS, "churn_probability", "churned"]]
    at_risk = walk.table.frame[KEYS].assign(value=value)
    return rows.rename(columns={"churn_probability": "probability", "churned": "outcome"}).merge(
        at_risk, on=KEYS, how="left", validate="many_to_one"
    )


def _compared(rows: pd.DataFrame, thresholds: list[float], seed: int) -> dict[str, Any] | None:
    """Everybody at as many warnings as the champion's levels open; None where too little had matured."""
    champions = rows[rows["contestant"] == CHAMPION].assign(window_left=0.0)
    found = threshold_record(champions, thresholds) if len(champions) and thresholds else None
    if found is None:
        return None
    rng = np.random.default_rng(seed)
    equal = at_equal_warnings(rows, found["edges"]["warnings"], (CHAMPION, *_RULES), rng)
    return {name: found[name] for name in ("dates", "customers", "lost")} | {
        "rows": [{name: _short(value) for name, value in row.items()} for row in equal]
    }


def _calibration(rows: pd.DataFrame) -> dict[str, Any] | None:
    """Promised against observed by bins of equal mass, and the lift by tenths; None where nothing had matured."""
    if rows.empty:
        return None
    days = sorted(pd.to_datetime(rows["as_of"]).dt.strftime("%Y-%m-%d").unique())
    bins = reliability_bins(rows["probability"], rows["outcome"], BINS)
    tenths = decile_table(rows["probability"], rows["outcome"])
    return {
        "dates": days,
        "n": len(rows),
        "customers": int(rows["customer_id"].nunique()),
        "lost": int(rows["outcome"].sum()),
        "bins": [
            {
                "n": int(row["n"]),
                "promised": _short(row["mean_probability"]),
                **{name: _short(row[name]) for name in ("observed", "low", "high")},
            }
            for row in bins.to_dict("records")
        ],
        "lift": [_short(value) for value in tenths["lift"]],
        "captured": [_short(value) for value in tenths["captured_share"]],
    }


def _standing(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Figures with their intervals of the champion and of the simplest rules."""
    rows = table[table["contestant"].isin([CHAMPION, *_RULES])] if len(table) else table
    names = [name + end for name in _STANDING for end in ("", "_low", "_high")]
    return [
        {"contestant": row["contestant"], **{name: _short(row[name]) for name in names}}
        for row in rows.to_dict("records")
    ]


def _short(value: Any) -> Any:
    """A number with as many digits as anybody reads; None where it is unknown."""
    if not isinstance(value, float | np.floating):
        return value
    return round(float(value), 5) if np.isfinite(value) else None


def reports(intake: Intake, model: ChurnModel) -> dict[str, Any]:
    """The reports of a day on the model in use, and on the record that the rules are held to where there is one."""
    facts = model.facts
    certificate = facts.get("certificate") or {}
    told: dict[str, Any] = {
        REPORT: {
            "trained_as_of": facts.get("trained_as_of"),
            "in_use": model.selection.in_use,
            "certificate": {name: certificate.get(name) for name in ("verdict", "overall", "limits")}
            | {"findings": [one["code"] for one in certificate.get("findings", ()) if one["withholds"]]},
            "levels": model.levels.to_dict(),
            "window": facts.get("window_choice"),
            "economics": asdict(numbers_of(intake.settings)),
            RECORD: facts.get(RECORD),
        }
    }
    record = kept(intake.request.out, intake.as_of)
    if record is not None:
        rows = record.rows.astype("object").where(record.rows.notna(), None)
        told[RULES_REPORT] = {
            "as_of": record.as_of,
            "at": record.at,
            "by": record.by,
            "rows": [{name: _short(value) for name, value in row.items()} for row in rows.to_dict("records")],
        }
    return told
