"""The `interactions` table of the simulated world: who spoke with whom, by what way, and what was said."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from features.simulate import phrases
from features.simulate.accounts import REGIONS
from features.simulate.arrays import Booleans, Floats, Integers, Span
from features.simulate.contacts import EXECUTIVE, PURCHASING, ROLES, person_on
from features.simulate.customers import owner_names, owner_on
from features.simulate.observed import Observations, known_day
from features.simulate.office import by_chance, moments, opened
from features.simulate.scene import Scene
from features.simulate.transactions import DAY_OPENS, DAY_SECONDS

CHANNELS = ("visit", "call", "email", "meeting", "message", "inquiry", "event", "other")
VISIT, CALL, EMAIL, MEETING, MESSAGE, INQUIRY, EVENT, OTHER = range(8)
# Shares of CHANNELS by role; an inbound inquiry of a buyer is one about prices, drawn apart.
INBOUND = (
    (0.05, 0.25, 0.35, 0.05, 0.10, 0.15, 0.0, 0.05),
    (0.03, 0.27, 0.45, 0.05, 0.15, 0.0, 0.0, 0.05),
    (0.03, 0.42, 0.15, 0.0, 0.30, 0.05, 0.0, 0.05),
    (0.0, 0.40, 0.30, 0.25, 0.0, 0.0, 0.0, 0.05),
)
# The same where we begin.
OUTBOUND = (
    (0.25, 0.15, 0.35, 0.13, 0.12, 0.0, 0.0, 0.0),
    (0.17, 0.22, 0.36, 0.09, 0.16, 0.0, 0.0, 0.0),
    (0.42, 0.18, 0.12, 0.0, 0.28, 0.0, 0.0, 0.0),
    (0.22, 0.15, 0.20, 0.43, 0.0, 0.0, 0.0, 0.0),
)
SPOKEN, SENT = (VISIT, CALL, MEETING), (EMAIL, MESSAGE)  # index into CHANNELS
RESULTS = ("effective", "high_value", "unsuccessful")
EFFECTIVE, HIGH_VALUE, UNSUCCESSFUL = range(3)
RESULT_SHARES = (0.72, 0.13, 0.15)  # of visits, calls and meetings, by chance
INVITATIONS_PER_YEAR = 3.0  # to every customer who is looked after
TEXT_SHARE = 0.85  # of contacts of which somebody kept what was said
PATIENCE = 30.0  # working days after which an answer no longer comes: 1 in 700 would usually take longer
LEAST_WAIT = 0.002  # working days: the quickest answer takes about a minute
# How often a text opens and closes with a phrase, by how long-winded the person is; as many of each.
FRAMED = ((0.05, 0.10), (0.50, 0.40), (0.95, 0.90))
STRIDES = (43, 47, 53, 59, 61, 67, 71, 73)  # through the sentences: primes, above the number of sentences of a kind


@dataclass(frozen=True)
class Rows:
    """Interactions as parallel arrays; of numbers below 0 the fact is missing.

    `said` is an index into `phrases.KINDS`, `result` into RESULTS; `wait` are the working days until the answer.
    """

    account: Integers
    day: Integers
    role: Integers
    inbound: Booleans
    channel: Integers
    said: Integers
    result: Integers
    wait: Floats
    invited: Booleans
    attended: Booleans

    def frame(self) -> pd.DataFrame:
        """One column per array."""
        return pd.DataFrame(vars(self))


def interactions_table(scene: Scene, made: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The `interactions` table of the contract, in order of time; it needs the `contacts`."""
    parts = (_contacts(scene, rng), _invitations(scene, rng), _talks(scene, rng))
    rows = pd.concat([part.frame() for part in parts], ignore_index=True)
    rows["at"] = moments(scene.span, rows["day"].to_numpy(), rng)
    rows = rows.sort_values(["account", "at"], kind="stable", ignore_index=True)
    rows["text"] = _texts(scene, rows, rng)
    rows = rows.sort_values("at", kind="stable", ignore_index=True)
    account, day, role, wait = (rows[name].to_numpy() for name in ("account", "day", "role", "wait"))
    person = person_on(scene, made["contacts"], account, role, day)
    replied = np.full(len(rows), np.datetime64("NaT", "us"))
    replied[wait >= 0] = _after(scene.span, rows["at"].to_numpy()[wait >= 0], wait[wait >= 0])
    number = pd.Series(np.arange(1, len(rows) + 1)).astype("str").str.zfill(7)
    return pd.DataFrame(
        {
            "customer_id": _taken(scene.accounts.customer_id, account),
            "interaction_id": "I" + number,
            "occurred_at": rows["at"],
            "channel": _taken(CHANNELS, rows["channel"].to_numpy()),
            "direction": _taken(("outbound", "inbound"), rows["inbound"].to_numpy(dtype=np.int64)),
            "contact_id": made["contacts"]["contact_id"].array.take(person, allow_fill=True),
            "role": _taken(ROLES, role),
            "owner": _owners(scene, account, day),
            "replied_at": replied,
            "invited": rows["invited"],
            "attended": rows["attended"].astype("boolean").where(rows["invited"]),
            "result": _taken(RESULTS, rows["result"].to_numpy()),
            "text": rows["text"],
            "recorded_at": rows["at"],
        }
    )


