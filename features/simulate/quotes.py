"""The quotations of the simulated world: how often one is asked for, at what discount, and what becomes of it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from features.simulate.arrays import Floats, Integers
from features.simulate.observed import Observations, known_day
from features.simulate.office import moments, opened, usual_order
from features.simulate.scene import Scene
from features.simulate.signals import SIGNALS

SIZE_SPREAD = 0.7  # sd of the log of the quoted amount around the usual order: it foretells nothing
STEP = 0.005  # discounts are asked for in half percents
MOST_ASKED = 0.5  # discount, hardly ever reached
CLOSING = (2.0, 6.0)  # gamma shape, and days of scale, of the time until an answer: the same for a yes and a no


def quotes_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `quotes` table of the contract, in order of time; a quotation is won or lost on the day of `closed_at`.

    Nothing is won from a customer who is lost by the day of the answer.
    """
    accounts, span = scene.accounts, scene.span
    account, day = scene.events("quotes", rng)
    count = len(day)
    closed = opened(span, day + 1 + rng.gamma(*CLOSING, count).astype(np.int64))
    lost = scene.lost[account, np.minimum(closed, span.days - 1)]
    won = scene.happens("quote_won", account, day, rng) & ~lost
    asked = np.clip(scene.values("asked_discount", account, day, rng), 0, MOST_ASKED)
    quoted_at = moments(span, day, rng)
    drawn = pd.DataFrame(
        {
            "customer_id": pd.array(accounts.customer_id[account], dtype="str"),
            "quoted_at": quoted_at,
            "recorded_at": quoted_at,
            "amount": np.round(usual_order(accounts)[account] * np.exp(SIZE_SPREAD * rng.standard_normal(count)), 2),
            "asked_discount": np.round(np.rint(asked / STEP) * STEP, 3),
            "status": pd.array(np.where(won, "won", "lost"), dtype="str"),
            "closed_at": moments(span, closed, rng),
        }
    ).sort_values(["quoted_at", "customer_id"], kind="stable", ignore_index=True)
    number = pd.Series(np.arange(1, count + 1)).astype("str").str.zfill(7)
    drawn.insert(1, "quote_id", ("Q" + number).astype("str"))
    return drawn


def quotes_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """What the quotations say of the signals; an answer is known on the day on which it came."""
    if "quotes" not in tables:
        return []
    rows = tables["quotes"].drop_duplicates()
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    day = known_day(scene.span, rows, "quoted_at")
    closed = (rows["status"].isin(["won", "lost"]) & rows["closed_at"].notna()).to_numpy()
    answered = known_day(scene.span, rows[closed], "closed_at")
    won = (rows.loc[closed, "status"] == "won").to_numpy().astype(float)
    return [
        Observations("quotes", account, day, np.ones(len(day))),
        Observations("asked_discount", account, day, _as_drawn(scene, account, rows["asked_discount"].to_numpy())),
        Observations("quote_won", account[closed], answered, won),
    ]


def _as_drawn(scene: Scene, account: Integers, asked: Floats) -> Floats:
    """Discounts as they were before a number below 0 became 0: its mean there, at the customer's usual level.

    The mean of a normal variable below a bound; Johnson, Kotz, Balakrishnan, Continuous Univariate Distributions 1,
    1994, section 13.10.1.
    """
    noise, usual = SIGNALS["asked_discount"].noise, scene.accounts.usual["asked_discount"][account]
    bound = (STEP / 2 - usual) / noise
    below = usual - noise * np.exp(norm.logpdf(bound) - norm.logcdf(bound))
    return np.where(asked < STEP / 2, below, asked)
