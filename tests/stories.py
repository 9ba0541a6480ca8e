"""Stories of one customer, made by hand."""

from dataclasses import replace
from datetime import date, timedelta

from serving.story import (
    Case,
    Change,
    Happening,
    HealthLine,
    ReasonLine,
    Share,
    Signal,
    Similar,
    Standing,
    Step,
    Story,
    WhatIf,
)
from serving.wording import ReasonFacts, fact_of

AS_OF, EARLIER = date(2026, 11, 16), date(2026, 11, 4)

STANDING = Standing(
    as_of=AS_OF,
    level="orange",
    model_level="orange",
    level_parts=("model:orange", "rule:order_late:orange", "raised:competitor"),
    stage="comparison",
    queue="early",
    cohort="eligible",
    history="full",
    completeness="B",
    shown="percent",
    probability=0.46,
    low=0.31,
    high=0.62,
    window_days=45.0,
    horizons={30: 0.61, 60: 0.38, 90: 0.22, 180: 0.11},
    margin=-0.16,
    base_margin=-1.9,
    value_at_risk=48_200.0,
    expected_loss=22_172.0,
    place=7,
    cohort_size=312,
    model_version="3",
    thresholds={"red": 0.7, "orange": 0.42, "yellow": 0.3, "blue": 0.18},
)
BEFORE = replace(
    STANDING,
    as_of=EARLIER,
    level="yellow",
    model_level="yellow",
    level_parts=("model:yellow", "health:blue"),
    probability=0.33,
    margin=-0.71,
    place=21,
)
SHARES = (
    Share("order_rhythm", "transaction", 1.12),
    Share("problems", "service", 0.48),
    Share("prices", "transaction", 0.31),
    Share("partnership", "strategy", -0.29),
    Share("contact", "interaction", 0.22),
    Share("payment", "finance", -0.14),
    Share("people", "interaction", 0.09),
    Share("breadth", "transaction", -0.06),
    Share("market", "strategy", 0.03),
    Share("spending", "transaction", -0.02),
)


def reason(role, concept, feature, contribution, value, usual=None, dimension="transaction", **facts):
    """A row of reasons with its fact."""
    said = ()
    if role != "rest":
        known = ReasonFacts(
            feature, value, usual, contribution, as_of=AS_OF, last_order_on=AS_OF - timedelta(42), facts=facts
        )
        said = tuple(fact_of(known).to_list())
    return ReasonLine(role, concept, feature, dimension, value, usual, None, contribution, contribution / 5, said)


REASONS = (
    reason(
        "reason", "order_rhythm", "days_since_last_order", 1.12, 42.0,
        gap_median_days_ever=16.0, gap_q90_days_ever=29.0,
    ),
    reason("reason", "problems", "complaints_90d", 0.48, 3.0, 0.5, "service"),
    reason("reason", "prices", "revenue_90d", 0.31, 4300.0, 9100.0),
    reason("against", "partnership", "days_since_first_order", -0.29, 2200.0, dimension="strategy"),
    reason("rest", "other", "other", 0.12, None),
)  # fmt: skip

