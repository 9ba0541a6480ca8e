"""What a company may set, where it is read from, and the only place that looks at the environment.

Every setting has its default twice on purpose: here with its bounds, and in ``kizashi.toml`` beside this
file with the words that explain it; a test holds the two together. A user's own ``kizashi.toml`` names only
what differs. The layers below receive plain values, never this module.
"""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from features.errors import SettingsError
from pipelines.health_sections import Health
from pipelines.level_sections import Capacity, EarlyMark, Trial, Warnings
from pipelines.loop_sections import Contacts, Holdout, Organisation, Outcomes, Records, Tasks
from pipelines.notice_sections import Notices
from pipelines.rule_sections import Rules
from pipelines.sections import (
    Cohort,
    Economics,
    Engine,
    Features,
    Labels,
    Levels,
    Lightgbm,
    Project,
    Promotion,
    Quarantine,
    Reasons,
    Section,
    Store,
    Training,
    Window,
)
from pipelines.setting_words import allowed, documented, field_at, problems

FILE_NAME = "kizashi.toml"

#: The application's database with its password, which should not stand in a file.
DATABASE_VARIABLE = "KIZASHI_DATABASE"

#: What sessions of the pages are signed with, where several services share them.
SESSION_VARIABLE = "KIZASHI_SESSION_KEY"

_PROTECTION = {
    "DO_NOT_TRACK": "true",  # MLflow takes this very word, not "1"
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}

#: Sections that no model depends on.
_OF_THE_DAY = {
    "sources", "engine", "economics", "health", "rules", "warnings", "trial", "contacts", "tasks", "organisation",
    "outcomes", "holdout", "records", "notices", "store",
}  # fmt: skip

_PAGE = "docs/settings.md"

_PAGE_HEAD = f"""\
# Settings

Written by `pipelines.settings.settings_page` from `pipelines/{FILE_NAME}`, where all defaults stand.

Put what differs for you into a `{FILE_NAME}` of your own: beside your data, in the folder where you start
`kizashi`, or anywhere with `--config FILE`. Name only what you change. An unknown name or a value out of
range stops the run with one line that says what is allowed.

The environment variable `{DATABASE_VARIABLE}` sets the address of the application's database and wins over
`[store] url`, so that no password need stand in a file. `{SESSION_VARIABLE}` holds what the sessions of the pages are
signed with, at least 32 characters; without it, `kizashi serve` makes a `session.key` in its output folder."""


class Settings(Section):
    """Everything that can be set; `sources` is passed on as it stands to the reader of sources."""

    project: Project = Project()
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)
    quarantine: Quarantine = Quarantine()
    cohort: Cohort = Cohort()
    window: Window = Window()
    labels: Labels = Labels()
    training: Training = Training()
    lightgbm: Lightgbm = Lightgbm()
    levels: Levels = Levels()
    promotion: Promotion = Promotion()
    reasons: Reasons = Reasons()
    engine: Engine = Engine()
    economics: Economics = Economics()
    features: Features = Features()
    health: Health = Health()
    rules: Rules = Rules()
    capacity: Capacity = Capacity()
    early: EarlyMark = EarlyMark()
    warnings: Warnings = Warnings()
    trial: Trial = Trial()
    contacts: Contacts = Contacts()
    tasks: Tasks = Tasks()
    organisation: Organisation = Organisation()
    outcomes: Outcomes = Outcomes()
    holdout: Holdout = Holdout()
    records: Records = Records()
    notices: Notices = Notices()
    store: Store = Store()

    def flat(self) -> dict[str, object]:
        """``section.key`` -> value, as a training records it: without sources, addresses and what changes no number."""
        return dict(_flat(self.model_dump(exclude=_OF_THE_DAY), ""))


def load_settings(config: Path | None = None, data: Path | None = None) -> Settings:
    """The packaged defaults, overlaid by one file of the user's and by the environment's database.

    The file is `config` where given; else ``kizashi.toml`` in the folder that we were started in, or in
    `data`, the folder of the source tables. A table of the file is merged into the defaults' key by key, a
    list replaces the list.

    Raises
    ------
    SettingsError
        One line with the file, every setting that cannot be used and what it may be.
    """
    found = config or _found_file(data)
    defaults = tomllib.loads(_defaults_text())
    settings = Settings.model_validate(defaults)
    if found:
        settings = _placed(_validated(str(found), _overlaid(defaults, _read(found))), found.parent)
    if url := os.environ.get(DATABASE_VARIABLE, ""):
        try:
            settings = settings.model_copy(update={"store": Store(url=url)})
        except ValidationError:
            # pydantic repeats what it was given, and this holds a password
            kinds = allowed(Store.model_fields["url"])
            raise SettingsError(f"{DATABASE_VARIABLE} is no database's address, allowed: {kinds}") from None
    return settings


