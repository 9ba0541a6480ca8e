"""The settings of levels and warnings give what the models take, and refuse what contradicts itself."""

import pytest
from pydantic import ValidationError

from models.early import MARKED
from models.episodes import Hysteresis, Pilot
from models.stages import LOST_AFTER_CYCLES
from pipelines.level_sections import Capacity, EarlyMark, Trial, Warnings


def test_the_defaults_are_those_of_the_models():
    assert Warnings().terms() == Hysteresis()
    assert Warnings().lost_after_cycles == LOST_AFTER_CYCLES
    assert EarlyMark().promise() == MARKED
    assert Trial().pilot() == Pilot()
    assert Capacity().by_level() == {}


def test_what_is_set_is_what_is_used():
    assert Warnings(met=1, scorings=1, new_per_week="").terms() == Hysteresis(met=1, scorings=1, new_per_week=None)
    assert Capacity(red=5.0, blue=20.0).by_level() == {"red": 5.0, "blue": 20.0}
    assert Trial(column="region", values=["Kansai"]).pilot() == Pilot("region", ("Kansai",))
    assert Trial(shadow=True).pilot().shadow


@pytest.mark.parametrize(
    ("section", "values", "why"),
    [
        (Capacity, {"red": 20.0, "blue": 5.0}, "must not fall from red"),
        (Capacity, {"red": 0.0}, "greater than 0"),
        (Warnings, {"met": 4}, "met must not be above scorings"),
        (Warnings, {"jump": 0.0}, "greater than 0"),
        (Trial, {"column": "region"}, "set together"),
        (Trial, {"units": ["U"]}, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(section, values, why):
    with pytest.raises(ValidationError, match=why):
        section(**values)
