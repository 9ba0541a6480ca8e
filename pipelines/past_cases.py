"""Past cases: customers as they stood at matured dates, and what came of it, to find those who stood as one stands now.

Two customers stand alike where the same concepts add the same to their log-odds. The cases come from the same model,
which may have learnt from them: they illustrate, they prove nothing.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.labels import churned
from features.snapshots import ELIGIBLE, Cohort, Progress, Window, silent, take
from models.churn_model import ChurnModel
from models.reasons import Concepts, contributions
from pipelines.dated import DatedDay
from pipelines.scoring import with_columns
from serving.story import Case, Similar

#: Matured dates that are looked at, so many days apart, and snapshots of all of them together.
DATES, APART_DAYS, MOST = 3, 91, 3_000
#: The longest own window: cases of a date are known so many days after it.
WINDOW_DAYS = 180
#: Cases that are told.
TOLD = 10

_FACTS = ["customer_id", "as_of", "lost", "next_order_days"]


def similar(day: DatedDay, sums: pd.Series, customer_id: str, *, progress: Progress = silent) -> Similar:
    """The nearest past cases of other customers.

    Parameters
    ----------
    sums
        Concept -> what it adds to the customer's log-odds.
    """
    cases = past_cases(day, progress=progress)
    cases = cases[cases["customer_id"] != customer_id]
    if cases.empty:
        return Similar()
    known = cases.drop(columns=_FACTS).fillna(0.0)
    own = sums.reindex(known.columns, fill_value=0.0).to_numpy(dtype="float64")
    distance = np.sqrt(((known.to_numpy() - own) ** 2).sum(axis=1))
    # One case of a customer: the three dates of one would tell the same story three times.
    near = cases.assign(distance=distance).sort_values(["distance", "customer_id", "as_of"], kind="stable")
    near = near.drop_duplicates("customer_id").head(TOLD)
    names = _names(day, list(near["customer_id"]))
    told = tuple(
        Case(
            customer_id=row["customer_id"],
            name=names.get(row["customer_id"], ""),
            as_of=pd.Timestamp(row["as_of"]).date(),
            distance=float(row["distance"]),
            lost=bool(row["lost"]),
            next_order_days=None if pd.isna(row["next_order_days"]) else int(row["next_order_days"]),
        )
        for row in near.to_dict("records")
    )
    return Similar(told, len(cases))


def past_cases(day: DatedDay, *, progress: Progress = silent) -> pd.DataFrame:
    """Matured snapshots of the cohort with what came of them; kept in the output folder for the next story.

    Returns
    -------
    DataFrame
        ``customer_id``, ``as_of``, ``lost`` (bool), ``next_order_days`` (float64, NaN for none) and a column per
        concept (log-odds). Empty where nothing has matured yet.
    """
    dates = _dates(day)
    place = _place(day, dates)
    if dates and place.is_file():
        return pd.read_parquet(place)
    found = _cases(day, dates, progress)
    if dates:
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}")
        found.to_parquet(aside, index=False)
        aside.replace(place)
    return found


def _dates(day: DatedDay) -> list[date]:
    """Firsts of months, so that the stories of a month share their cases."""
    latency = timedelta(days=day.intake.settings.labels.invoice_latency_days)
    newest = (day.as_of - latency - timedelta(days=WINDOW_DAYS)).replace(day=1)
    first = day.intake.first_order() + timedelta(days=WINDOW_DAYS)
    dates = [newest - timedelta(days=APART_DAYS * step) for step in range(DATES)]
    return sorted(one for one in dates if one >= first)


def _place(day: DatedDay, dates: list[date]) -> Path:
    version = day.champion.version.rsplit("@", 1)[-1]
    newest = dates[-1] if dates else day.as_of
    return day.intake.request.out / "cases" / f"{newest}-{version}-{day.intake.events.fingerprint[:8]}.parquet"


def _cases(day: DatedDay, dates: list[date], progress: Progress) -> pd.DataFrame:
    model: ChurnModel = day.champion.model
    empty = pd.DataFrame({name: [] for name in _FACTS}).astype({"customer_id": "str", "lost": "bool"})
    if not dates:
        return empty
    progress("similar past cases", 0.8)
    intake = day.intake
    table = take(
        intake.events,
        dates,
        cohort=Cohort(**model.facts["cohort"]),
        window=Window(**model.facts["window"]),
        options=dict(model.facts["options"]),
        engine=intake.engine,
        max_rows=MOST,
    )
    frame = table.frame
    outcomes = table.outcomes(intake.observed_until)
    keys = ["customer_id", "as_of"]
    known = frame.merge(outcomes, on=keys, how="left", validate="1:1").set_axis(frame.index)
    lost = churned(known)
    kept = (frame["cohort"] == ELIGIBLE) & lost.notna()
    here = with_columns(frame[kept].reset_index(drop=True), model)
    if here.empty:
        return empty
    concepts = Concepts.of(contributions(model, here).values)
    found = here[keys].assign(
        lost=lost[kept].to_numpy(dtype="float64") == 1, next_order_days=known.loc[kept, "days_to_next_order"].to_numpy()
    )
    sums = pd.DataFrame(concepts.sums, columns=list(concepts.names), index=found.index)
    return pd.concat([found, sums], axis=1)


def _names(day: DatedDay, customers: list[str]) -> dict[str, str]:
    """Names of customers, where the data have them."""
    found: dict[str, str] = {}
    listed = ", ".join("?" * len(customers))
    for bucket in range(day.intake.events.buckets):
        with day.intake.events.connect(bucket) as con:
            rows = con.execute(f"SELECT customer_id, name FROM customers WHERE customer_id IN ({listed})", customers)
            found |= {str(who): name or "" for who, name in rows.fetchall()}
    return found
