"""The model card: what a champion is made of, how well it did, and where it must not be trusted, on one Markdown page.

Model cards: Mitchell et al. (2019), Proceedings of FAT* 220-229. Every sentence follows from the facts that it is
given; the same facts give the same page. No customer is named on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models.admission import PERSONAL
from models.card_limits import known_limits
from models.selection import NAMES, Selection
from models.verdict import Certificate

#: What the figures of the standing table are called, in their order.
FIGURES = {
    "roc_auc": "AUC",
    "average_precision": "AP",
    "top_decile_lift": "lift, top 10 %",
    "brier": "Brier",
    "log_loss": "log loss",
    "ece": "ECE",
}
#: What becomes of the customers of each track.
TRACKS = {
    "eligible": "warned: probability, level and reasons",
    "no_order": "nothing can be lost yet",
    "closed": "account closed, blocked, insolvent, merged or moved: no loss that a visit could prevent",
    "few_order_days": "new or back again: the chance of a second order, no level",
    "dormant": "silent for too long: a case for winning back, no level",
    "project": "orders in bursts: no warning by silence",
    "off_season": "outside its open months: not at risk now",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


@dataclass(frozen=True)
class CardFacts:
    """What a card is written from.

    Attributes
    ----------
    as_of, source, fingerprint
        Training date; the data as it may be shown, without a password; fingerprint of the clean events.
    first_order, data_end
        Day of the first order; the first midnight after the newest event.
    tables
        Rows of each table: ``table``, ``rows_in``, ``clean``, ``quarantined``, ``duplicates``.
    tables_absent
        Tables of the contract that the source does not have.
    features_used, features_off
        Number of features that were learnt from; ``feature`` and ``missing`` of :func:`features.blanks.features_off`.
    funnel
        :func:`features.tracks.funnel` of the training date.
    learnt_share
        Share of the customers that were learnt from; below 1 where they were drawn because of ``max_rows``.
    window
        :meth:`features.windows.WindowChoice.to_dict`.
    horizon_days, standing
        Horizon of the standing table; :func:`models.evaluation.standing_table`, empty where nothing had matured.
    selection, regret
        :meth:`models.selection.Selection.to_dict`; :func:`models.selection.regret`, which may be empty.
    certificate
        Of the champion at `horizon_days`.
    levels
        :meth:`models.levels.Levels.to_dict`.
    intervals
        Figures of the interval per customer, by what they are called: ``{"median width": .21}``.
    grades
        :func:`models.completeness.grades_table` of the customers at the training date.
    versions, seed
        Versions of the libraries; of everything random.
    notes
        Further known limits, in sentences.
    """

    as_of: date
    source: str
    fingerprint: str
    first_order: date
    data_end: date
    tables: pd.DataFrame
    tables_absent: Sequence[str]
    features_used: int
    features_off: pd.DataFrame
    funnel: pd.DataFrame
    learnt_share: float
    window: Mapping[str, Any]
    horizon_days: int
    standing: pd.DataFrame
    selection: Mapping[str, Any]
    regret: pd.DataFrame
    certificate: Certificate
    levels: Sequence[Mapping[str, Any]]
    intervals: Mapping[str, float]
    grades: pd.DataFrame
    versions: Mapping[str, str]
    seed: int
    notes: Sequence[str] = field(default=())


def card(facts: CardFacts) -> str:
    """The page, in Markdown.

    Raises
    ------
    ValueError
        If a table of the facts has a column that says who somebody is: a mistake of the caller.
    """
    _check_impersonal(facts)
    sections = {
        "In short": _short(facts),
        "Data": _data(facts),
        "Customers": _customers(facts),
        "What counts as leaving": _labels(facts),
        "How well it did": _standing(facts),
        "Which model is in use, and why": _ladder(facts),
        "Calibration certificate": _certificate(facts),
        "Levels": _levels(facts),
        "Intervals and completeness": _intervals(facts),
        "Known limits": [_item(one) for one in (*known_limits(facts), *facts.notes)],
        "Data not used": _not_used(facts),
        "Made with": _made_with(facts),
    }
    lines = [f"# Model card: {facts.as_of:%Y-%m-%d}"]
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def escaped(text: object) -> str:
    """Text of somebody else's as Markdown that shows it as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def _item(text: str) -> str:
    """An item of a list; text that begins like an item of its own does not become one."""
    return "- " + re.sub(r"^(\d*)(?=[-+.)])", r"\1\\", escaped(text))


def _check_impersonal(facts: CardFacts) -> None:
    for one in fields(facts):
        value = getattr(facts, one.name)
        columns = value.columns if isinstance(value, pd.DataFrame) else ()
        personal = sorted(PERSONAL & {str(column).lower() for column in columns})
        if personal:
            raise ValueError(f"{one.name} has {personal}: a card tells of many customers, never who they are")


