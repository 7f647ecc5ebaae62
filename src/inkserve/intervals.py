"""Confidence intervals of measured shares."""

from math import sqrt

Z_95 = 1.96


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    share, spread = right / count, Z_95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = Z_95 / (1 + spread) * sqrt(share * (1 - share) / count + spread / (4 * count))
    return centre - half, centre + half
