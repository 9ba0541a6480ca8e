"""Notices in words and into a folder: each once, one repeat after a death, dead ones in sight, no names."""

import json
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from listed import one
from served import DAY

from features.errors import SettingsError, StoreError
from pipelines import cli
from pipelines.notice_sections import Notices
from pipelines.notify import FolderSink, Notified, file_name, notify
from pipelines.settings import Settings
from serving.day_records import Notice
from serving.decision import NEW_WARNINGS, TOLD_OF_TASKS
from serving.list_rows import NONE
from serving.lists import EMPTY, morning
from serving.notices import DIGEST, UnknownNotice, deliver, digests, words
from serving.outbox import ATTEMPTS, Leased, enqueue
from serving.store import Store

pytest_plugins = ["served_company"]

TEN = datetime(2024, 7, 1, 10, tzinfo=UTC)
NEW = Notice("Ann", NEW_WARNINGS, DAY, {"warnings": [{"customer_id": "K-AOKI", "episode_id": "e", "level": "orange"}]})
TASK = {"task_id": "t", "customer_id": "K-AOKI", "kind": "risk_high", "due_on": DAY + timedelta(days=3)}
TOLD = Notice("mara", TOLD_OF_TASKS, DAY, {"tasks": [TASK, TASK]})


@pytest.fixture
def out(published: Path, tmp_path: Path) -> Path:
    """What `kizashi score` left, of the test's own, with a notice of each kind that a run decides."""
    place = tmp_path / "var"
    shutil.copytree(published, place)
    put(place, NEW, TOLD)
    return place


def opened(out: Path) -> Store:
    return Store.open(f"sqlite:///{out / 'kizashi.db'}")


def put(out: Path, *notices: Notice) -> None:
    with opened(out) as store, store.writing() as connection:
        enqueue(connection, notices, TEN)


def run(out: Path, to: Path, at: datetime = TEN, **more: Any) -> Notified:
    names = more.pop("names", False)
    return notify(Settings(notices=Notices(names=names)), out, to, clock=lambda: at, **more)


def written(folder: Path) -> dict[str, dict[str, Any]]:
    assert [path.name for path in folder.iterdir() if path.suffix != ".json"] == [], "nothing half-written is left"
    told = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())]
    return {notice["dedupe_key"]: notice for notice in told}


def states(out: Path) -> dict[str, str]:
    with opened(out) as store:
        rows = store.notices()
    return dict(zip(rows["dedupe_key"], rows["state"], strict=True))


def test_op_02_every_notice_is_written_into_the_folder_with_payload_and_words(out: Path, tmp_path: Path) -> None:
    found = run(out, tmp_path / "sink")
    told = written(tmp_path / "sink")
    assert set(told) == {NEW.dedupe_key, TOLD.dedupe_key, f"{DAY}/digest/Ann", f"{DAY}/digest/Bob"}
    assert set(found.delivered.sent) == set(told)
    assert set(states(out).values()) == {"sent"}
    new = told[NEW.dedupe_key]
    assert (new["recipient"], new["kind"], new["as_of"], new["payload"]) == (
        "Ann", NEW_WARNINGS, str(DAY), NEW.payload
    )  # fmt: skip
    assert new["words"] == {"subject": f"1 new warning: {DAY}", "lines": ["K-AOKI: Orange"]}


def test_a_second_run_writes_nothing_again(out: Path, tmp_path: Path) -> None:
    run(out, tmp_path / "sink")
    shutil.rmtree(tmp_path / "sink")
    again = run(out, tmp_path / "sink", TEN + timedelta(hours=3))
    assert (again.digests, again.delivered.sent, written(tmp_path / "sink")) == (0, [], {})


def test_wf_12_a_digest_has_red_yellow_and_tasks_in_this_order_and_an_empty_section_says_none(
    out: Path, tmp_path: Path
) -> None:
    run(out, tmp_path / "sink")
    told = written(tmp_path / "sink")
    sections = told[f"{DAY}/digest/Ann"]["payload"]["sections"]
    assert [section["code"] for section in sections] == ["red", "yellow", "tasks"]
    assert told[f"{DAY}/digest/Ann"]["words"]["lines"] == [
        "Red list, to be dealt with this week: 1",
        "  K-AOKI, by 2024-07-07",
        "Yellow list, to be dealt with this month: none",
        "Tasks of today and this week: none",
    ]
    assert [section.get("says") for section in told[f"{DAY}/digest/Bob"]["payload"]["sections"]] == ["none"] * 3


def test_no_name_leaves_the_house_unless_the_settings_say_so(out: Path, tmp_path: Path) -> None:
    run(out, tmp_path / "sink")
    assert "Aoki Works" not in "".join(path.read_text() for path in (tmp_path / "sink").iterdir())


def test_names_are_in_the_words_where_the_settings_say_so(out: Path, tmp_path: Path) -> None:
    run(out, tmp_path / "sink", names=True)
    assert written(tmp_path / "sink")[NEW.dedupe_key]["words"]["lines"] == ["Aoki Works: Orange"]


def test_a_day_s_tasks_are_told_by_their_titles() -> None:
    told = words(TOLD)
    assert told.subject == f"2 tasks to know of: {DAY}"
    assert len(told.lines) == 2
    assert told.lines[0].startswith("[Priority] K-AOKI")
    assert told.lines[0].endswith(", due 2024-07-04")
    assert "Aoki Works" in words(TOLD, {"K-AOKI": "Aoki Works"}).lines[0]