def _short(facts: CardFacts) -> list[str]:
    funnel = facts.funnel.groupby("track")["customers"].sum()
    shown = "as percentages" if facts.certificate.shows_percentages else "as levels and ranks only, without percentages"
    lines = [
        f"Trained on what was known on {facts.as_of:%Y-%m-%d}. It tells of {int(funnel.get('eligible', 0)):,} of "
        f"{int(funnel.sum()):,} customers how likely they are to stop ordering, shown {shown}. In use: "
        f"{NAMES.get(facts.selection['in_use'], escaped(facts.selection['in_use']))}.",
    ]
    champion = _row(facts.standing, "champion")
    if champion:
        lines.append(
            f"\nOn matured predictions it ranked with AUC {_banded(champion, 'roc_auc')} (1 is perfect, .5 is chance); "
            f"its riskiest tenth held {_banded(champion, 'top_decile_lift', 2)} times the usual share of silences."
        )
    return lines


def _data(facts: CardFacts) -> list[str]:
    columns = ("rows_in", "clean", "quarantined", "duplicates")
    rows = [
        [escaped(row["table"]), *(f"{int(row[name]):,}" for name in columns)] for row in facts.tables.to_dict("records")
    ]
    return [
        f"Source: {escaped(facts.source)}. Fingerprint: {escaped(facts.fingerprint)}. Orders from "
        f"{facts.first_order:%Y-%m-%d}; the data ends before {facts.data_end:%Y-%m-%d}.",
        "",
        *_table(["table", "rows read", "clean", "quarantined", "exact duplicates"], rows),
    ]


def _customers(facts: CardFacts) -> list[str]:
    rows = []
    for row in facts.funnel.to_dict("records"):
        share = row.get("revenue_share", np.nan)
        rows.append(
            [
                escaped(row["track"]),
                f"{int(row['customers']):,}",
                f"{row['revenue_365d']:,.0f}",
                f"{share:.1%}" if np.isfinite(share) else "-",
                TRACKS.get(str(row["track"]), "-"),
            ]
        )
    return [
        "Every customer is in exactly one track; none of their orders is left out of this table.",
        "",
        *_table(["track", "customers", "revenue of 365 days", "share", "what they get"], rows),
    ]


def _labels(facts: CardFacts) -> list[str]:
    window = facts.window
    rows = [
        [
            f"{one['multiple']:g}" + (" (taken)" if one["multiple"] == window["multiple"] else ""),
            "-" if one["share"] is None else f"{one['share']:.1%} [{one['low']:.1%}, {one['high']:.1%}]",
            f"{one['positives']:,}",
            f"{one['customers']:,}",
        ]
        for one in window["tried"]
    ]
    return [
        f"A customer has left when no order came within its own window: {window['multiple']:g} times its long gap, the "
        "gap that nine of ten of its gaps do not exceed. A silence is no proof of a loss. False churn is the share of "
        "the silent who ordered again within as long again; at most "
        f"{window['max_false_churn']:.0%} was asked for.",
        "",
        *_table(["multiple", "false churn", "silences", "customers"], rows),
    ]


def _standing(facts: CardFacts) -> list[str]:
    if facts.standing.empty:
        return ["Nothing has matured yet: no model of this company has been judged."]
    first = facts.standing.iloc[0]
    rows = [
        [escaped(row["contestant"]), *(_banded(row, name) for name in FIGURES)]
        for row in facts.standing.to_dict("records")
    ]
    return [
        f"No order within {facts.horizon_days} days, predicted with what was known then: {int(first['n']):,} "
        f"predictions of {int(first['n_customers']):,} customers at {int(first['n_cutoffs'])} cutoffs, of which "
        f"{first['base_rate']:.1%} were silent. In brackets 95 % intervals over customers: another draw of customers, "
        "not another year. The first three figures are the better the higher, the others the lower.",
        "",
        *_table(["contestant", *FIGURES.values()], rows),
    ]


def _ladder(facts: CardFacts) -> list[str]:
    chosen = facts.selection
    words = Selection.from_dict(dict(chosen)).words
    if not chosen["steps"]:
        return [words, *_regret(facts)]
    rows = [
        [
            escaped(step["candidate"]),
            escaped(step["in_use"]),
            f"{step['auc']:+.4f} [{step['auc_low']:+.4f}, {step['auc_high']:+.4f}]",
            f"{step['loss']:+.4f} [{step['loss_low']:+.4f}, {step['loss_high']:+.4f}]",
            "taken" if step["taken"] else "not taken",
        ]
        for step in chosen["steps"]
    ]
    return [
        f"{words} The differences are paired, over customers, on {chosen['dates']} matured dates at "
        f"{chosen['horizon_days']} days.",
        "",
        *_table(["candidate", "against", "AUC", "log loss", "step"], rows),
        *_regret(facts),
    ]


