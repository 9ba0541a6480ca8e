"""Documents, joint work, meetings, roadmaps and milestones: what each says at a cutoff, counted by hand."""

import math
from datetime import date, timedelta

import pytest
from orders import features_of, lines, snapshots_of

JULY_1 = date(2024, 7, 1)
#: A customer of more than three years.
ORDERS = "customer_id order_id ordered_at amount\nA 1 2021-01-01 100\nA 2 2024-06-20 100"
HEADER = "customer_id activity_id kind planned_at done_at status explanation level\n"
#: Another customer's: activities have been written down since 2021.
BEGUN = "B 0 roadmap 2021-01-01 2021-01-01 done - -\n"


def partnered(rows, as_of=JULY_1, **options):
    return features_of(ORDERS, as_of, options=options, partnerships=HEADER + BEGUN + rows.strip())


def each_partnered(rows_of):
    """The features of several customers of the same past, in their order, from the rows of each."""
    orders = "\n".join([ORDERS, *(ORDERS.split("\n", 1)[1].replace("A ", f"{who} ") for who in rows_of)])
    rows = "\n".join(row.replace("A ", f"{who} {who}", 1) for who, own in rows_of.items() for row in own.splitlines())
    frame = snapshots_of(lines(orders), [JULY_1], partnerships=lines(HEADER + BEGUN + rows))
    return frame.set_index("customer_id").loc[list(rows_of)]


def requests(level, *days):
    return "".join(f"A r{day} document_request {day} - - - {level}\n" for day in days)


def test_fe_24_requests_of_level_3_that_fall_from_five_to_none_bring_the_depth_down():
    row = partnered(requests("3", *(f"2024-0{month}-20" for month in (1, 2, 3)), "2023-12-20", "2023-11-20"))
    assert row["document_depth_90d"] == 0
    assert row["document_depth_90d_usual"] == pytest.approx(15 * 90 / 365)
    assert row["document_depth_90d_vs_usual"] == pytest.approx(1 / (15 * 90 / 365 + 1))
    assert row["document_depth_90d_z"] < 0


def test_fe_24_the_level_of_a_request_is_the_number_that_it_begins_with_else_it_counts_once():
    levels = {"3": 3, "Level-3": 3, "2:drawings": 2, "-": 1, "drawings_of_2019": 1}
    days = ("2024-06-01", "2024-06-30", "2024-07-01")
    found = each_partnered({f"C{number}": requests(level, *days) for number, level in enumerate(levels)})
    assert found["document_depth_90d"].tolist() == [2 * depth for depth in levels.values()]


def test_fe_24_documents_joint_research_and_joint_marketing_are_told_apart():
    rows = """
    A 1 joint_rnd       2024-05-01 2024-05-02 done    - -
    A 2 joint_rnd       2024-06-01 -          planned - -
    A 3 joint_marketing 2024-05-01 2024-07-01 done    - -
    A 4 joint_marketing 2024-02-01 2024-02-01 done    - -
    A 5 joint_marketing 2024-03-01 2024-03-01 done    - -
    """
    names = ["document_depth_90d", "joint_rnd_180d", "joint_marketing_180d"]
    assert partnered(rows)[names].tolist() == [0, 1, 2]
    assert partnered(rows, date(2024, 7, 2))[names].tolist() == [0, 1, 3], "the fair of May took place on 1 July"


def test_fe_41_a_strategy_meeting_postponed_or_cancelled_counts_one_each_and_one_held_or_to_come_none():
    rows = """
    A 1 strategy_meeting 2024-06-01 -          postponed - -
    A 2 strategy_meeting 2024-05-01 2024-05-01 done      - -
    A 3 joint_rnd        2024-05-01 -          cancelled - -
    A 4 strategy_meeting 2024-07-01 -          cancelled - -
    """
    names = [f"strategy_meetings_put_off_365d{view}" for view in ("", "_usual", "_vs_usual")]
    assert partnered(rows)[names].tolist() == [1, 0, 2]
    assert partnered(rows, date(2024, 7, 2))[names].tolist() == [2, 0, 3]


def roadmaps(*days):
    return "".join(f"A m{day} roadmap {day} {day} done - -\n" for day in days)


ROADMAP = ["days_since_roadmap", "roadmap_gap_median_days", "roadmap_sharing_stopped"]


