"""The catalogues hold every message, rightly; and what checks them sees every way in which they may not."""

import ast
import importlib
import pkgutil
import re
from time import perf_counter

import pytest

import features
import models
import pipelines
import serving
from features.errors import KizashiError, SettingsError
from features.registry import registered
from models.warning_rule_list import WARNING_RULES
from serving import outcomes, plays, task_kinds
from serving.api_data import NAMES
from serving.api_errors import WORDS
from serving.words import catalogue, changes, lists, names, patterns, quantities, speech
from serving.words.catalogue import place_of, problems, read, strings, updated, write
from serving.words.errors import HEADLINES, error_headline, error_text
from serving.words.sentences import QUANTITIES, SENTENCES, telling

OTHERS = speech.LANGUAGES[1:]

#: Table -> its messages; whoever reads them gets them in each language.
TABLES = {
    "concept": names.CONCEPTS.values(),
    "dimension": names.DIMENSIONS.values(),
    "level": names.LEVELS.values(),
    "stage": names.STAGES.values(),
    "risk": names.RISKS.values(),
    "direction": names.DIRECTIONS.values(),
    "role of a reason": names.ROLES.values(),
    "source of a level": names.LEVEL_PARTS.values(),
    "cohort": [words for words, _ in names.COHORTS.values()],
    "unit": names.UNITS.values(),
    "rule": [rule.meaning for rule in WARNING_RULES],
    "task": [words for kind in task_kinds.KINDS.values() for words in (kind.title, kind.body) if words],
    "checklist item": task_kinds.CHECKLIST.values(),
    "play": plays.PLAYS.values(),
    "outcome": [
        *outcomes.APPROACHES.values(),
        *outcomes.WHYS.values(),
        *(name for _, name in outcomes.CAUSES.values()),
    ],
    "list": lists.LISTS.values(),
    "error": HEADLINES.values(),
    "answer of the API": [words for _, words in WORDS.values()],
    "happening": [words for lane in changes.HAPPENINGS.values() for words in lane.values()],
    "label of the page": changes.PAGE.values(),
}
COUNTED = [*quantities.COUNTS.values(), *(count for _, count in names.COHORTS.values() if count)]

FORMS = "nplurals=1; plural=0;"
PO = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""
SAID = {"No order in {window}.": ("a.py",), ("every day", "every {n} days"): ("a.py", "b.py")}
WHOLE = """\
msgid "No order in {window}."
msgstr "{window}は発注なし。"

msgid "every day"
msgid_plural "every {n} days"
msgstr[0] "{n}日ごと"
"""


def spoken(message, locale):
    return speech.language(locale).named(message)


def held(tmp_path, body, header=PO):
    path = tmp_path / "kizashi.po"
    path.write_text(header + body, encoding="utf-8")
    return read(path, "ja")


def test_the_catalogues_are_whole():
    said = catalogue.collected()
    for language in OTHERS:
        assert problems(read(place_of(language), language), said) == []


def test_a_whole_catalogue_has_no_problem(tmp_path):
    assert problems(held(tmp_path, WHOLE), SAID) == []


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("{window}は発注なし。", "", "ja: missing: 'No order in {window}.'."),
        ("{n}日ごと", "", "ja: missing: 'every day'."),
        (WHOLE, WHOLE.split("\n\n")[1], "ja: missing: 'No order in {window}.'. Run make messages, and translate it."),
        ('msgid "No order', '#, fuzzy\nmsgid "No order', "ja: fuzzy: 'No order in {window}.'."),
        (WHOLE, f'{WHOLE}\nmsgid "Gone"\nmsgstr "なし"\n', "ja: obsolete: 'Gone'. Run make messages."),
        (WHOLE, f'{WHOLE}\n#~ msgid "Gone"\n#~ msgstr "なし"\n', "ja: obsolete: 'Gone'. Run make messages."),
        ("{window}は", "{windows}は", "ja: other placeholders: 'No order in {window}.'."),
        ("{window}は", "期間は", "ja: other placeholders: 'No order in {window}.'."),
        ("{window}は", "{window}{window}は", "ja: other placeholders: 'No order in {window}.'."),
        ("{window}は", "{}は", "ja: other placeholders: 'No order in {window}.'."),
        ("{n}日ごと", "毎日", "ja: other placeholders: 'every day'."),
        ("{window}は", "{windowは", "ja: braces that do not match: 'No order in {window}.'."),
        (
            'msgid_plural "every {n} days"\nmsgstr[0]',
            "msgstr",
            "ja: missing: 'every day'. Run make messages, and translate it.",
        ),
        (
            "every {n} days",
            "each {n} days",
            "ja: missing: 'every day'. Run make messages, and translate it.",
        ),
    ],
)
def test_each_fault_of_a_catalogue_is_said_in_a_line(tmp_path, was, becomes, problem):
    body = WHOLE.replace(was, becomes)
    assert body != WHOLE
    assert problem in problems(held(tmp_path, body), SAID)


