"""Lists of words: those that come along, a user's additions and removals, and every mistake named."""

import pickle
from pathlib import Path

import pytest

from features.errors import SettingsError
from features.tokens import LANGUAGES
from features.wordlists import LISTS, Words

DOCS = Path(__file__).parents[1] / "docs" / "text.md"


def folder(tmp_path: Path, **files: str) -> Path:
    """A user's folder: en__deferral="..." is en/deferral.txt."""
    for name, text in files.items():
        path = tmp_path / "words" / f"{name.replace('__', '/')}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "words"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_list_but_names(language: str) -> None:
    lists = Words.load().lists[language]
    assert set(lists) == set(LISTS)
    assert [name for name in LISTS if not lists[name]] == ["name"]
    least = dict.fromkeys(("deferral", "refusal", "price_pressure", "competitor", "feature", "technical"), 50)
    assert {name: len(lists[name]) for name in least if len(lists[name]) < least[name]} == {}


@pytest.mark.parametrize(
    ("language", "list_name", "phrases"),
    [
        ("en", "deferral", {"maybe next time", "I'll consider it", "we will see", "no hurry"}),
        ("zh", "deferral", {"我们再看看", "不着急"}),
        ("ja", "deferral", {"また今度", "検討します", "考えておきます"}),
        ("en", "competitor", {"another supplier"}),
        ("zh", "competitor", {"别家"}),
        ("ja", "competitor", {"他社"}),
    ],
)
def test_the_phrases_that_were_asked_for_come_along(language: str, list_name: str, phrases: set[str]) -> None:
    assert phrases <= set(Words.load().lists[language][list_name])


def test_a_user_s_phrases_are_added_to_their_language_and_those_of_any_to_all(tmp_path: Path) -> None:
    extra = folder(tmp_path, en__deferral="# ours\n\nlet it rest\n", any__name="\ufeffAcme\r\n")
    lists = Words.load(extra).lists
    assert "let it rest" in lists["en"]["deferral"]
    assert "let it rest" not in lists["ja"]["deferral"]
    assert [lists[language]["name"] for language in LANGUAGES] == [("Acme",)] * 3
    assert "# ours" not in lists["en"]["deferral"]


def test_a_minus_takes_a_phrase_out_however_it_is_written(tmp_path: Path) -> None:
    extra = folder(tmp_path, en__deferral="-MAYBE  next time\n- I\u2019ll consider it\n", any__unit="-kg\nfurlong")
    words = Words.load(extra)
    assert {"maybe next time", "I'll consider it"}.isdisjoint(words.lists["en"]["deferral"])
    assert "kg" not in words.units
    assert "furlong" in words.units


def test_the_version_changes_with_the_lists_and_only_with_them(tmp_path: Path) -> None:
    plain = Words.load()
    assert Words.load() == plain
    assert Words.load(competitors=["BrandX", "BrandY"]) == Words.load(competitors=["BrandY", " brandx ", "BrandX"])
    assert Words.load(competitors=["BrandX"]).version != plain.version
    assert Words.load(folder(tmp_path, zh__refusal="算了不做了")).version != plain.version


def test_words_travel_to_another_process() -> None:
    words = Words.load(competitors=["BrandX"])
    arrived = pickle.loads(pickle.dumps(words))
    assert arrived == words
    assert {language: dict(lists) for language, lists in arrived.lists.items()} == {
        language: dict(lists) for language, lists in words.lists.items()
    }
    assert arrived.units == words.units


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"en__deferral": "fine\n!!!\n"}, r"en/deferral.txt, line 2: expected a phrase, found '!!!'"),
        (
            {"en__deferral": "fine\n\n-never said\n"},
            r"en/deferral.txt, line 3: 'never said' is not in the list deferral of en",
        ),
        ({"en__deferal": "typo"}, r"en/deferal.txt: there is no such word list. .* deferral, "),
        ({"en__unit": "kg"}, r"en/unit.txt: there is no such word list"),
        (
            {"de__deferral": "vielleicht"},
            r"de: not a language of the word lists. Name the folder one of en, ja, zh, any",
        ),
    ],
)
def test_a_mistake_in_a_user_s_folder_is_named_with_its_place(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Words.load(folder(tmp_path, **files))


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    extra = folder(tmp_path, ja__deferral="")
    (extra / "ja" / "deferral.txt").write_bytes("また今度\n".encode() + "検討します\n".encode("cp932"))
    with pytest.raises(SettingsError, match=r"ja/deferral.txt, line 2: not UTF-8. Save the file as UTF-8."):
        Words.load(extra)


def test_a_file_or_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere: no such folder of word lists"):
        Words.load(tmp_path / "nowhere")
    (tmp_path / "words" / "en" / "deferral.txt").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"en/deferral.txt: cannot be read"):
        Words.load(tmp_path / "words")


@pytest.mark.parametrize("name", ["", " ", "-?"])
def test_a_competitor_without_letter_and_digit_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"competitors: .* holds no letter and no digit"):
        Words.load(competitors=["BrandX", name])


def test_the_page_says_what_every_list_is_for() -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert [name for name in (*LISTS, "unit") if f"`{name}`" not in page] == []