def test_fe_41_sharing_of_roadmaps_has_stopped_when_the_last_is_older_than_the_own_usual_gap():
    shared = {
        "yearly_13_months_ago": ("2021-06-01", "2022-06-01", "2023-06-01"),
        "yearly_17_days_late": ("2021-06-15", "2022-06-15", "2023-06-15"),
        "monthly_2_months_ago": ("2024-03-01", "2024-03-31", "2024-04-30"),
        "monthly_in_time": ("2024-04-19", "2024-05-19", "2024-06-18"),
        "no_habit_yet": ("2023-06-01",),
    }
    found = each_partnered({who: roadmaps(*days) for who, days in shared.items()})[ROADMAP]
    assert found[:-1].to_numpy().tolist() == [[396, 365, 1], [382, 365, 0], [62, 30, 1], [13, 30, 0]]
    assert found.loc["no_habit_yet"].isna().tolist() == [False, True, True]


def test_fe_41_the_patience_with_roadmaps_can_be_set_and_a_planned_one_is_not_shared():
    rows = f"{roadmaps('2021-06-01', '2022-06-01', '2023-06-01')}A p roadmap 2024-06-01 - planned - -"
    assert partnered(rows)["roadmap_sharing_stopped"] == 1
    assert partnered(rows, roadmap_stopped_factor=1.5)["roadmap_sharing_stopped"] == 0
    assert partnered(rows)["days_since_roadmap_vs_usual"] == pytest.approx(396 / 365)


def test_fe_41_participation_in_joint_marketing_falls_against_the_own_usual():
    row = partnered(
        "".join(
            f"A {day} joint_marketing {day} {day} done - -\n"
            for day in ("2023-03-01", "2023-06-01", "2023-09-01", "2023-12-01")
        )
    )
    assert row["joint_marketing_180d"] == 0
    assert row["joint_marketing_180d_usual"] == pytest.approx(4 * 180 / 365)
    assert row["joint_marketing_180d_vs_usual"] == pytest.approx(1 / (4 * 180 / 365 + 1))


OVERDUE = ["overdue_milestones", "longest_overdue_milestone_days"]


def test_dm_20_a_milestone_due_31_days_ago_not_done_without_explanation_is_overdue_by_31_days():
    facts = {
        "planned": (31, "- planned -", [1, 31]),
        "no_status": (31, "- - -", [1, 31]),
        "postponed": (31, "- postponed -", [1, 31]),
        "30_days": (30, "- planned -", [0, 30]),
        "explained": (31, "- planned waiting_for_parts", [0, 0]),
        "cancelled": (31, "- cancelled -", [0, 0]),
        "done": (31, "2024-06-30 done -", [0, 0]),
        "done_later": (31, "2024-07-01 done -", [1, 31]),
    }
    rows = {who: f"A 1 joint_rnd {JULY_1 - timedelta(days=ago)} {told} -" for who, (ago, told, _) in facts.items()}
    found = each_partnered(rows)[OVERDUE]
    assert found.to_numpy().tolist() == [expected for _, _, expected in facts.values()]


def test_dm_20_the_days_of_patience_can_be_set_and_requests_for_documents_are_no_milestones():
    rows = "A 1 roadmap 2024-06-01 - planned - -\nA 2 document_request 2024-01-01 - - - 2"
    assert partnered(rows)[OVERDUE].tolist() == [0, 30]
    assert partnered(rows, overdue_milestone_days=29)[OVERDUE].tolist() == [1, 30]


def test_dm_20_a_table_of_milestones_without_a_status_is_enough_and_one_without_explanations_is_not():
    whole = """
    customer_id activity_id kind      planned_at done_at    explanation
    A           1           joint_rnd 2024-05-31 -          -
    A           2           joint_rnd 2024-01-01 2024-01-09 sick
    """
    row = features_of(ORDERS, JULY_1, partnerships=whole)
    assert row[OVERDUE].tolist() == [1, 31]
    assert math.isnan(row["strategy_meetings_put_off_365d"])
    less = "customer_id activity_id kind planned_at done_at\nA 1 joint_rnd 2024-05-31 -"
    assert features_of(ORDERS, JULY_1, partnerships=less)[OVERDUE].isna().all()
