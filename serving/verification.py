"""What people say of the warnings, and warnings of what people say: feedback, disagreement, cases to train on."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from features.contract import RISKS
from models.figures import wilson
from serving.loop_rows import Where, frame, reading, told
from serving.rows import records

#: Level of a warning -> the risk that it says, in the words of the account's file.
RISK_OF_LEVEL: Mapping[str, str] = {
    "none": "low",
    "blue": "low",
    "yellow": "medium",
    "orange": "high",
    "red": "urgent",
}


def rule_precision(feedback: pd.DataFrame, fired: pd.DataFrame) -> pd.DataFrame:
    """How often people found each rule's warnings true.

    Parameters
    ----------
    feedback
        ``episode_id``, ``author``, ``verdict``, ``at``; of several words on a warning the last one counts.
    fired
        ``episode_id`` and ``rule``: which rules stood behind a warning (:func:`fired_rules`).

    Returns
    -------
    DataFrame
        ``rule``, ``n``, ``true`` (known ones included), ``known``, ``false``, ``precision``, ``low`` and ``high``
        (95 %, Wilson); the most judged first. A warning that was known already was right, but told nothing new.
    """
    last = feedback.sort_values("at", kind="stable").groupby("episode_id", as_index=False).last()
    judged = fired.drop_duplicates(["episode_id", "rule"]).merge(last[["episode_id", "verdict"]], on="episode_id")
    rows = []
    for rule, mine in judged.groupby("rule"):
        counts = mine["verdict"].value_counts().reindex(["true", "known", "false"], fill_value=0)
        n, right = len(mine), int(counts["true"] + counts["known"])
        low, high = wilson(right, n)
        rows.append((rule, n, right, int(counts["known"]), int(counts["false"]), right / n, float(low), float(high)))
    columns = ["rule", "n", "true", "known", "false", "precision", "low", "high"]
    return pd.DataFrame(rows, columns=columns).sort_values(["n", "rule"], ascending=[False, True], ignore_index=True)


def fired_rules(episodes: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    """Which rules fired while a warning stood: ``episode_id``, ``rule``.

    `signals` have ``customer_id``, ``rule`` and ``on``, the day on which the rule fired.
    """
    pairs = episodes[["episode_id", "customer_id", "opened_on", "closed_on"]].merge(signals, on="customer_id")
    stood = [
        row["opened_on"] <= row["on"] and (row["closed_on"] is None or row["on"] <= row["closed_on"])
        for row in records(pairs)
    ]
    return pairs.loc[stood, ["episode_id", "rule"]].drop_duplicates(ignore_index=True)


def disagreements(today: pd.DataFrame, entered: pd.DataFrame) -> pd.DataFrame:
    """Accounts whose risk people rate otherwise than the engine does, the furthest apart first.

    Parameters
    ----------
    today
        ``customer_id``, ``level`` and ``risk``, the risk on file.
    entered
        ``customer_id``, ``risk``, ``updated_by``, ``updated_at``: what people entered here goes before the file.

    Returns
    -------
    DataFrame
        ``customer_id``, ``manual``, ``engine``, ``apart`` (steps; above 0 where people see more risk), ``author`` and
        ``at`` (None where the risk is the file's).
    """
    said = {row["customer_id"]: row for row in records(entered[entered["risk"].notna()])}
    rows = []
    for row in records(today):
        mine = said.get(row["customer_id"])
        manual = mine["risk"] if mine else row["risk"]
        if manual not in RISKS:
            continue
        engine = RISK_OF_LEVEL[row["level"]]
        apart = RISKS.index(manual) - RISKS.index(engine)
        if apart:
            author, at = (mine["updated_by"], mine["updated_at"]) if mine else (None, None)
            rows.append((row["customer_id"], manual, engine, apart, author, at))
    columns = ["customer_id", "manual", "engine", "apart", "author", "at"]
    found = pd.DataFrame(rows, columns=columns, dtype="object").astype({"apart": "int64"})
    order = found["apart"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[order].reset_index(drop=True)


@dataclass(frozen=True)
class TrainingFacts:
    """What the loop hands to the next training.

    Attributes
    ----------
    treated
        ``customer_id``, ``treated_from``, ``treated_until`` (None while the warning is open), ``propensity``: what
        happened in between is not what would have happened without us.
    confirmed_lost
        ``customer_id``, ``lost_on``, ``reviewed_on``: labels that a review confirmed.
    restarted
        ``customer_id``, ``ordered_on``: labels that an order refuted.
    """

    treated: pd.DataFrame
    confirmed_lost: pd.DataFrame
    restarted: pd.DataFrame

    @property
    def cases(self) -> int:
        """Labelled cases: so many rows a training on them has more."""
        return len(self.confirmed_lost) + len(self.restarted)


def training_facts(where: Where) -> TrainingFacts:
    """What outcomes, reviews and contacts say to the next training, in order of customer and day."""
    with reading(where) as connection:
        episodes, reviews = frame(connection, "episode"), frame(connection, "review")
        restarts = told(connection, "customer_restarted")
    acted = episodes[episodes["treated_at"].notna()]
    treated = pd.DataFrame(
        {
            "customer_id": acted["customer_id"],
            "treated_from": [at.date() for at in acted["treated_at"]],
            "treated_until": acted["closed_on"],
            "propensity": acted["propensity"].astype(float),
        }
    ).sort_values(["customer_id", "treated_from"], ignore_index=True)
    lost = reviews.assign(reviewed_on=[at.date() for at in reviews["at"]])[["customer_id", "lost_on", "reviewed_on"]]
    lost = lost.sort_values(["customer_id", "lost_on"])
    back = restarts.reindex(columns=["customer_id", "first_order_on"])
    back = back.rename(columns={"first_order_on": "ordered_on"})
    back["ordered_on"] = pd.to_datetime(back["ordered_on"]).dt.date.astype("object")
    back = back.drop_duplicates().sort_values(["customer_id", "ordered_on"], ignore_index=True)
    return TrainingFacts(treated, lost.reset_index(drop=True), back)
