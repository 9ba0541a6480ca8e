"""Notes on an account: what people wrote into its file, with tags that can be searched.

A note is a row of `account_changes` with the field ``note``. It bears the tag ``contact change``, ``policy change`` or
``cost cutting`` where its text holds those words, in English, Japanese or Chinese and whatever stands around them
(``#cost-cutting``, ``[cost cutting]``, ``コスト削減``), and any other tag that is written as ``#tag``.
"""

import re
from dataclasses import dataclass
from datetime import date

import duckdb
import pandas as pd

from features import cutoffs
from features.buckets import Events
from features.engines import ONE_BY_ONE, Engine, map_buckets
from features.narrowing import narrow

#: Tag -> the words that set it, in small letters.
TAGS = {
    "contact change": (
        "contact change",
        "change of contact",
        "担当者交代",
        "担当者変更",
        "担当交代",
        "联系人变更",
        "联系人更换",
    ),
    "policy change": ("policy change", "change of policy", "方針変更", "方針転換", "政策变更", "政策变化", "方针变更"),
    "cost cutting": ("cost cutting", "cost reduction", "コスト削減", "経費削減", "削减成本", "降低成本", "降本"),
}
_WORDS = {
    tag: re.compile("|".join("#?" + r"[\s_-]+".join(map(re.escape, form.split())) for form in forms))
    for tag, forms in TAGS.items()
}
_HASH_TAG = re.compile(r"#([^\W\d][\w-]*)")


def tags(text: str) -> tuple[str, ...]:
    """The tags of a note: the three that are known first, then its own in the order of the text."""
    left, found = text.lower(), []
    for tag, words in _WORDS.items():
        if words.search(left):
            found.append(tag)
            left = words.sub(" ", left)
    own = (re.sub("[_-]+", " ", word).strip() for word in _HASH_TAG.findall(left))
    return tuple(dict.fromkeys([*found, *own]))


def notes(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """All notes that were known before each cutoff, the newest first.

    Parameters
    ----------
    con
        A connection on which time is laid out and the cutoffs are named (:mod:`features.cutoffs`).

    Returns
    -------
    DataFrame
        ``customer_id``, ``changed_at`` (datetime64), ``author``, ``text`` (str, missing where not given) and ``tags``
        (tuples of str).
    """
    found = con.execute(
        f"SELECT customer_id, changed_at, author, new AS text FROM ({cutoffs.past('account_changes')}) "
        "WHERE field = 'note' AND nullif(trim(new), '') IS NOT NULL ORDER BY changed_at DESC, customer_id, text, author"
    ).df()
    found = found.astype({"customer_id": "str", "changed_at": "datetime64[us]", "author": "str", "text": "str"})
    return found.assign(tags=pd.Series([tags(text) for text in found["text"]], index=found.index, dtype="object"))


def search(events: Events, as_of: date, words: str, *, engine: Engine = ONE_BY_ONE) -> pd.DataFrame:
    """Notes of all accounts, known before `as_of`, that bear a tag or hold some words, the newest first.

    Parameters
    ----------
    words
        A tag, with or without ``#``, or a part of the text; capitals do not matter.

    Returns
    -------
    DataFrame
        As of :func:`notes`.
    """
    parts = map_buckets(_Notes(as_of), events, engine, "notes")
    every = pd.concat(parts, ignore_index=True)
    wanted = words.lower().strip()
    tag = re.sub("[_-]+", " ", wanted.removeprefix("#"))
    held = [tag in its or wanted in text.lower() for text, its in zip(every["text"], every["tags"], strict=True)]
    found = every[pd.Series(held, index=every.index, dtype="bool")]
    order = {"changed_at": False, "customer_id": True, "text": True, "author": True}
    return found.sort_values(list(order), ascending=list(order.values()), ignore_index=True)


@dataclass(frozen=True)
class _Notes:
    """The notes of one bucket, in a form that another process can be handed."""

    as_of: date

    def __call__(self, events: Events, bucket: int) -> pd.DataFrame:
        """Read one bucket."""
        with events.connect(bucket) as con:
            narrow(con, "false", keep=("account_changes",))
            cutoffs.lay_out_time(con)
            cutoffs.set_cutoffs(con, [self.as_of])
            return notes(con)
