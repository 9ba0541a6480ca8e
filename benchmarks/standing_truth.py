"""What is known of losses: the truth of a simulated world where there is one, else what the orders say.

A simulated world keeps its truth in the folder ``truth/``, which the product never reads: ``losses.parquet``,
``oracles.parquet`` and ``world.json``. The oracles know the world's parameters: the particle filter all that could be
observed besides, the latent state even the hidden stage.
"""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from benchmarks.standing_given import COLUMNS, SCORES, WARNS_BY, Given
from features.errors import SourceError
from features.labels import HORIZONS
from features.snapshots import SnapshotTable
from models.figures import CLIP
from models.folds import KEYS
from models.horizons import probability_frame
from models.losses import CONFIRMED_AFTER_DAYS, derived_losses
from pipelines.train import SHOWN_HORIZON

FILTER, LATENT = "particle_filter", "latent_state"
ORACLES = (FILTER, LATENT)
NO_ORDER = [f"p_no_order_{days}" for days in HORIZONS]
LOST = [f"p_lost_{days}" for days in (0, *HORIZONS)]
#: An oracle warns of losses within so many days: far enough ahead for every lead time that is reported.
WARNS_AHEAD_DAYS = max(HORIZONS)


@dataclass(frozen=True)
class Losses:
    """When customers were lost.

    Attributes
    ----------
    words
        What counts as the loss.
    events
        ``customer_id``, ``event_at``, ``ends_at`` (the return; missing where there was none).
    known_until
        Losses before this midnight are all among them.
    """

    words: str
    events: pd.DataFrame
    known_until: date


@dataclass(frozen=True)
class Truth:
    """The truth of a simulated world.

    Attributes
    ----------
    losses
        ``customer_id``, ``lost_at``, ``returned_at``.
    oracles
        ``customer_id``, ``as_of``, ``oracle``, ``p_no_order_*``, ``p_lost_*``; without rows where none were written.
    end
        The day of the extract: losses are known before its midnight.
    """

    losses: pd.DataFrame
    oracles: pd.DataFrame
    end: date

    def lost_at(self, rows: pd.DataFrame, days: int = SHOWN_HORIZON) -> pd.Series:
        """1.0 where the customer was in the stage lost so many days after ``as_of``, else 0.0; NaN beyond the end."""
        then = rows["as_of"] + pd.Timedelta(days=days)
        asked = rows[["customer_id"]].assign(then=then, row=np.arange(len(rows)))
        pairs = asked.merge(self.losses, on="customer_id")
        gone = (pairs["lost_at"] <= pairs["then"]) & ~(pairs["returned_at"] <= pairs["then"])
        lost = np.isin(asked["row"], pairs.loc[gone, "row"]).astype("float64")
        return pd.Series(lost, index=rows.index).where(then <= pd.Timestamp(self.end))

    def contestants(self, snapshots: pd.DataFrame) -> list[Given]:
        """The oracles at these snapshots, read at the customer's own window as the product reads its horizons."""
        return [
            _oracle(str(name), rows.merge(snapshots[[*KEYS, "churn_window_days"]], on=KEYS))
            for name, rows in self.oracles.groupby("oracle", sort=False)
        ]


def read(data: str) -> Truth | None:
    """The truth beside the data; None where there is none.

    Raises
    ------
    SourceError
        If the folder is there and lacks a file or a column.
    """
    folder = Path(data) / "truth"
    if "://" in data or not folder.is_dir():
        return None
    try:
        losses = pd.read_parquet(folder / "losses.parquet", columns=["customer_id", "lost_at", "returned_at"])
        settings = json.loads((folder / "world.json").read_text(encoding="utf-8"))["settings"]
        end = date.fromisoformat(settings["end"])
        oracles = pd.DataFrame(columns=[*KEYS, "oracle", *NO_ORDER, *LOST])
        if (folder / "oracles.parquet").is_file():
            oracles = pd.read_parquet(folder / "oracles.parquet", columns=[*KEYS, "oracle", *NO_ORDER, *LOST])
    except (OSError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise SourceError(
            f"{folder}: the truth of a simulated world is incomplete: {first}. Write it again."
        ) from error
    oracles = oracles.assign(as_of=pd.to_datetime(oracles["as_of"]).astype("datetime64[us]"))
    return Truth(losses, oracles, end)


def simulated_by(data: str) -> str:
    """The command that makes the data again where it is a simulated world; else nothing."""
    record = Path(data) / "truth" / "world.json"
    if "://" in data or not record.is_file():
        return ""
    settings = json.loads(record.read_text(encoding="utf-8"))["settings"]
    named = ("customers", "months", "preset", "seed", "end", "policy")
    options = " ".join(f"--{name} {settings[name]}" for name in named if settings.get(name) is not None)
    lacking = "".join(f" --without {table}" for table in settings.get("without", ()))
    return (
        f"made by `kizashi simulate {options}{lacking} --out {Path(data).name}`; `--oracle-customers` adds the oracles"
    )


def true_losses(truth: Truth) -> tuple[Losses, ...]:
    """The losses of a simulated world."""
    events = truth.losses.rename(columns={"lost_at": "event_at", "returned_at": "ends_at"})
    return (Losses("the true day of the loss", events, truth.end),)


def losses_by_orders(table: SnapshotTable, observed_until: date) -> tuple[Losses, ...]:
    """Losses as the orders tell them, dated at the last order's expected successor and at the last order itself."""
    until, days = pd.Timestamp(observed_until), table.order_days
    known = days["is_order"] & (days["visible_from"] <= until) & (days["visible_until"] > until) & (days["day"] < until)
    found = derived_losses(days.loc[known, ["customer_id", "day"]], observed_until)
    confirmed = observed_until - timedelta(days=CONFIRMED_AFTER_DAYS)
    silence = f"silent for {CONFIRMED_AFTER_DAYS} days beyond that"
    return (
        Losses(
            f"the day on which the last order's successor was due (own median gap later); {silence}",
            _events(found, "expected_at"),
            confirmed,
        ),
        # The last order lies a usual gap earlier, and a gap is at most about as long as the longest horizon.
        Losses(
            "the day of the last order before such a silence",
            _events(found, "last_order_at"),
            confirmed - timedelta(days=max(HORIZONS)),
        ),
    )


def _events(found: pd.DataFrame, dated: str) -> pd.DataFrame:
    events = found.rename(columns={dated: "event_at", "returned_at": "ends_at"})
    return events[["customer_id", "event_at", "ends_at"]].drop_duplicates(["customer_id", "event_at"])


def _oracle(name: str, rows: pd.DataFrame) -> Given:
    """An oracle as a contestant; it warns by the chance that a customer who is not lost yet will be."""
    chances = rows[NO_ORDER].clip(CLIP, 1 - CLIP).to_numpy(dtype=float)
    own = probability_frame(logit(chances), rows["churn_window_days"])["churn_probability"]
    lost = rows[f"p_lost_{SHOWN_HORIZON}"]
    columns = dict(zip(SCORES.values(), (rows[f"p_no_order_{SHOWN_HORIZON}"], own, lost), strict=True))
    frame = (
        rows[KEYS]
        .assign(**columns, **{WARNS_BY: rows[f"p_lost_{WARNS_AHEAD_DAYS}"] - rows["p_lost_0"]})
        .astype({"customer_id": "str"})
    )
    return Given(name, frame[COLUMNS].reset_index(drop=True))
