"""What the team has to do and has recorded, what is missing, and what acting was followed by: the day's reports."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from serving.api_company import cases
from serving.charts import About
from serving.effects import LEAST
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
from serving.pages.record_parts import between
from serving.pages.view import DASH, View, unknown
from serving.plays import play_name, play_record
from serving.record_charts import Count, Range, funnel, ranges
from serving.rows import records
from serving.words.choices import choice_name, options
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
    told = {name: reports.get(name) for name in REPORTS}
    if not any(told.values()):
        return [{"id": "none", "heading": view.say(text("Follow-up")), "empty": (view.say(NONE_TOLD), view.say(AGAIN))}]
    parts = (
        (_updates, "updates"), (_missing, "follow_ups"), (_stuck, "stuck"), (_reviews, "reviews_missing"),
        (_disagreements, "disagreements"), (_ratings, "ratings_stale"),
    )  # fmt: skip
    return [make(view, told[name]) for make, name in parts if told[name] is not None]


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
            days=view.number(told["within_days"]),
        )
    ]
    if told["review"]:
        lines.append(view.say(REVIEW))
    shown = view.say(text("{share} of {target}"), share=view.share(share), target=view.share(told["target"]))
    about = About("updates-bar", view.say(text("Contacts with an update")), view.say(AGAINST_TARGET))
    bar = Range(view.say(text("Contacts with an update")), share, share, share, shown, told["target"])
    return {**section, "lines": lines, "chart": ranges(about, [bar], view.say(text("Target"))), "alone": True}


UPDATED = text("{updated} of {contacts} contacts of the last month were followed by an update within {days} day(s).")
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
            missing.append(view.count("and {n} more", "and {n} more", more))
        rows.append(
            [person_cell(view, one["owner"]), view.number(one["recorded"]), view.number(one["expected"]),
             view.share(one["share"]), {"lines": missing} if missing else DASH]
        )  # fmt: skip
    headings = [
        (view.say(PERSON), ""), (view.say(text("Recorded in time")), "number"), (view.say(text("Were due")), "number"),
        (view.say(text("Share")), "number"), (view.say(text("Without a record")), ""),
    ]  # fmt: skip
    line = view.say(RECORDED, recorded=view.number(told["recorded"]), n=view.number(told["n"]),
                    days=view.number(told["within_days"]))  # fmt: skip
    return {**section, "lines": [line], "table": grid(view.say(text("Follow-ups by sales person")), headings, rows)}


RECORDED = text("{recorded} of {n} contacts that were due in the last month were recorded within {days} days.")


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
        (view.say(text("Step")), ""), (view.say(text("Warnings")), "number"),
        (view.say(text("Without a sales person")), "number"), (view.say(text("Days, the middle one")), "number"),
        (view.say(text("Days, the longest")), "number"), (view.say(text("Waiting longest")), ""),
    ]  # fmt: skip
    return {
        **section,
        "lines": [view.say(STUCK)],
        "table": grid(view.say(text("Warnings by step")), headings, rows),
        "chart": funnel(
            About("steps", view.say(text("Warnings by step")), view.say(text("A bar for each step, against the largest."))),
            [Count(choice_name("step", one["step"], view.locale), one["n"], view.number(one["n"])) for one in told["steps"]],
        ),
        "under": True,
    }  # fmt: skip


STUCK = text(
    "A warning goes from raised to learned in six steps. Here are those that have not gone all the way, by the step at"
    " which they stand."
)


def _waiting(view: View, one: Mapping[str, Any]) -> dict[str, Any]:
    cell = customer_cell(view, one["customer_id"])
    days = view.count("{n} day", "{n} days", int(one["days"]))
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
        for one in told["losses"][:SOME]
    ]  # fmt: skip
    headings = [
        (view.say(CUSTOMER), ""), (view.say(PERSON), ""), (view.say(text("Counts as lost since")), ""),
        (view.say(DAYS), "number"),
    ]  # fmt: skip
    return {
        **section,
        "lines": [view.say(UNREVIEWED, n=view.number(told["n"]), days=days), *_oldest(view, told["n"])],
        "table": grid(view.say(text("Losses whose cause is missing")), headings, rows),
        "links": [(view.say(text("Tasks that ask for the cause")), view.link("tasks", kind="loss_review", all=1))],
    }


ALL_REVIEWED = text("Every loss has its cause within {days} days.")
UNREVIEWED = text("{n} losses have had no cause for more than {days} days. Without it nobody learns from them.")
OLDEST = text("The first {n} stand here.")


def _oldest(view: View, n: int) -> list[str]:
    return [view.say(OLDEST, n=view.number(SOME))] if n > SOME else []


def _disagreements(view: View, told: Mapping[str, Any]) -> Section:
    """Where people rate the risk otherwise than the level does."""
    section: Section = {"id": "disagreements", "heading": view.say(text("People and the engine disagree"))}
    if not told["n"]:
        return {**section, "empty": (view.say(text("People and the engine agree on every customer.")), "")}
    rows = []
    for one in told["accounts"][:SOME]:
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
        "lines": [view.say(DISAGREE, n=view.number(told["n"]), more=more), *_oldest(view, told["n"])],
        "table": grid(view.say(text("The furthest apart first")), headings, rows),
    }


DISAGREE = text(
    "{n} customers; on {more} of them people see more risk than the engine. One of the two knows something that the"
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
        "lines": [line, *_oldest(view, told["stale"])],
        "table": grid(view.say(text("The oldest ratings first")), headings, rows),
    }


NO_RATINGS = text("No customer has a rating.")
ALL_FRESH = text("No newest rating is older than {days} days.")
STALE = text("Of {n} customers with a rating, that of {stale} is older than {days} days and does not count.")


# What worked


def worked(view: View) -> list[Section]:
    """What acting on warnings was followed by, as far as that can be told."""
    reports = reports_of(view)
    made: list[Section] = [_plays(view)]
    if told := reports.get("acting_in_time"):
        days = view.number(told["within_days"])
        names = (view.say(ACTED, days=days), view.say(text("Acted later")))
        made.append(_compared(view, "acting", ACTING, told, names, CAME_BACK))
    if told := reports.get("visiting_in_time"):
        days = view.number(told["within_days"])
        names = (view.say(VISITED, days=days), view.say(text("Visited later or not at all")))
        made.append(_compared(view, "visiting", VISITING, told, names, STAYED))
    if told := reports.get("effect"):
        made.append(_effect(view, told))
    if told := reports.get("causes"):
        made.append(_causes(view, told))
    return made


ACTING, VISITING = text("Acting on red warnings in time"), text("Visiting after a change of the contact")
ACTED, VISITED = text("Acted within {days} days"), text("Visited within {days} days")
CAME_BACK = text("Share of red warnings whose orders came back")
STAYED = text("Share of customers that stayed after their contact changed")


def _plays(view: View) -> Section:
    """How often each play was planned, and how often it ended well."""
    section: Section = {"id": "plays", "heading": view.say(text("What was done, and how it ended"))}
    found: pd.DataFrame = view.visit.look.company.memo.get("plays", lambda: play_record(cases(view.visit)))
    if found.empty:
        return {**section, "empty": (view.say(NO_PLAYS), view.say(NO_PLAYS_NEXT))}
    sums = found.groupby("play", as_index=False)[["n", "successes"]].sum()
    sums = sums.sort_values(["n", "play"], ascending=[False, True])
    rows, bars = [], []
    for one in records(sums):
        few = one["n"] < view.service.limits.least_cases_of_a_play
        told = view.say(FEW) if few else view.share(one["successes"] / one["n"])
        name = play_name(one["play"], view.locale)
        rows.append([name, view.number(one["n"]), view.number(one["successes"]), told])
        bars.append(Count(name, one["n"], view.number(one["n"])))
    headings = [
        (view.say(text("Play")), ""), (view.say(text("Cases")), "number"), (view.say(text("Ended well")), "number"),
        (view.say(text("Share")), "number"),
    ]  # fmt: skip
    title = view.say(text("Plays by how often they were tried"))
    described = view.say(text("A bar for each play, against the largest."))
    return {
        **section,
        "lines": [view.say(OBSERVED)],
        "chart": funnel(About("plays-bars", title, described), bars),
        "table": grid(title, headings, rows),
    }


NO_PLAYS = text("No case has come to its end yet.")
NO_PLAYS_NEXT = text("A case counts once its record is final: on the customer's page, under the warning.")
FEW = text("too few to tell")
OBSERVED = text(
    "Observational: nobody drew lots on what was done, so what looks better may have been done for easier cases."
)


def _compared(view: View, name: str, heading: str, told: Mapping[str, Any], names: Sequence[str], what: str) -> Section:
    """Two groups that made themselves, beside each other."""
    pair = list(zip(names, (told["one"], told["other"]), strict=True))
    section: Section = {"id": name, "heading": view.say(heading)}
    if not told["n"]:
        return {**section, "empty": (view.say(text("There is no case yet of which the end is known.")), "")}
    lines = [view.say(OBSERVATIONAL)]
    if unknown(told["points"]):
        lines.insert(0, view.say(TOO_FEW, n=view.number(min(rate["n"] for _, rate in pair)), least=view.number(LEAST)))
    else:
        words = HIGHER if told["points"] >= 0 else LOWER
        lines.insert(0, view.say(words, points=view.number(abs(told["points"]) * 100)))
    return {**section, "lines": lines, **_rates(view, name, view.say(what), pair)}


TOO_FEW = text("Too few cases to compare: the smaller group has {n}, and from {least} on there is a comparison.")
HIGHER = text("The share is {points} percentage points higher in the first group.")
LOWER = text("The share is {points} percentage points lower in the first group.")
OBSERVATIONAL = text(
    "Observational: who is in which group is no accident. Those who were easier to reach may have stayed anyway."
)


def _rates(view: View, name: str, title: str, pair: Sequence[tuple[str, Mapping[str, Any]]]) -> Section:
    """Shares with their intervals as bars and figures."""
    bars, rows = [], []
    for label, rate in pair:
        told = view.say(FEW) if rate["too_few"] else between(view, rate["share"], rate["low"], rate["high"])
        ends = (None, None, None) if rate["too_few"] else (rate["share"], rate["low"], rate["high"])
        bars.append(Range(label, *ends, told))
        rows.append([label, view.number(rate["n"]), view.number(rate["hits"]), told])
    headings = [
        (view.say(text("Group")), ""), (view.say(text("Cases")), "number"), (view.say(text("Of them")), "number"),
        (view.say(text("Share, 95% interval")), "number"),
    ]  # fmt: skip
    about = About(f"{name}-bars", title, view.say(text("A bar for each group: the share with its 95% interval.")))
    return {"chart": ranges(about, bars), "table": grid(title, headings, rows)}


def _effect(view: View, told: Mapping[str, Any]) -> Section:
    """What showing warnings did, by lot; and what can be seen without one."""
    lines = []
    if told["code"] is None:
        numbers = {one: view.number(told[one] * 100, 1) for one in ("points", "low", "high")}
        lines.append(view.say(BY_LOT, **numbers))
        kept = told["saved"]
        lines.append(view.say(KEPT, **{one: view.number(kept[one], 1) for one in ("customers", "low", "high")}))
    else:
        lines.append(view.say(CODES[told["code"]], least=view.number(told["least_cases"])))
    if not unknown(told["detectable"]):
        lines.append(view.say(DETECTABLE, points=view.number(told["detectable"] * 100, 1)))
    if told["undetermined"]:
        lines.append(view.say(UNDETERMINED, n=view.number(told["undetermined"])))
    pair = [
        (view.say(text("Shown, by lot")), told["shown"]),
        (view.say(text("Left alone, by lot")), told["holdout"]),
        (view.say(text("Nobody acted")), told["untreated"]),
        (view.say(text("Somebody acted")), told["treated"]),
    ]
    section: Section = {"id": "effect", "heading": view.say(text("What showing warnings did")), "lines": lines}
    if not told["n"]:
        return {**section, "empty": (view.say(text("There is no case yet of which the end is known.")), "")}
    return {**section, **_rates(view, "effect", view.say(text("Share of the customers that were lost")), pair)}


BY_LOT = text(
    "Of the warnings that were shown, {points} percentage points fewer ended in a loss than of those left alone by lot"
    " (95% interval {low} to {high})."
)
KEPT = text("That makes {customers} customers kept (95% interval {low} to {high}).")
DETECTABLE = text("So many warnings can show a difference from {points} percentage points on.")
UNDETERMINED = text("{n} customers were contacted and ordered again: whether the contact kept them cannot be told.")
#: Why there is no effect to tell.
CODES = {
    "no_comparison": text(
        "No warning is left alone by lot, so nobody can say what showing them achieves. No number of customers kept is"
        " given without that comparison."
    ),
    "too_few": text("Too few cases to tell: each group needs at least {least}."),
}


def _causes(view: View, told: Mapping[str, Any]) -> Section:
    """Why customers were lost, by family of cause."""
    section: Section = {"id": "causes", "heading": view.say(text("Why customers were lost"))}
    if not told["n"]:
        return {**section, "empty": (view.say(NO_CAUSES), view.say(NO_CAUSES_NEXT))}
    names = dict(options("family", view.locale))
    rows = [[names[one["family"]], view.number(one["n"]), view.share(one["share"])] for one in told["families"]]
    bars = [Count(names[one["family"]], one["n"], view.number(one["n"])) for one in told["families"]]
    headings = [
        (view.say(text("Cause")), ""),
        (view.say(text("Losses")), "number"),
        (view.say(text("Share")), "number"),
    ]
    title = view.say(text("Losses by family of cause"))
    described = view.say(text("A bar for each family, against the largest."))
    few = [view.say(CODES_OF_CAUSES, least=view.number(told["least_cases"]))] if told["too_few"] else []
    return {
        **section,
        "lines": few,
        "chart": funnel(About("causes-bars", title, described), bars),
        "table": grid(title, headings, rows),
    }


NO_CAUSES = text("No loss has been reviewed yet.")
NO_CAUSES_NEXT = text("The cause is told at the end of the task that asks why a customer was lost.")
CODES_OF_CAUSES = text("Too few losses for shares: from {least} on they are told.")