def _contacts(scene: Scene, rng: np.random.Generator) -> Rows:
    """What the four signals of contact bring about."""
    parts = [scene.events(f"contact_{role}", rng) for role in ROLES]
    account, day = (np.concatenate(part) for part in zip(*parts, strict=True))
    role = np.repeat(np.arange(len(ROLES)), [len(part) for part, _ in parts])
    inbound = scene.happens("inbound", account, day, rng)
    channel = _channels(role, inbound, rng)
    buys = np.flatnonzero(inbound & (role == PURCHASING))
    asks = buys[scene.happens("price_inquiry", account[buys], day[buys], rng)]
    channel[asks] = INQUIRY
    lost = scene.lost[account, day]
    result = _results(channel, ~inbound & (channel == CALL) & lost, rng)
    said = _said(scene, account, day, inbound, channel, result, rng)
    said[asks] = phrases.INQUIRY
    sent = ~inbound & np.isin(channel, SENT)
    wait = np.full(len(account), -1.0)
    ours = np.flatnonzero(sent)
    answered = ours[scene.happens("replied", account[ours], day[ours], rng)]
    wait[answered] = np.maximum(np.exp(scene.values("reply_days", account[answered], day[answered], rng)), LEAST_WAIT)
    wait[wait > PATIENCE] = -1.0
    none = np.zeros(len(account), dtype=bool)
    return Rows(account, day, role, inbound, channel, said, result, wait, none, none)


def _channels(role: Integers, inbound: Booleans, rng: np.random.Generator) -> Integers:
    """By what way, by role and direction alone."""
    shares = np.cumsum(np.where(inbound[:, None], np.array(INBOUND)[role], np.array(OUTBOUND)[role]), axis=1)
    return (rng.random(len(role))[:, None] * shares[:, -1:] >= shares[:, :-1]).sum(axis=1)


def _results(channel: Integers, nobody_there: Booleans, rng: np.random.Generator) -> Integers:
    """What is entered as the result of a conversation: chance alone, but that a call may reach nobody any more."""
    result = np.searchsorted(np.cumsum(RESULT_SHARES)[:-1], rng.random(len(channel)), side="right")
    return np.where(np.isin(channel, SPOKEN), np.where(nobody_there, UNSUCCESSFUL, result), -1)


def _said(
    scene: Scene,
    account: Integers,
    day: Integers,
    inbound: Booleans,
    channel: Integers,
    result: Integers,
    rng: np.random.Generator,
) -> Integers:
    """The kind of what was said, -1 for nothing: the customer's words, or ours in a message that we sent."""
    ours = ~inbound & np.isin(channel, SENT)
    reached = inbound | (channel != CALL) | (result != UNSUCCESSFUL)
    kept = reached & (rng.random(len(account)) < TEXT_SHARE)
    said = np.where(kept, np.where(ours, phrases.OURS, phrases.NEUTRAL), -1)
    # Who writes with a question of their own neither puts us off nor haggles.
    rest = np.flatnonzero((said == phrases.NEUTRAL) & (channel != INQUIRY))
    for signal, kind in SIGNS.items():
        shows = scene.happens(signal, account[rest], day[rest], rng)
        said[rest[shows]] = kind
        rest = rest[~shows]
    return said