#: Every fourth day is an order, and then some.
HAPPENINGS = tuple(
    sorted(
        [
            *(
                Happening(AS_OF - timedelta(42 + 16 * i), "order", 430.0 + 90 * (i % 5), f"{1 + i % 4} lines")
                for i in range(18)
            ),
            Happening(AS_OF - timedelta(300), "visit", detail="outbound; purchasing; Sato"),
            Happening(AS_OF - timedelta(120), "call"),
            Happening(AS_OF - timedelta(38), "email", detail="inbound"),
            Happening(AS_OF - timedelta(12), "visit"),
            Happening(AS_OF - timedelta(9), "complaint", detail="T-881"),
            Happening(AS_OF - timedelta(5), "complaint", detail="T-902"),
            Happening(AS_OF - timedelta(60), "complaint resolved", detail="T-713"),
            Happening(AS_OF - timedelta(30), "invoice", 610.0, "INV-17"),
            Happening(AS_OF - timedelta(3), "payment", 610.0, "INV-17"),
            Happening(AS_OF - timedelta(90), "return", -120.0),
            Happening(AS_OF - timedelta(200), "contract", 12_000.0, "C-4; until 2027-04-30"),
            Happening(AS_OF - timedelta(33), "quote", 900.0, "Q-77; 12% off asked"),
            Happening(AS_OF - timedelta(150), "warning_opened", level="blue"),
            Happening(AS_OF - timedelta(120), "warning_closed", level="blue", detail="ordered"),
            Happening(AS_OF - timedelta(26), "warning_opened", level="blue"),
            Happening(AS_OF - timedelta(14), "warning_changed", level="yellow"),
            Happening(AS_OF - timedelta(5), "warning_changed", level="orange"),
        ],
        key=lambda one: one.on,
    )
)
STEPS = (
    Step("restated", -0.01),
    Step("time", 0.38, shares=(Share("order_rhythm", "transaction", 0.38),)),
    Step("events", 0.24, "services", AS_OF - timedelta(8), (Happening(AS_OF - timedelta(9), "complaint"),)),
    Step(
        "events", -0.11, "interactions", AS_OF - timedelta(4),
        (Happening(AS_OF - timedelta(12), "visit"), Happening(AS_OF - timedelta(7), "call")),
    ),
    Step("events", -0.08, "finances", AS_OF - timedelta(2), (Happening(AS_OF - timedelta(3), "payment", 610.0),)),
    Step("model", 0.13),
)  # fmt: skip
CHANGE = Change(
    before=BEFORE,
    after=STANDING,
    steps=STEPS,
    comparable=True,
    threshold=0.39,
    threshold_level="orange",
    parts_gone=("model:yellow", "health:blue"),
    parts_new=("model:orange", "rule:order_late:orange", "raised:competitor"),
)
ORDER = WhatIf(
    kind="order",
    by=AS_OF + timedelta(14),
    amount=612.4,
    as_of=AS_OF + timedelta(15),
    level="yellow",
    probability=0.31,
    margin=-0.8,
    level_otherwise="red",
    probability_otherwise=0.71,
    clears=True,
)
PAID = replace(ORDER, kind="payment", by=AS_OF + timedelta(3), amount=1200.0, level="none", probability=0.12)
HEALTH = HealthLine(
    as_of=AS_OF,
    score=48.0,
    dimensions={"transaction": 31.0, "interaction": 62.0, "service": 20.0, "finance": 88.0, "strategy": None},
    reference=71.0,
    drop_share=0.324,
    level="orange",
    past={AS_OF - timedelta(30 * i): 48.0 + 4 * i + (i % 3) for i in range(1, 9)},
)
SIMILAR = Similar(
    tuple(
        Case(f"C{i:03}", f"Werkstatt {i}", AS_OF - timedelta(200 + 31 * i), 0.21 + 0.07 * i, i % 3 != 0, days)
        for i, days in enumerate((12, 140, None, 30, 95, 210, 8))
    ),
    looked_at=4210,
)

STORY = Story(
    customer_id="K-0042",
    name="Müller & Söhne GmbH",
    owner="A. Sato",
    currency="EUR",
    standing=STANDING,
    reasons=REASONS,
    concepts=SHARES,
    dimensions={"transaction": 1.35, "interaction": 0.31, "service": 0.48, "finance": -0.14, "strategy": -0.26},
    signals=(Signal("order_late", "orange", {"days_since_last_order": 42.0}),),
    health=HEALTH,
    timeline=HAPPENINGS,
    change=CHANGE,
    clearing=(ORDER, PAID),
    similar=SIMILAR,
)
#: A customer outside the cohort of whom hardly anything is known.
BARE = Story(
    customer_id="K-1",
    name="",
    owner="",
    currency="",
    standing=replace(
        STANDING, level="none", model_level="none", level_parts=(), stage=None, queue=None, cohort="few_order_days",
        history="short", completeness=None, shown="level", probability=float("nan"), low=None, high=None,
        window_days=None, horizons={}, margin=float("nan"), base_margin=None, value_at_risk=None,
        expected_loss=float("nan"), place=None, model_version="", thresholds={},
    ),
    reasons=(), concepts=(), dimensions={}, signals=(), health=None, timeline=(), change=None, clearing=(),
    similar=Similar(),
)  # fmt: skip