def _placed(settings: Settings, folder: Path) -> Settings:
    """The settings with the paths of their features told from the folder of the file that names them."""
    given = settings.features
    options = dict(given.options)
    if isinstance(options.get("words"), str) and options["words"]:
        options["words"] = str(folder / options["words"])
    files = tuple(str(folder / name) for name in given.files)
    return settings.model_copy(update={"features": Features(files=files, options=options)})


def database_url(settings: Settings, out: Path) -> str:
    """The address of the application's database: as set, else an SQLite file in the output folder."""
    url = settings.store.url or f"sqlite:///{(out.absolute() / 'kizashi.db').as_posix()}"
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def given_session_key() -> str:
    """What the environment says that sessions are signed with, "" for nothing."""
    return os.environ.get(SESSION_VARIABLE, "")


def tracking_folder(out: Path) -> Path:
    """Where the register of models stands in the output folder."""
    return out.absolute() / "mlflow"


def protect_environment() -> None:
    """Set what protects, and no places: for the process of a cluster, which others have started."""
    os.environ.update(_PROTECTION)


def prepare_environment(out: Path) -> None:
    """Set what Prefect, MLflow and OpenMP read when they are imported: no telemetry, all files under `out`.

    Every entry point calls it first. What protects (telemetry, pickles, places) is set whatever stood
    there; how loud and how patient they are is left to the user where the environment already says it.

    Raises
    ------
    RuntimeError
        If Prefect or MLflow is already imported without that protection: a mistake in our code.
    """
    environment = os.environ
    late = [name for name in ("prefect", "mlflow") if name in sys.modules]
    if late and any(environment.get(name) != value for name, value in _PROTECTION.items()):
        raise RuntimeError(f"{', '.join(late)} is imported before prepare_environment() could silence it")
    protect_environment()
    tracking = tracking_folder(out)
    environment.update(
        {
            "PREFECT_HOME": str(out.absolute() / "prefect"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{(tracking / 'mlflow.db').as_posix()}",
        }
    )
    polite = {
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # it takes 11 to 19 s, the default is 20
        # what goes wrong in a flow is raised, and told once by the command line
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_ROOT_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # a lost worker is a retry, and what ends a run is told by the exception
        "DASK_LOGGING": "{'distributed': 'critical', 'distributed.client': 'critical'}",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        # LightGBM's threads sleep while they wait: spinning, two of them on a busy machine take tens of times as long
        "OMP_WAIT_POLICY": "PASSIVE",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # our matrices are small: OpenBLAS's threads only wait for each other, the more the busier the machine is
        "OPENBLAS_NUM_THREADS": "1",
    }
    for name, value in polite.items():
        environment.setdefault(name, value)


def settings_page() -> str:
    """The text of ``docs/settings.md``: every setting, its default, what it may be and what it means."""
    lines = [_PAGE_HEAD]
    for entry in documented(_defaults_text()):
        if not entry.key:
            lines += ["", f"## [{entry.section}]", "", entry.words]
            continue
        field = field_at(Settings, (*entry.section.split("."), entry.key))
        lines += ["", f"**`{entry.key} = {entry.default}`**", "", f"{entry.words} Allowed: {allowed(field)}."]
    return "\n".join(lines) + "\n"


def _defaults_text() -> str:
    return files("pipelines").joinpath(FILE_NAME).read_text(encoding="utf-8")


def _found_file(data: Path | None) -> Path | None:
    places = [Path.cwd()] + ([data] if data and data.is_dir() else [])
    found = {(place / FILE_NAME).resolve(): place / FILE_NAME for place in places if (place / FILE_NAME).is_file()}
    if len(found) > 1:
        both = " and ".join(str(path) for path in found.values())
        raise SettingsError(f"{both}: expected one file of settings, found two; say which with --config FILE")
    return next(iter(found.values()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        # "-sig": editors on Windows begin a file with a byte order mark, which TOML refuses
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as fault:
        raise SettingsError(f"{path}: cannot be read as a file of settings ({fault.strerror})") from None
    except UnicodeDecodeError as fault:
        raise SettingsError(f"{path}: is not UTF-8 (at byte {fault.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"{path}: is not valid TOML: {fault}; see {_PAGE} for examples") from None


def _overlaid(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        merged[key] = _overlaid(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _validated(place: str, values: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as refusal:
        found = problems(Settings, values, refusal)
    count = f"{len(found)} settings" if len(found) > 1 else "a setting"
    raise SettingsError(f"{place}: {count} cannot be used: {'; '.join(found)}. See {_PAGE}.")


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
