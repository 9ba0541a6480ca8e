"""Notes: their tags, and how they are found again."""

from datetime import date

import pytest
from orders import ingested, lines

from features.notes import search, tags

ORDERS = "customer_id order_id ordered_at amount\n" + "\n".join(f"{who} {who} 2024-01-02 10" for who in "ABCD")
NOTES = """
customer_id changed_at recorded_at field       new                            author
A           2024-06-01 2024-06-01  note        Plant_2_is_#cost-cutting_now   Ann
B           2024-06-03 2024-06-03  note        [Cost_Cutting]_and_#new-plant  Bob
C           2024-06-02 2024-06-02  note        来期はコスト削減                -
D           2024-06-02 2024-07-01  note        cost_cutting,_noted_late       Ann
A           2024-06-04 2024-06-04  next_action cost_cutting_call              Ann
A           2024-06-05 2024-06-05  note        all_is_well                    Ann
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Cost cutting from April", ("cost cutting",)),
        ("they speak of #cost_cutting", ("cost cutting",)),
        ("担当者交代と方針変更", ("contact change", "policy change")),
        ("联系人变更 降低成本", ("contact change", "cost cutting")),
        ("#Budget-freeze after the policy change, #budget_freeze", ("policy change", "budget freeze")),
        ("order #4711 cost us a cutting tool", ()),
        ("", ()),
    ],
)
def test_dm_10_a_note_bears_the_tags_that_it_names(text, found):
    assert tags(text) == found


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    return ingested(lines(ORDERS), tmp_path_factory.mktemp("notes") / "made", 3, account_changes=lines(NOTES))


@pytest.mark.parametrize("words", ["cost cutting", "#cost-cutting", " Cost_Cutting "])
def test_dm_10_a_memo_tagged_cost_cutting_is_found_in_all_accounts_the_newest_first(events, words):
    found = search(events, date(2024, 7, 1), words)
    assert found["customer_id"].tolist() == ["B", "C", "A"]
    assert found["tags"].tolist()[0] == ("cost cutting", "new plant")
    assert found["author"].tolist()[::2] == ["Bob", "Ann"]


def test_a_note_is_found_by_a_part_of_its_text_too_and_only_once_it_is_known(events):
    assert search(events, date(2024, 7, 1), "PLANT 2")["customer_id"].tolist() == ["A"]
    assert search(events, date(2024, 7, 1), "noted late").empty
    assert search(events, date(2024, 7, 2), "noted late")["customer_id"].tolist() == ["D"]
    assert search(events, date(2024, 6, 1), "cost cutting").empty
