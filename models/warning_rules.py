"""Rules that warn: declared once each, in the language of :mod:`models.warning_conditions`, and fired for all at once.

A rule says when it fires, how loud it is, which working list it puts the customer on and whose it is. The shipped ones
stand in :mod:`models.warning_rule_list`, a company's own in its settings (:mod:`models.own_warning_rules`); both are
the same to everything that reads them. A column that is absent or unknown fires nothing.

``python -m models.warning_rules > docs/rules.md`` writes the page of all shipped rules again after a change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import SettingsError
from features.options import Option, Value
from models.levels import LEVELS
from models.relationship import relationship
from models.warning_conditions import OFF, Flags, Rows

__all__ = ["OFF", "Evidence", "Option", "WarningRule", "raised", "rule_levels", "rule_options", "signals"]

LevelName = Literal["none", "blue", "yellow", "orange", "red"]
ListName = Literal["red", "yellow", "grey"]
Team = Literal["sales", "service", "management"]
Stage = Literal["cooling", "comparison"]
Evidence = dict[str, float | str]

#: The working lists by how soon they have to be dealt with: who is on several stands on the first of them.
WORKING_LISTS: tuple[ListName, ...] = ("red", "yellow", "grey")
TEAMS: tuple[Team, ...] = ("sales", "service", "management")
SIGNAL_COLUMNS = ("customer_id", "as_of", "rule", "level", "evidence")


@dataclass(frozen=True)
class WarningRule:
    """One rule. It fires where all of `when`, one of `any_of`, enough of `at_least` and none of `none_of` are met.

    Attributes
    ----------
    id
        The requirement's, of which several rules may be parts; of an own rule its code.
    code
        Its name in signals and settings.
    source
        Where it comes from; ``own`` for a company's own.
    meaning
        What it says, for the page of rules.
    when, any_of, none_of
        Texts of conditions; each text may join several by ``and``. Empty: nothing is asked.
    at_least
        A number, and the texts of which so many have to be met.
    shows
        Further columns that belong to the evidence where they are known.
    level
        How loud it is by itself; ``none`` where it only marks.
    escalates
        Whether it lifts the level that everything else gives by one.
    stage
        What the signal says of how far the customer is on the way out.
    working_list
        The list that it puts the customer on.
    team, tag
        Whose it is; what the customer is marked with.
    options
        Its thresholds, each declared with one rule and open to all.
    words
        The sentence of a company's own rule.
    """

    id: str
    code: str
    source: str
    meaning: str
    when: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    at_least: tuple[int, tuple[str, ...]] | None = None
    none_of: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    level: LevelName = "none"
    escalates: bool = False
    stage: Stage | None = None
    working_list: ListName | None = None
    team: Team = "sales"
    tag: str | None = None
    options: tuple[Option, ...] = ()
    words: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts of conditions."""
        return (*self.when, *self.any_of, *(self.at_least[1] if self.at_least else ()), *self.none_of)


def rule_options(given: Mapping[str, object], rules: Sequence[WarningRule]) -> dict[str, Value]:
    """Every threshold's value: the given one where there is one, else the default.

    ``"off"`` in the place of any value switches off the conditions that read it.

    Raises
    ------
    SettingsError
        If a name is unknown or a value is not of its default's kind.
    """
    declared = {option.name: option for rule in rules for option in rule.options}
    if unknown := sorted(set(given) - set(declared)):
        raise SettingsError(f"rules.options: there are no options {unknown}. docs/rules.md lists them all.")
    return {name: _kept(one, given[name]) if name in given else one.default for name, one in declared.items()}


def _kept(known: Option, value: object) -> Value:
    if value == OFF:
        return OFF
    example: object = known.default if known.default != OFF else 1
    if isinstance(known.default, tuple):
        if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
            return tuple(value)
        wanted, example = "a list of texts", list(known.default)
    else:
        if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
            return value
        wanted = "a number"
    raise SettingsError(
        f'rules.options.{known.name} = {value!r}: expected {wanted}, such as {example!r}, or "off", '
        "which switches off what reads it."
    )


