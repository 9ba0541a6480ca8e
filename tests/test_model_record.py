"""What a day publishes of the model in use: small, without names, and the same figures as the training's own."""

import json

import pytest

from pipelines.intake import Intake
from pipelines.model_record import BINS, RECORD, REPORT, RULES_REPORT
from pipelines.score import Scored

pytest_plugins = ["trained"]

MOST_BYTES = 20_000


@pytest.fixture
def told(scored: tuple[Intake, Scored]) -> dict:
    return dict(scored[1].day.working.frames.reports[REPORT])


def test_the_record_is_small_and_names_no_customer(scored: tuple[Intake, Scored], told: dict) -> None:
    whole = json.dumps(told, default=str)
    assert len(whole) < MOST_BYTES
    customers = set(scored[1].day.scores["customer_id"])
    assert not {one for one in customers if f'"{one}"' in whole}


def test_calibration_is_that_of_the_certificate_s_own_rows(told: dict) -> None:
    fixed, overall = told[RECORD]["fixed"], told["certificate"]["overall"]
    assert (fixed["n"], fixed["customers"], len(fixed["dates"])) == (
        overall["n"], overall["n_customers"], overall["n_cutoffs"],
    )  # fmt: skip
    assert sum(one["n"] for one in fixed["bins"]) == fixed["n"]
    assert len(fixed["bins"]) <= BINS
    assert fixed["lost"] == pytest.approx(overall["base_rate"] * overall["n"])
    promised = sum(one["n"] * one["promised"] for one in fixed["bins"]) / fixed["n"]
    assert promised == pytest.approx(overall["promised"], abs=1e-4)


def test_the_thresholds_in_use_are_among_those_on_offer(scored: tuple[Intake, Scored], told: dict) -> None:
    held = told[RECORD]["thresholds"]
    levels = scored[1].champion.model.levels.levels
    assert {one.threshold for one in levels if one.threshold is not None} <= set(held["edges"]["at"])
    assert held["rows"] >= held["rows_lost"] >= held["edges"]["rows_lost"][0]
    assert {len(values) for values in held["edges"].values()} == {len(held["edges"]["at"])}
    assert told["trained_as_of"] == scored[1].champion.model.facts["trained_as_of"]


def test_without_a_kept_record_of_the_rules_none_is_published(scored: tuple[Intake, Scored]) -> None:
    assert RULES_REPORT not in scored[1].day.working.frames.reports
