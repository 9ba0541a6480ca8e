"""People at an account, what its file says of it, the sales person in charge: tables written by hand, values by hand.

The cutoff is 1 July 2024, so that 1 June is 30 days ago, 17 May 45 and 2 April 90.
"""

from datetime import date

import pandas as pd
import pytest
from narrowed import registry_of
from orders import features_of, laid_out, lines, snapshots_of

from features import cutoffs, registry
from features.options import resolved, set_options

JULY_1 = date(2024, 7, 1)
ORDERS = """
customer_id order_id ordered_at amount
A           1        2023-01-10 100
"""


@pytest.fixture(autouse=True)
def only_what_is_tested_here(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", registry_of("contacts", "account_changes", "absences", "customers"))


def people(rows: str) -> str:
    return f"customer_id contact_id role valid_from valid_to\n{rows}"


def spoken(rows: str) -> str:
    return f"customer_id interaction_id occurred_at contact_id\n{rows}"


def changes(rows: str) -> str:
    return f"customer_id changed_at field old new author\n{rows}"


def of_people(contacts: str, interactions: str = "A 1 2023-02-01 p1", as_of: date = JULY_1, **options: object):
    return features_of(
        ORDERS, as_of, options=options, contacts=people(contacts), interactions=spoken(interactions)
    ).rename({"contact_turnover_share_365d": "turnover"})


REPLACED = """
A p1 purchasing -          2024-06-01
A p2 purchasing 2024-06-02 -
"""


@pytest.mark.parametrize(
    ("interactions", "hardly_known", "count"),
    [
        ("A 1 2024-05-20 p1", 1.0, 0.0),
        ("A 1 2024-06-05 p2\nA 2 2024-06-12 p2", 1.0, 2.0),
        ("A 1 2024-06-05 p2\nA 2 2024-06-12 p2\nA 3 2024-06-19 p2", 0.0, 3.0),
    ],
)
def test_fe_07_a_contact_replaced_thirty_days_ago_is_hardly_known_until_there_were_three_meetings(
    interactions, hardly_known, count
):
    row = of_people(REPLACED, interactions)
    assert row["new_contact_hardly_known"] == hardly_known
    assert row["successor_interactions"] == count


def test_fe_07_how_long_a_contact_is_new_and_how_many_meetings_make_it_known_are_options():
    meeting = "A 1 2024-06-12 p2"
    assert of_people(REPLACED, meeting)["new_contact_hardly_known"] == 1.0
    assert of_people(REPLACED, meeting, new_contact_interactions=1)["new_contact_hardly_known"] == 0.0
    assert of_people(REPLACED, meeting, new_contact_days=30)["new_contact_hardly_known"] == 1.0
    assert of_people(REPLACED, meeting, new_contact_days=29)["new_contact_hardly_known"] == 0.0


def test_fe_07_talks_with_people_in_other_roles_do_not_make_the_successor_known():
    contacts = REPLACED + "A p3 technical - -"
    talks = "A 1 2024-06-05 p3\nA 2 2024-06-12 p3\nA 3 2024-06-19 p3\nA 4 2024-06-20 -"
    assert of_people(contacts, talks)["new_contact_hardly_known"] == 1.0


def test_fe_07_a_contact_that_is_still_in_place_at_the_cutoff_has_not_changed():
    still = of_people("A p1 purchasing - 2024-07-01")
    gone = of_people("A p1 purchasing - 2024-06-30")
    assert pd.isna(still["new_contact_hardly_known"])
    assert still["active_contacts"] == 1.0
    assert gone[["new_contact_hardly_known", "active_contacts"]].tolist() == [1.0, 0.0]


DECIDER = """
A boss executive - 2024-05-17
A next executive - -
A tech technical - -
"""


def test_fe_11_a_decision_maker_inactive_for_45_days_without_a_successor_leaves_a_gap_of_45_days_and_counting():
    row = of_people(DECIDER, "A 1 2024-05-16 boss\nA 2 2024-05-10 next\nA 3 2024-06-20 tech\nA 4 2024-06-21 boss")
    assert row["days_since_key_contact_lost"] == 45.0
    assert row["key_contact_gap_days"] == 45.0
    assert row["key_contact_gap_open"] == 1.0


def test_fe_11_the_gap_ends_with_the_first_interaction_with_a_successor():
    row = of_people(DECIDER, "A 1 2024-06-21 next\nA 2 2024-06-28 next")
    assert row["days_since_key_contact_lost"] == 45.0
    assert row["key_contact_gap_days"] == 35.0  # 17 May to 21 June
    assert row["key_contact_gap_open"] == 0.0


def test_fe_11_only_the_loss_of_a_key_contact_counts_and_which_roles_are_key_is_an_option():
    contacts = "A t1 technical - 2024-05-17"
    row = of_people(contacts)
    assert row[["days_since_key_contact_lost", "key_contact_gap_open"]].isna().all()
    assert of_people(contacts, key_contact_roles=["technical"])["days_since_key_contact_lost"] == 45.0


def test_without_roles_in_the_file_everybody_is_a_key_contact_and_anybody_else_a_successor():
    contacts = "customer_id contact_id valid_from valid_to\nA p1 - 2024-05-17\nA p2 - -"
    row = features_of(ORDERS, JULY_1, contacts=contacts, interactions=spoken("A 1 2024-06-21 p2"))
    assert row[["days_since_key_contact_lost", "key_contact_gap_days"]].tolist() == [45.0, 35.0]
    assert pd.isna(row["active_contact_roles"])


def test_the_newest_loss_counts_and_a_move_within_the_key_roles_is_none():
    contacts = """
    A p1 purchasing 2020-01-01 2024-03-01
    A p2 purchasing 2024-03-02 2024-06-01
    A p3 purchasing 2020-01-01 2024-06-20
    A p3 executive  2024-06-21 -
    """
    assert of_people(contacts)["days_since_key_contact_lost"] == 30.0


def test_a_last_day_that_is_told_later_is_unknown_before():
    contacts = """
    customer_id contact_id role       valid_from valid_to   recorded_at
    A           p1         purchasing 2022-01-01 -          2022-01-01
    A           p1         purchasing 2022-01-01 2024-05-17 2024-06-10
    """
    tables = {"contacts": contacts, "interactions": spoken("A 1 2023-02-01 p1")}
    before, after = (features_of(ORDERS, date(2024, 6, day), **tables) for day in (10, 11))
    assert before["active_contacts"] == 1.0
    assert pd.isna(before["days_since_key_contact_lost"])
    assert after["active_contacts"] == 0.0
    assert after["days_since_key_contact_lost"] == 25.0


def test_people_in_place_their_roles_and_their_turnover_are_counted():
    contacts = """
    A p1 purchasing -          -
    A p2 technical  2024-01-01 -
    A p3 technical  2020-01-01 -
    A p4 user       2020-01-01 2024-01-01
    A p5 executive  2020-01-01 2023-06-01
    A p6 executive  2024-07-02 -
    """
    row = of_people(contacts)
    assert row["active_contacts"] == 3.0
    assert row["active_contact_roles"] == 2.0
    assert row["turnover"] == pytest.approx(1 / 4)  # p4; p5 left 396 days ago
    assert row["active_contacts_vs_last_year"] == pytest.approx((3 + 1) / (3 + 1))  # then p1, p3, p4


@pytest.mark.parametrize(("last_day", "as_of", "there"), [("2023-07-02", JULY_1, 1.0), ("2023-07-01", JULY_1, 0.0)])
def test_a_year_ago_is_365_days_ago(last_day, as_of, there):
    # 2 July 2023 is 365 days before: whoever had that day as the last one was still in place at its midnight
    row = of_people(f"A p1 purchasing - -\nA p2 user - {last_day}", as_of=as_of)
    assert row["active_contacts_vs_last_year"] == pytest.approx(2 / (1 + there + 1))


def test_active_contacts_are_compared_with_those_of_the_segment():
    orders = "customer_id order_id ordered_at amount\n" + "\n".join(
        f"{who} {who}{day} 2024-06-0{day} 10" for who in "ABC" for day in (1, 2)
    )
    contacts = people("A a1 user - -\nB b1 user - -\nB b2 user - -\nC c1 user - -\nC c2 user - -")
    row = features_of(orders, JULY_1, contacts=contacts)
    assert row["active_contacts_vs_peers"] == pytest.approx(1 / 2)


WARMTH = changes(
    """
A 2024-02-01 temperature -    hot  Ann
A 2024-03-01 temperature hot  warm Ann
A 2024-06-01 temperature warm cool Bob
"""
)


@pytest.mark.parametrize(
    ("as_of", "level", "cool", "fell"),
    [
        (date(2024, 2, 2), 3.0, 0.0, None),
        (date(2024, 3, 2), 2.0, 0.0, 1.0),
        (date(2024, 6, 1), 2.0, 0.0, 92.0),
        (JULY_1, 1.0, 1.0, 30.0),
    ],
)
def test_dm_09_a_change_from_warm_to_cool_is_known_from_the_next_day_and_the_earlier_values_at_earlier_dates(
    as_of, level, cool, fell
):
    row = features_of(ORDERS, as_of, account_changes=WARMTH)
    assert row[["temperature_level", "temperature_cool_or_below"]].tolist() == [level, cool]
    assert pd.isna(row["days_since_temperature_fell"]) if fell is None else row["days_since_temperature_fell"] == fell


@pytest.mark.parametrize(
    ("temperature", "level", "cool"), [("hot", 3.0, 0.0), ("warm", 2.0, 0.0), ("cool", 1.0, 1.0), ("cold", 0.0, 1.0)]
)
def test_dm_09_cool_or_below_matches_cool_and_cold_only(temperature, level, cool):
    row = features_of(ORDERS, JULY_1, account_changes=changes(f"A 2024-06-01 temperature - {temperature} Ann"))
    assert row[["temperature_level", "temperature_cool_or_below"]].tolist() == [level, cool]


def test_dm_09_every_change_of_temperature_is_kept_with_its_values_date_and_author():
    with laid_out(lines(ORDERS), account_changes=lines(WARMTH)) as con:
        cutoffs.set_cutoffs(con, [JULY_1])
        kept = con.execute(
            f"SELECT CAST(changed_at AS DATE), old, new, author FROM ({cutoffs.past('account_changes')}) "
            "WHERE field = 'temperature' ORDER BY changed_at"
        ).fetchall()
    assert kept == [
        (date(2024, 2, 1), None, "hot", "Ann"),
        (date(2024, 3, 1), "hot", "warm", "Ann"),
        (date(2024, 6, 1), "warm", "cool", "Bob"),
    ]


def test_the_temperature_is_compared_with_that_of_90_days_ago_and_a_missing_old_value_is_the_one_before():
    row = features_of(ORDERS, JULY_1, account_changes=WARMTH.replace(" warm cool", " -    cool"))
    assert row["temperature_level_vs_90d_ago"] == -1.0
    assert row["days_since_temperature_fell"] == 30.0
    warmer = features_of(ORDERS, JULY_1, account_changes=changes("A 2024-06-01 temperature cool hot Ann"))
    assert pd.isna(warmer["days_since_temperature_fell"])
    assert pd.isna(warmer["temperature_level_vs_90d_ago"])


def test_dm_12_the_risk_that_a_person_sets_is_a_feature_of_its_own_with_its_author_and_date_in_the_file():
    stated = changes(
        """
        A 2024-03-01 risk - medium Ann
        A 2024-04-01 risk medium urgent Ann
        A 2024-06-01 risk urgent low Bob
        """
    )
    rows = {day: features_of(ORDERS, day, account_changes=stated) for day in (date(2024, 4, 2), JULY_1)}
    assert [row["stated_risk_level"] for row in rows.values()] == [3.0, 0.0]
    assert [row["days_since_stated_risk_rose"] for row in rows.values()] == [1.0, 91.0]
    with laid_out(lines(ORDERS), account_changes=lines(stated)) as con:
        cutoffs.set_cutoffs(con, [JULY_1])
        newest = con.execute(
            f"SELECT new, author, CAST(changed_at AS DATE) FROM ({cutoffs.past('account_changes')}) "
            "WHERE field = 'risk' ORDER BY changed_at DESC LIMIT 1"
        ).fetchone()
    assert newest == ("low", "Bob", date(2024, 6, 1))


def test_an_account_of_which_the_file_says_nothing_has_no_temperature_and_no_risk():
    row = features_of(ORDERS, JULY_1, account_changes=changes("B 2024-06-01 temperature - cool Ann"))
    assert row[["temperature_level", "temperature_cool_or_below", "stated_risk_level"]].isna().all()


def test_dm_22_who_owned_an_account_is_known_for_every_date():
    orders = "customer_id order_id ordered_at amount\nA 1 2024-01-01 10\nB 2 2024-01-01 10"
    owned = "customer_id owner\nA Cleo\nB Dan"
    moved = changes("A 2024-03-01 owner Ann Bob admin\nA 2024-06-01 owner Bob Cleo admin")
    days = [date(2024, 3, 1), date(2024, 3, 2), date(2024, 6, 1), date(2024, 6, 2)]
    with laid_out(lines(orders), customers=lines(owned), account_changes=lines(moved)) as con:
        set_options(con, resolved({}))
        cutoffs.set_cutoffs(con, days)
        cutoffs.set_accounts(con, "industry")
        found = con.execute("SELECT customer_id, as_of, owner FROM accounts ORDER BY ALL").fetchall()
    # before the first change nothing but today's customers file tells, see the page of the contract
    assert [(who, day.isoformat(), owner) for who, day, owner in found] == [
        ("A", "2024-03-01", "Cleo"),
        ("A", "2024-03-02", "Bob"),
        ("A", "2024-06-01", "Bob"),
        ("A", "2024-06-02", "Cleo"),
        *(("B", day.isoformat(), "Dan") for day in days),
    ]


OWNED = """
customer_id order_id ordered_at amount
A           1        2023-01-10 100
A           2        2024-03-04 300
A           3        2024-05-31 600
A           4        2024-06-01 50
A           5        2024-06-30 70
B           6        2023-01-10 100
C           7        2023-01-10 100
"""
DEPARTED = changes(
    """
A 2024-06-01 owner Ann Bob admin
B 2024-06-01 owner Ann Cleo admin
C 2023-06-01 owner Dan Cleo admin
C 2024-06-01 temperature - warm Cleo
"""
)


def test_fe_38_a_change_of_owner_thirty_days_ago_with_the_sales_before_and_after():
    row = features_of(OWNED, JULY_1, account_changes=DEPARTED)
    assert row["days_since_owner_change"] == 30.0
    assert row["revenue_since_owner_change"] == 120.0
    assert row["revenue_before_owner_change"] == pytest.approx(900 * 30 / 90)  # 3 March to 31 May
    mean = (100 + 300 + 600 + 50 + 70) / 5
    assert row["revenue_since_owner_change_vs_before"] == pytest.approx((120 + mean) / (300 + mean))


def test_fe_38_the_accounts_of_a_departed_owner_are_listed():
    frame = snapshots_of(lines(OWNED), [JULY_1], account_changes=lines(DEPARTED))
    assert frame.loc[frame["owner_departed"] == 1, "customer_id"].tolist() == ["A", "B"]
    assert frame.loc[frame["owner_departed"] == 0, "customer_id"].tolist() == ["C"]
    shorter = snapshots_of(lines(OWNED), [JULY_1], {"owner_departed_days": 29}, account_changes=lines(DEPARTED))
    assert shorter["owner_departed"].tolist() == [0.0, 0.0, 0.0]


def test_sales_before_a_change_of_owner_are_unknown_where_the_relationship_is_younger():
    young = "customer_id order_id ordered_at amount\nA 1 2024-05-20 100\nA 2 2024-06-20 100"
    row = features_of(young, JULY_1, account_changes=DEPARTED)
    assert row["revenue_since_owner_change"] == 100.0
    assert row[["revenue_before_owner_change", "revenue_since_owner_change_vs_before"]].isna().all()


def of_absence(absences: str, interactions: str = "A 1 2024-06-06", owner: str = "Ann"):
    return features_of(
        ORDERS,
        JULY_1,
        customers=f"customer_id owner\nA {owner}",
        absences=f"owner starts_at ends_at\nBob 2024-01-02 2024-01-05\n{absences}",
        interactions=f"customer_id interaction_id occurred_at\n{interactions}",
    )[["owner_absent_days", "uncovered_absence_days"]].tolist()


@pytest.mark.parametrize(
    ("absence", "last_contact", "days"),
    [
        ("Ann 2024-06-11 2024-07-01", "2024-06-06", [20.0, 20.0]),
        ("Ann 2024-06-11 2024-07-01", "2024-06-10", [20.0, 20.0]),
        ("Ann 2024-06-11 2024-07-01", "2024-06-11", [20.0, 0.0]),
        ("Ann 2024-06-11 2024-06-30", "2024-06-06", [0.0, 0.0]),
        ("Ann 2024-07-01 2024-07-09", "2024-06-06", [0.0, 0.0]),
        ("Bob 2024-06-11 2024-07-01", "2024-06-06", [0.0, 0.0]),
        ("Ann 2024-06-11 -\nBob 2024-06-11 2024-06-12", "2024-06-06", [20.0, 20.0]),
        ("Ann 2024-06-11 -\nAnn 2024-06-11 2024-06-20", "2024-06-06", [0.0, 0.0]),
    ],
)
def test_fe_39_an_owner_absent_for_twenty_days_without_a_contact_since_is_flagged_for_cover(
    absence, last_contact, days
):
    assert of_absence(absence, f"A 1 {last_contact}") == days


def test_fe_39_without_an_absence_calendar_there_is_no_feature_and_without_an_owner_nothing_is_known():
    row = features_of(ORDERS, JULY_1, interactions="customer_id interaction_id occurred_at\nA 1 2024-06-06")
    assert not {"owner_absent_days", "uncovered_absence_days"} & set(row.index)
    assert pd.isna(of_absence("Ann 2024-06-11 2024-07-01", owner="-\nB Ann")).all()


def test_an_absence_follows_the_owner_of_the_date():
    row = features_of(
        ORDERS,
        JULY_1,
        customers="customer_id owner\nA Ann",
        account_changes=changes("A 2024-06-20 owner Ann Bob admin"),
        absences="owner starts_at ends_at\nAnn 2024-06-11 2024-07-05\nBob 2024-06-29 2024-07-05",
    )
    assert row["owner_absent_days"] == 2.0


def test_dm_06_and_dm_07_growth_and_competition_are_inputs_as_numbers():
    orders = "customer_id order_id ordered_at amount\n" + "\n".join(f"{who} {who} 2024-06-01 10" for who in "ABCD")
    filed = "customer_id growth competitor_present\nA expanding True\nB flat False\nC shrinking True\nD - -"
    table = lines(filed)
    table["competitor_present"] = table["competitor_present"].map({"True": True, "False": False}).astype("boolean")
    frame = snapshots_of(lines(orders), [JULY_1], customers=table).set_index("customer_id")
    assert frame["growth_level"].tolist()[:3] == [2.0, 1.0, 0.0]
    assert frame["competitor_present"].tolist()[:3] == [1.0, 0.0, 1.0]
    assert frame.loc["D", ["growth_level", "competitor_present"]].isna().all()


def test_dm_08_what_was_changed_in_the_file_has_a_history_and_what_was_not_is_that_of_today():
    told = changes(
        """
        A 2024-03-01 competitor - Acme Ann
        A 2024-03-01 growth     - shrinking Ann
        A 2024-06-01 competitor Acme - Ann
        """
    )
    customers = "customer_id growth competitor_present\nA expanding -"
    days = (date(2024, 3, 1), date(2024, 3, 2), JULY_1)
    rows = [features_of(ORDERS, day, customers=customers, account_changes=told) for day in days]
    assert pd.isna(rows[0]["competitor_present"])
    assert [row["competitor_present"] for row in rows[1:]] == [1.0, 0.0]
    assert [row["days_since_competitor_noted"] for row in rows[1:]] == [1.0, 122.0]
    assert [row["growth_level"] for row in rows] == [2.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("months", "as_of", "days"),
    [
        ("10", date(2024, 9, 1), 30.0),
        ("10", date(2024, 10, 1), 0.0),
        ("10", date(2024, 10, 31), 0.0),
        ("10", date(2024, 11, 1), 334.0),
        ("3,9", JULY_1, 62.0),
        ("3,_9", date(2024, 12, 31), 60.0),
    ],
)
def test_dm_13_the_days_until_the_next_budget_month(months, as_of, days):
    customers = lines(f"customer_id name budget_months\nA x {months}").astype({"budget_months": "str"})
    customers["budget_months"] = customers["budget_months"].str.replace("_", " ")
    frame = snapshots_of(lines(ORDERS), [as_of], customers=customers)
    assert frame["days_until_budget_month"].tolist() == [days]
