"""Why a customer stands on a list, what takes it off and what comes next, in every language."""

from datetime import date

from models.warning_rule_list import WARNING_RULES
from serving.list_words import clearing_text, step_text, why_texts
from serving.words.speech import LANGUAGES

RULES = {rule.code: rule for rule in WARNING_RULES}
STATED = {"code": "stated_risk", "evidence": {"risk": "urgent"}}
ENGINE = {"code": "engine_risk", "evidence": {"risk": "urgent"}}
COOL = {"code": "temperature", "evidence": {"temperature": "cool"}}
PLANNED = {"code": "next_action", "evidence": {"next_action_on": date(2024, 7, 3)}}
STOPPED = {"code": "important_orders_stopped", "evidence": {}}
SILENT = {"code": "important_without_contact", "evidence": {}}


def test_every_ground_is_told() -> None:
    told = why_texts([STATED, ENGINE, COOL, PLANNED, STOPPED])
    assert told == [
        "The risk that a person entered is urgent.",
        "The warning level is red.",
        "The relationship was entered as Cool.",
        "A contact is planned for Jul 3, 2024.",
        "Orders of an important customer have stopped",
    ]


def test_what_clears_follows_from_what_put_the_customer_there() -> None:
    assert clearing_text([STOPPED], RULES) == "Off the list with: an order."
    assert clearing_text([SILENT], RULES) == "Off the list with: a contact."
    assert clearing_text([ENGINE], RULES) == "Off the list with: a level below Red."
    both = clearing_text([STOPPED, STATED, STOPPED], RULES)
    assert both == "Off the list with: an order and a lower risk in the update after a contact."


def test_every_rule_that_fills_a_list_says_what_ends_it() -> None:
    for rule in WARNING_RULES:
        if rule.working_list:
            assert "the end of" not in clearing_text([{"code": rule.code, "evidence": {}}], RULES), rule.code
    odd = clearing_text([{"code": "weak_link", "evidence": {}}], RULES)
    assert odd.startswith("Off the list with: the end of")


def test_what_is_said_is_said_in_each_language() -> None:
    for tell in (
        lambda locale: why_texts([STATED, ENGINE, COOL, PLANNED, STOPPED], locale),
        lambda locale: clearing_text([STOPPED, STATED, SILENT], RULES, locale),
    ):
        assert len({str(tell(locale)) for locale in LANGUAGES}) == len(LANGUAGES)


def test_the_next_step_is_the_task_else_the_plan_else_nothing() -> None:
    row = {"name": "Aoki Works", "customer_id": "K1"}
    task = {"kind": "task", "code": "order_late", "due_on": date(2024, 7, 8)}
    assert step_text(task, row) == "[To check] Aoki Works's order is late"
    assert step_text({**task}, {**row, "name": None}) == "[To check] K1's order is late"
    assert step_text({"kind": "next_action", "text": "Call Mr Ito", "due_on": None}, row) == "Call Mr Ito"
    plan = {"kind": "next_action", "text": None, "due_on": date(2024, 7, 3)}
    assert step_text(plan, row) == "A contact is planned for Jul 3, 2024."
    assert step_text({**plan, "due_on": "2024-07-03"}, row) == "A contact is planned for Jul 3, 2024."
    assert step_text(None, row) == ""
