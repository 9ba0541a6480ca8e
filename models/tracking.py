"""The register of models: what each training was made of, which version is in use, and who put it there and why.

The door to MLflow.

Everything lives in one folder and needs no server: ``mlflow.db`` (SQLite) and
``artifacts/<run>/artifacts``. One training is one run; daily scoring leaves no runs behind. The champion is
registered as the plain folder that the churn model was saved to (LightGBM's own text and
``manifest.json``): nothing here writes, reads or accepts a pickle, and nothing is ever loaded through
MLflow.

Where a version's files are is worked out from its run and from where the folder stands now, never from the
address that MLflow stored, so that a folder which was moved or restored from a backup still answers.

MLflow reads its switches (telemetry, log level) when it is imported: `pipelines.settings.prepare_environment`
comes first.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd

from features.errors import ArtefactError
from models.admission import Metric, check_model, checked_entries, checked_files, write_files
from models.history import Change, alone

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["NAME", "Alias", "Metric", "Tracking", "Version"]

Alias = Literal["champion", "challenger"]

#: The registered model, and the experiment that its trainings belong to.
NAME = "kizashi"

_MODEL = "model"
_FINGERPRINT = "data_fingerprint"
_TRAINING = "training"
#: The lines of the history are tags of the registered model: this and their number.
_LINE = "history."
_SQLITE = b"SQLite format 3"
#: MLflow takes no more in one call.
_AT_ONCE = 100


@dataclass(frozen=True)
class Version:
    """One registered version of the model.

    `made_at` is in UTC, `folder` holds its files, `name` is that of its training, `tags` what was noted of it.
    """

    number: int
    run_id: str
    aliases: tuple[str, ...]
    data_fingerprint: str
    made_at: datetime
    folder: Path
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


class Tracking:
    """The register of models in `folder`, which is made at the first training and not before.

    Parameters
    ----------
    folder : Path
        Where ``mlflow.db`` and ``artifacts`` stand or will stand; on a local disk, as SQLite needs it. Its
        path may not contain ``?``, which ends a path in a database's address.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._database = self.folder / "mlflow.db"
        if "?" in str(self.folder):
            raise ArtefactError(f"{self.folder}: no register of models can stand under a '?'; rename the folder")

    def log_training(
        self,
        *,
        name: str,
        params: Mapping[str, object],
        data_fingerprint: str,
        folds: pd.DataFrame,
        metrics: Sequence[Metric],
        figures: Mapping[str, "Figure"],
        model: Path,
        alias: Alias,
        texts: Mapping[str, str] | None = None,
        tables: Mapping[str, pd.DataFrame] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Version:
        """Store one training as one run, register its model and give it `alias`; returns the new version.

        The version appears only when all its files are in place; a training that fails half-way leaves a
        run marked FAILED and no version. The alias is taken from the version that had it.

        Parameters
        ----------
        name : str
            What the run is called in lists, such as ``"2011-09-01"``, its last cutoff.
        params : mapping
            Flat: one value per setting.
        folds : DataFrame
            One row per cutoff, any figures; written as ``folds.csv``.
        figures : mapping
            File name without suffix -> matplotlib figure; written as PNG. The caller closes them.
        model : Path
            The folder that the churn model was saved to, with its ``manifest.json``; copied.
        texts
            File name -> text, such as ``card.md``; written beside the model's folder.
        tables
            Name -> aggregates; written beside it as ``<name>.csv``.
        tags
            What to note of the version, see :meth:`note`.

        Raises
        ------
        ArtefactError
            If `model` is no saved model or contains a pickle, or the store cannot be written.
        ValueError
            If a metric is not finite, a table names customers, or a file's name is taken: mistakes of the caller.
        """
        _check_alias(alias)
        check_model(model)
        entries = checked_entries(metrics)
        files = checked_files({"folds": folds, **(tables or {})}, texts or {})
        with self._answers():
            client = self._client(create=True)
            run_id = client.create_run(_experiment(client, self.folder), run_name=name).info.run_id
            try:
                client.set_tag(run_id, _FINGERPRINT, data_fingerprint)
                _log_numbers(client, run_id, params, entries)
                with tempfile.TemporaryDirectory() as stage:
                    write_files(Path(stage), files, figures)
                    client.log_artifacts(run_id, stage)
                client.log_artifacts(run_id, str(model), _MODEL)
                number = self._register(
                    client, run_id, {**(tags or {}), _FINGERPRINT: data_fingerprint, _TRAINING: name}
                )
                client.set_registered_model_alias(NAME, alias, str(number))
            except BaseException:
                client.set_terminated(run_id, "FAILED")
                raise
            client.set_terminated(run_id, "FINISHED")
        return self._version(number)

    def champion_folder(self, alias: Alias = "champion") -> Path:
        """The folder with the files of the version that has `alias`.

        Raises
        ------
        ArtefactError
            If nothing was ever registered, no version has the alias, or the version's files are gone.
        """
        for version in self.versions():
            if alias in version.aliases:
                if not (version.folder / "manifest.json").is_file():
                    raise ArtefactError(
                        f"{version.folder}: the files of version {version.number} ({alias}) are not there; "
                        "restore them from a backup or run `kizashi train`"
                    )
                return version.folder
        raise ArtefactError(f"{self.folder}: no {alias} yet: run `kizashi train`")

    def note(self, number: int, key: str, text: str) -> None:
        """Note something of a version, such as the verdict of a gate; what stood under `key` is replaced."""
        self._version(number)
        with self._answers():
            self._client().set_model_version_tag(NAME, str(number), key, text)

    def figures(self, number: int) -> dict[str, float]:
        """The figures that the training of a version logged, by name."""
        version = self._version(number)
        with self._answers():
            return dict(self._client().get_run(version.run_id).data.metrics)

    def history(self) -> list[Change]:
        """Who changed the champion, when and why, and what was refused; the oldest first.

        Raises
        ------
        ArtefactError
            If a line cannot be read.
        """
        if not self._database.exists():
            return []
        with self._answers():
            return list(_lines(self._client()).values())

    def record(self, change: Change) -> None:
        """Add a line to the history that moves nothing."""
        with self._answers(), alone(self.folder):
            client = self._client(create=True)
            _unless_there(client.create_registered_model, NAME)
            _write_line(client, len(_lines(client)) + 1, change.made())

    def move_champion(self, change: Change) -> None:
        """Make ``change.after`` the champion and write that into the history; killed anywhere, it is finished later.

        Raises
        ------
        ArtefactError
            If the champion is no longer ``change.before``, or there is no version ``change.after``.
        """
        if change.after is None:
            raise ValueError("a version must be named that becomes the champion")
        self.finish_moves()
        self._version(change.after)
        with self._answers(), alone(self.folder):
            now = next((v.number for v in self.versions() if "champion" in v.aliases), None)
            if now != change.before:
                raise ArtefactError(
                    f"{self.folder}: the champion is version {now} and no longer {change.before}; "
                    "look at `kizashi models` and decide again"
                )
            client = self._client()
            number = len(_lines(client)) + 1
            _write_line(client, number, replace(change, pending=True))
            self._make(client, number, change)

    def finish_moves(self) -> list[Change]:
        """Make the moves that a killed process had written down and not made; returns them."""
        if not self._database.exists():
            return []
        with self._answers(), alone(self.folder):
            client = self._client()
            left = {number: line for number, line in _lines(client).items() if line.pending}
            for number, line in left.items():
                self._make(client, number, line)
        return list(left.values())

    def _make(self, client: Any, number: int, change: Change) -> None:
        """Every step can be done again: whoever finishes a move starts from its first one."""
        client.set_registered_model_alias(NAME, "champion", str(change.after))
        if str(client.get_registered_model(NAME).aliases.get("challenger")) == str(change.after):
            client.delete_registered_model_alias(NAME, "challenger")
        _write_line(client, number, change.made())

    def versions(self) -> list[Version]:
        """All registered versions, the newest first; none where nothing was trained yet."""
        if not self._database.exists():
            return []
        with self._answers():
            client = self._client()
            models = client.search_registered_models(f"name = '{NAME}'")
            if not models:
                return []
            found = list(_pages(client.search_model_versions, f"name = '{NAME}'"))
        aliases = {
            number: tuple(sorted(a for a, n in models[0].aliases.items() if int(n) == number))
            for number in {int(n) for n in models[0].aliases.values()}
        }
        versions = [
            Version(
                number=int(entry.version),
                run_id=entry.run_id,
                aliases=aliases.get(int(entry.version), ()),
                data_fingerprint=entry.tags.get(_FINGERPRINT, ""),
                made_at=datetime.fromtimestamp(entry.creation_timestamp / 1000, tz=UTC),
                folder=self._artefacts / entry.run_id / "artifacts" / _MODEL,
                name=entry.tags.get(_TRAINING, ""),
                tags=dict(entry.tags),
            )
            for entry in found
        ]
        return sorted(versions, key=lambda version: version.number, reverse=True)

    @property
    def _artefacts(self) -> Path:
        return self.folder / "artifacts"

    def _version(self, number: int) -> Version:
        versions = self.versions()
        for version in versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in versions) or "none"
        raise ArtefactError(f"{self.folder}: there is no version {number} of the model; registered: {known}")

    def _register(self, client: Any, run_id: str, tags: Mapping[str, str]) -> int:
        _unless_there(client.create_registered_model, NAME)
        source = (self._artefacts / run_id / "artifacts" / _MODEL).as_uri()
        version = client.create_model_version(NAME, source, run_id=run_id, tags=dict(tags))
        return int(version.version)

    def _client(self, create: bool = False) -> Any:
        if create and not self._database.exists():
            _create_store(self._database)
        with self._database.open("rb") as content:
            if content.read(len(_SQLITE)) != _SQLITE:
                raise ArtefactError(f"{self._database}: not an SQLite database; restore it from a backup")
        return _open(self._database)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """MLflow's and the disk's refusals as one line of ours."""
        from mlflow.exceptions import MlflowException  # noqa: TID251 - the one door

        try:
            yield
        except MlflowException as refusal:
            raise ArtefactError(f"{self.folder}: MLflow's store refused: {_first_line(refusal)}") from refusal
        except OSError as fault:
            raise ArtefactError(f"{self.folder}: cannot be used as the register of models: {fault}") from fault


