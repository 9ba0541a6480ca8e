"""How loud a rule or a fall of the health score may be, by what its warnings were worth on the company's own past.

A level promises a share of losses, whoever gives it. Where the past tells of enough warnings of a source, and even the
upper end of the interval of its precision lies below what its level promises, the promise is surely not kept: the
source then gives the loudest level whose promise it may keep, or none and only marks. Too few warnings refute nothing.
"""

from collections.abc import Mapping

import pandas as pd

from models.levels import LEVELS, LOUDNESS, Promise

#: With fewer judged warnings a source keeps the level that it was declared with.
MIN_WARNINGS = 30
#: Level that a fall of the health gives -> the name of that source; and that of falls in three months running.
HEALTH_LEVELS = {level: f"health_{level}" for level in reversed(LEVELS[:-1])}
THREE_FALLS = "health_three_falls"
RECORD = ("what", "level", "matured", "precision_high")


def allowed(record: pd.DataFrame, promises: Mapping[str, Promise], min_warnings: int = MIN_WARNINGS) -> dict[str, str]:
    """The loudest level that each source may give; sources whose declared level stands are left out.

    Parameters
    ----------
    record
        One row per source: :data:`RECORD`, its name, the level that it was declared with, its judged warnings, and the
        upper end of the 95 % interval of their precision.
    promises
        Per level, what it is held to.

    Returns
    -------
    dict
        Source -> level, ``none`` where it may only mark.
    """
    judged = record[record["matured"] >= min_warnings]
    found = {}
    for what, declared, high in zip(judged["what"], judged["level"], judged["precision_high"], strict=True):
        quieter = [name for name in LEVELS[:-1] if LOUDNESS[name] <= LOUDNESS.get(declared, 0)]
        kept = [name for name in quieter if promises[name].precision <= high]
        level = kept[0] if kept else LEVELS[-1]
        if quieter and level != declared:
            found[str(what)] = level
    return found


def held_down(levels: pd.Series, sources: pd.Series, limits: Mapping[str, str]) -> pd.Series:
    """Levels with those that their source may not give lowered to what it may.

    Parameters
    ----------
    levels, sources
        The level that was given, and by what, on the same index.
    limits
        As of :func:`allowed`.
    """
    limit = sources.map(limits).astype("object").fillna(LEVELS[0])
    # typed, because of no level at all pandas makes texts
    louder = levels.map(LOUDNESS).astype("float64") > limit.map(LOUDNESS).astype("float64")
    return levels.mask(louder, limit)
