"""Sums of the walk-forward at every threshold are those of a count by hand, row by row."""

import numpy as np
import pandas as pd
import pytest

from models.threshold_record import EDGES, at_equal_warnings, threshold_record

DATES = pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"])
CLOSED_AFTER = 45


def predictions(seed: int = 0, customers: int = 60, contestant: str = "champion") -> pd.DataFrame:
    """Some customers at all dates, the riskier ones lost more often; probabilities of two digits tie."""
    rng = np.random.default_rng(seed)
    rows = [
        (contestant, f"C{who:03d}", day, round(float(p), 2), float(rng.random() < p), 100.0 + who, left)
        for who in range(customers)
        for day, p in zip(DATES, rng.beta(1.2, 2.5, len(DATES)), strict=True)
        for left in [float(rng.integers(-50, 90))]
    ]  # fmt: skip
    columns = ["contestant", "customer_id", "as_of", "probability", "outcome", "value", "window_left"]
    return pd.DataFrame(rows, columns=columns)


def counted(rows: pd.DataFrame, edge: float) -> dict[str, object]:
    """The same by walking along each customer's dates."""
    found = dict.fromkeys(("rows", "rows_lost", "warnings", "right", "caught", "under_older", "lost"), 0)
    value, leads = 0.0, []
    for _, mine in rows.sort_values("as_of").groupby("customer_id"):
        last_above, first_lost, newly, under = None, None, False, False
        for row in mine.to_dict("records"):
            above = row["probability"] >= edge
            stands = last_above is not None and (row["as_of"] - last_above).days <= CLOSED_AFTER
            if row["as_of"] > DATES[0]:  # the first date only shows who stands already
                found["rows"] += above
                found["rows_lost"] += above and row["outcome"] == 1
                if row["outcome"] == 1:
                    first_lost = first_lost or row["value"]
                    under |= above
                if above and not stands:
                    found["warnings"] += 1
                    if row["outcome"] == 1:
                        found["right"] += 1
                        leads.append(row["window_left"])
                        newly = True
            if above:
                last_above = row["as_of"]
        found["lost"] += first_lost is not None
        found["caught"] += newly
        found["under_older"] += under and not newly
        value += first_lost if newly and first_lost else 0.0
    return {**found, "caught_value": round(value, 2), "lead_50": round(float(np.median(leads)), 1) if leads else None}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_edge_is_a_count_of_the_rows(seed: int) -> None:
    rows = predictions(seed)
    found = threshold_record(rows, [0.05, 0.2, 0.333, 0.5, 0.8, 0.99])
    assert found is not None
    for place, edge in enumerate(found["edges"]["at"]):
        direct = counted(rows, edge)
        assert found["lost"] == direct.pop("lost")
        assert {name: found["edges"][name][place] for name in direct} == direct, edge


def test_a_lower_threshold_never_has_fewer_rows_above_it() -> None:
    found = threshold_record(predictions(3), EDGES)
    assert found is not None
    for name in ("rows", "rows_lost"):
        values = found["edges"][name]
        assert values == sorted(values, reverse=True)
    warned = [a + b for a, b in zip(found["edges"]["caught"], found["edges"]["under_older"], strict=True)]
    assert warned == sorted(warned, reverse=True)
    assert found["dates"] == ["2026-02-01", "2026-03-01", "2026-04-01"]
    assert found["rows"] == 180


def test_one_date_tells_nothing_of_new_warnings() -> None:
    rows = predictions()
    first = rows[rows["as_of"] == DATES[0]]
    assert threshold_record(first, EDGES) is None
    assert at_equal_warnings(first, [3], ["champion"], np.random.default_rng(0)) == []


def test_at_equal_numbers_everybody_opens_as_many_and_the_model_as_at_its_threshold() -> None:
    champion = predictions(4)
    rng = np.random.default_rng(9)
    noise = champion.assign(contestant="cycle", probability=rng.random(len(champion)))
    own = threshold_record(champion, [0.4])
    assert own is not None
    edge = {name: values[0] for name, values in own["edges"].items()}
    both = pd.concat([champion, noise])
    found = at_equal_warnings(both, [edge["warnings"]], ["champion", "cycle"], np.random.default_rng(0))
    assert [row["contestant"] for row in found] == ["champion", "cycle", "random"]
    assert all(row["warnings"] == edge["warnings"] for row in found)
    assert found[1]["opened"] == edge["warnings"], "no two of its scores tie"
    assert found[0]["lost"] == own["lost"]
    assert found[0]["precision"] == pytest.approx(found[0]["right"] / found[0]["opened"], abs=0.02)
    assert found[0]["precision"] > found[2]["precision"], "it knows something and the lot does not"
