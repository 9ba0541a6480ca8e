"""When our sales people were away: holidays, illness, and what sometimes comes before somebody leaves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.simulate.arrays import Integers
from features.simulate.customers import owner_names
from features.simulate.office import moments, opened
from features.simulate.scene import Scene
from features.simulate.stages import NEVER

HOLIDAYS_PER_YEAR = 2.6  # of one person, at any time of the year
HOLIDAY_DAYS = (3, 15)  # shortest and longest, weekends included
PLANNED_AHEAD = (7, 70)  # days before its start on which a holiday is entered
ILL_PER_YEAR = 1.8  # of one person
ILL_DAYS = 3.5  # mean length of an illness, one day at least
LONG_BEFORE_LEAVING = 0.4  # of those who leave are away before it
LONG_DAYS = (25, 80)  # length of that absence, which lasts until the person leaves


def absences_table(scene: Scene, _made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `absences` table of the contract, in order of time: no signal, only the trace of who leaves."""
    person, begins, ends = terms(scene)
    parts = [
        _holidays(scene, person, begins, ends, rng),
        _illness(scene, person, begins, ends, rng),
        _before_leaving(scene, person, begins, ends, rng),
    ]
    drawn = pd.concat(parts, ignore_index=True)
    # Whoever has left is not away any more.
    until = pd.Series(np.where(ends < scene.span.days, ends, NEVER), index=person)
    last = np.minimum(drawn["last"].to_numpy(), until.reindex(drawn["person"]).to_numpy() - 1)
    drawn = drawn.assign(last=last)[last >= drawn["start"].to_numpy()]
    people, place = np.unique(drawn["person"].to_numpy(), return_inverse=True)
    entered = moments(scene.span, opened(scene.span, drawn["entered"].to_numpy()), rng)
    table = pd.DataFrame(
        {
            "owner": pd.array(owner_names(scene, people)[place], dtype="str"),
            "starts_at": scene.span.dates(drawn["start"].to_numpy()),
            "ends_at": scene.span.dates(drawn["last"].to_numpy()),
            "recorded_at": entered,
        }
    )
    table = table.sort_values(["starts_at", "owner", "ends_at"], kind="stable")
    return table.drop_duplicates(["owner", "starts_at"], ignore_index=True)


def terms(scene: Scene) -> tuple[Integers, Integers, Integers]:
    """Number, first day and day of leaving of every sales person with customers, as in `customers.owner_on`.

    A term that lasts beyond the extract ends with the history.
    """
    accounts, span = scene.accounts, scene.span
    left = scene.causes.of("seller_left")
    place = np.concatenate([np.arange(accounts.people), left.event_group])
    begins = np.concatenate([np.zeros(accounts.people, dtype=np.int64), left.event_day])
    order = np.lexsort((begins, place))
    place, begins = place[order], begins[order]
    turn = np.arange(len(place)) - np.searchsorted(place, place)
    ends = np.append(begins[1:], span.days)
    ends[np.append(place[1:] != place[:-1], True)] = span.days
    kept = np.isin(place, accounts.owner) & (ends > begins)
    return (place + accounts.people * turn)[kept], begins[kept], ends[kept]


def _during(
    per_year: float, person: Integers, begins: Integers, ends: Integers, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Persons and days, so often a year of each term."""
    row = np.repeat(np.arange(len(person)), rng.poisson(per_year * (ends - begins) / 365.25))
    return person[row], begins[row] + (rng.random(len(row)) * (ends - begins)[row]).astype(np.int64)


def _holidays(
    scene: Scene, person: Integers, begins: Integers, ends: Integers, rng: np.random.Generator
) -> pd.DataFrame:
    who, day = _during(HOLIDAYS_PER_YEAR, person, begins, ends, rng)
    start = opened(scene.span, day)
    ahead = rng.integers(PLANNED_AHEAD[0], PLANNED_AHEAD[1] + 1, len(who))
    length = rng.integers(HOLIDAY_DAYS[0], HOLIDAY_DAYS[1] + 1, len(who))
    entered = np.maximum(start - ahead, pd.Series(begins, index=person).reindex(who).to_numpy())
    return pd.DataFrame({"person": who, "start": start, "last": start + length - 1, "entered": entered})


def _illness(
    scene: Scene, person: Integers, begins: Integers, ends: Integers, rng: np.random.Generator
) -> pd.DataFrame:
    who, day = _during(ILL_PER_YEAR, person, begins, ends, rng)
    start = opened(scene.span, day)
    length = rng.geometric(1 / ILL_DAYS, len(who))
    return pd.DataFrame({"person": who, "start": start, "last": start + length - 1, "entered": start})


def _before_leaving(
    scene: Scene, person: Integers, begins: Integers, ends: Integers, rng: np.random.Generator
) -> pd.DataFrame:
    leaves = (ends < scene.span.days) & (rng.random(len(person)) < LONG_BEFORE_LEAVING)
    who, until = person[leaves], ends[leaves]
    start = np.maximum(until - rng.integers(LONG_DAYS[0], LONG_DAYS[1] + 1, len(who)), begins[leaves])
    return pd.DataFrame({"person": who, "start": start, "last": until - 1, "entered": start})
