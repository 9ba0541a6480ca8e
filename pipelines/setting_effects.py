"""What a changed setting would do, tried on the newest published day by the functions of the daily run; never stored.

The probabilities of the day and the dimensions of every customer's health do not depend on the settings that people
change here, so only levels are given anew. The dimensions at the earlier dates that a fall is measured against are not
published: they are read from the events once, and kept as long as the events are the same.
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from features.batches import Taken
from features.buckets import read_events
from features.errors import ArtefactError, StoreError
from features.quarantine import IngestReport
from features.snapshots import ELIGIBLE
from models.artefact import MANIFEST, read_manifest
from models.health_history import health_dates, health_rows, with_history
from models.level_parts import level_of
from models.level_trust import held_down
from models.levels import Levels
from pipelines.changed_settings import REPORT, in_use, of_the_day
from pipelines.intake import Intake, Request
from pipelines.levelling import fall_names, in_parts, limits_in_use, scheme_in_use
from pipelines.rule_sections import company_rules
from pipelines.settings import Settings, tracking_folder
from serving.api_settings import MOST_PER_PERSON, NEW_PER_WEEK, PROFILE, THRESHOLDS, WEIGHTS
from serving.store import Store

#: Sections of the file that the page shows as they stand: a change needs a training, or a new start of the service.
SHOWN = ("levels", "capacity", "warnings", "cohort")


@dataclass(frozen=True)
class SettingEffects:
    """Reads what holds, and tries what would, in an output folder."""

    settings: Settings
    out: Path
    store: Store
    _kept: dict[tuple[object, ...], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def usual(self) -> Mapping[str, Any]:
        """What holds where nobody has changed it, by the name of the setting: what file and training say."""
        levels, settings = self.levels_in_use(), self.settings
        told = {} if levels is None else {level.name: level.threshold for level in levels.levels}
        health = settings.health
        profile = {PROFILE: health.profile} if health.scheme == "five_dimensions" else {}
        return {
            THRESHOLDS: told,
            **profile,
            WEIGHTS: dict(vars(health.set_weights())),
            NEW_PER_WEEK: settings.warnings.new_per_week,
            MOST_PER_PERSON: settings.tasks.most_per_person,
        }

    def of_the_file(self) -> Mapping[str, Mapping[str, Any]]:
        """What only the file changes, by section and key."""
        found: dict[str, dict[str, Any]] = {}
        for name in SHOWN:
            for key, value in getattr(self.settings, name).model_dump().items():
                if isinstance(value, dict):
                    found[f"{name}.{key}"] = value
                elif f"{name}.{key}" != NEW_PER_WEEK:
                    found.setdefault(name, {})[key] = value
        return found

    def profiles(self) -> Mapping[str, Mapping[str, float]]:
        """The industry profiles with their weights; none where the scheme of the health has none."""
        from models.health import PROFILES

        if self.settings.health.scheme != "five_dimensions":
            return {}
        return {name: dict(vars(weights)) for name, weights in PROFILES.items()}

    def model(self) -> Mapping[str, Any] | None:
        """What the model of the newest published day says of itself; None where it is not here."""
        as_of = self.store.latest_as_of()
        published = None if as_of is None else self.store.published(as_of)
        return None if published is None else self._manifest(published.run.model_version)

    def levels_in_use(self) -> Levels | None:
        """The levels of the model of the newest published day, as the training solved them; None without it."""
        manifest = self.model()
        return None if manifest is None else Levels.from_dict(manifest["levels"])

    def _manifest(self, version: str) -> Mapping[str, Any] | None:
        key = ("model", version)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _manifest_of(self.out, version)
            found: Mapping[str, Any] | None = self._kept[key]
            return found

    def levels(self, name: str, value: Any) -> pd.DataFrame:
        """Every customer's level on the newest published day, and what it would be were it scored anew with a value.

        Other settings that were changed since the day count, too, as they will in the next run.

        Returns
        -------
        DataFrame
            ``customer_id``, ``before`` and ``after`` (of :data:`models.levels.LEVELS`).

        Raises
        ------
        StoreError
            If nothing is published.
        ArtefactError, SourceError
            If the model of the day, or the events, are not here.
        """
        as_of = self.store.latest_as_of()
        published = None if as_of is None else self.store.published(as_of)
        if as_of is None or published is None:
            raise StoreError("nothing is published: score a day first.")
        changed = {**self.store.settings(), name: value}
        scores = self.store.scores(as_of)
        then = of_the_day(self.store.report(as_of, REPORT) or {})
        now = of_the_day(changed)
        if then == now:
            return scores[["customer_id"]].assign(before=scores["level"], after=scores["level"])
        manifest = self._manifest(published.run.model_version)
        if manifest is None:
            raise ArtefactError(f"the model {published.run.model_version} is not here any more. Score the day again.")
        levels = Levels.from_dict(manifest["levels"]).with_thresholds(now.get(THRESHOLDS, {}))
        inside = scores[scores["cohort"] == ELIGIBLE]
        alone = scores.assign(level="none")
        alone.loc[inside.index, "level"] = levels.of(inside["churn_probability"], inside["queue"])
        parts = scores["level_parts"].map(lambda told: tuple(told.split()) if isinstance(told, str) else ())
        by_health = level_of(parts, "health").set_axis(scores["customer_id"])
        settings = in_use(self.settings, now)
        if settings.health != in_use(self.settings, then).health:
            by_health = self._health(as_of, settings)
        rules, _ = company_rules(self.settings.rules, self._events().further)
        _, found = in_parts(alone, self.store.signals(as_of), rules, by_health)
        return scores[["customer_id"]].assign(before=scores["level"], after=found["level"])

    def _events(self) -> Any:
        return read_events(self.out / "events")

    def _intake(self, as_of: date, settings: Settings) -> Intake:
        report = IngestReport((), self._events(), Taken("incremental"))
        return Intake(Request("", self.out, as_of, given=settings), settings, report, as_of)

    def _health(self, as_of: date, settings: Settings) -> pd.Series:
        """The level of every customer's health with the weights of these settings, by customer."""
        intake = self._intake(as_of, settings)
        reference = settings.health.reference.made()
        key = ("health", intake.events.fingerprint, as_of)
        with self._lock:
            if key not in self._kept:
                plain = scheme_in_use(replace(intake, settings=self.settings))
                dates = (*health_dates(as_of, reference), as_of)
                rows = health_rows(intake.events, dates, plain, options=intake.options(), engine=intake.engine)
                for old in [one for one in self._kept if one[0] == "health"]:
                    del self._kept[old]
                self._kept[key] = rows
            rows = self._kept[key]
        health = with_history(scheme_in_use(intake).reweighed(rows), as_of, reference)
        levels = held_down(health["health_level"], fall_names(health), limits_in_use(intake) or {})
        return levels.set_axis(health["customer_id"])


def _manifest_of(out: Path, version: str) -> Mapping[str, Any] | None:
    """The manifest of a version, found by the digest in its name: the registry takes seconds to open."""
    digest = version.rpartition("@")[2]
    for path in sorted(tracking_folder(out).glob(f"artifacts/**/{MANIFEST}")):
        if hashlib.sha256(path.read_bytes()).hexdigest()[:8] == digest:
            try:
                return read_manifest(path.parent)
            except ArtefactError:  # of another version of the program: what is published can be looked at without it
                return None
    return None