def test_a_catalogue_of_other_plural_forms_is_refused(tmp_path):
    header = PO.replace("nplurals=1; plural=0;", "nplurals=2; plural=(n != 1);")
    body = f'{WHOLE}msgstr[1] "{{n}}日ごと"\n'
    forms, entry = problems(held(tmp_path, body, header), SAID)
    assert forms == f"ja: its Plural-Forms are 'nplurals=2; plural=(n != 1);'; expected {FORMS!r}."
    assert entry == "ja: found 2 plural forms, expected 1: 'every day'."


def test_a_message_of_more_plural_forms_than_the_language_has_makes_a_file_unreadable(tmp_path, capsys):
    path = place_of("ja", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(f'{PO}{WHOLE}msgstr[1] "{{n}}日ごと"\n', encoding="utf-8")
    for arguments in (["--check"], []):
        assert catalogue.main(arguments, tmp_path) == 1
        assert "ja: " in (told := capsys.readouterr().out)
        assert "cannot be read: msg has more translations than num_plurals" in told
    assert path.read_text(encoding="utf-8").endswith('msgstr[1] "{n}日ごと"\n')


@pytest.mark.parametrize("other", ["every day", ("every day", "each {n} days")])
def test_words_that_are_said_in_two_ways_are_a_fault_of_whoever_says_them(tmp_path, other):
    found = problems(held(tmp_path, WHOLE), {**SAID, other: ("c.py",)})
    assert "said both in one way and in another: 'every day'." in found


def test_an_update_keeps_what_fits_and_guesses_nothing(tmp_path):
    old = held(tmp_path, WHOLE.replace('msgid "every', '#, fuzzy\nmsgid "every') + '\nmsgid "Gone"\nmsgstr "なし"\n')
    said = {**SAID, "No order in {span}.": ("a.py",)}
    fresh = updated(old, said)
    assert {entry.id: (entry.string, entry.fuzzy) for entry in fresh if entry.id} == {
        "No order in {window}.": ("{window}は発注なし。", False),
        "No order in {span}.": (None, False),
        ("every day", "every {n} days"): (("{n}日ごと",), True),
    }
    path = tmp_path / "new" / "kizashi.po"
    write(fresh, path)
    first = path.read_bytes()
    assert b"Gone" not in first
    assert b"Date" not in first
    assert b".py:" not in first
    write(updated(read(path, "ja"), dict(reversed(said.items()))), path)
    assert path.read_bytes() == first
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_the_command_says_what_is_wrong_and_mends_what_it_may(tmp_path, capsys):
    assert catalogue.main([], tmp_path) == 0
    assert catalogue.main(["--check"], tmp_path) == 1
    assert "ja: missing: 'Red'." in capsys.readouterr().out.splitlines()
    for language in OTHERS:
        path = place_of(language, tmp_path)
        filled = read(path, language)
        for entry in filled:
            entry.string = entry.id if isinstance(entry.id, str) else entry.id[1:]
        write(filled, path)
    assert catalogue.main(["--check"], tmp_path) == 0
    assert capsys.readouterr().out == ""
    path = place_of("ja", tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + '\nmsgid "Nobody says this."\nmsgstr "なし"\n'.encode())
    assert catalogue.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().out == "ja: obsolete: 'Nobody says this.'. Run make messages.\n"
    assert catalogue.main([], tmp_path) == 0
    assert path.read_bytes() == whole
    assert "ja: " in (told := capsys.readouterr().out)
    assert "0 to be translated" in told


def test_only_what_is_marked_with_a_keyword_of_ours_is_collected(tmp_path):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "told.py").write_text(
        "from serving.words.speech import plural, say as tell, text\n"
        'A = text("one " "two")\n'
        'B = [tell("three", when="no", slot=text("four"))]\n'
        'C = plural("{n} five", "{n} fives")\n'
        'check.text("six")\n'
        "text(A)\n",
        encoding="utf-8",
    )
    (tmp_path / "pipelines" / "other.py").write_text('from sql import text\ntext("seven")\n', encoding="utf-8")
    found = set(catalogue.collected(tmp_path)) - {rule.meaning for rule in WARNING_RULES}
    assert found == {"one two", "three", "four", ("{n} five", "{n} fives")}


@pytest.mark.parametrize("locale", OTHERS)
@pytest.mark.parametrize("table", TABLES)
def test_everything_that_has_a_name_has_one_in_every_language(table, locale):
    assert len(TABLES[table]) > 0
    for message in TABLES[table]:
        assert spoken(message, "en") == message
        assert spoken(message, locale) != message


@pytest.mark.parametrize("locale", OTHERS)
def test_every_count_is_counted_in_every_language(locale):
    for count in COUNTED:
        for n in (1, 2):
            told = speech.language(locale).count(count, n, str(n))
            assert str(n) in told
            assert not re.search("[a-z]", told)


