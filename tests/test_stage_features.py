"""How far a customer is on the way out, from tables written by hand. The cutoff is 1 July 2024."""

from datetime import date

import pandas as pd
import pytest
from narrowed import registry_of
from orders import features_of, lines, snapshots_of

from features import registry
from features.stages import COMPARISON, COOLING, DECISION, STAGES, stage_of

JULY_1 = date(2024, 7, 1)
TOLD = (
    "decision_evidence",
    "cooling_signs",
    "comparison_signs",
    "relationship_stage",
    *DECISION,
    *(column for signs in (COOLING, COMPARISON) for column in signs),
)


@pytest.fixture(autouse=True)
def only_what_is_tested_here(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", registry_of(also=TOLD))


def monthly_orders(until: str) -> str:
    """An order on the 10th of every month from January 2023 to the given month: three in 90 days."""
    days = pd.date_range("2023-01-10", f"{until}-10", freq="MS").strftime("%Y-%m-10")
    rows = [f"A {number} {day} 100" for number, day in enumerate(["2023-01-10", *days])]
    return "\n".join(["customer_id order_id ordered_at amount", *rows])


def contacts(*rows: str) -> str:
    """Interactions: (date, channel, direction, replied_at, text) with a quarterly inquiry until December 2023."""
    before = [f"2023-{month:02d}-15T09:00 inquiry inbound - -" for month in (2, 5, 8, 11)]
    numbered = [f"A i{number} {row}" for number, row in enumerate([*before, *rows])]
    return "\n".join(["customer_id interaction_id occurred_at channel direction replied_at text", *numbered])


ON_TIME, STOPPED = monthly_orders("2024-06"), monthly_orders("2024-03")
AN_INQUIRY = "2024-06-01T09:00 inquiry inbound - -"
UNANSWERED = tuple(f"2024-06-{day}T09:00 email outbound - -" for day in (20, 22, 25))


def decision(orders: str, *rows: str, **options: object) -> list[float]:
    row = features_of(orders, JULY_1, options=options, interactions=contacts(*rows))
    return row[[*DECISION, "decision_evidence"]].tolist()


def test_fe_09_no_orders_no_inquiries_and_no_reply_together_are_the_evidence_of_a_decision():
    # an order on the 10th of April is 82 days ago, one on the 10th of March 113
    assert decision(STOPPED, *UNANSWERED) == [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("orders", "rows", "flags"),
    [
        (STOPPED, (AN_INQUIRY,), [1.0, 0.0, 0.0]),
        (ON_TIME, (), [0.0, 1.0, 0.0]),
        (ON_TIME, (AN_INQUIRY, *UNANSWERED), [0.0, 0.0, 1.0]),
        (STOPPED, UNANSWERED[:2], [1.0, 1.0, 0.0]),
    ],
)
def test_fe_09_one_or_two_of_the_three_are_no_decision(orders, rows, flags):
    assert decision(orders, *rows) == [*flags, 0.0]


def test_fe_09_the_attempts_and_the_share_of_orders_are_options():
    assert decision(STOPPED, *UNANSWERED, lost_contact_attempts=4) == [1.0, 1.0, 0.0, 0.0]
    # one order in 90 days of usually three is not yet almost none: 1 <= .1 * 2.96, but 1 <= .4 * 2.96
    one_left = monthly_orders("2024-04")
    assert decision(one_left, *UNANSWERED)[0] == 0.0
    assert decision(one_left, *UNANSWERED, decision_order_share=0.4)[0] == 1.0


def test_an_account_that_orders_once_a_year_has_not_stopped_after_a_quarter():
    yearly = "customer_id order_id ordered_at amount\nA 1 2022-03-10 100\nA 2 2023-03-10 100\nA 3 2024-03-10 100"
    assert features_of(yearly, JULY_1)["orders_almost_stopped"] == 0.0


def test_an_account_that_never_inquired_has_not_stopped_to():
    never = "customer_id interaction_id occurred_at channel direction\nA 1 2023-01-10 call outbound"
    row = features_of(STOPPED, JULY_1, interactions=never)
    assert row[["orders_almost_stopped", "inquiries_stopped"]].tolist() == [1.0, 0.0]


def stage(orders: str, **tables: str) -> str:
    frame = snapshots_of(lines(orders), [JULY_1], **{name: lines(text) for name, text in tables.items()})
    return stage_of(frame).iloc[0]


A_DEFERRAL = "2024-06-05T09:00 call inbound - maybe_next_time"


def test_fe_40_the_stage_is_the_highest_one_supported():
    one_left = monthly_orders("2024-04")  # (1 + 1) / (2.96 + 1) of the usual: fewer orders
    assert stage(ON_TIME, interactions=contacts(AN_INQUIRY)) == "none"
    assert stage(one_left, interactions=contacts(AN_INQUIRY)) == "cooling"
    assert stage(ON_TIME, interactions=contacts(AN_INQUIRY, A_DEFERRAL)) == "comparison"
    assert stage(one_left, interactions=contacts(AN_INQUIRY, A_DEFERRAL)) == "comparison"
    assert stage(STOPPED, interactions=contacts(*UNANSWERED)) == "decision"
    earlier = A_DEFERRAL.replace("06-05", "05-05")
    assert stage(STOPPED, interactions=contacts(earlier, *UNANSWERED)) == "decision"


def test_fe_40_two_of_the_three_pieces_of_evidence_leave_the_stage_below_decision():
    assert stage(STOPPED, interactions=contacts(*UNANSWERED[:2])) == "cooling"


@pytest.mark.parametrize("number", range(len(COMPARISON)))
def test_fe_40_any_sign_of_comparison_is_enough(number):
    sign = list(COMPARISON)[number]
    orders, rows, tables = ON_TIME, [AN_INQUIRY], {}
    if sign == "deferral_share_90d":
        rows.append(A_DEFERRAL)
    elif sign == "competitor_newly_mentioned":
        rows.append("2024-06-05T09:00 call inbound - a_competitor_offered_us_something")
    elif sign == "price_talks_more_than_usual":
        rows += [f"2024-06-0{day}T09:00 call inbound - your_price_is_too_high" for day in (3, 5, 7)]
    elif sign == "new_contact_hardly_known":
        people = "A p1 purchasing 2022-01-01 2024-06-01\nA p2 purchasing 2024-06-02 -"
        tables["contacts"] = f"customer_id contact_id role valid_from valid_to\n{people}"
    else:
        bought = [f"{row} a\n{row} b" if n < 13 else f"{row} a" for n, row in enumerate(ON_TIME.split("\n")[1:])]
        orders = "\n".join(["customer_id order_id ordered_at amount product_id", *bought])
    interactions = contacts(*rows)
    if sign == "new_contact_hardly_known":
        head, *others = interactions.split("\n")
        interactions = "\n".join([f"{head} contact_id", *(f"{row} p1" for row in others)])
    held = {name: lines(text) for name, text in {"interactions": interactions, **tables}.items()}
    frame = snapshots_of(lines(orders), [JULY_1], **held)
    assert frame["comparison_signs"].tolist() == [1.0]
    assert stage_of(frame).tolist() == ["comparison"]


def test_without_any_source_but_the_orders_the_stage_is_told_from_what_they_support():
    assert stage(ON_TIME) == "none"
    assert stage(STOPPED) == "cooling"
    row = features_of(STOPPED, JULY_1)
    assert "inquiries_stopped" not in row
    assert row["decision_evidence"] == 0.0


def test_a_stage_that_cannot_be_told_yet_is_none():
    frame = snapshots_of(lines("customer_id order_id ordered_at amount\nA 1 2024-06-10 100"), [JULY_1])
    assert frame["relationship_stage"].isna().all()
    assert stage_of(frame).tolist() == ["none"]
    every = pd.DataFrame({"relationship_stage": [0.0, 1.0, 2.0, 3.0]})
    assert stage_of(every).tolist() == list(STAGES)
