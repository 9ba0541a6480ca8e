"""The milestones of the simulated world: what is planned together, and whether it is done."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulate.accounts import REGIONS, SECTORS
from features.simulate.arrays import Booleans, Floats, Integers
from features.simulate.customers import ranks
from features.simulate.observed import Observations, known_day
from features.simulate.office import moments, opened
from features.simulate.routine import WorkingTime, rounds
from features.simulate.scene import Scene

PARTNERS = {"A": 0.8, "B": 0.5, "C": 0.15, "D": 0.05}  # share of customers with whom something is planned, by rank
INDUSTRIAL = 1.25  # times as many among industrial customers
EVERY_DAYS = {"A": 90.0, "B": 120.0, "C": 180.0, "D": 180.0}  # between two milestones, by rank
AHEAD_DAYS = (14, 60)  # from the agreement to the day planned, from and to
# Chances that what is kept is done on the day planned, or 1, 2, 3 open days before it. Never after it: what is still
# open on that day would be sure to be kept, as it would otherwise be postponed or cancelled.
DONE_BEFORE = (0.70, 0.15, 0.10, 0.05)
CANCELLED = 0.3  # of what is not kept; the rest is postponed, and a new day is agreed upon some time
# Chances of the kinds, and of those who take part; chance alone decides, so they foretell nothing.
KINDS = {
    "strategy_meeting": 0.30,
    "roadmap": 0.20,
    "joint_rnd": 0.15,
    "joint_marketing": 0.15,
    "document_request": 0.20,
}
LEVELS = {"executive": 0.2, "manager": 0.5, "staff": 0.3}
EXPLANATIONS = {  # by script of the region; the same whatever the relationship
    "latin": (
        "Key participant travelling", "Preparation not finished", "Room double-booked", "Clash with a trade fair",
        "Waiting for documents from our side", "Year-end closing takes all hands", "Illness in the team",
        "Agenda not agreed yet",
    ),
    "japanese": (
        "担当者が出張中のため", "資料の準備が間に合わないため", "会議室の都合により", "展示会と日程が重なったため",
        "当社側の書類待ちのため", "決算期の対応を優先するため", "担当者の体調不良のため", "議題が調整中のため",
    ),
    "chinese": (
        "主要参会人员出差", "资料尚未准备好", "会议室冲突", "与展会时间冲突",
        "等待我方文件", "年终结算人手不足", "项目成员生病", "议程尚未商定",
    ),
}  # fmt: skip


def partnerships_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `partnerships` table of the contract, in order of the days planned.

    A milestone is recorded when it is agreed upon. What is planned for after the extract is `planned`, and nothing
    more is known of it.
    """
    accounts, span = scene.accounts, scene.span
    account, agreed = rounds(scene, _every(scene, rng), rng)
    count = len(account)
    planned = opened(span, agreed + rng.integers(AHEAD_DAYS[0], AHEAD_DAYS[1] + 1, count))
    kept = scene.happens("milestone_kept", account, planned, rng)
    open_days = WorkingTime.of(span).open_days
    done = open_days[np.searchsorted(open_days, planned) - rng.choice(len(DONE_BEFORE), count, p=DONE_BEFORE)]
    off = np.where(rng.random(count) < CANCELLED, "cancelled", "postponed")
    open_yet = planned >= span.days
    status = np.select([open_yet, kept], ["planned", "done"], off)
    explained = _explanations(scene, account, rng)
    explained[kept | open_yet] = None
    table = pd.DataFrame(
        {
            "customer_id": pd.array(accounts.customer_id[account], dtype="str"),
            "kind": pd.array(_chosen(KINDS, count, rng), dtype="str"),
            "planned_at": span.dates(planned),
            "done_at": np.where(kept & ~open_yet, moments(span, done, rng), np.datetime64("NaT", "us")),
            "status": pd.array(status.astype(object), dtype="str"),
            "explanation": pd.array(explained, dtype="str"),
            "level": pd.array(_chosen(LEVELS, count, rng), dtype="str"),
            "recorded_at": moments(span, agreed, rng),
        }
    ).sort_values(["planned_at", "customer_id"], kind="stable", ignore_index=True)
    number = pd.Series(np.arange(1, count + 1)).astype("str").str.zfill(6)
    table.insert(1, "activity_id", ("M" + number).astype("str"))
    return table


def _every(scene: Scene, rng: np.random.Generator) -> Floats:
    """Days between two milestones for each customer; `inf` for those with whom nothing is planned."""
    rank = pd.Series(ranks(scene.accounts))
    industrial = np.array([sector.name == "industrial" for sector in SECTORS])[scene.accounts.sector]
    share = rank.map(PARTNERS).to_numpy(dtype=float) * np.where(industrial, INDUSTRIAL, 1.0)
    partner = rng.random(len(rank)) < share
    return np.where(partner, rank.map(EVERY_DAYS).to_numpy(dtype=float), np.inf)


def _chosen(chances: Mapping[str, float], count: int, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """Words by their chances."""
    return rng.choice(np.array(list(chances), dtype=object), count, p=list(chances.values()))


def _explanations(scene: Scene, account: Integers, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """An explanation in the script of each customer's region."""
    listed = np.array([EXPLANATIONS[script] for _, script, _ in REGIONS], dtype=object)
    region = scene.accounts.region[account]
    return np.asarray(listed[region, rng.integers(0, listed.shape[1], len(account))])


def partnerships_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """Every milestone whose outcome is known: done or not, on the day it was planned for."""
    if "partnerships" not in tables:
        return []
    rows = tables["partnerships"].drop_duplicates()
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    done: Booleans = ((rows["status"] == "done") & rows["done_at"].notna()).to_numpy(dtype=bool)
    known = done | rows["status"].isin(["postponed", "cancelled"]).to_numpy(dtype=bool)
    day = known_day(scene.span, rows[known], "planned_at")
    return [Observations("milestone_kept", account[known], day, done[known].astype(np.float64))]