@pytest.mark.parametrize("locale", OTHERS)
def test_every_sentence_about_a_feature_is_translated(locale):
    told = [way for feature in registered() for way in telling(feature.name).ways]
    told += [way for ways in SENTENCES.values() for way in ways]
    told += [way for family, measured in QUANTITIES.items() for way in patterns.ways(measured, family)]
    messages = {words for way in told for words in (way.message, *way.phrases.values())}
    assert len(messages) > 300
    assert {words for words in messages if spoken(words, locale) == words} == set()


def test_every_concept_unit_and_list_that_there_is_has_a_name():
    assert {feature.concept for feature in registered()} == set(names.CONCEPTS)
    assert {feature.unit for feature in registered()} <= set(names.UNITS)
    assert set(NAMES) == set(lists.LISTS)
    with pytest.raises(SettingsError, match="a list is one of"):
        lists.list_name("violet")


@pytest.mark.parametrize("locale", OTHERS)
def test_translations_are_punctuated_as_their_language_is(locale):
    for entry in read(place_of(locale), locale):
        for words in filter(None, strings(entry) if entry.id else ()):
            plain = re.sub(r"`[^`]*`|\{\w+\}", "", words)
            assert not re.search(r"[:;!?()\[\]]|(?<!\d)[.,]|[.,](?!\d)", plain), words
            assert (words[-1] == "。") <= (catalogue.key(entry.id)[-1] in ".?"), words


@pytest.mark.parametrize(
    ("locale", "cause"), [("ja", "ため|せいで|によって|により|ので"), ("zh", "因为|因此|导致|由于|所以")]
)
def test_what_goes_with_a_risk_is_never_called_its_cause(locale, cause):
    told = [entry for entry in read(place_of(locale), locale) if "with a higher risk" in str(entry.id)]
    told += [entry for entry in read(place_of(locale), locale) if "often goes with" in str(entry.id)]
    assert len(told) > 3
    for entry in told:
        assert not re.search(cause, str(entry.string)), entry.string


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("zh", "Red"),
        ("zh_Hans_CN", "Red"),
        ("zh-CN", "Red"),
        ("zh-Hans", "Red"),
        ("ja", "Red"),
        ("ja-JP", "Red"),
        ("en", None),
        ("en_GB", None),
        ("fr", None),
    ],
)
def test_a_locale_finds_the_catalogue_of_its_language(name, other):
    expected = spoken("Red", name.split("_")[0].split("-")[0])
    assert spoken("Red", name) == expected
    assert (expected == "Red") == (other is None)


def test_a_catalogue_is_read_quickly_and_once():
    speech._catalogue.cache_clear()
    speech.language.cache_clear()
    began = perf_counter()
    for name in ("ja", "zh"):
        speech.language(name)
    taken = perf_counter() - began
    assert speech._catalogue.cache_info().misses == 2
    speech.language("zh-CN")
    assert speech._catalogue.cache_info().misses == 2
    assert taken < 1.0


# Errors


def refusals():
    for path in sorted((catalogue.ROOT / "serving").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                yield f"{path.name}:{node.lineno}", node


def test_no_refusal_of_the_api_is_said_in_words_that_nobody_translates():
    found = dict(refusals())
    assert len(found) > 20
    for place, call in found.items():
        given = {word.arg: word.value for word in call.keywords}
        words = call.args[2] if len(call.args) > 2 else given.get("message")
        code = call.args[1] if len(call.args) > 1 else given.get("code")
        assert code is None or words is not None or "error" in given, f"{place} has a code and no words"
        # words that stand there as they are, or are put together there, are in no catalogue
        assert not isinstance(words, ast.Constant | ast.JoinedStr | ast.BinOp), place
        assert not (isinstance(words, ast.Call) and getattr(words.func, "id", "") != "text"), place


def every_error():
    for layer in (features, models, serving, pipelines):
        for module in pkgutil.walk_packages(layer.__path__, f"{layer.__name__}."):
            if ".versions" not in module.name:
                importlib.import_module(module.name)
    found, waiting = [], [KizashiError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.split(".")[0] in ("features", "models", "serving", "pipelines")]


def test_every_class_of_error_has_a_headline():
    assert {kind.__name__ for kind in every_error()} == set(HEADLINES)


def test_an_error_is_told_with_its_headline_and_its_own_line():
    error = SettingsError("window_days: expected 1 to 365, found 0.")
    assert error_text(error) == "A setting or an entry is not right. window_days: expected 1 to 365, found 0."
    for locale in OTHERS:
        assert error_text(error, locale) == f"{error_headline(error, locale)} {error}"
        assert error_headline(error, locale) != error_headline(error)


def test_an_error_of_somebody_else_s_is_told_by_what_it_is_a_kind_of():
    class OddSetting(SettingsError):
        pass

    assert error_headline(OddSetting("{odd}")) == error_headline(SettingsError(""))
    assert error_text(OddSetting("{odd}"), "ja").endswith("{odd}")
