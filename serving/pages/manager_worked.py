"""What acting on warnings was followed by, as the day's reports tell it, and what of it can be called an effect."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from serving.api_company import cases
from serving.charts import About
from serving.effects import LEAST
from serving.pages.manager_loop import Section
from serving.pages.manager_parts import grid, reports_of
from serving.pages.record_parts import FEW, between
from serving.pages.view import View, unknown
from serving.plays import play_name, play_record
from serving.record_charts import Count, Range, funnel, ranges
from serving.rows import records
from serving.words.choices import options
from serving.words.speech import text


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
        share, low, high = (None if rate["too_few"] else rate[one] for one in ("share", "low", "high"))
        bars.append(Range(label, share, low, high, told))
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
    if told["untreated"]["n"] or told["treated"]["n"]:
        lines.append(view.say(NO_LOT))
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
KEPT = text("Customers kept by it: {customers} (95% interval {low} to {high}).")
DETECTABLE = text("So many warnings can show a difference from {points} percentage points on.")
UNDETERMINED = text("Contacted, and ordered again: {n}. Whether the contact kept them cannot be told.")
NO_LOT = text("Whether somebody acted was no matter of lots: those two shares are observational.")
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
