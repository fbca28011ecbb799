"""How the numbers of a set are spread, and which of them are far from the rest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
ROBUST = 1.4826
"""A median absolute deviation times this is the standard deviation where values are normal."""


def distribution(values: Floats, bins: int) -> dict[str, Any]:
    """Return count, extremes, moments, quantiles (linear between values) and a histogram.

    The histogram has bars of one width from the least to the greatest value; `edges` is one longer
    than `counts`. Values that are NaN are `missing`.
    """
    known = values[~np.isnan(values)]
    told: dict[str, Any] = {"count": len(known), "missing": len(values) - len(known)}
    if not len(known):
        return told
    counts, edges = np.histogram(known, bins)
    quantiles = np.quantile(known, QUANTILES)
    return {
        **told,
        "min": short(known.min()),
        "max": short(known.max()),
        "mean": short(known.mean()),
        "std": short(known.std()),
        "quantiles": {f"{q:g}": short(v) for q, v in zip(QUANTILES, quantiles, strict=True)},
        "histogram": {"edges": [short(edge) for edge in edges], "counts": counts.tolist()},
    }


def outliers(values: Floats, distance: float, *, least: float, ratio: bool) -> "Outliers":
    """Return how far each value is from the median, and the bounds of what is usual.

    Distances are in robust standard deviations: 1.4826 × the median absolute deviation (Iglewicz
    and Hoaglin, 1993, who take 3.5 for the bound); where more than half of the values are the same,
    1.2533 × the mean absolute deviation. They are no less than `least`, so that trifles are none.
    With `ratio` the logarithms of positive values are compared.
    """
    scale = np.log(np.where(values > 0, values, np.nan)) if ratio else values
    if np.isnan(scale).all():
        return Outliers(np.zeros(len(values)), float("-inf"), float("inf"))
    median = float(np.nanmedian(scale))
    off = np.abs(scale - median)
    spread = ROBUST * float(np.nanmedian(off)) or 1.2533 * float(np.nanmean(off))
    spread = max(spread, least)
    bounds = [median - distance * spread, median + distance * spread]
    low, high = (float(np.exp(bound)) if ratio else bound for bound in bounds)
    return Outliers(np.nan_to_num((scale - median) / spread), low, high)


@dataclass(frozen=True)
class Outliers:
    """Distances from the median (0 where there is no value), and what is usual."""

    away: Floats
    low: float
    high: float


def short(value: Any) -> float:
    """Return a number with seven digits."""
    return float(f"{float(value):.7g}")