def _regret(facts: CardFacts) -> list[str]:
    if facts.regret.empty:
        return ["", "What this rule of choosing would have cost cannot be told yet."]
    rows = [
        [escaped(row["contestant"]), *(_number(row[name]) for name in ("own_level_log_loss", "roc_auc", "regret"))]
        for row in facts.regret.to_dict("records")
    ]
    return [
        "",
        "What the rule of choosing cost, walking forward, against having known the best candidate (the first line is "
        "what the rule made; a regret above 0 says that the candidate would have been better):",
        "",
        *_table(["contestant", "log loss at own level", "AUC", "regret"], rows),
    ]


def _certificate(facts: CardFacts) -> list[str]:
    one = facts.certificate
    rows = [
        [
            escaped(row["kind"]),
            escaped(row["group"]),
            f"{row['n']:,}",
            f"{row['promised']:.1%}",
            f"{row['base_rate']:.1%}",
            _number(row["slope"]),
            _banded(row, "in_the_large"),
            _banded(row, "ece"),
            {True: "passed", False: "failed", None: "not judged"}[row["passed"]],
        ]
        for row in one.groups.to_dict("records")
    ]
    head = ["kind", "slice", "rows", "promised", "observed", "slope", "level (log-odds)", "ECE", "verdict"]
    return [*map(_item, one.to_words()), *(["", *_table(head, rows)] if rows else [])]


def _levels(facts: CardFacts) -> list[str]:
    rows = []
    for level in facts.levels:
        known = level["precision"] is not None
        kept = f"{level['precision']:.1%} [{level['low']:.1%}, {level['high']:.1%}]" if known else "-"
        from_on = "off" if level["threshold"] is None else f"{level['threshold']:.3f}"
        rows.append([escaped(level["name"]), from_on, f"{level['promised']:.0%}", kept, f"{level['n']:,}"])
    return _table(["level", "from probability", "promised precision", "kept", "predictions"], rows)


def _intervals(facts: CardFacts) -> list[str]:
    told = [f"- {escaped(name)}: {_number(value)}" for name, value in facts.intervals.items()]
    rows = [
        [escaped(row["grade"]), f"{int(row['customers']):,}", f"{row['share']:.1%}" if row["share"] >= 0 else "-"]
        for row in facts.grades.to_dict("records")
    ]
    return [
        "The interval of a customer says how sure the model is of its probability, not what will happen: who was "
        "learnt from, and how the level moves with the season. The grade says how much is known of the customer.",
        "",
        *told,
        *([""] if told else []),
        *_table(["completeness", "customers", "share"], rows),
    ]


def _not_used(facts: CardFacts) -> list[str]:
    lines = []
    if facts.tables_absent:
        lines.append(f"- Tables that the source does not have: {', '.join(map(escaped, facts.tables_absent))}.")
    off = facts.features_off.groupby("missing").size()
    lines += [f"- {count} features are off for lack of {escaped(name)}." for name, count in off.items()]
    outside = facts.funnel[(facts.funnel["track"] != "eligible") & (facts.funnel["customers"] > 0)]
    if len(outside):
        counts = (f"{escaped(row['track'])} {int(row['customers']):,}" for row in outside.to_dict("records"))
        lines.append(f"- Customers outside the cohort, not learnt from at this date: {', '.join(counts)}.")
    if facts.learnt_share < 1:
        lines.append(f"- {1 - facts.learnt_share:.0%} of the customers were left out by lot, to bound time and memory.")
    return lines or ["Nothing was left out."]


def _made_with(facts: CardFacts) -> list[str]:
    versions = ", ".join(f"{escaped(name)} {escaped(value)}" for name, value in sorted(facts.versions.items()))
    return [f"{facts.features_used} features. Versions: {versions}. Seed: {facts.seed}."]


def _row(standing: pd.DataFrame, contestant: str) -> Mapping[str, Any]:
    rows = standing[standing["contestant"] == contestant].to_dict("records") if len(standing) else []
    return {str(name): value for name, value in rows[0].items()} if rows else {}


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def _banded(row: Mapping[Any, Any], name: str, digits: int = 3) -> str:
    """A figure with its interval, if it has one."""
    value, low, high = (float(row[name + end]) for end in ("", "_low", "_high"))
    known = np.isfinite([low, high]).all()
    return _number(value, digits) + (f" [{low:.{digits}f}, {high:.{digits}f}]" if known else "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