def test_a_follow_up_says_what_is_due_and_when() -> None:
    due = [DAY - timedelta(days=2), DAY, DAY + timedelta(days=2)]
    tasks = {"task_id": ["a", "b", "c"], "customer_id": "A", "kind": "order_late", "owner": "Ann", "state": "open"}
    profile = one(name="Secret Ltd", next_action_on=DAY, next_action_text="call Mr Secret", last_contact_on=None)
    today = morning(profile, None, DAY, tasks=pd.DataFrame({**tasks, "due_on": due}))
    [told] = digests(today, ["Ann", "Ann", NONE, ""])
    assert words(told).subject == "Your day: 2024-07-01"
    assert words(told).lines[-5:] == (
        "Tasks of today and this week: 4",
        "  [To check] A's order is late, overdue since 2024-06-29",
        "  [To check] A's order is late, due today",
        "  A: planned action, due today",
        "  [To check] A's order is late, due 2024-07-03",
    )
    assert "Secret" not in json.dumps(told.payload)
    assert [section.get("says") for section in told.payload["sections"]] == [EMPTY, EMPTY, None]


class Died(BaseException):
    """What a killed process does not say."""


def test_who_dies_after_writing_writes_that_one_again_once_and_no_other(out: Path, tmp_path: Path) -> None:
    sent: list[str] = []

    def send(leased: Leased) -> None:
        FolderSink(tmp_path)(leased)
        sent.append(leased.dedupe_key)

    def die(leased: Leased) -> None:
        send(leased)
        raise Died

    with opened(out) as store:
        with pytest.raises(Died):
            deliver(store.outbox, die, by="d1", clock=lambda: TEN)
        deliver(store.outbox, send, by="d2", clock=lambda: TEN + timedelta(seconds=59))
        deliver(store.outbox, send, by="d2", clock=lambda: TEN + timedelta(seconds=60))
        deliver(store.outbox, send, by="d2", clock=lambda: TEN + timedelta(hours=9))
    assert sorted(sent) == sorted([sent[0], NEW.dedupe_key, TOLD.dedupe_key])
    assert len(list(tmp_path.glob("*.json"))) == 2, "the same notice is the same file"


def test_what_cannot_be_written_is_tried_later_and_given_up_in_sight(out: Path, tmp_path: Path) -> None:
    sink = tmp_path / "sink"
    (sink / file_name(NEW.dedupe_key)).mkdir(parents=True)
    at = TEN
    first = run(out, sink)
    assert list(first.delivered.failed) == [NEW.dedupe_key]
    assert first.dead == {}
    assert run(out, sink, TEN + timedelta(seconds=59)).delivered.failed == {}, "it waits a minute"
    for _ in range(ATTEMPTS - 1):
        at += timedelta(hours=2)
        last = run(out, sink, at)
    assert list(last.delivered.dead) == list(last.dead) == [NEW.dedupe_key]
    assert list(run(out, sink, at + timedelta(days=1)).dead) == [NEW.dedupe_key], "it stays in sight"
    (sink / file_name(NEW.dedupe_key)).rmdir()
    mended = run(out, sink, at + timedelta(days=1), revive=True)
    assert (mended.revived, mended.delivered.sent, mended.dead) == (1, [NEW.dedupe_key], {})


@pytest.mark.parametrize(
    "strange",
    [
        Notice("Ann", "gossip", DAY, {}),
        Notice("Ann", NEW_WARNINGS, DAY, {"warnings": [{"level": "red"}]}),
        Notice("Ann", TOLD_OF_TASKS, DAY, {"tasks": [{**TASK, "kind": "dance"}]}),
        Notice("Ann", DIGEST, DAY, {"sections": None}),
    ],
)
def test_a_notice_that_nobody_can_word_is_given_up_at_once_and_holds_up_no_other(
    published: Path, tmp_path: Path, strange: Notice
) -> None:
    with pytest.raises(UnknownNotice, match="Nobody can word it"):
        words(strange)
    out = tmp_path / "var"
    shutil.copytree(published, out)
    put(out, Notice("mara", strange.kind, strange.as_of, strange.payload), TOLD if strange.kind != TOLD.kind else NEW)
    found = run(out, tmp_path / "sink")
    assert len(found.dead) == 1
    assert len(found.delivered.sent) == 3


@pytest.mark.parametrize("recipient", ["../../etc/passwd", "a/b", ".", "名前" * 60, "x" * 300, "C:\\kim"])
def test_whoever_it_is_for_its_file_is_in_the_folder(tmp_path: Path, recipient: str) -> None:
    notice = Notice(recipient, NEW_WARNINGS, DAY, {"warnings": []})
    FolderSink(tmp_path)(Leased(notice, 1, TEN))
    [path] = tmp_path.iterdir()
    assert path.parent == tmp_path
    assert len(path.name.encode()) < 255
    assert json.loads(path.read_text(encoding="utf-8"))["recipient"] == recipient


def test_two_keys_never_share_a_file() -> None:
    long = "x" * 300
    keys = ["a/b", "a%2Fb", "a.b", long + "1", long + "2"]
    assert len({file_name(key) for key in keys}) == len(keys)


def test_before_the_first_score_and_without_a_folder_there_is_one_line(out: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store yet; score a day first"):
        run(tmp_path / "nowhere", tmp_path / "sink")
    Store.open(f"sqlite:///{tmp_path / 'empty' / 'kizashi.db'}").close()
    with pytest.raises(StoreError, match=r"nothing is published yet.*kizashi score"):
        run(tmp_path / "empty", tmp_path / "sink")
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="Give a folder that can be written"):
        run(out, tmp_path / "file")


@pytest.mark.usefixtures("out")
def test_the_command_says_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # noqa: TID251
    monkeypatch.setattr(cli, "_leave", sys.exit)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["kizashi", "notify", "--to", "sink", "--revive"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        "0 notices that were given up are tried again. 2024-07-01: 4 notices written into sink, 2 of them new digests."
    )
    assert len(written(tmp_path / "sink")) == 4
