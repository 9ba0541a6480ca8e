"""What the track record shows of the model in use: how it did on a past that it had not seen, and beside the rules."""

from collections.abc import Mapping
from typing import Any

from serving.change_words import rule_text
from serving.charts import SIGNS, About, Mark
from serving.effects import LEAST
from serving.pages.record_parts import HELD_DOWN, between, table
from serving.pages.view import DASH, View, unknown
from serving.record_charts import Bin, Count, columns, reliability
from serving.words.speech import text

#: Reports of a day that are read here.
MODEL, RULE_RECORD = "model_record", "rule_record"
#: Who is compared.
CONTESTANTS: Mapping[str, str] = {
    "champion": text("The model in use"),
    "days_since_last_order": text("Longest without an order"),
    "cycle": text("Silence in own cycles"),
    "health": text("Lowest health"),
    "random": text("Drawn by lot"),
}
_FIGURES = (
    ("roc_auc", text("AUC")), ("average_precision", text("Average precision")),
    ("top_decile_lift", text("Lift of the first tenth")), ("brier", text("Brier score")),
)  # fmt: skip
#: Sources of the kept record that are no rules -> their names.
_HEALTH = {
    "health_blue": text("Health fell: blue or louder"), "health_yellow": text("Health fell: yellow or louder"),
    "health_orange": text("Health fell: orange or louder"), "health_red": text("Health fell: red"),
    "health_three_falls": text("Health fell three months in a row"),
}  # fmt: skip


