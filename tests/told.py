"""Fixtures of the simulated company with two published days, for what is told of one of its customers."""

import shutil

import pytest
from companies import DAY, Company
from two_days import LATER, TwoDays

from pipelines.dated import dated
from pipelines.intake import Intake
from pipelines.score import Scored, score
from pipelines.story import explain
from serving.story import Story


@pytest.fixture(scope="session")
def two_days(company: Company, scored: tuple[Intake, Scored], tmp_path_factory: pytest.TempPathFactory) -> TwoDays:
    """Not to be changed in place; stories may leave in its folder what they keep for the next."""
    out = shutil.copytree(scored[0].request.out, tmp_path_factory.mktemp("told") / "out")
    intake = company.taken_in(out, LATER)
    score(intake)
    return TwoDays(intake, dated(company.taken_in(out, DAY)), dated(intake))


@pytest.fixture(scope="session")
def told(two_days: TwoDays) -> Story:
    """The story of the one warned of the most, and why it stands otherwise than on the day before."""
    return explain(two_days.intake, two_days.warned, since=DAY)
