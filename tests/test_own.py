"""Features of the user's own: installed from files, taken out again, their mistakes told in one line."""

from datetime import date

import pytest
from orders import features_of

from features import own, registry
from features.errors import FeatureError, SettingsError
from features.options import OPTIONS
from features.relations import RELATIONS

GOOD = '''
from features.cutoffs import past
from features.options import option
from features.registry import Baseline, feature
from features.relations import relation

BIG = option("big_order", 100, "An order from this amount on is big.", "money")
relation("big_days", ("transactions",), f"SELECT * FROM ({past('order_days')}) WHERE amount >= {BIG}")


@feature("big_days", unit="order days", concept="big_orders", dimension="finance", windows=(90,), empty=0)
def big_order_days(past: str) -> str:
    """Days with a big order."""
    return f"count(*) FILTER ({past})"


@feature("features", unit="share", concept="big_orders")
def big_order_day_share_90d() -> str:
    """Share of order days with a big order."""
    return "big_order_days_90d / nullif(order_days_90d, 0)"
'''
ORDERS = "customer_id order_id ordered_at amount\nA 1 2024-05-01 250\nA 2 2024-05-02 90"
MAY_4 = date(2024, 5, 4)
registry.registered()  # the shipped features are there before any test counts them


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    own.install(())


def written(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return own.read_own([path])


def test_features_of_a_file_join_the_others_with_relations_and_options_of_their_own(tmp_path):
    assert own.install(written(tmp_path, GOOD)) == ("big_order_days_90d", "big_order_day_share_90d")
    row = features_of(ORDERS, MAY_4)
    assert row[["big_order_days_90d", "big_order_day_share_90d"]].tolist() == [1.0, 0.5]
    row = features_of(ORDERS, MAY_4, options={"big_order": 80})
    assert row[["big_order_days_90d", "big_order_day_share_90d"]].tolist() == [2.0, 1.0]


def test_installing_twice_changes_nothing_and_installing_nothing_takes_everything_out(tmp_path):
    before = (set(registry.REGISTRY), set(RELATIONS), set(OPTIONS))
    files = written(tmp_path, GOOD)
    names = own.install(files)
    assert own.install(files) == names
    assert own.installed() == files
    assert own.install(()) == ()
    assert (set(registry.REGISTRY), set(RELATIONS), set(OPTIONS)) == before


def test_a_changed_file_takes_the_place_of_what_it_said_before(tmp_path):
    own.install(written(tmp_path, GOOD))
    names = own.install(written(tmp_path, GOOD.replace("big_order_days", "large_order_days")))
    assert names == ("large_order_days_90d", "big_order_day_share_90d")
    assert "big_order_days_90d" not in registry.REGISTRY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from features.registry import feature\n\nfeature(", r"mine.py:3: SyntaxError"),
        ("import nowhere_to_be_found", r"mine.py:1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        (
            GOOD.replace("def big_order_days(", "def revenue("),
            r"mine.py:\d+: ValueError: feature revenue_90d is registered",
        ),
        (GOOD.replace('    """Days with a big order."""\n', ""), r"mine.py:\d+: ValueError: .* has no docstring"),
    ],
)
def test_a_file_that_fails_is_named_with_its_line_and_leaves_nothing_behind(tmp_path, text, said):
    before = (set(registry.REGISTRY), set(RELATIONS), set(OPTIONS))
    with pytest.raises(SettingsError, match=said):
        own.install(written(tmp_path, text))
    assert (set(registry.REGISTRY), set(RELATIONS), set(OPTIONS)) == before


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"features\.files: .*gone\.py cannot be read"):
        own.read_own([tmp_path / "gone.py"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("count(*) FILTER", "count(no_such_column) FILTER", r"feature big_order_days_90d: .*no_such_column"),
        ("nullif(order_days_90d, 0)", "nullif(order_dais, 0)", r"feature big_order_day_share_90d: .*order_dais"),
        ("nullif(order_days_90d, 0)", "nullif(order_days_90d, 0", r"feature big_order_day_share_90d: "),
    ],
)
def test_an_expression_that_fails_is_named_with_its_sql(tmp_path, old, new, said):
    own.install(written(tmp_path, GOOD.replace(old, new)))
    with pytest.raises(FeatureError, match=said):
        features_of(ORDERS, MAY_4)


def test_a_function_that_fails_is_named(tmp_path):
    text = (
        GOOD
        + '''

@feature("frame", unit="ratio", concept="big_orders")
def half(frame):
    """Half of something that is not there."""
    return frame["nothing"] / 2
'''
    )
    own.install(written(tmp_path, text))
    with pytest.raises(FeatureError, match="feature half: KeyError"):
        features_of(ORDERS, MAY_4)