def _open(database: Path) -> Any:
    from mlflow import MlflowClient  # noqa: TID251 - the one door

    address = f"sqlite:///{database.as_posix()}"
    return MlflowClient(tracking_uri=address, registry_uri=address)


def _create_store(database: Path) -> None:
    """Make the empty store elsewhere and put it in place in one step.

    MLflow builds its tables by some fifty migrations. Two processes that start at once break each other's,
    and one killed half-way leaves a file that no later start can mend. The first to link its finished file
    wins; the others use that one.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".new-register-") as place:
        made = Path(place) / "made.db"
        _open(made).search_experiments()
        # MLflow keeps its connections to `made` open; the copy has none.
        finished = Path(shutil.copyfile(made, Path(place) / "finished.db"))
        try:
            os.link(finished, database)
        except FileExistsError:
            return


def _experiment(client: Any, folder: Path) -> str:
    """The id of the experiment whose artefacts stand under `folder`, made if need be."""
    location = (folder / "artifacts").as_uri()
    known = client.get_experiment_by_name(NAME)
    # An experiment's location cannot be changed: a folder that was moved gets a new one.
    name = NAME if known is None or known.artifact_location == location else f"{NAME} at {folder}"
    _unless_there(client.create_experiment, name, artifact_location=location)
    return str(client.get_experiment_by_name(name).experiment_id)


def _unless_there(create: Any, *arguments: object, **options: object) -> None:
    """Create something that another process may have created first."""
    from mlflow.exceptions import MlflowException  # noqa: TID251 - the one door

    try:
        create(*arguments, **options)
    except MlflowException as refusal:
        if refusal.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _log_numbers(client: Any, run_id: str, params: Mapping[str, object], entries: dict[str, float]) -> None:
    from mlflow.entities import Metric as Entry  # noqa: TID251 - the one door
    from mlflow.entities import Param  # noqa: TID251 - the one door

    logged_at = client.get_run(run_id).info.start_time
    settings = [Param(key, str(value)) for key, value in sorted(params.items())]
    for start in range(0, len(settings), _AT_ONCE):
        client.log_batch(run_id, params=settings[start : start + _AT_ONCE])
    figures = [Entry(key, number, logged_at, 0) for key, number in entries.items()]
    for start in range(0, len(figures), _AT_ONCE):
        client.log_batch(run_id, metrics=figures[start : start + _AT_ONCE])


def _lines(client: Any) -> dict[int, Change]:
    """The lines of the history by their number, in order."""
    models = client.search_registered_models(f"name = '{NAME}'")
    tags = models[0].tags if models else {}
    found = {int(key.removeprefix(_LINE)): text for key, text in tags.items() if key.startswith(_LINE)}
    return {number: Change.from_json(found[number]) for number in sorted(found)}


def _write_line(client: Any, number: int, change: Change) -> None:
    client.set_registered_model_tag(NAME, f"{_LINE}{number:06d}", change.to_json())


def _pages(search: Any, query: str) -> Iterator[Any]:
    token = None
    while True:
        page = search(query, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _check_alias(alias: str) -> None:
    if alias not in get_args(Alias):
        raise ArtefactError(f"{alias!r} is no alias of a model; use one of {', '.join(get_args(Alias))}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
