import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from features.errors import SettingsError
from features.labels import HORIZONS
from features.mapping import mappings_from_dict
from features.snapshots import Cohort, Window
from models.classifiers import BoostingOptions
from models.levels import LEVELS, Promise
from pipelines.setting_words import documented
from pipelines.settings import (
    FILE_NAME,
    Settings,
    Store,
    database_url,
    load_settings,
    prepare_environment,
    settings_page,
)

ROOT = Path(__file__).parents[1]
DEFAULTS = (ROOT / "pipelines" / FILE_NAME).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Start in an empty folder and without a database in the environment."""
    (tmp_path / "start").mkdir()
    monkeypatch.chdir(tmp_path / "start")
    monkeypatch.delenv("KIZASHI_DATABASE", raising=False)


def written(tmp_path, text, name="shop.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def keys(model, prefix=()):
    for name, field in model.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        yield from keys(field.annotation, (*prefix, name)) if section else [(*prefix, name)]


def test_the_packaged_file_and_the_models_have_the_same_defaults():
    assert Settings.model_validate(tomllib.loads(DEFAULTS)) == Settings() == load_settings()


def test_every_setting_and_section_stands_in_the_packaged_file_with_a_comment():
    entries = list(documented(DEFAULTS))
    written_down = [(*entry.section.split("."), entry.key) for entry in entries if entry.key]
    # of these only the section stands there: what is in it is the user's
    open_sections = {
        ("sources",),
        ("features", "options"),
        ("rules", "options"),
        *(("health", name) for name in ("weights", "segments", "marks")),
    }
    assert written_down == [path for path in keys(Settings) if path not in open_sections]
    assert [entry for entry in entries if not entry.words.endswith(".")] == []
    assert len({entry.words for entry in entries}) == len(entries)


def test_the_page_of_settings_is_current():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "write docs/settings.md anew from pipelines.settings.settings_page()"


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = written(tmp_path, "[cohort]\nmin_order_days = 3\n[levels.red]\nprecision = 1\n")
    settings = load_settings(path)
    changed = {key: value for key, value in settings.flat().items() if value != Settings().flat()[key]}
    assert changed == {"cohort.min_order_days": 3, "levels.red.precision": 1.0}


def test_the_layers_below_take_the_settings_as_they_stand_and_have_the_same_defaults():
    settings = Settings()
    assert Cohort(**settings.cohort.model_dump()) == Cohort()
    assert Window(**settings.window.model_dump()) == Window()
    assert BoostingOptions(**settings.lightgbm.model_dump()) == BoostingOptions()
    promises = {name: Promise(**level) for name, level in settings.levels.model_dump().items()}
    assert list(promises) == [name for name in LEVELS if name != "none"]
    assert settings.labels.horizons == HORIZONS


def test_sources_are_passed_on_as_they_stand(tmp_path):
    text = '[sources.transactions]\nfile = "orders*"\n[sources.transactions.columns]\nordered_at = "Date"\n'
    sources = load_settings(written(tmp_path, text)).sources
    assert sources == {"transactions": {"file": "orders*", "columns": {"ordered_at": "Date"}}}
    assert mappings_from_dict(sources)["transactions"].origin("ordered_at").column == "Date"


def test_the_file_is_taken_from_where_we_start_or_from_beside_the_data(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    assert load_settings(data=data) == Settings()
    written(data, "[training]\nseed = 1\n", FILE_NAME)
    assert load_settings(data=data).training.seed == 1
    (data / FILE_NAME).rename(tmp_path / "start" / FILE_NAME)
    assert load_settings(data=data).training.seed == 1
    assert load_settings(data=tmp_path / "start").training.seed == 1


def test_two_files_are_one_too_many_unless_one_is_named(tmp_path):
    here = written(tmp_path / "start", "[training]\nseed = 1\n", FILE_NAME)
    beside = written(tmp_path, "[training]\nseed = 2\n", FILE_NAME)
    with pytest.raises(SettingsError, match="found two; say which with --config"):
        load_settings(data=tmp_path)
    assert load_settings(beside, data=tmp_path).training.seed == 2
    assert load_settings(here, data=tmp_path).training.seed == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cohort]\nmin_order_day = 2", "[cohort] min_order_day is unknown, did you mean min_order_days?"),
        ("[cohorts]\nmin_order_days = 2", "[cohorts] is unknown, did you mean cohort?"),
        ("[quarantine]\nzeal = 2", "[quarantine] zeal is unknown, known: max_share."),
        ("[levels.purple]\nprecision = 0.9", "[levels] purple is unknown"),
        ("[window]\nmultiple_of_q90 = 1.5", "[window] multiple_of_q90 is unknown, did you mean multiples?"),
        ('timezone = "UTC"', "timezone belongs under [project]"),
        ("cohort = 3", "[cohort]: must be a table of settings"),
        ("[sources]\ntransactions = 3", "[sources]: must be a table of settings"),
    ],
)
def test_an_unknown_name_is_refused_with_the_mend(tmp_path, text, words):
    message = refusal(written(tmp_path, text))
    assert f"a setting cannot be used: {words}" in message
    assert message.endswith("See docs/settings.md.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cohort]\nmin_order_days = 0", "[cohort] min_order_days = 0, allowed: a whole number, at least 1"),
        ('[cohort]\nmin_order_days = "2"', '[cohort] min_order_days = "2", allowed: a whole number'),
        ("[cohort]\nmin_order_days = true", "[cohort] min_order_days = true, allowed: a whole number"),
        ("[quarantine]\nmax_share = 1.01", "max_share = 1.01, allowed: a number, at least 0, at most 1"),
        ("[quarantine]\nmax_share = nan", "[quarantine] max_share = NaN, allowed: a number"),
        ("[levels.red]\nprecision = 0", "[levels.red] precision = 0, allowed: a number, above 0, at most 1"),
        ("[labels]\nhorizons = [30, 60]", "horizons = [30, 60], allowed: [30, 60, 90, 180] and nothing else"),
        ('[project]\ntimezone = "Asia/Nowhere"', 'timezone = "Asia/Nowhere", allowed: a time zone\'s name'),
        ('[project]\ncurrency = "€"', 'currency = "€", allowed: three capital letters'),
        ("[window]\nmin_days = 181", "[window] min_days = 181, allowed: a whole number, at least 30, at most 180"),
        ("[window]\nmultiples = []", "[window] multiples = [], allowed: one or more numbers from 1 to 5, each above"),
        ("[window]\nmultiples = [2, 2]", "[window] multiples = [2, 2], allowed: one or more numbers from 1 to 5"),
        ("[window]\nmultiples = [1.5, 5.1]", "[window] multiples = [1.5, 5.1], allowed: one or more numbers"),
        ("[window]\nmax_false_churn = 0", "[window] max_false_churn = 0, allowed: a number, above 0, at most 1"),
        ("[cohort]\nseasons_apart = 1", "[cohort] seasons_apart = 1, allowed: true or false"),
        ("[window]\nmin_days = 90\nmax_days = 60", "[window]: min_days must not be above max_days"),
        ("[levels.blue]\nprecision = 0.8", "[levels]: precision must not rise from red"),
        ("[levels.blue]\nlargest_share = 0.1", "[levels]: largest_share must not fall from red"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_is_allowed(tmp_path, text, words):
    assert words in refusal(written(tmp_path, text))


def test_the_ends_of_a_range_are_allowed(tmp_path):
    path = written(tmp_path, "[quarantine]\nmax_share = 0\n[window]\nmin_days = 180\nmultiples = [1, 5]\n")
    settings = load_settings(path)
    assert (settings.quarantine.max_share, settings.window.min_days) == (0, 180)
    assert Window(**settings.window.model_dump()).multiples == (1, 5)


def test_all_problems_of_a_file_come_in_one_line(tmp_path):
    message = refusal(written(tmp_path, "[cohort]\nmin_order_days = 0\nmax = 1\n[training]\nthreads = 0\n"))
    assert "3 settings cannot be used" in message
    assert all(name in message for name in ("min_order_days = 0", "[cohort] max", "threads = 0"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[cohort\n", "is not valid TOML"),
        ('[project]\ncurrency = "円"'.encode("cp932"), "is not UTF-8"),
        (None, "cannot be read as a file of settings (No such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, words):
    path = tmp_path / "shop.toml"
    if content is not None:
        path.write_bytes(content)
    assert words in refusal(path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_bytes(b"\xef\xbb\xbf[training]\r\nseed = 5\r\n")
    assert load_settings(path).training.seed == 5


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        Settings().cohort.min_order_days = 3


def test_the_database_of_the_environment_wins_and_its_password_is_never_shown(tmp_path, monkeypatch):
    path = written(tmp_path, '[store]\nurl = "sqlite:////data/kizashi.db"\n')
    assert database_url(load_settings(path), tmp_path) == "sqlite:////data/kizashi.db"
    monkeypatch.setenv("KIZASHI_DATABASE", "postgresql://kizashi:hunter2@db/kizashi")
    settings = load_settings(path)
    assert database_url(settings, tmp_path) == "postgresql+psycopg://kizashi:hunter2@db/kizashi"
    assert "hunter2" not in repr(settings) + repr(settings.flat())
    monkeypatch.setenv("KIZASHI_DATABASE", "mysql://kizashi:hunter2@db/kizashi")
    with pytest.raises(SettingsError, match=r"^KIZASHI_DATABASE is no database's address") as caught:
        load_settings(path)
    assert "hunter2" not in str(caught.value)


def test_an_address_in_the_file_is_never_repeated(tmp_path):
    message = refusal(written(tmp_path, '[store]\nurl = "mysql://kizashi:hunter2@db/kizashi"\n'))
    assert "[store] url is not usable, allowed:" in message
    assert "hunter2" not in message


def test_without_an_address_the_database_is_a_file_in_the_output_folder(tmp_path):
    assert database_url(Settings(), tmp_path / "var") == f"sqlite:///{tmp_path}/var/kizashi.db"
    assert database_url(Settings(store=Store(url="sqlite:///x.db")), tmp_path) == "sqlite:///x.db"


PREPARED = """
import sys
from pathlib import Path
from pipelines.settings import prepare_environment
prepare_environment(Path(sys.argv[1]))
assert not {"prefect", "mlflow"} & set(sys.modules)
from prefect._internal.analytics.enabled import is_telemetry_enabled
from prefect.settings import get_current_settings
from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION, MLFLOW_TRACKING_URI
from mlflow.telemetry.utils import is_telemetry_disabled
prefect = get_current_settings()
print(prefect.home, prefect.server.analytics_enabled, prefect.server.ephemeral.startup_timeout_seconds)
print(prefect.logging.level, prefect.server.logging_level, is_telemetry_enabled(), is_telemetry_disabled())
print(MLFLOW_ALLOW_PICKLE_DESERIALIZATION.get(), MLFLOW_TRACKING_URI.get())
prepare_environment(Path(sys.argv[1]))
"""


def python(code, *arguments, **environment):
    inherited = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - handed on to a process of its own
        if not name.startswith(("PREFECT_", "MLFLOW_", "DO_NOT_TRACK", "CI"))
    }
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_prefect_and_mlflow_take_our_word_for_it(tmp_path):
    # they read other names in other versions: this asks them what they understood
    answer = python(PREPARED, str(tmp_path), PREFECT_HOME="/elsewhere", MLFLOW_TRACKING_URI="http://elsewhere")
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [
        f"{tmp_path}/prefect False 120",
        "CRITICAL WARNING False True",
        f"False sqlite:///{tmp_path}/mlflow/mlflow.db",
    ]


def test_a_user_may_ask_for_more_patience_and_more_words(tmp_path):
    patient = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300", "PREFECT_LOGGING_LEVEL": "DEBUG"}
    answer = python(PREPARED, str(tmp_path), **patient)
    assert answer.stdout.splitlines()[0].endswith("False 300")
    assert answer.stdout.splitlines()[1].startswith("DEBUG ")


def test_it_is_too_late_once_mlflow_is_imported(tmp_path, monkeypatch):
    for name in ("PREFECT_HOME", "MLFLOW_TRACKING_URI"):  # given back to the other tests afterwards
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setitem(sys.modules, "mlflow", sys)
    prepare_environment(tmp_path)  # the environment was prepared before, by the tests' set-up
    monkeypatch.delenv("DO_NOT_TRACK")
    with pytest.raises(RuntimeError, match="mlflow is imported before"):
        prepare_environment(tmp_path)