def of_training(reports: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of the training of the model in use; None where the day does not tell it."""
    told = reports.get(MODEL) or {}
    return told.get("record")


def where_from(view: View, told: Mapping[str, Any], of: Mapping[str, Any], what: str) -> str:
    """The small print of figures of a walk-forward: horizon, dates, rows, customers, eligibility, split."""
    dates = of["dates"]
    return view.say(
        text(
            "{what}. {n} predictions of {customers} customers of the cohort on {dates} dates from {first} to {last}, "
            "each made with what was known on its date (walk-forward); outcomes as known on {trained}, when the model "
            "was trained. 95% intervals."
        ),
        what=what, n=view.number(of["n"]), customers=view.number(of["customers"]), dates=view.number(len(dates)),
        first=view.day(dates[0]), last=view.day(dates[-1]), trained=view.day(told["trained_as_of"]),
    )  # fmt: skip


def calibrations(view: View, reports: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reliability diagrams of the fixed horizon and of the own window, as far as outcomes were known."""
    told, record = reports.get(MODEL) or {}, of_training(reports)
    if record is None:
        return []
    days = view.say(text("No order within {n} days"), n=record["horizon_days"])
    own = view.say(text("No order within the customer's own window"))
    found = []
    for name, what in (("fixed", days), ("own", own)):
        one = record[name]
        if one is None:
            continue
        bins = [
            Bin(row["promised"], row["observed"], row["low"], row["high"], row["n"], _bin(view, row))
            for row in one["bins"]
        ]
        headings = [
            (view.say(text("Promised")), "number"), (view.say(text("Came true")), "number"),
            (view.say(text("95% interval")), "number"), (view.say(text("Predictions")), "number"),
        ]  # fmt: skip
        rows = [
            [
                view.share(row["promised"]), view.share(row["observed"]),
                view.say(text("{low} to {high}"), low=view.share(row["low"]), high=view.share(row["high"])),
                view.number(row["n"]),
            ]
            for row in one["bins"]
        ]  # fmt: skip
        described = view.say(
            text("Ten groups of as many predictions; on the dashed line a promise was kept to the letter.")
        )
        across, up = view.say(text("Promised probability")), view.say(text("Share that came true"))
        found.append(
            {
                "title": what,
                "chart": reliability(About(f"calibration-{name}", what, described), bins, across, up, view.share),
                "table": table(what, headings, rows),
                "small": where_from(view, told, one, what),
            }
        )
    return found


def _bin(view: View, row: Mapping[str, Any]) -> str:
    return view.say(
        text("promised {promised}, came true {observed} of {n}"),
        promised=view.share(row["promised"]), observed=view.share(row["observed"]), n=view.number(row["n"]),
    )  # fmt: skip


def certificate(view: View, reports: Mapping[str, Any]) -> str:
    """What the certificate of calibration came to, with its figures; "" where the day does not tell it."""
    told = (reports.get(MODEL) or {}).get("certificate") or {}
    overall = told.get("overall") or {}
    if not overall.get("n"):
        return ""
    verdict = (
        text("Certificate: the probabilities kept their promise, so percentages are shown.")
        if told["verdict"] == "percentages"
        else text("Certificate: not proved, so that levels and the order of risk are shown, and no percentages.")
    )
    figures = view.say(
        text("Promised {promised} on average, {observed} came true; mean gap {ece}, slope {slope}, 1 is perfect."),
        promised=view.share(overall["promised"]), observed=view.share(overall["base_rate"]),
        ece=view.share(overall["ece"]), slope=_ranged(view, overall, "slope"),
    )  # fmt: skip
    return view.say(text("{verdict} {figures}"), verdict=view.say(verdict), figures=figures)


def standing(view: View, reports: Mapping[str, Any]) -> dict[str, Any] | None:
    """AUC and its like of the model and of the simplest rules; None where the day does not tell it."""
    told, record = reports.get(MODEL) or {}, of_training(reports)
    if record is None or not record["standing"] or record["fixed"] is None:
        return None
    headings = [(view.say(text("Ranked by")), ""), *((view.say(name), "number") for _, name in _FIGURES)]
    order = list(CONTESTANTS)
    found = sorted(record["standing"], key=lambda row: order.index(row["contestant"]))
    rows = [
        [view.say(CONTESTANTS[row["contestant"]]), *(_ranged(view, row, figure) for figure, _ in _FIGURES)]
        for row in found
    ]
    days = view.say(text("No order within {n} days"), n=record["horizon_days"])
    lift = record["fixed"]["lift"]
    bars = [
        Count(view.number(place), value, DASH if unknown(value) else view.number(value, 1))
        for place, value in enumerate(lift, 1)
    ]
    title = view.say(text("Lift by tenths of the ranking"))
    usual = Mark(1.0, view.say(text("the usual share")))
    described = view.say(text("A column for each tenth, the most at risk first."))
    lifted = [
        (view.say(text("Tenth")), ""),
        (view.say(text("Lift")), "number"),
        (view.say(text("Losses so far")), "number"),
    ]
    told_rows = [
        [bar.label, bar.shown, view.share(share)] for bar, share in zip(bars, record["fixed"]["captured"], strict=True)
    ]
    return {
        "table": table(view.say(text("How well customers were ranked")), headings, rows),
        "lift": columns(About("lift", title, described), bars, view.say(text("Tenth, the most at risk first")), usual),
        "lift_table": table(title, lifted, told_rows),
        "small": where_from(view, told, record["fixed"], days),
    }


def _ranged(view: View, row: Mapping[str, Any], figure: str, digits: int = 2) -> str:
    value, low, high = (row.get(figure + end) for end in ("", "_low", "_high"))
    if unknown(value):
        return DASH
    if unknown(low) or unknown(high):
        return view.number(value, digits)
    ends = {"low": view.number(low, digits), "high": view.number(high, digits)}
    return view.say(text("{value} ({low} to {high})"), value=view.number(value, digits), **ends)


def at_equal_numbers(view: View, reports: Mapping[str, Any]) -> dict[str, Any] | None:
    """The model and simple rules with as many new warnings; None where the day does not tell it."""
    record = of_training(reports)
    held = None if record is None else record.get("compared")
    if not held:
        return None
    by = {(row["warnings"], row["contestant"]): row for row in held["rows"]}
    numbers = sorted({warnings for warnings, _ in by})
    names = [name for name in CONTESTANTS if any((number, name) in by for number in numbers)]
    headings = [
        (view.say(text("Warned by")), ""),
        *((view.count("{n} new warning", "{n} new warnings", number), "number") for number in numbers),
    ]
    rows = [
        [
            view.say(CONTESTANTS[name]),
            *(_equal(view, by.get((number, name))) for number in numbers),
        ]
        for name in names
    ]
    return {
        "table": table(view.say(text("Share right at equal numbers of warnings")), headings, rows),
        "small": view.say(
            text(
                "As many new warnings as the model's own levels open, from {first} to {last} (walk-forward, own "
                "window); {customers} customers, {lost} of them lost. Share right with its 95% interval, then the "
                "lost customers that were newly warned of. Small numbers: where intervals overlap, nothing is proved."
            ),
            first=view.day(held["dates"][0]), last=view.day(held["dates"][-1]),
            customers=view.number(held["customers"]), lost=view.number(held["lost"]),
        ),
    }  # fmt: skip


def _equal(view: View, row: Mapping[str, Any] | None) -> str:
    if row is None:
        return DASH
    share = between(view, row["precision"], row["low"], row["high"], max(round(row["opened"]), LEAST))
    return view.say(text("{share}; {n} caught"), share=share, n=view.number(row["caught"], 1))


def rules_kept(view: View, reports: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record that rules are held to; None where nobody has put one in use."""
    found = reports.get(RULE_RECORD)
    if not found:
        return None
    limits = reports.get(HELD_DOWN) or {}
    names = (
        text("Warnings judged"), text("Share right"), text("Drawn by lot"), text("By the silence in own cycles"),
        text("Days ahead of the loss"), text("May give at most"),
    )  # fmt: skip
    headings = [(view.say(text("Rule")), ""), *((view.say(name), "number") for name in names)]
    rows = []
    for row in sorted(found["rows"], key=lambda one: (-(one["matured"] or 0), one["what"])):
        limit = limits.get(row["what"], row["level"])
        what = view.say(_HEALTH[row["what"]]) if row["what"] in _HEALTH else rule_text(row["what"], view.locale)
        least = row["matured"] or 0
        rows.append(
            [
                what, view.number(row["matured"]),
                between(view, row["precision"], row["precision_low"], row["precision_high"], least),
                view.share(row["random_precision"]), view.share(row["cycle_precision"]), view.number(row["lead_days"]),
                view.level(limit)["name"] if limit in SIGNS else DASH,
            ]
        )  # fmt: skip
    return {
        "table": table(view.say(text("What each rule was worth on the own past")), headings, rows),
        "small": view.say(
            text(
                "Told on {day} and put in use by {who}: every rule asked at past dates with nothing but what was known "
                "then. Right: no order within the own window. A rule gives no level whose promise its past surely "
                "breaks."
            ),
            day=view.day(found["as_of"]), who=found["by"],
        ),
    }  # fmt: skip


def purity(view: View, reports: Mapping[str, Any]) -> dict[str, Any] | None:
    """How often a silence that counts as lost ended in an order; None where the day does not tell it."""
    window = (reports.get(MODEL) or {}).get("window")
    if not window:
        return None
    names = (text("False churn"), text("Silences"), text("Customers"))
    headings = [(view.say(text("Times the long gap")), ""), *((view.say(name), "number") for name in names)]
    rows = []
    for one in window["tried"]:
        multiple = view.number(one["multiple"], 1)
        taken = one["multiple"] == window["multiple"]
        rows.append(
            [
                view.say(text("{multiple} (in use)"), multiple=multiple) if taken else multiple,
                between(view, one["share"], one["low"], one["high"]),
                view.number(one["positives"]), view.number(one["customers"]),
            ]
        )  # fmt: skip
    return {
        "table": table(view.say(text("Silences that ended in an order after all")), headings, rows),
        "small": view.say(
            text(
                "A customer counts as lost when no order came within its own window: {multiple} times the gap that "
                "nine of ten of its gaps do not exceed. False churn is the share of these silences that an order ended "
                "within as long again; at most {most} was asked for."
            ),
            multiple=view.number(window["multiple"], 1), most=view.share(window["max_false_churn"]),
        ),
        "over": window["reached"] is False,
    }  # fmt: skip
