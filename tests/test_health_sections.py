"""What a company sets about health becomes a scheme, or one line that says what is wrong."""

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from models.health import PROFILES, Weights
from models.health_history import USUAL_REFERENCE
from models.health_scheme import FIVE_DIMENSIONS, FIVE_INPUTS, InputWeights
from pipelines.health_sections import Health
from pipelines.setting_words import problems


class Root(BaseModel):
    """Where the section stands in the settings."""

    health: Health = Health()


def refused(**given: object) -> str:
    try:
        Root.model_validate({"health": given})
    except ValidationError as refusal:
        (found,) = problems(Root, {"health": given}, refusal)
        assert "\n" not in found
        return found
    return "nothing is refused"


def test_by_default_the_five_dimensions_with_the_default_profile():
    assert Health().made() == FIVE_DIMENSIONS
    assert Health(scheme="five_inputs").made() == FIVE_INPUTS
    assert Health().reference.made() == USUAL_REFERENCE


@pytest.mark.parametrize("profile", ["default", "standard", "project"])
def test_hs_08_a_profile_is_chosen_by_name(profile):
    assert Health(profile=profile).made().weights == PROFILES[profile]


def test_hs_09_weights_are_set_for_all_and_for_a_segment():
    section = Health.model_validate(
        {
            "profile": "project",
            "weights": {"strategy": 0, "finance": 25},
            "segments": {"pumps": {"transaction": 45, "interaction": 10}},
        }
    )
    scheme = section.made()
    assert scheme.weights == Weights(20, 35, 20, 25, 0)
    assert scheme.of_segment == {"pumps": Weights(45, 10, 20, 25, 0)}


def test_hs_07_learned_weights_take_the_place_of_those_set_and_not_of_a_segments_own():
    section = Health.model_validate({"learned": True, "segments": {"pumps": {"transaction": 15, "finance": 30}}})
    scheme = section.made(learned=PROFILES["project"])
    assert scheme.weights == PROFILES["project"]
    assert scheme.of_segment == {"pumps": Weights(15, 25, 20, 30, 10)}


def test_hs_10_the_scheme_of_five_inputs_has_weights_of_its_own():
    scheme = Health.model_validate(
        {"scheme": "five_inputs", "oldest_rating_days": 180, "weights": {"activity": 30, "satisfaction": 10}}
    ).made()
    assert scheme.weights == InputWeights(30, 20, 20, 20, 10)
    assert scheme.oldest_rating_days == 180
    assert [mark.oldest_days for mark in scheme.marks if mark.age] == [180]


def test_marks_are_changed_by_their_feature():
    given = {"payment_days_mean_90d_vs_usual": {"bad": 1.5}, "credit_used_share_vs_usual": {"weight": 0}}
    marks = {mark.feature: mark for mark in Health.model_validate({"marks": given}).made().marks}
    assert marks["payment_days_mean_90d_vs_usual"].bad == 1.5
    assert "credit_used_share_vs_usual" not in marks
    assert len(marks) == 14


def test_the_example_of_the_page_makes_a_scheme():
    page = (Path(__file__).parents[1] / "docs" / "health.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    scheme = Root.model_validate(tomllib.loads(example)).health.made()
    assert scheme.weights == Weights(20, 35, 20, 20, 5)
    assert scheme.of_segment == {"pumps": Weights(30, 25, 20, 20, 5)}
    assert len(scheme.marks) == 15


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weights": {"finance": 20}}, "[health]: [health.weights]: health weights: expected five numbers"),
        ({"weights": {"finance": 20}}, "in sum 105. Take 5 from them in all."),
        ({"weights": {"money": 20}}, "expected transaction, interaction, service, finance, strategy; found money"),
        ({"segments": {"pumps": {"finance": 20}}}, '[health.segments."pumps"]: health weights:'),
        ({"scheme": "five_inputs", "profile": "project"}, "profile = 'project' is one of the five dimensions"),
        ({"scheme": "ten"}, '[health] scheme = "ten", allowed: "five_dimensions" or "five_inputs"'),
        ({"marks": {"last_rating": {"godo": 5}}}, "[health.marks.last_rating]: expected numbers good, bad and weight"),
        ({"marks": {"last_rating": {"good": "5"}}}, "found good = '5'. Leave it out."),
        ({"marks": {"last_rating": {"good": 5}}}, "expected dimension, good and bad for a new mark"),
        (
            {"marks": {"last_rating": {"good": 5, "bad": 1, "dimension": "activity"}}},
            "found another in last rating",
        ),
        ({"reference": {"from_days": 200}}, "[health.reference]: health reference: expected a window"),
        ({"reference": {"drop_by": "euros"}}, '[health.reference] drop_by = "euros", allowed: "share" or "points"'),
    ],
)
def test_what_makes_no_scheme_is_refused_in_one_line(given, said):
    assert said in refused(**given)
