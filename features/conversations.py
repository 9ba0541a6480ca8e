"""What is said: how deep the talks go, what puts off, who else is named, what is asked of price and product.

Each text is marked once per bucket (:func:`features.text.marks`), whatever the cutoffs; features count the texts that
hold a phrase, so that a phrase repeated in one text counts once. A text without letter and digit says nothing.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from features import cutoffs
from features.interactions import OURS
from features.options import Value, option
from features.registry import LOOKBACK_DAYS, Baseline, feature
from features.relations import preparation, relation

option("words", "", "Folder of a company's own word lists, added to those that come along.")
option("competitors", (), "Names of competitors, as people write them.")
DEPTH_FALL = option("depth_fall_share", 0.15, "A talk is shallower than the one before from this share on.")

#: Texts that are marked at a time.
CHUNK = 20_000

_COUNTS = ("deferral", "competitor", "competitor_feature", "benchmark", "price_pressure", "refusal", "technical")


@preparation("text_marks")
def mark_texts(con: duckdb.DuckDBPyConnection, options: Mapping[str, Value]) -> None:
    """Make ``text_marks``: what the account says in each text that some cutoff sees in the past 455 days, each once.

    Columns ``text``, ``language``, ``depth`` (0 to 100; NULL for a text that says nothing) and the number of different
    phrases of each kind: ``deferral``, ``competitor``, ``competitor_feature``, ``benchmark``, ``price_pressure``,
    ``refusal``, ``technical``. Without texts it is empty and costs nothing.
    """
    counts = ", ".join(f"{name} BIGINT" for name in _COUNTS)
    con.execute(f"CREATE OR REPLACE TEMP TABLE text_marks (text VARCHAR, language VARCHAR, depth DOUBLE, {counts})")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE texts AS SELECT DISTINCT text FROM known_interactions "
        f"WHERE text IS NOT NULL AND NOT {OURS} AND visible_from <= (SELECT max(as_of) FROM cutoffs) "
        f"AND day >= (SELECT min(as_of) FROM cutoffs) - {LOOKBACK_DAYS}"
    )
    (number,) = con.execute("SELECT count(*) FROM texts").fetchall()[0]
    if number:
        from features.text import Words, marks

        extra = str(options["words"])
        competitors = options["competitors"]
        words = Words.load(Path(extra) if extra else None, competitors if isinstance(competitors, tuple) else ())
        for first in range(0, number, CHUNK):
            rows = con.execute(f"SELECT text FROM texts WHERE rowid BETWEEN {first} AND {first + CHUNK - 1}").fetchall()
            texts = [text for (text,) in rows]
            con.register("marked", marks(texts, words).assign(text=texts))
            con.execute("INSERT INTO text_marks BY NAME SELECT * REPLACE (nullif(depth, 'NaN') AS depth) FROM marked")
            con.unregister("marked")
    con.execute("DROP TABLE texts")


#: Depth in hundredths, so that sums do not depend on the order of rows.
_DEPTH = "CAST(round(depth * 100) AS BIGINT)"

relation(
    "talks",
    ("interactions",),
    "SELECT as_of, customer_id, depth, row_number() OVER newest AS newest_no, lead(depth) OVER newest AS depth_before "
    f"FROM (SELECT as_of, customer_id, occurred_at, interaction_id, {_DEPTH} AS depth "
    f"FROM ({cutoffs.past('interactions', LOOKBACK_DAYS)}) JOIN text_marks USING (text) "
    f"WHERE depth IS NOT NULL AND NOT {OURS}) "
    "WINDOW newest AS (PARTITION BY as_of, customer_id ORDER BY occurred_at DESC, interaction_id DESC)",
)


def _texts_with(mark: str, past: str) -> str:
    return f"count(*) FILTER ({mark} > 0 AND {past})"


@feature(
    "interactions",
    unit="points",
    concept="conversation",
    dimension="interaction",
    worse="less",
    windows=(90,),
    baseline=Baseline(90, "level", spread="10"),
    needs=("text",),
)
def talk_depth(past: str) -> str:
    """Mean communication depth index of what was said, 0 to 100."""
    return f"avg({_DEPTH}) FILTER ({past}) / 100"


@feature("talks", unit="talks", concept="conversation", dimension="interaction", worse="more", needs=("text",))
def talk_depth_falls_in_a_row() -> str:
    """How many of the newest talks in a row were clearly shallower than the one before."""
    fell = f"coalesce(depth <= (1 - CAST({DEPTH_FALL} AS DECIMAL(9, 6))) * depth_before, false)"
    return f"min(newest_no) FILTER (NOT {fell}) - 1"


@feature("talks", unit="share", concept="conversation", dimension="interaction", worse="more", needs=("text",))
def talk_depth_fall_share_over_3() -> str:
    """Share by which the newest talk was shallower than the third before it; 0 where it was not."""
    newest, third = "max(depth) FILTER (newest_no = 1)", "max(depth) FILTER (newest_no = 4)"
    return f"CASE WHEN {third} >= 0 THEN greatest(0, 1 - {newest} / nullif({third}, 0)) END"


@feature(
    "interactions",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    needs=("text",),
    empty=0,
)
def deferrals(past: str) -> str:
    """Talks in which the account put us off."""
    return _texts_with("deferral", past)


@feature(
    "interactions",
    unit="share",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    baseline=Baseline(90, "level"),
    needs=("text",),
)
def deferral_share(past: str) -> str:
    """Share of talks in which the account put us off."""
    return f"{_texts_with('deferral', past)} / nullif(count(depth) FILTER ({past}), 0)"


@feature(
    "interactions",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    needs=("text",),
    empty=0,
)
def refusals(past: str) -> str:
    """Talks in which the account said no."""
    return _texts_with("refusal", past)


@feature(
    "interactions",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    baseline=Baseline(90),
    needs=("text",),
    empty=0,
)
def competitor_mentions(past: str) -> str:
    """Talks in which a competitor came up."""
    return _texts_with("competitor", past)


@feature(
    "features", unit="flag", concept="conversation", dimension="interaction", worse="more", needs=("interactions.text",)
)
def competitor_newly_mentioned() -> str:
    """A competitor came up in the last 90 days and never in the year before (1 = yes)."""
    return "CAST(competitor_mentions_90d > 0 AND coalesce(competitor_mentions_90d_before, 0) = 0 AS INTEGER)"


@feature(
    "interactions",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    needs=("text",),
    empty=0,
)
def competitor_feature_mentions(past: str) -> str:
    """Talks in which the account spoke of what a competitor's product can do."""
    return _texts_with("competitor_feature", past)


@feature(
    "interactions",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    needs=("text",),
    empty=0,
)
def benchmark_requests(past: str) -> str:
    """Talks in which the account asked us to match a competitor's brand by name."""
    return _texts_with("benchmark", past)


@feature(
    "interactions",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    baseline=Baseline(90),
    needs=("text",),
    empty=0,
)
def technical_demands(past: str) -> str:
    """Talks with specific technical words in them."""
    return _texts_with("technical", past)


@feature(
    "interactions",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    windows=(90,),
    baseline=Baseline(90),
    needs=("text",),
    empty=0,
)
def price_talks(past: str) -> str:
    """Talks in which the account pressed for a lower price or better terms."""
    return _texts_with("price_pressure", past)


@feature(
    "features",
    unit="talks",
    concept="conversation",
    dimension="interaction",
    worse="more",
    needs=("interactions.text",),
    usual="price_talks_90d_usual",
)
def price_talks_more_than_usual() -> str:
    """Talks that pressed for price or terms in the last 90 days, more than the median of the customer's earlier 90."""
    return "price_talks_90d - price_talks_90d_median"
