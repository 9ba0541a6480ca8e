"""The reports on the loop, from small tables counted by hand, and through a store."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from companies import DAY, Company
from made_days import MONDAY, act, at, opened, publish

from features.simulate import simulate, write
from pipelines import loop_reports as reports
from pipelines.intake import Request, take_in
from pipelines.loop_sections import Outcomes, Records
from pipelines.score import score
from pipelines.settings import database_url
from serving.day_records import DayFrames, Decision
from serving.ledger import Event
from serving.loop import STEPS, update_account
from serving.store import Store

pytest_plugins = ["databases", "trained"]

NAMES = {
    "acting_in_time", "visiting_in_time", "effect", "causes", "reviews_missing", "stuck", "disagreements", "follow_ups",
    "updates", "ratings_stale",
}  # fmt: skip
EPISODE = (
    "episode_id", "customer_id", "opened_on", "opened_level", "owner", "step", "step_since", "arm", "propensity",
    "treated_at", "churn_window_days",
)  # fmt: skip
TASK = ("kind", "state", "customer_id", "owner", "created_on", "due_on", "facts")
OUTCOME = ("episode_id", "state", "result")
UPDATE = ("customer_id", "on", "last_contact_on", "temperature", "risk")
TODAY = (
    "customer_id", "cohort", "level", "risk", "churn_window_days", "contact_changed_on", "last_two_ratings",
    "rating_age_days",
)  # fmt: skip


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def table(columns, *rows):
    return pd.DataFrame([tuple(row.get(name) for name in columns) for row in rows], columns=columns, dtype="object")


def warned(number: int, **more):
    usual = {
        "episode_id": f"e{number}", "customer_id": f"c{number}", "opened_on": MONDAY, "opened_level": "red",
        "owner": "kim", "step": "raised", "step_since": at(MONDAY), "arm": "shown", "propensity": 1.0,
        "churn_window_days": 45.0,
    }  # fmt: skip
    return {**usual, **more}


def customers(*rows):
    usual = {"cohort": "eligible", "level": "none", "churn_window_days": 45.0}
    found = table(TODAY, *({**usual, **row} for row in rows))
    return found.astype({"churn_window_days": "float64", "rating_age_days": "float64"})


def contacts(*rows):
    """Customer, day of the contact, how, and on which day it was recorded where that is another one."""
    said = [(who, day(on), day(recorded[0] if recorded else on), how) for who, on, how, *recorded in rows]
    return pd.DataFrame(said, columns=list(reports.CONTACTS), dtype="object")


def updates(*rows):
    """Customer, day of the update and of the contact; all three fields."""
    said = [(who, day(on), day(contact), "warm", "low") for who, on, contact in rows]
    return pd.DataFrame(said, columns=list(UPDATE), dtype="object")


def both(of_source, entered=()):
    return reports._contacts(contacts(*of_source), updates(*entered))


@pytest.mark.parametrize(("days", "early", "late"), [(13, 7, 12), (14, 8, 11), (15, 8, 11)])
def test_cl_03_acting_in_time_is_judged_by_the_days_of_the_settings(days, early, late):
    # seven are contacted on the tenth day and come back, one on the 14th, eleven on the 20th and do not
    acted = [10] * 7 + [14] + [20] * 11
    rows = [warned(number, treated_at=at(day(on))) for number, on in enumerate(acted)]
    results = [{"episode_id": f"e{n}", "state": "final", "result": "restarted" if n < 7 else "lost"} for n in range(19)]
    terms = Outcomes(act_within_days=days, least_cases=1)
    found = reports.acting(table(EPISODE, *rows), table(OUTCOME, *results), terms)
    assert (found["n"], found["one"]["n"], found["other"]["n"], found["within_days"]) == (19, early, late, days)
    assert found["one"]["share"] == pytest.approx(7 / early)
    assert found["one"]["low"] < found["one"]["share"] < found["one"]["high"] or early == 7
    assert reports.acting(table(EPISODE, *rows), table(OUTCOME, *results), Outcomes(least_cases=9))["one"]["too_few"]


@pytest.mark.parametrize(("days", "early"), [(20, 1), (21, 2), (22, 2)])
def test_cl_04_visiting_in_time_is_judged_by_the_days_of_the_settings_and_is_observational(days, early):
    changed = [{"customer_id": who, "contact_changed_on": MONDAY} for who in ("ann", "bob", "cid", "dan")]
    seen = contacts(("ann", -1, "visit"), ("ann", 3, "visit"), ("ann", 40, "visit"), ("bob", 21, "visit"),
                    ("cid", 3, "phone"))  # fmt: skip
    lost = pd.Series({"change:ann": 0.0, "change:bob": 1.0, "change:cid": 1.0, "change:dan": float("nan")})
    terms = Outcomes(visit_within_days=days, least_cases=1)
    found = reports.visiting(customers(*changed), seen, lost, terms, day(60))
    assert (found["n"], found["one"]["n"], found["other"]["n"]) == (3, early, 3 - early), "dan's window is still open"
    assert (found["one"]["hits"], found["other"]["hits"]) == (1, 0)
    assert found["basis"] == "observational"
    assert reports.visiting(customers(*changed), seen, lost, terms, day(days))["n"] == 0, "a visit may still come"
    unknown = contacts(("cid", 3, None))
    assert reports.visiting(customers(*changed), unknown, lost, terms, day(60))["n"] == 0, "nobody tells of visits"


def test_a_change_counts_for_a_year_and_for_customers_with_a_window():
    rows = [
        {"customer_id": "old", "contact_changed_on": day(-366)},
        {"customer_id": "year", "contact_changed_on": day(-365)},
        {"customer_id": "new", "contact_changed_on": MONDAY},
        {"customer_id": "windowless", "contact_changed_on": day(-9), "churn_window_days": None},
        {"customer_id": "same"},
    ]
    assert reports._changed(customers(*rows), MONDAY)["customer_id"].tolist() == ["year"]


def by_lot(shown: int, alone: int):
    rows = [warned(n, propensity=0.5, arm="shown" if n < shown else "holdout") for n in range(shown + alone)]
    lost = {f"e{n}": float(n % 5 == 0 if n < shown else n % 2 == 0) for n in range(shown + alone)}
    return table(EPISODE, *rows), pd.Series(lost)


def test_the_effect_is_told_from_as_many_cases_as_the_settings_ask_for():
    rows, lost = by_lot(100, 50)
    found = reports.effect_report(rows, lost, Outcomes(least_cases=50))
    assert (found["n"], found["code"], found["shown"]["share"], found["holdout"]["share"]) == (150, None, 0.2, 0.5)
    assert found["points"] == pytest.approx(0.3)
    assert found["low"] < 0.3 < found["high"]
    assert found["detectable"] > 0
    assert found["saved"]["customers"] == 30.0
    few = reports.effect_report(rows, lost, Outcomes(least_cases=51))
    assert (few["code"], few["saved"]["customers"], few["saved"]["code"]) == ("too_few", None, "too_few")


def test_without_a_lot_there_is_no_effect_and_a_treatment_after_the_window_is_none():
    rows = [warned(1, treated_at=at(day(44))), warned(2, treated_at=at(day(45))), warned(3), warned(4)]
    lost = pd.Series({"e1": 0.0, "e2": 1.0, "e3": 1.0, "e4": float("nan")})
    found = reports.effect_report(table(EPISODE, *rows), lost, Outcomes(least_cases=1))
    assert (found["n"], found["code"], found["saved"]["customers"]) == (3, "no_comparison", None)
    assert (found["treated"]["n"], found["untreated"]["n"], found["undetermined"]) == (1, 2, 1)


def test_cl_13_causes_have_shares_from_the_fewest_cases_on():
    reviews = pd.DataFrame({"family": ["service"] * 9 + ["care"] * 5 + ["price_range"] * 6})
    found = reports.causes(reviews, Outcomes(least_cases=20))
    assert {row["family"]: row["share"] for row in found["families"]} == {
        "service": 0.45, "care": 0.25, "price_range": 0.3, "other": 0.0,
    }  # fmt: skip
    few = reports.causes(reviews, Outcomes(least_cases=21))
    assert (few["n"], few["too_few"], [row["n"] for row in few["families"]]) == (20, True, [9, 5, 6, 0])
    assert all(row["share"] != row["share"] for row in few["families"])


@pytest.mark.parametrize(("days", "n"), [(29, 1), (30, 0), (31, 0)])
def test_cl_05_a_review_is_missing_after_the_days_of_the_settings(days, n):
    lost = {"kind": "loss_review", "customer_id": "ann", "owner": "kim", "facts": {"lost_on": MONDAY.isoformat()}}
    rows = table(TASK, {**lost, "state": "open"}, {**lost, "customer_id": "bob", "state": "done"})
    found = reports.reviews_missing(rows, Outcomes(review_after_days=days), day(30))
    assert (found["n"], found["after_days"]) == (n, days)
    assert [row["customer_id"] for row in found["losses"]] == ["ann"] * n


def test_cl_01_stuck_warnings_stand_by_step_with_their_age_and_those_left_alone_do_not():
    rows = [
        warned(1, step_since=datetime(2026, 3, 1, 0, tzinfo=UTC)),
        warned(2, owner=None),
        warned(3, step="planned"),
        warned(4, step="learned"),
        warned(5, arm="holdout"),
        warned(6, step_since=at(day(10))),  # of the day itself
    ]
    found = reports.stuck_report(table(EPISODE, *rows), day(10))
    assert found["n"] == 3
    steps = {row["step"]: row for row in found["steps"]}
    assert list(steps) == list(STEPS[:-1])
    raised = steps["raised"]
    assert (raised["n"], raised["unowned"], raised["longest_days"], raised["median_days"]) == (2, 1, 11, 10)
    assert [(row["customer_id"], row["days"]) for row in raised["warnings"]] == [("c1", 11), ("c2", 9)]
    assert steps["planned"]["n"] == 1


def test_cl_09_disagreements_are_those_of_customers_who_can_be_warned_about():
    rows = [
        {"customer_id": "ann", "level": "none", "risk": "urgent"},
        {"customer_id": "bob", "level": "red", "risk": "high"},
        {"customer_id": "cid", "level": "yellow", "risk": "medium"},
        {"customer_id": "dan", "level": "none", "risk": "urgent", "cohort": "dormant"},
        {"customer_id": "eve", "level": "red"},
    ]
    entered = table(("customer_id", "risk", "updated_by", "updated_at"))
    found = reports.disagreement_report(customers(*rows), entered)
    assert (found["n"], found["people_see_more"]) == (2, 1)
    assert [(row["customer_id"], row["apart"]) for row in found["accounts"]] == [("ann", 3), ("bob", -1)]


def followed(customer: str, due: int, **more):
    usual = {"kind": "follow_up_a", "state": "done", "customer_id": customer, "owner": "kim"}
    return {**usual, "created_on": day(due - 7), "due_on": day(due), **more}


@pytest.mark.parametrize(("within", "recorded"), [(1, 3), (2, 4), (3, 5)])
def test_cl_10_follow_ups_count_what_was_recorded_within_the_days_of_the_settings(within, recorded):
    whom = ("on", "early", "entered", "late", "later", "never")
    rows = [followed(one, 0) for one in whom]
    rows.append(followed("waived", 0, state="waived"))
    rows.append(followed("other", 0, kind="order_late"))
    made = both(
        [("on", 0, "phone"), ("on", 0, "visit"), ("early", -7, "phone"), ("late", 0, "phone", 2),
         ("later", 0, "phone", 3), ("never", -8, "phone")],
        [("entered", 1, -1)],
    )  # fmt: skip
    found = reports.follow_ups(table(TASK, *rows), made, Records(follow_up_within_days=within), day(10))
    assert (found["n"], found["recorded"], found["within_days"]) == (6, recorded, within)
    missing = [who for who, _ in found["people"][0]["missing"]]
    assert missing == [one for one in sorted(whom) if one in ("late", "later", "never")[recorded - 3 :]]


@pytest.mark.parametrize(("due", "n"), [(-34, 1), (-35, 0), (-4, 1), (-3, 0)])
def test_follow_ups_are_those_of_which_the_last_month_has_decided(due, n):
    rows = table(TASK, followed("ann", due, owner=None))
    found = reports.follow_ups(rows, both([]), Records(follow_up_within_days=3), MONDAY)
    assert found["n"] == n
    assert [row["owner"] for row in found["people"]] == ["(none)"] * n


@pytest.mark.parametrize(("target", "review"), [(0.69, None), (0.7, None), (0.71, "review_input_fields")])
def test_cl_12_updates_below_the_target_ask_for_a_look_at_the_form(target, review):
    seen = [(f"c{number}", 0, "phone") for number in range(10)]
    said = [(f"c{number}", 1, 0) for number in range(7)]
    terms = Records(update_target=target)
    found = reports.updates_report(both(seen, said), updates(*said), terms, day(5))
    assert (found["n"], found["updated"], found["share"], found["review"]) == (10, 7, 0.7, review)
    stricter = Records(update_within_days=0, update_target=target)
    assert reports.updates_report(both(seen, said), updates(*said), stricter, day(5))["updated"] == 0
    assert reports.updates_report(both(seen, said), updates(*said), terms, day(1))["n"] == 0, "they may still come"


@pytest.mark.parametrize(("days", "stale"), [(179, ["ann", "bob"]), (180, ["ann"]), (181, [])])
def test_cl_11_ratings_are_stale_after_the_days_of_the_settings(days, stale):
    rows = [
        {"customer_id": "bob", "rating_age_days": 180.0, "last_two_ratings": [3.0, 4.0]},
        {"customer_id": "ann", "rating_age_days": 181.0, "last_two_ratings": [2.0]},
        {"customer_id": "cid"},
    ]
    found = reports.ratings_stale(customers(*rows), days, MONDAY)
    assert (found["n"], found["stale"]) == (2, len(stale))
    assert [row["customer_id"] for row in found["customers"]] == stale
    told = {row["customer_id"]: (row["rated_on"], row["rating"]) for row in found["customers"]}
    assert told.get("bob", (day(-180), 4.0)) == (day(-180), 4.0)


def orders(*rows):
    found = pd.DataFrame([(who, day(on), 100.0) for who, on in rows], columns=["customer_id", "day", "amount"])
    return found.assign(day=pd.to_datetime(found["day"])).astype({"customer_id": "str"})


def told_of(past, today, seen, as_of, ordered=()):
    return reports.loop_reports(
        past,
        today,
        seen,
        orders(*ordered),
        outcomes=Outcomes(least_cases=1),
        records_kept=Records(),
        oldest_rating_days=365,
        as_of=as_of,
        observed_until=as_of,
    )


def told(store: Store, number: int, today: pd.DataFrame, *rows, seen=()):
    return told_of(reports.read_loop(store), today, contacts(*seen), day(number), rows)


def shares(content):
    """Every share and number that a comparison tells, wherever it stands."""
    if isinstance(content, list):
        return [found for one in content for found in shares(one)]
    if not isinstance(content, dict):
        return []
    mine = [content[name] for name in ("share", "low", "high", "points", "relative", "customers") if name in content]
    return [one for one in mine if one != []] + [found for one in content.values() for found in shares(one)]


def test_with_nothing_to_tell_every_report_has_no_case_and_no_share(tmp_path: Path):
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        found = told(store, 0, customers())
        assert set(found) == NAMES
        assert {content["n"] for content in found.values()} == {0}
        assert set(shares(found)) == {None}
        assert found["effect"]["code"] == "no_comparison"
        assert found["updates"]["review"] is None
        publish(store, MONDAY, {"ann": "none"}, frames=DayFrames(reports=found))
        assert store.report(MONDAY, "stuck") == found["stuck"]


def test_what_people_did_with_a_warning_is_read_from_the_store(new_url):
    today = customers(
        {"customer_id": "ann", "level": "red", "risk": "urgent", "contact_changed_on": MONDAY},
        {"customer_id": "bob", "level": "red"},
    )
    ordered = [(who, on) for who in ("ann", "bob") for on in (-50, -30, -10)]
    with Store.open(new_url()) as store:
        levels = {"ann": "red", "bob": "red"}
        publish(store, MONDAY, levels, decide=lambda state: Decision(
            [event for who in levels for event in opened(state, who, "red")]))  # fmt: skip
        moment = at(day(2))
        update_account(store, "ann", temperature="warm", risk="low", actor="kim", at=moment, today=day(2))
        final = {"state": "final", "result": "restarted", "recorded_on": day(9), "detected_level": "red", "version": 1}
        act(store, Event("outcome_recorded", "kim", at(day(9)), final, "ann", f"ann-{MONDAY}"))
        lost = {"lost_on": day(20), "family": "care", "cause": "contact_lost", "note": None}
        act(store, Event("review_recorded", "kim", at(day(21)), lost, "bob"))
        found = told(store, 60, today, *ordered, ("ann", 8), seen=[("ann", 2, "visit"), ("bob", 30, "phone")])
    assert (found["acting_in_time"]["one"]["hits"], found["acting_in_time"]["n"]) == (1, 1)
    assert (found["visiting_in_time"]["one"]["share"], found["visiting_in_time"]["n"]) == (1.0, 1)
    assert (found["effect"]["n"], found["effect"]["untreated"]["hits"], found["effect"]["undetermined"]) == (2, 1, 1)
    assert {row["family"]: row["n"] for row in found["causes"]["families"]}["care"] == 1
    assert (found["stuck"]["n"], found["stuck"]["steps"][0]["longest_days"]) == (2, 59)  # since 06:00 of Monday
    assert [(row["customer_id"], row["author"], row["apart"]) for row in found["disagreements"]["accounts"]] == [
        ("ann", "kim", -3)
    ]
    assert (found["updates"]["n"], found["updates"]["updated"]) == (1, 0), "bob's; ann's lies too far back"


@pytest.mark.parametrize("lacking", [(), ("interactions", "services")])
def test_contacts_are_read_for_a_month_and_from_the_first_change_and_are_none_without_a_source(lacking, tmp_path: Path):
    without = ("finances", "partnerships", "quotes", "contracts", "promotions", *lacking)
    write(simulate(20, 12, seed=1, end=date(2026, 7, 1), without=without), tmp_path / "data")
    intake = take_in(Request(str(tmp_path / "data"), tmp_path / "out"))
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        past = reports.read_loop(store)
    rows = customers({"customer_id": "ann"})
    month = reports.contacts_of(intake, past, rows)
    changed = rows.assign(contact_changed_on=[intake.as_of - timedelta(days=100)])
    whole = reports.contacts_of(intake, past, changed)
    assert list(month) == list(whole) == list(reports.CONTACTS)
    if lacking:
        assert month.empty
        assert whole.empty
    else:
        assert month["contact_on"].min() >= intake.as_of - timedelta(days=35)
        assert intake.as_of - timedelta(days=100) <= whole["contact_on"].min() < month["contact_on"].min()
        assert (whole["recorded_on"] >= whole["contact_on"]).all()
    found = told_of(past, rows, month, intake.as_of)
    assert set(found) == NAMES
    back = {(who, (intake.as_of - on).days) for who, on in zip(month["customer_id"], month["contact_on"], strict=True)}
    assert found["updates"]["n"] == sum(2 <= days <= 32 for _, days in back)


def test_the_daily_run_publishes_the_reports_on_the_loop(company: Company, tmp_path: Path) -> None:
    intake = company.taken_in(company.register_at(tmp_path), DAY)
    score(intake)
    with Store.open(database_url(intake.settings, intake.request.out)) as store:
        found = store.reports(DAY)
    assert set(found) >= {*NAMES, "rules"}
    assert (found["stuck"]["n"], found["effect"]["code"]) == (0, "no_comparison")
    assert found["updates"]["n"] > 0
    assert found["updates"]["review"] == "review_input_fields", "nobody has entered anything"
    assert found["ratings_stale"]["n"] > 0
