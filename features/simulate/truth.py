"""The truth about the simulated world, written beside its tables and read by no product."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import SECTORS, Accounts
from features.simulate.arrays import Integers, Span
from features.simulate.causes import CAUSES
from features.simulate.scene import Scene
from features.simulate.signals import DRIVERS, SIGNALS, in_natural_units
from features.simulate.stages import LOST, STAGES


def truth_of_stages(scene: Scene) -> pd.DataFrame:
    """Stage episodes with dates: `customer_id, stage, starts_at, ends_at, driver, depth`.

    `ends_at` is missing for a stage that lasts beyond the extract, `driver` where no cause was at work
    (health, sudden loss). A stage that was over before the history is left out.
    """
    lives, span = scene.lives, scene.span
    seen = (lives.end > 0) & (lives.start < span.days)
    names = np.array([driver.name for driver in DRIVERS] + [None], dtype=object)
    return pd.DataFrame(
        {
            "customer_id": scene.accounts.customer_id[lives.account[seen]],
            "stage": np.array(STAGES, dtype=object)[lives.stage[seen]],
            "starts_at": span.dates(lives.start[seen]),
            "ends_at": _known_by_the_end(lives.end[seen], span),
            "driver": pd.array(names[lives.driver[seen]], dtype="str"),
            "depth": lives.depth[seen],
        }
    )


def truth_of_losses(scene: Scene) -> pd.DataFrame:
    """Losses inside the history: `customer_id, lost_at, returned_at, symptomatic, driver, cooling_at`.

    From `lost_at` (a midnight) to `returned_at` (missing if not by the extract) the customer orders nothing.
    `cooling_at` is when the cooling began that led to the loss; for a sudden loss it is missing and
    `symptomatic` is false.
    """
    lives, span = scene.lives, scene.span
    lost = (lives.stage == LOST) & (lives.start < span.days)
    names = np.array([driver.name for driver in DRIVERS] + [None], dtype=object)
    symptomatic = lives.driver[lost] >= 0
    return pd.DataFrame(
        {
            "customer_id": pd.array(scene.accounts.customer_id[lives.account[lost]], dtype="str"),
            "lost_at": span.dates(lives.start[lost]),
            "returned_at": _known_by_the_end(lives.end[lost], span),
            "symptomatic": symptomatic,
            "driver": pd.array(names[lives.driver[lost]], dtype="str"),
            "cooling_at": np.where(symptomatic, span.dates(lives.onset[lost]), np.datetime64("NaT", "us")),
        }
    )


def _known_by_the_end(days: Integers, span: Span) -> npt.NDArray[np.datetime64]:
    """The midnights of day numbers; missing for those after the extract."""
    return np.where(days < span.days, span.dates(np.minimum(days, span.days)), np.datetime64("NaT", "us"))


def truth_of_causes(scene: Scene) -> pd.DataFrame:
    """Whom each cause reached and when: `customer_id, cause, occurred_at, size` (of a price rise, as a share)."""
    causes = scene.causes
    return pd.DataFrame(
        {
            "customer_id": pd.array(scene.accounts.customer_id[causes.account], dtype="str"),
            "cause": pd.array(np.array([cause.name for cause in CAUSES], dtype=object)[causes.kind], dtype="str"),
            "occurred_at": scene.span.dates(causes.day),
            "size": causes.size,
        }
    ).sort_values(["customer_id", "occurred_at", "cause"], ignore_index=True)


def truth_of_customers(accounts: Accounts) -> pd.DataFrame:
    """What is usual for each customer, signals in natural units: `usual_<signal>`, and how it orders."""
    usual = {f"usual_{name}": in_natural_units(SIGNALS[name], level) for name, level in accounts.usual.items()}
    return pd.DataFrame(
        {
            "customer_id": pd.array(accounts.customer_id, dtype="str"),
            "sector": pd.array(
                np.array([sector.name for sector in SECTORS], dtype=object)[accounts.sector], dtype="str"
            ),
            "orders_per_year": accounts.orders_per_year,
            "regularity": accounts.regularity,
            "project": accounts.project,
            "proneness": accounts.proneness,
            **usual,
        }
    )
