"""Features of contact with the account: how often, who answers how fast, how long a silence lasts, who is in touch."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from orders import laid_out, lines, present

from features import building
from features.options import resolved
from features.registry import available, registered

AS_OF = date(2024, 7, 1)
OF_INTERACTIONS = {one.name for one in registered() if one.source == "interactions"}


def day(days_ago: int, time: str = "10:00") -> str:
    return f"{AS_OF - timedelta(days=days_ago)}T{time}"


def log(columns: str, *rows: tuple[int, str], begins: int = 800, **others: Sequence[tuple[int, str]]) -> str:
    """Interactions of customer A, or of others by name: days ago and the values of `columns`.

    The log begins with one of customer B.
    """
    head = f"customer_id interaction_id occurred_at {columns}"
    first = f"B begin {day(begins)} {' '.join('-' for _ in columns.split())}"
    lines = [
        f"{who} {who}{number} {day(days)} {values}"
        for who, held in {"A": rows, **others}.items()
        for number, (days, values) in enumerate(held)
    ]
    return "\n".join([head, first, *lines])


def features_of_all(
    interactions: str, *, as_of: date = AS_OF, options: dict[str, Any] | None = None, **others: str
) -> pd.DataFrame:
    """What needs no other customer, of each customer in the log; all have ordered for 900 days."""
    tables = {name: lines(text) for name, text in {"interactions": interactions, **others}.items()}
    who = tables["interactions"]["customer_id"].unique()
    rows = [f"{one} {one}{days} {day(days)} 10" for one in {"A", *who} for days in (900, 5)]
    ordered = lines("\n".join(["customer_id order_id ordered_at amount", *rows]))
    with laid_out(ordered, **tables) as con:
        frame = building.build(
            con, [as_of], present(ordered, **tables), options=resolved(options or {}), only=OF_INTERACTIONS
        )
    return frame.set_index("customer_id")


def features(interactions: str, **more: Any) -> pd.Series:
    """The same of customer A."""
    return features_of_all(interactions, **more).drop(columns=["as_of", "segment"]).loc["A"].astype("float64")


def test_fe_02_inquiries_that_fell_from_6_to_3_are_down_by_half():
    days = [10, 45, 90, 91, 100, 120, 150, 170, 180]
    row = features(log("channel", *((ago, "inquiry") for ago in days), (3, "visit"), (181, "inquiry")))
    assert row["inquiries_90d"] == 3
    assert row["inquiries_prior_90d"] == 6
    assert row["inquiries_change_share_90d"] == -0.5
    assert row["inquiries_30d"] == 1


def test_fe_02_without_the_source_inquiries_are_no_column_and_without_the_channel_unknown():
    assert "inquiries_90d" not in {one.name for one in available({"transactions": ("amount",)})}
    untold = features(log("direction", (10, "inbound")))
    assert untold[["inquiries_90d", "inquiries_change_share_90d"]].isna().all()
    assert untold["interactions_90d"] == 1


def test_fe_02_the_change_is_unknown_where_there_was_none_before():
    row = features(log("channel", (10, "inquiry")))
    assert row["inquiries_90d"] == 1
    assert pd.isna(row["inquiries_change_share_90d"])


def test_a_customer_without_a_contact_has_none_once_the_log_has_begun_and_is_unknown_before():
    begun = features(log("channel direction"))
    assert begun[["interactions_30d", "interactions_90d", "inbound_interactions_90d", "visits_90d"]].eq(0).all()
    assert pd.isna(begun["days_since_last_interaction"])
    before = features(log("channel direction"), as_of=date(2022, 3, 1))
    assert before[["interactions_90d", "inquiries_90d"]].isna().all()


def test_a_contact_counts_to_the_last_day_of_its_window():
    at = {f"at_{ago}": [(ago, "inbound")] for ago in (30, 31, 90, 91)}
    found = features_of_all(log("direction", **at)).loc[list(at)]
    assert found["interactions_90d"].tolist() == [1, 1, 1, 0]
    assert found["inbound_interactions_90d"].tolist() == [1, 1, 1, 0]
    assert found["interactions_30d"].tolist() == [1, 0, 0, 0]


def test_a_contact_on_the_day_of_the_cutoff_is_not_yet_known():
    assert features(log("channel", (0, "visit"), (-3, "visit")))["visits_90d"] == 0


def test_contacts_are_set_against_the_year_before():
    days = [*range(5, 90, 20), *range(100, 456, 10)]  # 5 in the last 90 days, 36 in the 365 before
    row = features(log("channel", *((ago, "call") for ago in days)))
    assert row["calls_90d"] == 5
    assert row["calls_90d_usual"] == pytest.approx(36 * 90 / 365)
    assert row["interactions_90d_vs_usual"] == pytest.approx(6 / (36 * 90 / 365 + 1))
    assert row["interactions_90d_z"] < -1


def mail(days_ago: int, hours: float | None, role: str = "-", channel: str = "email") -> tuple[int, str]:
    """An outbound message and, that many hours later, its reply."""
    sent = pd.Timestamp(day(days_ago))
    replied = "-" if hours is None else (sent + pd.Timedelta(hours=hours)).isoformat()
    return days_ago, f"{channel} outbound {role} {replied}"


MAIL = "channel direction role replied_at"


def test_fe_03_replies_after_12_hours_instead_of_4_are_3_times_as_slow():
    before = [mail(ago, hours) for ago, hours in ((100, 3), (200, 4), (300, 5))]
    row = features(log(MAIL, *before, mail(60, 11), mail(40, 12), mail(20, 13)))
    assert row["reply_hours_90d"] == 12
    assert row["reply_hours_90d_usual"] == 4
    assert row["reply_hours_90d_vs_usual"] == 3.0


def test_fe_03_unanswered_messages_count_with_their_wait_so_far():
    answered = [mail(50, 2), mail(45, 4)]
    assert features(log(MAIL, *answered))["reply_hours_90d"] == 3
    waiting = features(log(MAIL, *answered, mail(10, None), mail(5, None)))
    # 2 and 4 hours, and since 10 o'clock 9 and 4 days ago: 230 and 110 hours
    assert waiting["reply_hours_90d"] == (4 + 110) / 2
    assert waiting["answered_share_90d"] == 0.5


def test_fe_03_a_reply_is_unknown_before_it_came():
    written = log(MAIL, mail(50, 2), mail(2, 72))
    early, late = features(written), features(written, as_of=AS_OF + timedelta(days=2))
    assert early["answered_share_90d"] == 0.5
    assert early["reply_hours_90d"] == (2 + 38) / 2
    assert late["answered_share_90d"] == 1
    assert late["reply_hours_90d"] == (2 + 72) / 2


def test_fe_03_a_wait_beyond_the_limit_counts_as_the_limit():
    written = log(MAIL, mail(80, None), mail(70, 1000), mail(60, None))
    assert features(written)["reply_hours_90d"] == 30 * 24
    assert features(written, options={"reply_limit_days": 2})["reply_hours_90d"] == 48


def test_fe_03_only_channels_that_wait_for_a_reply_are_messages():
    written = log(MAIL, mail(50, 2), mail(40, None, channel="visit"), mail(30, 6, channel="call"))
    assert features(written)["reply_hours_90d"] == 2
    assert features(written, options={"reply_channels": ["email", "call"]})["reply_hours_90d"] == 4
    inbound = log(MAIL, (20, f"email inbound - {day(10)}"))
    assert features(inbound)[["reply_hours_90d", "answered_share_90d"]].isna().all()


def test_fe_18_the_delay_of_technical_replies_is_told_apart():
    before = [mail(ago, 4, "technical") for ago in (100, 200, 300)]
    row = features(log(MAIL, *before, mail(80, 1, "purchasing"), mail(60, 12, "technical"), mail(20, 2, "purchasing")))
    assert row["technical_reply_hours_90d"] == 12
    assert row["technical_reply_hours_90d_usual"] == 4
    assert row["technical_reply_hours_90d_vs_usual"] == 3.0
    assert row["reply_hours_90d"] == 2


def test_fe_09_attempts_without_a_sign_of_life_are_counted_since_the_last_one():
    written = log(
        "channel direction replied_at attended result",
        (100, "email outbound - - -"),
        (60, "call inbound - - -"),
        (40, "email outbound - - -"),
        (30, "visit outbound - - unsuccessful"),
        (20, "event outbound - false -"),
        (10, "visit outbound - - -"),
    )
    row = features(written)
    assert row["attempts_since_last_response"] == 3
    assert row["waiting_days"] == 40
    assert row["days_since_last_response"] == 60
    answered = features(written + f"\nA last {day(5)} meeting outbound - true -")
    assert answered[["attempts_since_last_response", "waiting_days"]].eq(0).all()
    assert answered["days_since_last_response"] == 5


def test_fe_10_a_reply_every_15_days_instead_of_7_is_an_interval_2_14_times_as_long():
    recent = [(ago, f"email outbound {day(ago, '11:00')}") for ago in range(5, 96, 15)]
    before = [(ago, "call inbound -") for ago in range(102, 430, 7)]
    row = features(log("channel direction replied_at", *recent, *before, (2, "email outbound -")))
    assert row["response_gap_days_90d"] == 15
    assert row["response_gap_days_90d_usual"] == 7
    assert row["response_gap_days_90d_vs_usual"] == 15 / 7
    assert row["response_gap_median_days"] == 7
    assert row["days_since_last_response_vs_usual"] == 5 / 7


def test_fe_10_an_outbound_contact_counts_on_the_day_of_its_reply_and_once_a_day():
    written = log(
        "channel direction replied_at",
        (40, "call inbound -"),
        (40, "email inbound -"),
        (35, f"email outbound {day(10)}"),
        (30, "email outbound -"),
    )
    assert features(written)["response_gap_days_90d"] == 30
    assert pd.isna(features(written, as_of=AS_OF - timedelta(days=10))["response_gap_days_90d"])


def test_fe_19_one_of_four_meetings_attended_instead_of_all_four():
    before = [(ago, "true true") for ago in (120, 200, 300, 400)]
    recent = [
        (80, "true true"),
        (60, "true false"),
        (40, "true false"),
        (20, "true false"),
        (10, "true -"),
        (9, "false -"),
        (8, "false true"),
    ]
    row = features(log("invited attended", *before, *recent))
    assert row["attended_share_90d"] == 0.25
    assert row["attended_share_90d_usual"] == 1
    assert row["attended_share_90d_vs_usual"] == -0.75


def test_dm_11_the_last_contact_was_12_days_ago():
    row = features(log("channel", (40, "visit"), (12, "call")))
    assert row["days_since_last_interaction"] == 12
    assert features(log("channel", (700, "visit")))["days_since_last_interaction"] == 700


def test_dm_21_the_last_visit_and_the_days_not_visited():
    row = features(log("channel", (40, "visit"), (90, "visit"), (12, "call")))
    assert row["days_since_last_visit"] == 40
    assert row["visit_gap_median_days"] == 50
    never = features(log("channel", (12, "call")))
    assert never[["days_since_last_visit", "days_since_last_visit_vs_target"]].isna().all()


def test_fe_36_an_account_of_rank_a_not_visited_for_28_days_is_at_twice_its_target():
    written, ranked = log("channel", (28, "visit"), (68, "visit")), "customer_id rank\nA A\nB B"
    row = features(written, customers=ranked)
    assert row["visit_target_days"] == 14
    assert row["days_since_last_visit_vs_target"] == 2.0
    wider = features(written, customers=ranked, options={"visit_target_days_a": 28})
    assert wider["days_since_last_visit_vs_target"] == 1.0
    changed = features(
        written, customers=ranked, account_changes=f"customer_id changed_at field old new\nA {day(100)} rank A C"
    )
    assert changed["visit_target_days"] == 60


def test_fe_36_without_a_rank_the_target_is_the_customer_s_own_usual_gap():
    row = features(log("channel", (60, "visit"), (80, "visit"), (110, "visit"), (140, "visit")))
    assert row["visit_target_days"] == 30
    assert row["days_since_last_visit_vs_target"] == 2.0


# Who is in touch


def by_role(**counts: tuple[int, int]) -> list[tuple[int, str]]:
    """Contacts by role: so many in the last 90 days, so many in the 90 before.

    In a log of 180 days what is usual in 90 is what was in the 90 before.
    """
    rows = []
    for role, (recent, before) in counts.items():
        rows += [(1 + number * 5, f"{role} inbound") for number in range(recent)]
        rows += [(91 + number * 5, f"{role} inbound") for number in range(before)]
    return rows


def test_dm_18_contacts_are_counted_by_role_and_those_without_one_are_unknown():
    roles = ["technical", "technical", "purchasing", "user", "executive", "-"]
    row = features(log("role", *((10 + number, role) for number, role in enumerate(roles))))
    assert row["technical_interactions_90d"] == 2
    assert row[[f"{role}_interactions_90d" for role in ("purchasing", "user", "executive")]].eq(1).all()
    assert row["unknown_role_interactions_90d"] == 1
    assert row["unknown_role_share_365d"] == pytest.approx(1 / 6)


def test_dm_18_a_contact_has_the_role_that_the_person_held_on_the_day_as_known_at_the_cutoff():
    people = f"""
    customer_id contact_id role       valid_from  valid_to    recorded_at
    A           p1         technical  {day(300)}  {day(50)}   {day(300)}
    A           p1         executive  {day(49)}   -           {day(20)}
    A           p2         user       -           -           {day(5)}
    B           p3         purchasing -           -           {day(300)}
    A           p4         executive  {day(300)}  -           {day(300)}
    A           p4         user       {day(100)}  -           {day(100)}
    """
    written = log(
        "contact_id role",
        (60, "p1 -"),
        (50, "p1 -"),
        (40, "p1 -"),
        (30, "p2 -"),
        (29, "p2 executive"),
        (28, "p3 -"),
        (27, "p4 -"),
    )
    row = features(written, contacts=people)
    shown = ["technical", "executive", "user", "purchasing", "unknown_role"]
    assert row[[f"{role}_interactions_90d" for role in shown]].tolist() == [2, 2, 2, 0, 1]
    then = features(written, contacts=people, as_of=AS_OF - timedelta(days=25))
    assert then[[f"{role}_interactions_90d" for role in shown]].tolist() == [2, 1, 1, 0, 3]
    assert row["people_in_touch_90d"] == 4


def test_dm_18_while_no_role_is_known_the_count_of_none_is():
    row = features(log("channel", (10, "visit")))
    assert row[["technical_interactions_90d", "executive_interactions_90d", "role_imbalance"]].isna().all()
    assert row["unknown_role_share_365d"] == 1


def test_fe_14_only_the_technical_team_has_cooled():
    row = features(log("role direction", *by_role(technical=(2, 10), purchasing=(10, 10)), begins=180))
    assert (row["technical_responses_90d"], row["technical_responses_90d_usual"]) == (2, 10)
    assert row["technical_team_cooled"] == 1
    assert row["purchasing_team_cooled"] == 0


def test_fe_14_messages_count_for_a_team_only_when_they_are_answered():
    silent = [(10 + number, f"technical outbound email {day(9) if number < 2 else '-'}") for number in range(8)]
    before = [(91 + number * 5, f"technical outbound email {day(91 + number * 5, '18:00')}") for number in range(10)]
    row = features(log("role direction channel replied_at", *silent, *before, begins=180))
    assert row["technical_interactions_90d"] == 8
    assert row["technical_responses_90d"] == 2
    assert row["technical_team_cooled"] == 1


def test_fe_20_quarterly_meetings_with_executives_missed_twice_leave_a_gap_of_270_days():
    row = features(log("role", (450, "executive"), (360, "executive"), (270, "executive"), (3, "user")))
    assert row["days_since_last_executive_interaction"] == 270
    assert row["executive_gap_max_days"] == 270
    assert row["executive_gap_median_days"] == 90
    assert row["days_since_last_executive_interaction_vs_usual"] == 3.0
    assert row["executive_interactions_90d"] == 0


def test_fe_33_one_role_down_by_70_percent_beside_a_normal_one_is_an_imbalance():
    found = features_of_all(
        log(
            "role direction",
            begins=180,
            down_70=by_role(technical=(3, 10), purchasing=(10, 10)),
            down_60=by_role(technical=(4, 10), purchasing=(10, 10)),
            both_down=by_role(technical=(3, 10), purchasing=(3, 10)),
            other_down_40=by_role(technical=(3, 10), purchasing=(6, 10)),
            other_down_30=by_role(technical=(3, 10), purchasing=(7, 10)),
            too_few=by_role(technical=(1, 4), purchasing=(10, 10)),
        )
    )
    flagged = found["role_imbalance"].drop("B")
    assert flagged.drop("A").to_dict() == {
        "down_70": 1,
        "down_60": 0,
        "both_down": 0,
        "other_down_40": 0,
        "other_down_30": 1,
        "too_few": 0,
    }
    assert found.loc["down_70", "weakest_role_interactions_90d_vs_usual"] == 0.3
    assert found.loc["too_few", "weakest_role_interactions_90d_vs_usual"] == 1


def test_fe_33_the_limits_can_be_set():
    rows = by_role(technical=(4, 10), purchasing=(10, 10), user=(1, 3))
    written = log("role direction", *rows, begins=180)
    assert features(written, options={"role_fall_share": 0.6})["role_imbalance"] == 1
    assert features(written, options={"role_min_interactions": 3})["role_imbalance"] == 0
    assert features(written, options={"role_min_interactions": 3, "role_fall_share": 0.65})["role_imbalance"] == 1
