"""Every kind of task in one place: what sets it off, whose it is, until when, what must be told at its end, its words.

A task is kept as codes and numbers (`kind`, `cause`, `facts`, `checklist`, `needs`); its sentences are made here when
it is read. ``{name}`` is the customer's name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from features.errors import StoreError
from serving.words.speech import language, text

#: Teams that a task can belong to; ``routed`` is decided by what speaks for the warning.
SALES, SERVICE, TECHNICAL = "sales", "service", "technical"
PRODUCT, OPERATIONS, MANAGEMENT, ROUTED = "product", "operations", "management", "routed"
TEAMS = (SALES, SERVICE, TECHNICAL, PRODUCT, OPERATIONS, MANAGEMENT)

#: What a task's cause goes with: a contact, its rule or its warning. Whatever has none is ended by people alone.
Ends = Literal["", "contact", "rule", "episode"]


@dataclass(frozen=True)
class TaskKind:
    """One kind of task.

    Attributes
    ----------
    code
        What the task is called in the store.
    row
        The requirement that asks for it.
    cause
        What it is about: one open task per customer and cause, whatever its kind.
    team
        One of :data:`TEAMS`, or ``routed``.
    due_days
        Days from the run's date, or from the day of the change where it answers one.
    urgency
        4 the highest.
    cooldown_days
        For so long after its end the same cause sets off none.
    title, body
        English words; a body may be empty.
    checklist
        Codes of :data:`CHECKLIST`, in order.
    needs
        What must be told when it is done.
    tells
        Roles that get a notice besides the task's owner.
    rules
        Codes of the warning rules that set it off.
    yields_to
        Causes beside which it is not set off: they ask for the same and more.
    ends_with
        What ends it without anybody closing it.
    """

    code: str
    row: str
    cause: str
    team: str
    due_days: int
    urgency: int
    title: str
    body: str = ""
    cooldown_days: int = 28
    checklist: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    ends_with: Ends = ""


GREET, COMPETITOR = "greet_new_contact", "check_competitor"

CHECKLIST: Mapping[str, str] = {
    GREET: text("Visit the new contact to introduce yourself"),
    COMPETITOR: text("Find out whether a competitor has taken over the orders"),
    "ask_stock": text("Ask how much stock is left and when the next order is planned"),
    "call": text("Call the customer and ask how things stand"),
    "news": text("Bring news of products, of the trade, or a solution to a problem of theirs"),
    "no_price": text("Do not open with the price"),
    "tell_manager": text("Report to the manager"),
    "meeting": text("Hold a meeting on what to do"),
    "find_why": text("Find out why purchases fell"),
    "promotion": text("Propose a promotion, if it would help"),
    "history": text("Go through the history of the cooperation"),
    "plans": text("Ask whether purchasing plans have changed"),
    "complaints": text("Look for dissatisfaction and for complaints that are still open"),
    "upgrades": text("Offer recent product improvements or an upgrade"),
    "care_pack": text("Send a gift for members, or an invitation to a customers' salon"),
    "budget": text("Decide on the retention budget"),
    "executive": text("Arrange a visit by the top management"),
    "offer_restart": text("Bring a reason to begin again: what is new since the last order"),
    "why_lost": text("Ask the customer, and note why it left"),
}

_FOLLOW_UP = text("[Follow-up] Contact {name}")

_DECLARED = (
    TaskKind(
        "order_late", "WF-01", "order_late", SALES, 7, 2,
        text("[To check] {name}'s order is late"),
        text("Contact the customer and find out how things stand."),
        checklist=("call", "ask_stock"), rules=("order_late",), yields_to=("orders_stopped",), ends_with="rule",
    ),
    TaskKind(
        "temperature_down", "WF-02", "temperature_down", SALES, 7, 2,
        text("[Temperature down] Approach {name} with something of value"),
        text("No price talks: make contact with new products, trends of the trade, or a solution to a problem."),
        checklist=("news", "no_price"), rules=("temperature_fell",),
    ),
    TaskKind(
        "risk_high", "WF-03", "risk_high", SALES, 3, 3,
        text("[Priority] {name}: high risk of leaving. Report to the manager and hold a meeting"),
        checklist=("tell_manager", "meeting"), tells=("manager",),
    ),
    TaskKind(
        "orders_stopped", "WF-04", "orders_stopped", SALES, 2, 4,
        text("[Urgent] {name}'s orders have stopped: look into a switch to a competitor"),
        checklist=(COMPETITOR, "ask_stock"), rules=("orders_stopped",), ends_with="rule",
    ),
    TaskKind(
        "contact_changed", "WF-05", "contact_changed", SALES, 21, 2,
        text("[Handover] {name} has a new contact: make an early approach"),
        text("Visit the new contact within three weeks."),
        checklist=(GREET,),
    ),
    *(
        TaskKind(
            f"follow_up_{rank.lower()}", row, "contact_due", SALES, 7, 1, _FOLLOW_UP,
            cooldown_days=7, checklist=("call",), ends_with="contact",
        )
        for rank, row in (("A", "WF-06"), ("B", "WF-07"), ("C", "WF-08"))
    ),
    TaskKind(
        "restart", "WF-09", "contact_due", SALES, 30, 1,
        text("[Restart challenge] Win {name} back"),
        cooldown_days=7, checklist=("offer_restart",), ends_with="contact",
    ),
    TaskKind(
        "attention", "WF-13", "level_blue", ROUTED, 14, 1,
        text("[Attention] {name}: keep in closer touch"),
        text("Read the brief of recent activity and make routine contact more often."),
        checklist=("call",), ends_with="episode",
    ),
    TaskKind(
        "call_back", "WF-14", "level_yellow", ROUTED, 7, 2,
        text("[Call back] {name}: ask how things stand"),
        text("Read the diagnosis first. The technical team may be asked for an assessment."),
        checklist=("call",), tells=("regional_manager",), ends_with="episode",
    ),
    TaskKind(
        "case_sales", "WF-20", "case_sales", SALES, 7, 3,
        text("[Team] {name}: go through our history together and ask about purchasing plans"),
        checklist=("history", "plans"), cooldown_days=90,
    ),
    TaskKind(
        "case_service", "WF-20", "case_service", SERVICE, 7, 3,
        text("[Team] {name}: look for dissatisfaction and open complaints"),
        checklist=("complaints",), cooldown_days=90,
    ),
    TaskKind(
        "case_product", "WF-20", "case_product", PRODUCT, 7, 3,
        text("[Team] {name}: offer recent product improvements or an upgrade"),
        checklist=("upgrades",), cooldown_days=90,
    ),
    TaskKind(
        "case_operations", "WF-20", "case_operations", OPERATIONS, 7, 3,
        text("[Team] {name}: send a gift or an invitation to a customers' salon"),
        checklist=("care_pack",), cooldown_days=90,
    ),
    TaskKind(
        "executive_visit", "WF-16", "executive_visit", MANAGEMENT, 5, 4,
        text("[Executive visit] {name}: the top management visits in person"),
        text("Decide on the retention budget and on the recovery plan of all departments."),
        checklist=("budget", "executive"), cooldown_days=90, tells=("top",),
    ),
    TaskKind(
        "slump", "WF-22", "slump", SALES, 5, 2,
        text("[Slump] {name} buys much less: find out why and strengthen the ties"),
        checklist=("call", "find_why", "promotion"), needs=("cause",), rules=("revenue_slump", "orders_slump"),
    ),
    TaskKind(
        "service_rating_low", "WF-24", "service_rating_low", SERVICE, 3, 3,
        text("[Service] {name} is dissatisfied: step in"),
        checklist=("complaints",), rules=("two_low_ratings",), ends_with="rule",
    ),
    TaskKind(
        "loss_review", "CL-05", "loss_review", SALES, 14, 1,
        text("[Review] {name} is lost: find out why"),
        checklist=("why_lost",), needs=("cause",),
    ),
)  # fmt: skip

#: Every kind by its code.
KINDS: Mapping[str, TaskKind] = {kind.code: kind for kind in _DECLARED}
#: The four functions of one case.
CASE = ("case_sales", "case_service", "case_product", "case_operations")
#: Rank -> what a contact that is due by it is called.
CONTACT_KINDS: Mapping[str, str] = {"A": "follow_up_a", "B": "follow_up_b", "C": "follow_up_c", "D": "restart"}
#: The rules that set off a case, beside a falling score: attempts to reach the customer that stay without an answer.
CASE_RULES = ("outreach_unanswered",)


def kind_of(code: str) -> TaskKind:
    """The kind called `code`.

    Raises
    ------
    StoreError
        If there is none.
    """
    if code not in KINDS:
        raise StoreError(f"a task's kind is one of {', '.join(KINDS)}; found {code!r}.")
    return KINDS[code]


def title_of(kind: str, facts: Mapping[str, Any], locale: str = "en") -> str:
    """The title of a task, with its customer's name (or number, where it has no name)."""
    name = facts.get("name") or facts.get("customer_id") or ""
    return language(locale).words(kind_of(kind).title, name=str(name))


def body_of(kind: str, locale: str = "en") -> str:
    """What a task asks for, beyond its title; may be empty."""
    body = kind_of(kind).body
    return language(locale).words(body) if body else ""


def checklist_of(codes: Iterable[str], locale: str = "en") -> list[str]:
    """The items of a checklist in words."""
    return [language(locale).words(CHECKLIST[code]) for code in codes]
