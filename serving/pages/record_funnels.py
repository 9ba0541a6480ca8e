"""Who is left at each step: from all customers to those with a warning, from warnings to customers who stayed."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from serving.change_words import listed
from serving.charts import About
from serving.pages.record_parts import STAYED, WAITING, Told, table
from serving.pages.view import DASH, View
from serving.record_charts import Count, funnel
from serving.wording import cohort_reason
from serving.words.speech import text


def of_customers(view: View, told: Told) -> dict[str, Any]:
    """From all customers of the day to those with a warning that stands."""
    profile, warnings = told.day.profile, told.warnings
    inside = profile["cohort"] == "eligible"
    warned = inside & (profile["level"] != "none")
    standing = profile["customer_id"].isin(warnings.loc[warnings["closed_on"].isna(), "customer_id"])
    steps = [
        (text("All customers"), len(profile)),
        (text("In the cohort"), int(inside.sum())),
        (text("With a probability"), int((inside & profile["churn_probability"].notna()).sum())),
        (text("With a level"), int(warned.sum())),
        (text("With a level and an open warning"), int((warned & standing).sum())),
    ]
    outside = profile.loc[~inside, "cohort"].value_counts()
    said = [
        view.say(text("{reason}: {n}"), reason=cohort_reason(str(code), locale=view.locale), n=view.number(int(n)))
        for code, n in outside.items()
    ]
    small = view.say(
        text(
            "Outside the cohort: {counts}. A level without a warning waits for its second scoring or for room in the "
            "week."
        ),
        counts=listed(said, view.locale) if said else DASH,
    )  # fmt: skip
    title = view.say(text("Customers on {day}"), day=view.day(told.day.as_of))
    return _funnel(view, "customers", title, steps, small)


def of_warnings(view: View, told: Told, outcomes: pd.DataFrame) -> dict[str, Any] | None:
    """From warnings that were opened to those that kept their customer; None where there are none."""
    rows = told.warnings
    if rows.empty:
        return None
    known = rows["outcome"] != WAITING
    final = outcomes[outcomes["state"] == "final"]
    recorded = rows["episode_id"].isin(final["episode_id"])
    kept = rows["episode_id"].isin(final.loc[final["result"].isin(["kept", "restarted"]), "episode_id"])
    acted = rows["treated_at"].notna()
    steps = [
        (text("Warnings opened"), len(rows)),
        (text("Shown to their sales person"), int((rows["arm"] == "shown").sum())),
        (text("Taken on"), int((rows["step"] != "raised").sum())),
        (text("Acted upon"), int(acted.sum())),
        (text("Acted upon, outcome known"), int((acted & (known | recorded)).sum())),
        (text("Acted upon, and the customer stayed"), int((acted & ((rows["outcome"] == STAYED) | kept)).sum())),
    ]  # fmt: skip
    small = view.say(
        text(
            "Every warning since {first}. That a customer stayed does not say that the contact kept it: that takes a "
            "comparison with warnings that were left alone."
        ),
        first=view.day(min(rows["opened_on"])),
    )  # fmt: skip
    return _funnel(view, "warned", view.say(text("Warnings and what was done")), steps, small)


def _funnel(view: View, name: str, title: str, steps: Sequence[tuple[str, int]], small: str) -> dict[str, Any]:
    whole = steps[0][1] or 1
    rows = [Count(view.say(message), float(n), view.number(n)) for message, n in steps]
    headings = [
        (view.say(text("How far")), ""),
        (view.say(text("Number")), "number"),
        (view.say(text("Of the first")), "number"),
    ]
    described = view.say(text("A bar for each step, against the first."))
    cells = [[row.label, row.shown, view.share((row.value or 0) / whole)] for row in rows]
    return {
        "chart": funnel(About(name, title, described), rows),
        "table": table(title, headings, cells),
        "small": small,
    }