# index into phrases.KINDS
SIGNS = {"deferral": phrases.DEFERRAL, "rival_mention": phrases.RIVAL, "price_pressure": phrases.PRICE}
"""Signals of the texts by kind. A text shows one at most: each is asked of those that show none of the ones before."""


def _invitations(scene: Scene, rng: np.random.Generator) -> Rows:
    """Invitations to events of ours: whom and when by chance alone."""
    account, day = by_chance(scene, np.full(len(scene.accounts), INVITATIONS_PER_YEAR), rng)
    count = len(account)
    return _outbound(
        account,
        day,
        role=rng.integers(0, len(ROLES), count),
        channel=np.full(count, EVENT),
        said=np.where(rng.random(count) < TEXT_SHARE, phrases.INVITATION, -1),
        result=np.full(count, -1),
        attended=scene.happens("attended", account, day, rng),
    )


def _talks(scene: Scene, rng: np.random.Generator) -> Rows:
    """The talks of the policy, as far as somebody entered them."""
    account, day = scene.talks.told()
    logged = rng.random(len(account)) < scene.preset.logged_share
    account, day = account[logged], opened(scene.span, day[logged])
    channel = rng.choice(SPOKEN, len(account))
    return _outbound(
        account,
        day,
        role=rng.choice((PURCHASING, EXECUTIVE), len(account)),
        channel=channel,
        said=np.full(len(account), phrases.TALK),
        result=_results(channel, np.zeros(len(account), dtype=bool), rng),
        attended=None,
    )


def _outbound(
    account: Integers,
    day: Integers,
    *,
    role: Integers,
    channel: Integers,
    said: Integers,
    result: Integers,
    attended: Booleans | None,
) -> Rows:
    """Rows that we began and that nobody has to answer; invitations where it is known who came."""
    count = len(account)
    none = np.zeros(count, dtype=bool)
    came, invited = (none, none) if attended is None else (attended, ~none)
    return Rows(account, day, role, none, channel, said, result, np.full(count, -1.0), invited, came)


def _texts(scene: Scene, rows: pd.DataFrame, rng: np.random.Generator) -> ExtensionArray:
    """What was said, in the customer's language, of rows in order of customer and time; missing where nothing was."""
    count = len(scene.accounts)
    lengths = rng.integers(0, len(FRAMED), (count, len(ROLES)))
    noted_lengths = rng.integers(0, len(FRAMED), scene.accounts.people)
    start, stride = rng.integers(0, 1000, count), rng.choice(STRIDES, count)
    number = np.flatnonzero(rows["said"] >= 0)
    account, role, channel, kind = (rows[name].to_numpy()[number] for name in ("account", "role", "channel", "said"))
    voice = np.where(np.isin(channel, SPOKEN), phrases.NOTED, phrases.WRITTEN)
    nth = np.arange(len(number)) - np.searchsorted(account, account)
    # A customer's messages are as long as their writer likes them, notes as long as our own people do.
    length = np.where(voice == phrases.WRITTEN, lengths[account, role], noted_lengths[scene.accounts.owner[account]])
    framed = rng.random((len(number), 2)) < np.array(FRAMED)[length]
    framed[kind == phrases.TALK, 0] = False
    opening, closing = np.where(framed, rng.integers(1, phrases.FRAMES, framed.shape), 0).T
    filling = rng.integers(0, 1000, len(number))
    wanted = phrases.Wanted(kind, voice, start[account] + stride[account] * nth, filling, opening, closing)
    return _in_languages(scene, account, number, wanted, len(rows))


def _in_languages(
    scene: Scene, account: Integers, number: Integers, wanted: phrases.Wanted, count: int
) -> ExtensionArray:
    """`count` texts, those of the rows `number` written as wanted, each in its customer's language."""
    scripts = np.array([script for _, script, _ in REGIONS], dtype=object)[scene.accounts.region[account]]
    written = []
    for script in phrases.LANGUAGES:
        mine = np.flatnonzero(scripts == script)
        here = phrases.Wanted(**{name: values[mine] for name, values in vars(wanted).items()})
        written.append(pd.Series(phrases.book(script).texts(here), index=number[mine]))
    return pd.concat(written).reindex(range(count)).array


def _owners(scene: Scene, account: Integers, day: Integers) -> ExtensionArray:
    """The sales person who looked after each account on each day."""
    distinct, place = np.unique(owner_on(scene, account, day), return_inverse=True)
    return _taken(owner_names(scene, distinct), place)


