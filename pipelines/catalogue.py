"""The list of features as the command line shows it: from the registry alone, or with what the user's data cover."""

from datetime import date

import pandas as pd

from features import catalogue
from features.buckets import Events
from features.contract import CONTRACT
from features.options import OPTIONS, resolved
from features.snapshots import ELIGIBLE, Progress, silent
from pipelines.engines import engine_of
from pipelines.intake import Request, install_features, take_in


def features(request: Request, *, progress: Progress = silent) -> pd.DataFrame:
    """Every feature, the user's own included; with `covered_from` and `missing_share` where the request has data."""
    if not request.data:
        install_features(request.settings())
        return catalogue.catalogue()
    with engine_of(request.settings(), progress=progress) as engine:
        intake = take_in(request, engine=engine)
        table = intake.snapshots([intake.as_of], progress=progress)
    eligible = table.frame[table.frame["cohort"] == ELIGIBLE]
    return catalogue.with_coverage(catalogue.catalogue(), eligible, beginnings(intake.events))


def beginnings(events: Events) -> dict[str, date]:
    """Table -> the first day of its rows, for those that the source has; accounts count from the first order."""
    first: dict[str, date] = {}
    for bucket in range(events.buckets):
        with events.connect(bucket) as con:
            for name in events.columns:
                time = CONTRACT[name].time
                found = con.execute(f"SELECT CAST(min({time}) AS DATE) FROM {name}").fetchall() if time else []
                if found and found[0][0]:
                    first[name] = min(first.get(name, found[0][0]), found[0][0])
    return {name: first["transactions"] for name in events.columns if CONTRACT[name].time is None} | first


def options(request: Request) -> pd.DataFrame:
    """Every option: ``option``, ``value`` (in force), ``default``, ``unit``, ``meaning``."""
    settings = request.settings()
    install_features(settings)
    values = resolved(settings.features.options)
    rows = [
        {
            "option": one.name,
            "value": values[one.name],
            "default": one.default,
            "unit": one.unit,
            "meaning": one.meaning,
        }
        for one in OPTIONS.values()
    ]
    return pd.DataFrame(rows)
