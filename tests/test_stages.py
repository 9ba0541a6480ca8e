"""How far a customer has gone: the stages of the signals, and lost by its own orders."""

import numpy as np
import pandas as pd
import pytest

from models.stages import STAGES, stages


def stage(silence: float, cycle: float = 20, window: float = 45, relationship: float = 0.0) -> str:
    frame = pd.DataFrame(
        {
            "relationship_stage": [relationship],
            "days_since_last_order": [float(silence)],
            "order_cycle_days": [float(cycle)],
            "churn_window_days": [window],
        }
    )
    return stages(frame).item()


@pytest.mark.parametrize(
    ("number", "name"), [(np.nan, "none"), (0, "none"), (1, "cooling"), (2, "comparison"), (3, "decision")]
)
def test_a_stage_is_what_the_signals_support(number, name):
    assert stage(5, relationship=number) == name


@pytest.mark.parametrize(("silence", "lost"), [(59, False), (60, False), (61, True)])
def test_rb_04_more_than_two_own_cycles_of_silence_are_needed_to_be_lost(silence, lost):
    assert (stage(silence, cycle=30, window=45, relationship=3) == "lost") == lost


@pytest.mark.parametrize(("silence", "lost"), [(44, False), (45, False), (46, True)])
def test_and_the_own_window_has_to_be_over(silence, lost):
    # More than two cycles of 20 days by then, which by the rule alone is a churned customer.
    assert stage(silence, cycle=20, window=45, relationship=1) == ("lost" if lost else "cooling")


def test_without_a_cycle_nobody_is_lost():
    assert stage(900, cycle=np.nan) == "none"


def test_stages_are_named_in_the_order_in_which_they_are_gone_through():
    assert STAGES == ("none", "cooling", "comparison", "decision", "lost")