def _taken(words: npt.NDArray[np.object_] | tuple[str, ...], place: Integers) -> ExtensionArray:
    """Words by their number; missing for -1."""
    return pd.array(list(words), dtype="str").take(place, allow_fill=True)


def _business_days(span: Span) -> Integers:
    """Day numbers on which business is done, from the start of the history until some months after it."""
    return np.flatnonzero(Span(span.start, span.days + 4 * int(PATIENCE)).open_days())


def _business_time(span: Span, at: npt.NDArray[np.datetime64]) -> Floats:
    """Working days, of business hours alone, from the start of the history to moments within business hours."""
    day = span.day(at)
    seconds = (at - at.astype("datetime64[D]")) / np.timedelta64(1, "s")
    return np.searchsorted(_business_days(span), day) + (seconds - DAY_OPENS) / DAY_SECONDS


def _after(span: Span, at: npt.NDArray[np.datetime64], days: Floats) -> npt.NDArray[np.datetime64]:
    """The moment that lies so many working days after each moment."""
    time = _business_time(span, at) + days
    seconds = DAY_OPENS + np.floor(DAY_SECONDS * (time % 1))
    return span.dates(_business_days(span)[time.astype(np.int64)]) + seconds.astype("timedelta64[s]")


def interactions_observed(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> list[Observations]:
    """What the interactions say of the signals.

    A text is known by its sentence. That a message of ours is not answered is known after `PATIENCE`.
    """
    if "interactions" not in tables:
        return []
    rows = tables["interactions"].drop_duplicates("interaction_id")
    said = phrases.kinds_of(rows["text"])
    account = pd.Index(scene.accounts.customer_id).get_indexer(pd.Index(rows["customer_id"]))
    day = known_day(scene.span, rows, "occurred_at")
    invited = _sure(rows["invited"])
    mine = ~invited & (said != phrases.TALK)
    role, channel = rows["role"].to_numpy(dtype=object), rows["channel"].to_numpy(dtype=object)
    inbound = (rows["direction"] == "inbound").to_numpy()

    def seen(signal: str, chosen: Booleans, value: Booleans | Floats) -> Observations:
        return Observations(signal, account[chosen], day[chosen], value[chosen].astype(float))

    asked = mine & inbound & (role == "purchasing")
    found = [seen(f"contact_{name}", mine & (role == name), mine) for name in ROLES]
    found += [seen("inbound", mine, inbound), seen("price_inquiry", asked, channel == "inquiry")]
    found.append(seen("attended", invited, _sure(rows["attended"])))
    rest = mine & np.isin(said, [phrases.NEUTRAL, *SIGNS.values()]) & (channel != "inquiry")
    for signal, kind in SIGNS.items():
        found.append(seen(signal, rest, said == kind))
        rest = rest & (said != kind)
    sent = np.flatnonzero(mine & ~inbound & np.isin(channel, [CHANNELS[number] for number in SENT]))
    return found + _replies(scene.span, account[sent], rows.iloc[sent])


def _sure(answers: pd.Series) -> Booleans:
    """Where the answer is yes; no where it is missing."""
    return answers.astype("boolean").fillna(False).to_numpy(dtype=bool)


def _replies(span: Span, account: Integers, sent: pd.DataFrame) -> list[Observations]:
    """Answers on the day they came, and that there is none on the day from which none is to be expected."""
    at, replied = sent["occurred_at"].to_numpy(), sent["replied_at"].to_numpy()
    came = ~np.isnat(replied)
    answered = known_day(span, sent[came], "replied_at")
    wait = _business_time(span, replied[came]) - _business_time(span, at[came])
    waited_for = pd.Series(_after(span, at[~came], np.full(int((~came).sum()), PATIENCE)))
    given_up = known_day(span, sent[~came], waited_for)
    known = given_up < span.days
    none = account[~came][known]
    who = np.concatenate([account[came], none])
    when = np.concatenate([answered, given_up[known]])
    yes = np.concatenate([np.ones(len(answered)), np.zeros(len(none))])
    return [
        Observations("replied", who, when, yes),
        Observations("reply_days", account[came], answered, np.log(np.maximum(wait, LEAST_WAIT / 2))),
    ]
