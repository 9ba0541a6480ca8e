"""Lists that people and files make: who is in touch, at risk, planned, signed - and what came of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from features.contact_records import by_owner_and_day, rates
from features.errors import SettingsError
from serving.list_register import AT_RISK, WHO, Make, Standing, view, with_columns
from serving.list_rows import NONE, are_of, later, monday, period

_LOUDNESS = ("low", "medium", "high", "urgent")
_CONTACTS = {"days_since_last_interaction": "interactions"}
_STATED = {"stated_risk": "account_changes"}


@view("silent_by_owner", ("LV-02",), ("owner", "accounts", "silent", "unknown"), _CONTACTS, together=True)
def _silent_by_owner(standing: Standing) -> pd.DataFrame:
    days = standing.state["days_since_last_interaction"]
    marked = standing.state.assign(
        owner=standing.state["owner"].fillna(NONE),
        silent=days >= standing.terms.silent_days,
        unknown=days.isna(),
    ).groupby("owner", sort=True)
    table = marked[["silent", "unknown"]].sum().assign(accounts=marked.size()).reset_index()
    return table.sort_values(["silent", "owner"], ascending=[False, True], ignore_index=True)


@view(
    "risk_by_owner",
    ("LV-04",),
    ("owner", "customer_id", "name", "risk", "stated_risk", "engine_risk", "level", "value_at_risk"),
    wants=_STATED,
    by=("owner", "-place"),
)
def _risk_by_owner(standing: Standing) -> pd.DataFrame:
    state = standing.state
    place = {name: number for number, name in enumerate(_LOUDNESS)}
    louder = pd.concat([state[name].map(place) for name in ("stated_risk", "engine_risk")], axis=1).max(axis=1)
    state = state.assign(risk=louder.map(dict(enumerate(_LOUDNESS))), place=louder)
    return replace(standing, state=state).rows(state["risk"].isin(AT_RISK))


@view(
    "meeting",
    ("LV-08",),
    (*WHO, "days_since_last_order", "days_late", "why", "reasons", "next_step", "value_at_risk", "due_on"),
    by=("-value_at_risk", "-cycles"),
)
def _meeting(standing: Standing) -> pd.DataFrame:
    return standing.morning().lists["red"]


@view("key_follow_up", ("LV-12",), (*WHO, "tags", "supervisor"), by=("-value_at_risk",))
def _key_follow_up(standing: Standing) -> pd.DataFrame:
    rules = [rule for rule in standing.terms.rules if rule.tag == "key_follow_up"]
    given = standing.material.signals
    fired = standing.terms.fired(standing.state, rules) if given is None else given
    fired = fired[fired["rule"].isin([rule.code for rule in rules])]
    tags = fired.groupby("customer_id")["rule"].agg(list)
    state = standing.state.assign(
        tags=standing.state["customer_id"].map(tags), supervisor=standing.state["manager"].fillna(NONE)
    )
    return replace(standing, state=state).rows(state["tags"].notna())


@view(
    "risk_list",
    ("LV-13",),
    (*WHO, "churn_probability", "value_at_risk", "expected_loss", "reviewed_at", "reviewed_by", "review_overdue"),
    by=("-value_at_risk",),
)
def _risk_list(standing: Standing) -> pd.DataFrame:
    state = standing.state
    at_risk = state["level"].isin(("blue", "yellow", "orange", "red")) | state["stated_risk"].isin(AT_RISK)
    reviewed = state["reviewed_at"].dt.tz_localize(None)
    overdue = ~(reviewed >= standing.since(standing.terms.review_days))
    return replace(standing, state=state.assign(review_overdue=overdue)).rows(at_risk)


_PLAN = (*WHO, "next_action_on", "next_action_text", "last_contact_on")
_PLANNED = {"next_action_on": "account_changes"}


def _to_contact(standing: Standing, mask: pd.Series) -> pd.DataFrame:
    return standing.rows(mask & ~standing.state["action_done"])


@view("contact_today", ("LV-18",), _PLAN, _PLANNED, by=("next_action_on",))
def _contact_today(standing: Standing) -> pd.DataFrame:
    return _to_contact(standing, standing.state["next_action_on"] == standing.as_of)


@view("contact_this_week", ("LV-18",), _PLAN, _PLANNED, by=("next_action_on",))
def _contact_this_week(standing: Standing) -> pd.DataFrame:
    sunday = pd.Timestamp(monday(standing.material.as_of)) + timedelta(days=6)
    last = max(sunday, standing.as_of + timedelta(days=1))
    planned = standing.state["next_action_on"]
    return _to_contact(standing, (planned > standing.as_of) & (planned <= last))


@view("contact_overdue", ("LV-18",), _PLAN, _PLANNED, by=("next_action_on",))
def _contact_overdue(standing: Standing) -> pd.DataFrame:
    return _to_contact(standing, standing.state["next_action_on"] < standing.as_of)


@view("updated", ("LV-20",), (*WHO, "updated_on", "updated_by"), {"updated_on": "account_changes"}, by=("-updated_on",))
def _updated(standing: Standing) -> pd.DataFrame:
    state = _updated_on(standing.state)
    recent = state["updated_on"] >= standing.since(standing.terms.recent_days)
    return replace(standing, state=state).rows(recent)


def _updated_on(state: pd.DataFrame) -> pd.DataFrame:
    entered = state["updated_at"].dt.tz_localize(None).dt.normalize().astype("datetime64[s]")
    return state.assign(updated_on=pd.concat([state["last_file_change_on"], entered], axis=1).max(axis=1))


@view(
    "lost_orders",
    ("LV-20",),
    (*WHO, "last_lost_quote_on"),
    {"last_lost_quote_on": "quotes.status"},
    by=("-last_lost_quote_on",),
)
def _lost_orders(standing: Standing) -> pd.DataFrame:
    recent = standing.state["last_lost_quote_on"] >= standing.since(standing.terms.recent_days)
    return standing.rows(recent)


_CONTRACT = (*WHO, "signed_on", "starts_on", "ends_on")
_SPANS = {"month": 1, "quarter": 3, "year": 12}


def _in_period(months: int, signed: bool) -> Make:
    def make(standing: Standing) -> pd.DataFrame:
        first, until = period(standing.material.as_of, months)
        first, until = (later(first, -months), first) if signed else (first, until)
        state = with_columns(standing.state, "contracts")
        holders = state.loc[state["contracts"].notna(), [*WHO, "contracts"]]
        holders = holders.assign(owner=holders["owner"].fillna(NONE))
        rows = [
            {**customer, **contract}
            for customer in holders.to_dict("records")
            for contract in map(_contract, customer["contracts"])
            if _counts(contract, first, until, signed)
        ]
        return pd.DataFrame(rows, columns=list(_CONTRACT))

    return make


def _contract(given: Mapping[str, Any]) -> dict[str, date | None]:
    """A contract with days, whether they came as such or as text."""
    days = {name: given.get(name) for name in _CONTRACT[-3:]}
    return {name: date.fromisoformat(day) if isinstance(day, str) else day for name, day in days.items()}


def _counts(contract: Mapping[str, date | None], first: date, until: date, signed: bool) -> bool:
    signed_on, starts_on, ends_on = (contract[name] for name in _CONTRACT[-3:])
    if signed:
        return signed_on is not None and first <= signed_on < until
    begins = starts_on or signed_on
    return begins is not None and begins < until and (ends_on is None or ends_on >= first)


for _span, _months in _SPANS.items():
    for _name, _signed in ((f"contracts_this_{_span}", False), (f"contracts_new_last_{_span}", True)):
        view(_name, ("LV-21",), _CONTRACT, {"contracts": "contracts"}, by=("customer_id",))(
            _in_period(_months, _signed)
        )


@view(
    "leadership",
    ("LV-22",),
    (*WHO, "status", "stage", "last_contact_on", "value_at_risk"),
    wants=_CONTACTS,
    by=("place",),
)
def _leadership(standing: Standing) -> pd.DataFrame:
    order = ("potential", "active", "overdue", "about_to_churn", "lost")
    status = standing.status()
    state = standing.state.assign(status=status, place=status.map({name: at for at, name in enumerate(order)}))
    return replace(standing, state=state).rows(pd.Series(True, index=state.index))


_RATES = ("contacts", "effective", "high_value", "unsuccessful")


@view("contact_days", ("LV-23",), ("owner", "day", "customers", *_RATES, "logged"), together=True)
def _contact_days(standing: Standing) -> pd.DataFrame:
    found = by_owner_and_day(_contacts(standing))
    return found.sort_values(["day", "owner"], ascending=[False, True], ignore_index=True)


@view(
    "contact_rates",
    ("LV-24",),
    ("owner", "begins", "days", *_RATES, "success_rate", "loss_rate", "logged_share", "contacts_per_day"),
    together=True,
)
def _contact_rates(standing: Standing) -> pd.DataFrame:
    return rates(by_owner_and_day(_contacts(standing)))


def _contacts(standing: Standing) -> pd.DataFrame:
    """The contacts with the chosen customers; of the chosen sales person alone, whoever's the customers are now."""
    given = standing.material.contacts
    if given is None:
        raise SettingsError("the lists of contacts need the contact records. Read them and give them along.")
    return given[are_of(given["customer_id"], standing.state["customer_id"])]