def signals(frame: pd.DataFrame, rules: Sequence[WarningRule], options: Mapping[str, Value]) -> pd.DataFrame:
    """Every rule that fired, with what fired it.

    Parameters
    ----------
    frame
        One row per customer and date: ``customer_id`` (str), ``as_of`` (datetime64), the features and the facts.
    rules
        Shipped and own.
    options
        Of :func:`rule_options` for all rules that declare some, whether they are among `rules` or not.

    Returns
    -------
    DataFrame
        One row per customer, date and rule that fired, ordered by date, customer and the order of `rules`:
        ``customer_id``, ``as_of``, ``rule`` (str), ``level`` (str) and ``evidence``: a dict of the columns and
        thresholds that the met conditions name, each a number or a text. A limit without a name of its own is called
        after its column (``orders_30d_at_most``).
    """
    rows = _rows(frame, options)
    at: list[NDArray[np.intp]] = []
    evidence: list[Evidence] = []
    for rule in rules:
        at.append(np.flatnonzero(_fires(rule, rows)))
        evidence += _evidence(rule, rows, at[-1])
    counts = [len(one) for one in at]
    row = np.concatenate(at) if at else np.array([], dtype="int64")
    place = np.repeat(np.arange(len(rules)), counts)
    customers = frame.groupby(["as_of", "customer_id"], observed=True).ngroup().to_numpy()
    order = np.lexsort((place, customers[row]))
    of_rule = place[order]
    codes, levels = (np.array([getattr(rule, name) for rule in rules], dtype="object") for name in ("code", "level"))
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"].iloc[row[order]].to_numpy(),
            "as_of": frame["as_of"].iloc[row[order]].to_numpy(),
            "rule": codes[of_rule],
            "level": levels[of_rule],
            "evidence": pd.Series([evidence[one] for one in order], dtype="object"),
        },
        columns=list(SIGNAL_COLUMNS),
    ).astype({"customer_id": "str", "as_of": "datetime64[s]", "rule": "str", "level": "str"})


def silent_rules(
    frame: pd.DataFrame, rules: Sequence[WarningRule], options: Mapping[str, Value]
) -> dict[str, tuple[str, ...]]:
    """Rules that cannot fire for anybody here: code -> the columns that are absent, or unknown for every customer.

    A rule with alternatives is silent where all of them are. One that an option switches off is not named.
    """
    rows = _rows(frame, options)
    silent = {}
    for rule in rules:
        alternatives = [(1, rule.any_of)] if rule.any_of else []
        alternatives += [rule.at_least] if rule.at_least else []
        missing = [name for text in rule.when for name in rows.missing(text)]
        for needed, texts in alternatives:
            if sum(not rows.missing(text) and not rows.off(text) for text in texts) < needed:
                missing += [name for text in texts if not rows.off(text) for name in rows.missing(text)]
        if missing:
            silent[rule.code] = tuple(dict.fromkeys(missing))
    return silent


def rule_levels(fired: pd.DataFrame) -> pd.Series:
    """The loudest level of each customer's rules: level (str) by customer, of those with a signal of one date."""
    loudness = {name: place for place, name in enumerate(reversed(LEVELS))}
    loudest = fired["level"].map(loudness).groupby(fired["customer_id"]).max()
    return loudest.map(dict(enumerate(reversed(LEVELS)))).astype("str").rename("level")


def raised(level: str) -> str:
    """The next louder level; red stays red, and none stays none: there is nothing to lift."""
    place = LEVELS.index(level)
    return level if level == "none" else LEVELS[max(place - 1, 0)]


def _rows(frame: pd.DataFrame, options: Mapping[str, Value]) -> Rows:
    """The rows with what is derived from several columns of one row."""
    if "relationship_score" in frame.columns:
        return Rows(frame, options)
    least = options.get("weak_role_min_contacts", OFF)
    told = relationship(frame, float(least) if isinstance(least, int | float) else np.inf)
    return Rows(pd.concat([frame, told], axis=1), options)


def _fires(rule: WarningRule, rows: Rows) -> Flags:
    met = np.ones(len(rows.frame), dtype=bool)
    for text in rule.when:
        met &= rows.meet(text)
    if rule.any_of:
        met &= np.logical_or.reduce([rows.meet(text) for text in rule.any_of])
    if rule.at_least:
        number, texts = rule.at_least
        met &= np.sum([rows.meet(text) for text in texts], axis=0) >= number
    for text in rule.none_of:
        met &= ~rows.meet(text)
    return met


def _evidence(rule: WarningRule, rows: Rows, at: NDArray[np.intp]) -> list[Evidence]:
    told: list[Evidence] = [{} for _ in at]
    if not told:
        return told
    for text in rule.when:
        _tell(told, rows.evidence(text, at), range(len(at)))
    for text in (*rule.any_of, *(rule.at_least[1] if rule.at_least else ())):
        met = np.flatnonzero(rows.meet(text)[at])
        if len(met):
            _tell(told, rows.evidence(text, at[met]), met.tolist())
    for name in rule.shows:
        if rows.tells(name):
            values = rows.values(name, at)
            known = [place for place, value in enumerate(values) if value == value]
            _tell(told, {name: [values[place] for place in known]}, known)
    return told


def _tell(told: list[Evidence], named: Mapping[str, list[float | str]], places: Sequence[int]) -> None:
    names = list(named)
    for place, values in zip(places, zip(*named.values(), strict=True), strict=True):
        told[place].update(zip(names, values, strict=True))


if __name__ == "__main__":
    from models.warning_rule_page import rules_page

    print(rules_page(), end="")
