"""What the team has to do and has recorded, what waits and what is missing, as the day's reports tell it."""

from collections.abc import Mapping
from typing import Any

from serving.charts import About
from serving.pages.manager_parts import (
    CUSTOMER,
    DAYS,
    PERSON,
    SOME,
    customer_cell,
    grid,
    person,
    person_cell,
    reports_of,
)
from serving.pages.view import DASH, View
from serving.record_charts import Count, Range, funnel, ranges
from serving.words.choices import choice_name
from serving.words.speech import text

#: So many warnings of each step are named.
EACH = 3
Section = dict[str, Any]


def follow_ups(view: View) -> Mapping[str, Any]:
    """The report on the contacts that tasks asked for."""
    told: Mapping[str, Any] = reports_of(view).get("follow_ups") or {}
    return told


def follow_up(view: View) -> list[Section]:
    """What waits, what is missing, and where people and the engine disagree."""
    reports = reports_of(view)
    told = {name: reports[name] for name in REPORTS if reports.get(name)}
    if not told:
        return [{"id": "none", "heading": view.say(text("Follow-up")), "empty": (view.say(NONE_TOLD), view.say(AGAIN))}]
    parts = (
        (_updates, "updates"), (_missing, "follow_ups"), (_stuck, "stuck"), (_reviews, "reviews_missing"),
        (_disagreements, "disagreements"), (_ratings, "ratings_stale"),
    )  # fmt: skip
    return [make(view, told[name]) for make, name in parts if name in told]


REPORTS = ("updates", "follow_ups", "stuck", "reviews_missing", "disagreements", "ratings_stale")
NONE_TOLD = text("The newest day tells nothing of what the team did.")
AGAIN = text("Run `kizashi score` again.")


def _updates(view: View, told: Mapping[str, Any]) -> Section:
    """How many contacts the 30-second update followed, against the target."""
    n, share = told["contacts"], told["share"]
    section: Section = {"id": "updates", "heading": view.say(text("The 30-second update after a contact"))}
    if not n:
        return {**section, "empty": (view.say(text("No contact of the last month could be judged.")), "")}
    lines = [
        view.say(
            UPDATED,
            updated=view.number(told["updated"]),
            contacts=view.number(n),
            days=view.days(told["within_days"]),
        )
    ]
    if told["review"]:
        lines.append(view.say(REVIEW))
    shown = view.say(text("{share} of {target}"), share=view.share(share), target=view.share(told["target"]))
    about = About("updates-bar", view.say(text("Contacts with an update")), view.say(AGAINST_TARGET))
    bar = Range(view.say(text("Contacts with an update")), share, share, share, shown, told["target"])
    return {**section, "lines": lines, "chart": ranges(about, [bar], view.say(text("Target"))), "alone": True}


UPDATED = text("{updated} of {contacts} contacts of the last month were followed by an update within {days}.")
REVIEW = text(
    "That is below the target. The form is to be looked at, not the people: is it quick to find, are the three fields"
    " plain, do they fit what is heard?"
)
AGAINST_TARGET = text("A bar with the share and a stroke at the target.")


def _missing(view: View, told: Mapping[str, Any]) -> Section:
    """Contacts that were due and that nobody recorded, person by person."""
    section: Section = {"id": "follow-ups", "heading": view.say(text("Follow-ups without a record"))}
    if not told["n"]:
        return {**section, "empty": (view.say(text("No task of the last month asked for a contact.")), "")}
    rows = []
    for one in told["people"]:
        missing = [f"{_name(view, who)} ({view.day(day)})" for who, day in one["missing"][:EACH]]
        more = len(one["missing"]) - len(missing)
        if more > 0:
            missing.append(view.say(text("and {n} more"), n=view.number(more)))
        rows.append(
            [person_cell(view, one["owner"]), view.number(one["recorded"]), view.number(one["expected"]),
             view.share(one["share"]), {"lines": missing} if missing else DASH]
        )  # fmt: skip
    headings = [
        (view.say(PERSON), ""), (view.say(text("Recorded in time")), "number"), (view.say(text("Were due")), "number"),
        (view.say(text("Share")), "number"), (view.say(text("Without a record")), ""),
    ]  # fmt: skip
    line = view.say(RECORDED, recorded=view.number(told["recorded"]), n=view.number(told["n"]),
                    days=view.days(told["within_days"]))  # fmt: skip
    return {**section, "lines": [line], "table": grid(view.say(text("Follow-ups by sales person")), headings, rows)}


RECORDED = text("{recorded} of {n} contacts that were due in the last month were recorded within {days}.")


def _name(view: View, customer: str) -> str:
    return str(customer_cell(view, customer)["text"])


def _stuck(view: View, told: Mapping[str, Any]) -> Section:
    """Warnings by the step at which they wait, and those that wait longest."""
    section: Section = {"id": "stuck", "heading": view.say(text("Where warnings wait"))}
    if not told["n"]:
        return {**section, "empty": (view.say(text("No warning waits for anybody.")), "")}
    rows = []
    for step in told["steps"]:
        first = [_waiting(view, one) for one in step["warnings"][:EACH]]
        rows.append(
            [choice_name("step", step["step"], view.locale), view.number(step["n"]), view.number(step["unowned"]),
             view.number(step["median_days"]), view.number(step["longest_days"]), {"links": first} if first else DASH]
        )  # fmt: skip
    headings = [
        (view.say(text("Step of the warning")), ""), (view.say(text("Warnings")), "number"),
        (view.say(text("Without a sales person")), "number"), (view.say(text("Days, the middle one")), "number"),
        (view.say(text("Days, the longest")), "number"), (view.say(text("Waiting longest")), ""),
    ]  # fmt: skip
    return {
        **section,
        "lines": [view.say(STUCK)],
        "table": grid(view.say(text("Warnings by step")), headings, rows),
        "chart": funnel(
            About("steps", view.say(text("Warnings by step")), view.say(STEPS_DRAWN)),
            [Count(str(row[0]), one["n"], str(row[1])) for row, one in zip(rows, told["steps"], strict=True)],
        ),
        "under": True,
    }  # fmt: skip


