"""Quantiles stay within 5 % of HdrHistogram's, and adding histograms is exact."""

import random

import pytest
from hdrh.histogram import HdrHistogram

from esteio.health._latency import BUCKETS, Latency, bucket_of, upper_bound

SHAPES = {
    "lognormal": lambda r: r.lognormvariate(-5, 1.2),
    "uniform": lambda r: r.uniform(0.0001, 2.0),
    "two peaks": lambda r: r.gauss(0.004, 0.0003) if r.random() < 0.95 else r.gauss(3.0, 0.1),
    "one value": lambda r: 0.0123,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_are_within_five_percent_of_hdrhistogram(shape: str) -> None:
    chance, oracle, buckets = random.Random(7), HdrHistogram(1, 64_000_000_000, 3), [0] * BUCKETS
    for _ in range(5000):
        seconds = min(60.0, max(31e-6, SHAPES[shape](chance)))
        oracle.record_value(round(seconds * 1e9))
        buckets[bucket_of(seconds)] += 1
    latency = Latency(0.0, buckets)
    assert latency.count == 5000
    for percent in (1, 25, 50, 90, 95, 99, 99.9, 100):
        expected = oracle.get_value_at_percentile(percent) / 1e9
        assert latency.quantile(percent / 100) == pytest.approx(expected, rel=0.05)


def test_each_value_lies_in_its_bucket_and_what_is_too_small_or_too_large_in_the_first_or_last() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        seconds = 2 ** chance.uniform(-15, 5.9999)
        bucket = bucket_of(seconds)
        assert upper_bound(bucket - 1) <= seconds < upper_bound(bucket)
    assert [bucket_of(each) for each in (-1.0, 0.0, 1e-9, 64.0, 1e9)] == [0, 0, 0, BUCKETS - 1, BUCKETS - 1]
    assert [upper_bound(each) for each in (0, BUCKETS - 2, BUCKETS - 1)] == [2**-15, 64.0, float("inf")]


def test_nothing_has_no_quantile() -> None:
    assert Latency(0.0, [0] * BUCKETS).quantile(0.5) is None


def test_counts_up_to_a_bound_that_ends_a_bucket_are_exact() -> None:
    buckets = [0] * BUCKETS
    for seconds in (0.01, 0.2, 0.24, 0.26, 3.0, 100.0):
        buckets[bucket_of(seconds)] += 1
    assert Latency(0.0, buckets).up_to((0.25, 1.0, 64.0)) == [3, 4, 5]
