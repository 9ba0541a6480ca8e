"""What is kept in mind of the company is what would be made of the store anew, whatever has been entered since."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from desk_book import ADMIN, ANN, CUSTOMERS, MOVES, NOBODYS, Anew, Book, compare, same

from features.errors import SettingsError
from serving.access import Caller
from serving.api_data import (
    customer_of,
    four_lists,
    listed,
    open_tasks,
    open_warnings,
    room,
)
from serving.api_errors import Refused
from serving.api_visit import Visit
from serving.kept import Kept
from serving.ledger import SYSTEM, Event
from serving.list_register import VIEWS
from serving.list_rows import Choice
from serving.lists import LISTS

SEEDS, LOOKS = 4, 20


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_kept_is_what_would_be_made_anew(tmp_path: Path, seed: int) -> None:
    book = Book(tmp_path / "kizashi.db", seed)
    done = set()
    for number in range(LOOKS):
        names = book.chance.sample(list(VIEWS), 3)
        compare(book, names, (ADMIN, ANN, NOBODYS)[number % 3])
        done.add(book.move())
        if book.chance.random() < 0.4:  # several moves between two looks
            done.add(book.move())
    for caller in (ADMIN, ANN):
        compare(book, list(VIEWS), caller)
    assert len(done) > len(MOVES) / 2
    book.close()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(tmp_path / "kizashi.db", 1)
    yield made
    made.close()


@pytest.mark.parametrize("most", [1, 2, 15])
def test_the_room_of_a_day_is_that_of_all_tasks_and_of_the_whole_red_list(book: Book, most: int) -> None:
    object.__setattr__(book.service, "limits", replace(book.service.limits, most_per_person=most))
    for _ in range(6):
        anew = Anew(book, ADMIN).room(most)
        kept = room(book.visit(ANN), book.day)
        same(kept.shown, anew.shown)
        same(kept.left, anew.left)
        book.asleep()
        book.more()


def test_tasks_and_warnings_are_those_of_the_store_for_whoever_may_see_them(book: Book) -> None:
    for _ in range(5):
        for caller in (ADMIN, ANN):
            visit, anew = book.visit(caller), Anew(book, caller)
            whole = book.served.tasks(state="open", due_until=book.day, awake_on=book.day).rows
            mine = whole["task_id"].isin(anew.tasks()["task_id"])
            same(open_tasks(visit, due_until=book.day, awake_on=book.day), whole[mine].reset_index(drop=True))
            warned = book.served.episodes(is_open=True).rows
            same(open_warnings(visit), warned[warned["customer_id"].isin(anew.profile["customer_id"])])
        book.asleep()
        book.done()
        book.more()


def test_one_customer_is_looked_up_by_those_who_may_see_it(book: Book) -> None:
    profile = Anew(book, ADMIN).profile
    for customer, owner in zip(profile["customer_id"], profile["owner"], strict=True):
        same(customer_of(book.visit(ADMIN), customer)[1], profile[profile["customer_id"] == customer])
        if owner == "Ann":
            assert customer_of(book.visit(ANN), customer)[1]["customer_id"].tolist() == [customer]
        else:
            with pytest.raises(Refused):
                customer_of(book.visit(ANN), customer)
    with pytest.raises(Refused):
        customer_of(book.visit(ADMIN), "nobody")


def test_an_event_about_somebody_whom_the_day_does_not_know_changes_no_list(book: Book) -> None:
    visit = book.visit(ADMIN)
    before = four_lists(visit, Choice())
    task = {
        "kind": "call_back", "cause": "x", "team": "sales", "owner": "Ann", "created_on": book.day,
        "due_on": book.day, "facts": {"name": "x"}, "checklist": [], "needs": [], "state": "open",
    }  # fmt: skip
    book.writing([Event("task_created", SYSTEM, book.now, task, "gone long ago", None, "t-gone")])
    after = four_lists(book.visit(ADMIN), Choice())
    for name in LISTS:
        same(after.lists[name], before.lists[name])
    assert "t-gone" in set(open_tasks(book.visit(ADMIN))["task_id"])
    assert "t-gone" in set(open_tasks(book.visit(ANN))["task_id"]), "it is her own"
    with pytest.raises(Refused):
        customer_of(visit, "gone long ago")


def test_readers_and_writers_at_once_see_whole_lists(book: Book) -> None:
    wrong: list[BaseException] = []
    over = threading.Event()

    def read(caller: Caller) -> None:
        try:
            while not over.is_set():
                morning_now = four_lists(book.visit(caller), Choice(level="red"))
                ids = [one for rows in morning_now.lists.values() for one in rows["customer_id"]]
                assert set(ids) <= {f"C{number:02d}" for number in range(CUSTOMERS)}
                listed(book.visit(caller), "risk_list", Choice(owner="Ann"))
        except BaseException as fault:
            wrong.append(fault)

    readers = [threading.Thread(target=read, args=(caller,)) for caller in (ADMIN, ANN, ADMIN)]
    for reader in readers:
        reader.start()
    for number in range(25):
        book.update() if number % 8 else book.next_day()
    over.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    compare(book, ["risk_list", "updated"], ADMIN)


def test_while_somebody_only_reads_the_company_stays_as_it_was_at_the_first_look(book: Book) -> None:
    reading = Visit(book.service, ADMIN, book.now, "GET /")
    acting = Visit(book.service, ADMIN, book.now, "POST /")
    first, before = reading.look.company.number, acting.look.company.number
    book.update()
    assert reading.look.company.number == first
    assert acting.look.company.number > before
    assert Visit(book.service, ADMIN, book.now, "GET /").look.company.number == acting.look.company.number


def test_a_choice_of_what_is_no_column_names_those_that_are(book: Book) -> None:
    with pytest.raises(SettingsError, match=r"no fields \['colour'\].*'temperature'"):
        four_lists(book.visit(ADMIN), Choice(fields={"colour": "red"}))


def test_what_was_asked_for_least_lately_is_forgotten() -> None:
    kept, made = Kept(2), []

    def make(key: str) -> Callable[[], str]:
        return lambda: made.append(key) or key  # type: ignore[func-returns-value]

    for key in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(key, make(key)) == key
    assert made == ["a", "b", "c", "b"]