STEPS_DRAWN = text("A bar for each step, against the largest.")
STUCK = text(
    "A warning goes from raised to learned in six steps. Here are those that have not gone all the way, by the step at"
    " which they stand."
)


def _waiting(view: View, one: Mapping[str, Any]) -> dict[str, Any]:
    cell = customer_cell(view, one["customer_id"])
    days = view.days(one["days"])
    return {"text": cell["text"], "address": cell.get("address", ""), "sub": f"{person(view, one['owner'])}, {days}"}


def _reviews(view: View, told: Mapping[str, Any]) -> Section:
    """Losses that nobody has said the cause of."""
    section: Section = {"id": "reviews", "heading": view.say(text("Losses without a cause"))}
    days = view.number(told["after_days"])
    if not told["n"]:
        return {**section, "empty": (view.say(ALL_REVIEWED, days=days), "")}
    rows = [
        [customer_cell(view, one["customer_id"]), person_cell(view, one["owner"]), view.day(one["lost_on"]),
         view.number(one["days"])]
        for one in told["losses"]
    ]  # fmt: skip
    headings = [
        (view.say(CUSTOMER), ""), (view.say(PERSON), ""), (view.say(text("Counts as lost since")), ""),
        (view.say(DAYS), "number"),
    ]  # fmt: skip
    return {
        **section,
        "lines": [view.say(UNREVIEWED, n=view.number(told["n"]), days=days), *_first(view, told["n"], len(rows))],
        "table": grid(view.say(text("Losses whose cause is missing")), headings, rows),
        "links": [(view.say(text("Tasks that ask for the cause")), view.link("tasks", kind="loss_review", all=1))],
    }


ALL_REVIEWED = text("Every loss has its cause within {days} days.")
UNREVIEWED = text("Losses without a cause for more than {days} days: {n}. Without it nobody learns from them.")
FIRST = text("{n} of {of} stand here.")


def _first(view: View, n: int, shown: int) -> list[str]:
    """That only some of the rows stand here."""
    return [view.say(FIRST, n=view.number(shown), of=view.number(n))] if n > shown else []


def _disagreements(view: View, told: Mapping[str, Any]) -> Section:
    """Where people rate the risk otherwise than the level does."""
    section: Section = {"id": "disagreements", "heading": view.say(text("People and the engine disagree"))}
    if not told["n"]:
        return {**section, "empty": (view.say(text("People and the engine agree on every customer.")), "")}
    rows = []
    for one in told["accounts"]:
        who = one["author"] or view.say(text("From your files"))
        rows.append(
            [customer_cell(view, one["customer_id"]), choice_name("risk", one["manual"], view.locale),
             choice_name("risk", one["engine"], view.locale),
             {"text": who, "sub": view.moment(one["at"]) if one["at"] else ""}]
        )  # fmt: skip
    headings = [
        (view.say(CUSTOMER), ""), (view.say(text("Risk entered by people")), ""),
        (view.say(text("Risk by the warning level")), ""), (view.say(text("Entered by")), ""),
    ]  # fmt: skip
    more = view.number(told["people_see_more"])
    return {
        **section,
        "lines": [view.say(DISAGREE, n=view.number(told["n"]), more=more), *_first(view, told["n"], len(rows))],
        "table": grid(view.say(text("The furthest apart first")), headings, rows),
    }


DISAGREE = text(
    "Customers: {n}; on {more} of them people see more risk than the engine. One of the two knows something that the"
    " other does not: ask, then correct the risk or the file."
)


def _ratings(view: View, told: Mapping[str, Any]) -> Section:
    """Customers whose newest rating is too old to count."""
    section: Section = {"id": "ratings", "heading": view.say(text("Ratings that are too old"))}
    days = view.number(told["after_days"])
    if not told["stale"]:
        words = NO_RATINGS if not told["n"] else ALL_FRESH
        return {**section, "empty": (view.say(words, days=days), "")}
    rows = [
        [customer_cell(view, one["customer_id"]), view.day(one["rated_on"]), view.number(one["rating"], 1),
         view.number(one["days"])]
        for one in told["customers"][:SOME]
    ]  # fmt: skip
    headings = [
        (view.say(CUSTOMER), ""), (view.say(text("Rated on")), ""), (view.say(text("Rating")), "number"),
        (view.say(DAYS), "number"),
    ]  # fmt: skip
    line = view.say(STALE, stale=view.number(told["stale"]), n=view.number(told["n"]), days=days)
    return {
        **section,
        "lines": [line, *_first(view, told["stale"], len(rows))],
        "table": grid(view.say(text("The oldest ratings first")), headings, rows),
    }


NO_RATINGS = text("No customer has a rating.")
ALL_FRESH = text("No newest rating is older than {days} days.")
STALE = text("Of {n} customers with a rating, that of {stale} is older than {days} days and does not count.")
