"""How loud a customer is in the end, and every contribution that made it so.

A level comes from the probability, from the fall of the health score and from declared rules; the loudest of them
counts, one step louder where a competitor is active in the customer's region, and never louder than red.
"""

import numpy as np
import pandas as pd

from models.levels import LEVELS, LOUDNESS, level_names, loudness

#: The sources of a level and the columns that hold theirs.
SOURCES = {"model": "model_level", "health": "health_level", "rule": "rule_level"}
#: What raises a level by one step.
RAISED = "raised:competitor"


def combine(parts: pd.DataFrame, signals: pd.DataFrame | None = None) -> pd.DataFrame:
    """The level of each customer and its contributions.

    A customer without any level of its own is not raised. At red there is nothing above; that it was raised is listed
    all the same, as the reason is there.

    Parameters
    ----------
    parts
        One row per customer: ``customer_id``, ``model_level``, ``health_level``, ``rule_level`` (missing is ``none``)
        and ``escalated`` (bool; missing is no).
    signals
        The rules that fired: ``customer_id``, ``rule``, ``level``. With them the rules are listed by name, and those
        whose level is ``none`` only mark and are left out; without them ``rule:<level>`` stands for all.

    Returns
    -------
    DataFrame
        On the index of `parts`: ``customer_id``, ``level`` (one of :data:`models.levels.LEVELS`) and ``level_parts``, a
        tuple of texts: ``model:yellow``, ``health:blue``, ``rule:role_imbalance:orange``, ``raised:competitor``.

    Raises
    ------
    ValueError
        For a level that there is not, or a customer with several rows.
    """
    repeated = parts.loc[parts["customer_id"].duplicated(), "customer_id"]
    if len(repeated):
        raise ValueError(f"expected one row per customer; found several of {repeated.iloc[0]!r}: combine them first")
    loud = {source: loudness(parts[column]) for source, column in SOURCES.items()}
    named = {} if signals is None else _named(signals)
    if signals is not None:
        by_rules = parts["customer_id"].map({who: one[1] for who, one in named.items()}).fillna(0)
        loud["rule"] = np.maximum(loud["rule"], by_rules.to_numpy(dtype="int64"))
    base = np.maximum.reduce(list(loud.values()))
    raised = parts["escalated"].eq(True).to_numpy() & (base > 0)
    level = level_names(np.minimum(base + raised, LOUDNESS[LEVELS[0]]))
    said = {source: level_names(values) for source, values in loud.items()}
    told = []
    for place, who in enumerate(parts["customer_id"]):
        own = [f"{source}:{said[source][place]}" for source in ("model", "health") if loud[source][place]]
        if who in named:
            own += named[who][0]
        elif loud["rule"][place]:
            own.append(f"rule:{said['rule'][place]}")
        told.append((*own, RAISED) if raised[place] else tuple(own))
    listed = pd.Series(told, index=parts.index, dtype=object)
    return pd.DataFrame({"customer_id": parts["customer_id"], "level": level, "level_parts": listed}, index=parts.index)


def _named(signals: pd.DataFrame) -> dict[str, tuple[list[str], int]]:
    """Per customer what its rules contribute, the loudest first and then by name, and how loud the loudest is."""
    loud = signals.assign(loud=loudness(signals["level"]))
    loud = loud[loud["loud"] > 0].sort_values(["loud", "rule"], ascending=[False, True])
    found: dict[str, tuple[list[str], int]] = {}
    for who, rule, level, volume in loud[["customer_id", "rule", "level", "loud"]].itertuples(index=False):
        found.setdefault(who, ([], int(volume)))[0].append(f"rule:{rule}:{level}")
    return found


def level_of(level_parts: pd.Series, source: str = "model") -> pd.Series:
    """The level that one source contributed, read back from lists of contributions; ``none`` where it gave none."""
    told = [[part.split(":") for part in parts or ()] for parts in level_parts]
    loud = [max((LOUDNESS[part[-1]] for part in parts if part[0] == source), default=0) for parts in told]
    return pd.Series(level_names(np.array(loud, dtype="int64")), index=level_parts.index)
