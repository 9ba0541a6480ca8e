"""Observed share as a smooth function of the promised probability, with its band: a reliability plot without bins."""

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit

from models.book import resamples
from models.figures import FloatArray, checked, clipped_logit, mass_bins, ratio

_BINS = 256
_POINTS = 100
#: The kernel is at least so wide, in log-odds.
_LEAST_WIDTH = 0.25


def smooth_curve(rows: pd.DataFrame, *, rng: np.random.Generator, repeats: int = 200) -> pd.DataFrame:
    """Observed share over the probability, with a 95 % band from resamples of customers.

    The gap of outcome and probability is averaged by a Gaussian kernel on the log-odds (Nadaraya 1964, Theory of
    Probability and its Applications 9, 141-142; the width by Silverman's rule) and added to the probability: smoothing
    the gap and not the share leaves perfect probabilities on the diagonal, at both ends too.

    Parameters
    ----------
    rows
        `customer_id`, `probability` and `outcome`; at least one row.

    Returns
    -------
    DataFrame
        `probability` (from the .5 % to the 99.5 % quantile, increasing), `observed`, `low`, `high`.
    """
    p, y = checked(rows["probability"], rows["outcome"], probabilities=True)
    logits = clipped_logit(p)
    _, fine = np.unique(mass_bins(p, _BINS), return_inverse=True)
    customer = pd.factorize(rows["customer_id"])[0]
    shape = (int(fine.max()) + 1, int(customer.max()) + 1)
    gaps, counts = (sparse.coo_array((x, (fine, customer)), shape=shape).tocsr() for x in (y - p, np.ones(p.size)))
    spread = min(float(logits.std()), float(np.subtract(*np.quantile(logits, [0.75, 0.25]))) / 1.34)
    width = max(0.9 * spread * p.size**-0.2, _LEAST_WIDTH)
    first, last = np.quantile(logits, [0.005, 0.995])
    grid = np.unique(np.linspace(first, last, _POINTS))
    centre = np.bincount(fine, weights=logits) / np.bincount(fine)
    kernel = np.exp(-0.5 * ((grid[:, None] - centre) / width) ** 2)

    def curve(drawn: FloatArray) -> FloatArray:
        return np.clip(expit(grid)[:, None] + ratio(kernel @ (gaps @ drawn), kernel @ (counts @ drawn)), 0, 1)

    draws = np.hstack([curve(drawn) for drawn in resamples(shape[1], repeats, rng, widest=shape[0])])
    low, high = np.nanquantile(draws, [0.025, 0.975], axis=1)
    point = curve(np.ones((shape[1], 1)))[:, 0]
    return pd.DataFrame({"probability": expit(grid), "observed": point, "low": low, "high": high})
