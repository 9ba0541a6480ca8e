"""The history of the champion: every change is on record, whatever kills the process that makes it."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest

from features.errors import ArtefactError
from models.history import Change, champions
from models.tracking import Tracking

WHEN = datetime(2026, 9, 1, 6, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def three_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A register with three versions, of which the third is the challenger and none the champion."""
    base = tmp_path_factory.mktemp("history")
    (base / "model").mkdir()
    (base / "model" / "manifest.json").write_text("{}")
    register = Tracking(base / "register")
    for name in ("2026-07-01", "2026-08-01", "2026-09-01"):
        register.log_training(
            name=name,
            params={},
            data_fingerprint="5f",
            folds=pd.DataFrame({"auc": [0.8]}),
            metrics=[],
            figures={},
            model=base / "model",
            alias="challenger",
            texts={"card.md": f"# {name}\n"},
            tables={"standing": pd.DataFrame({"contestant": ["cycle"]})},
            tags={"note": name},
        )
    return base / "register"


@pytest.fixture
def folder(three_versions: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(three_versions, tmp_path / "register"))


def change(before: int | None, after: int | None, what: str = "promoted", why: str = "better", **further) -> Change:
    return Change(WHEN, "yuki", what, why, before, after, after, **further)  # type: ignore[arg-type]


def aliases(folder: Path) -> dict[int, tuple[str, ...]]:
    return {version.number: version.aliases for version in Tracking(folder).versions() if version.aliases}


def test_a_promotion_moves_the_alias_and_says_who_and_why(folder: Path) -> None:
    register = Tracking(folder)
    assert register.history() == []
    register.move_champion(change(None, 2, findings=("loads",)))
    register.move_champion(change(2, 3, why="besser im Herbst, 兆し"))
    assert aliases(folder) == {3: ("champion",)}  # no longer a challenger
    assert Tracking(folder).history() == [
        change(None, 2, findings=("loads",)),
        change(2, 3, why="besser im Herbst, 兆し"),
    ]


def test_files_and_notes_of_a_training_are_kept_with_its_version(folder: Path) -> None:
    newest = Tracking(folder).versions()[0]
    assert (newest.name, newest.tags["note"]) == ("2026-09-01", "2026-09-01")
    assert (newest.folder.parent / "card.md").read_text(encoding="utf-8") == "# 2026-09-01\n"
    assert (newest.folder.parent / "standing.csv").read_text() == "contestant\ncycle\n"
    Tracking(folder).note(3, "gate", "passed")
    assert Tracking(folder).versions()[0].tags["gate"] == "passed"
    assert Tracking(folder).figures(3) == {}


@pytest.mark.parametrize("name", ["../card.md", "folds.csv", "model", "figures"])
def test_a_file_of_a_training_has_a_plain_name_of_its_own(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="plain name of its own"):
        Tracking(folder).log_training(
            name="x",
            params={},
            data_fingerprint="5f",
            folds=pd.DataFrame({"auc": [0.8]}),
            metrics=[],
            figures={},
            model=Tracking(folder).versions()[0].folder,
            alias="challenger",
            texts={name: "x"},
        )


def test_moments_are_kept_in_utc_whatever_zone_they_came_in() -> None:
    tokyo = datetime(2026, 9, 1, 15, 30, tzinfo=timezone(timedelta(hours=9)))
    line = Change(tokyo, "yuki", "promoted", "better", None, 1, 1)
    assert Change.from_json(line.to_json()).at == WHEN
    assert '"2026-09-01T06:30:00+00:00"' in line.to_json()
    with pytest.raises(ValueError, match="expected a moment with a time zone"):
        Change(datetime(2026, 9, 1), "yuki", "promoted", "better", None, 1, 1)  # noqa: DTZ001


class KilledBefore(Tracking):
    """Dies when the line stands in the history and the alias has not moved."""

    def _make(self, *_):
        raise KeyboardInterrupt


class KilledAfter(Tracking):
    """Dies when the alias has moved and the line is still pending."""

    def _make(self, client, _, change):
        client.set_registered_model_alias("kizashi", "champion", str(change.after))
        raise KeyboardInterrupt


@pytest.mark.parametrize("killed", [KilledBefore, KilledAfter])
def test_a_promotion_that_was_killed_is_finished_by_the_next_command(folder: Path, killed: type[Tracking]) -> None:
    Tracking(folder).move_champion(change(None, 1))
    with pytest.raises(KeyboardInterrupt):
        killed(folder).move_champion(change(1, 3))
    assert [line.pending for line in Tracking(folder).history()] == [False, True]
    if killed is KilledBefore:
        assert aliases(folder) == {1: ("champion",), 3: ("challenger",)}  # until then the old one is in use
    assert Tracking(folder).finish_moves() == [change(1, 3, pending=True)]
    assert aliases(folder) == {3: ("champion",)}
    assert Tracking(folder).history() == [change(None, 1), change(1, 3)]
    assert Tracking(folder).finish_moves() == []


def test_whoever_comes_next_finishes_the_move_before_making_one(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        KilledBefore(folder).move_champion(change(None, 1))
    Tracking(folder).move_champion(change(1, 2))
    assert aliases(folder) == {2: ("champion",), 3: ("challenger",)}
    assert [(line.before, line.after, line.pending) for line in Tracking(folder).history()] == [
        (None, 1, False),
        (1, 2, False),
    ]


def test_a_decision_upon_another_champion_than_the_present_one_is_refused(folder: Path) -> None:
    Tracking(folder).move_champion(change(None, 1))
    with pytest.raises(ArtefactError, match="the champion is version 1 and no longer 2"):
        Tracking(folder).move_champion(change(2, 3))
    with pytest.raises(ArtefactError, match="there is no version 9"):
        Tracking(folder).move_champion(change(1, 9))
    assert aliases(folder)[1] == ("champion",)
    assert len(Tracking(folder).history()) == 1


def test_lines_that_are_written_at_once_are_all_there(folder: Path) -> None:
    def write(name: str) -> None:
        for number in range(3):
            Tracking(folder).record(change(None, None, "data refused", f"{name}{number}"))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "ab"))
    assert sorted(line.why for line in Tracking(folder).history()) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_a_line_that_cannot_be_read_is_named_in_one_line(folder: Path) -> None:
    from mlflow import MlflowClient  # noqa: TID251 - damages what MLflow has stored

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db", f"sqlite:///{folder}/mlflow.db")
    client.set_registered_model_tag("kizashi", "history.000001", '{"who": "nobody"}')
    with pytest.raises(ArtefactError, match=r"a line that cannot be read .*restore the register") as caught:
        Tracking(folder).history()
    assert "\n" not in str(caught.value)


def test_what_moves_nothing_cannot_change_the_champion() -> None:
    with pytest.raises(ValueError, match="cannot change the version in use"):
        change(1, 2, "refused")
    with pytest.raises(ValueError, match="is none of"):
        change(1, 2, "swapped")


def test_a_rollback_takes_a_champion_away_and_the_next_one_goes_further_back() -> None:
    promoted = [change(None, 1), change(1, 2), change(2, 3)]
    assert champions(promoted) == [1, 2, 3]
    back = [*promoted, change(3, 2, "rolled back")]
    assert champions(back) == [1, 2]
    assert champions([*back, change(2, 1, "rolled back")]) == [1]
    assert champions([*back, change(2, 3, "forced"), change(3, 3, "refused")]) == [1, 2, 3]
    # before there was a history, version 4 was in use
    assert champions([change(4, 5)]) == [4, 5]
