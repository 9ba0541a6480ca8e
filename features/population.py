"""What the snapshots of one customer know of all the others: when the sources begin, and the levels of its peers.

Kept beside the snapshots of a day, it makes the snapshots of a few customers again, or of customers as they would be
under other circumstances (:mod:`features.variants`), without a pass over the whole company.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd


@dataclass(frozen=True, eq=False)
class Population:
    """All customers at some cutoffs, as each of them is compared with.

    Attributes
    ----------
    as_ofs
        The cutoffs.
    starts
        Of :func:`features.snapshots.all_starts`.
    levels
        Of :func:`features.peers.market_levels`, at these cutoffs.
    """

    as_ofs: tuple[date, ...]
    starts: pd.DataFrame
    levels: pd.DataFrame

    def must_tell_of(self, as_ofs: Sequence[date]) -> None:
        """Raise ``ValueError`` if one of these cutoffs is none of its own: peers would be missing in silence."""
        strange = sorted(set(as_ofs) - set(self.as_ofs))
        if strange:
            raise ValueError(f"the population is that of {[*map(str, self.as_ofs)]}, not of {[*map(str, strange)]}")

    def save(self, folder: Path) -> None:
        """Write it to a folder that exists, as Parquet files; those of before are replaced."""
        dates = pd.DataFrame({"as_of": pd.to_datetime([*self.as_ofs])})
        for name, frame in {"cutoffs": dates, "starts": self.starts, "levels": self.levels}.items():
            aside = folder / f".{name}.parquet"
            frame.to_parquet(aside, index=False)
            aside.replace(folder / f"{name}.parquet")

    @classmethod
    def load(cls, folder: Path) -> "Population":
        """Read what :meth:`save` wrote, to the last bit.

        Raises
        ------
        FileNotFoundError
            Where there is none.
        """
        dates, starts, levels = (
            pd.read_parquet(folder / f"{name}.parquet") for name in ("cutoffs", "starts", "levels")
        )
        return cls(tuple(day.date() for day in dates["as_of"]), starts, levels)
