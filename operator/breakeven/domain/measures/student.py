"""Quantiles of Student's t with any positive number of degrees of freedom, without a numerical library.

The tail probability is half a regularised incomplete beta function (DLMF 8.17, https://dlmf.nist.gov/8.17), which is
summed as the continued fraction 8.17.22 by the modified Lentz method. The quantile is found by Newton's method on the
logarithms of both: that curve is concave, so the steps come from one side and converge from wherever they begin.
"""

import math
from statistics import NormalDist

_SMALLEST = 1e-300
_TERMS = 500
_NORMAL = 1e7
"""Degrees of freedom from which on the distribution is the normal one to seven digits."""
_STEPS = 200


def tail(t: float, freedom: float) -> float:
    """Probability that Student's t exceeds a positive value."""
    if freedom >= _NORMAL:
        return math.erfc(t / math.sqrt(2)) / 2
    square = t * t
    return incomplete_beta(freedom / (freedom + square), freedom / 2, 0.5, square / (freedom + square)) / 2


def upper_quantile(freedom: float, probability: float) -> float:
    """The value that Student's t exceeds with this probability.

    Raises
    ------
    ValueError
        If there are no degrees of freedom, or the probability is not between 0 and 1.
    """
    if not (freedom > 0 and 0 < probability < 1):
        raise ValueError("a quantile needs positive degrees of freedom and a probability between 0 and 1")
    if probability > 0.5:
        return -upper_quantile(freedom, 1 - probability)
    if probability == 0.5:
        return 0.0
    logarithm = math.log(max(1e-6, NormalDist().inv_cdf(1 - probability)))
    for _ in range(_STEPS):
        t = math.exp(logarithm)
        beyond = tail(t, freedom)
        step = math.log(beyond / probability) * beyond / (t * _density(t, freedom))
        logarithm += step
        if abs(step) < 1e-12:
            break
    return math.exp(logarithm)


def _density(t: float, freedom: float) -> float:
    if freedom >= _NORMAL:
        return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    return math.exp(scale - (freedom + 1) / 2 * math.log1p(t * t / freedom))


def incomplete_beta(x: float, a: float, b: float, rest: float) -> float:
    """Regularised incomplete beta function I_x(a, b); `rest` is 1 - x, given apart because it may be tiny."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    if x < (a + 1) / (a + b + 2):
        return math.exp(scale) * _fraction(x, a, b) / a
    return 1 - math.exp(scale) * _fraction(rest, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of 8.17.22 by Lentz's method."""
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _SMALLEST else _SMALLEST)
    value = d
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 + term * d, 1 + term / c
            d = 1 / (d if abs(d) > _SMALLEST else _SMALLEST)
            c = c if abs(c) > _SMALLEST else _SMALLEST
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
