"""A limit that exists can be decided; everything else is refused by name, value and what is allowed."""

import pickle
from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.errors import EsteioError
from esteio.limit import HostStore, Limit, LimitError


@pytest.mark.parametrize("rate", [0, -1, nan, inf, 1.0, True, "5", None, 1 << 26 | 1, 10**30])
def test_a_rate_no_limit_can_have_is_refused(rate: object) -> None:
    with pytest.raises(LimitError, match=r"rate=.* can't be used; pass a whole number from 1 to 67108864"):
        Limit(rate, 60)  # type: ignore[arg-type]


@pytest.mark.parametrize("per", [0, -1, nan, inf, -inf, True, "60", None, 0.0009, 367 * 86400, 1e300, 10**400])
def test_a_period_no_limit_can_have_is_refused(per: object) -> None:
    with pytest.raises(LimitError, match=r"per=.* can't be used; pass seconds from 0.001 to 31622400"):
        Limit(5, per)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("algorithm", "leaky"),
        ("algorithm", None),
        ("on_failure", "maybe"),
        ("name", None),
        ("name", "a" * 65),
        ("name", "two\nlines"),
        ("burst", 5),
    ],
)
def test_every_other_field_is_checked_too(field: str, value: object) -> None:
    with pytest.raises(LimitError, match=f"^{field}="):
        Limit(5, 60, **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("burst", [0, -1, True, 1.5, 1 << 26 | 1])
def test_a_burst_is_a_count(burst: object) -> None:
    with pytest.raises(LimitError, match=r"^burst="):
        Limit(5, 60, algorithm="gcra", burst=burst)  # type: ignore[arg-type]


def test_a_burst_that_takes_more_than_a_year_to_come_back_is_refused() -> None:
    with pytest.raises(LimitError, match="burst=1000 can't be used; pass at most 366,"):
        Limit(1, 86400, algorithm="gcra", burst=1000)


@given(st.integers(1, 1 << 26), st.floats(0.001, 366 * 86400), st.sampled_from(["window", "counter", "gcra", "fixed"]))
def test_every_other_limit_decides_its_first_hit(rate: int, per: float, algorithm: str) -> None:
    limit = Limit(rate, per, algorithm=algorithm)  # type: ignore[arg-type]
    state, allowed, remaining, reset, retry = limit.decide((), 1 << 50, 1)
    assert (allowed, remaining, retry) == (True, rate - 1, 0)
    assert state
    assert reset > 0


def test_an_error_is_a_value_error_with_fields_and_survives_pickling() -> None:
    with pytest.raises(LimitError) as caught:
        Limit(0, 60)
    error = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(error, ValueError)
    assert isinstance(error, EsteioError)
    assert (error.field, error.value, str(error)) == ("rate", 0, str(caught.value))


def test_a_very_long_value_is_cut_in_the_message() -> None:
    assert len(str(LimitError("name", "a" * 10_000, "less"))) < 200


def test_limits_are_values() -> None:
    assert Limit(5, 60) == Limit(5, 60.0)
    assert len({Limit(5, 60), Limit(5, 60), Limit(6, 60)}) == 2
    assert pickle.loads(pickle.dumps(Limit(5, 60, name="login"))) == Limit(5, 60, name="login")
    assert replace(Limit(5, 60), rate=200).grain_us > Limit(5, 60).grain_us


def test_a_limit_without_a_name_is_known_by_its_definition() -> None:
    assert Limit(5, 60).scope == Limit(5, 60).scope
    assert len({Limit(5, 60).scope, Limit(6, 60).scope, Limit(5, 61).scope, Limit(5, 60, algorithm="gcra").scope}) == 4
    burst = Limit(5, 60, algorithm="gcra", burst=9)
    assert burst.scope != Limit(5, 60, algorithm="gcra").scope


def test_a_named_limit_is_known_by_its_name_and_algorithm() -> None:
    assert Limit(5, 60, name="login").scope == Limit(9, 10, name="login").scope
    assert Limit(5, 60, name="login").scope != Limit(5, 60, name="login", algorithm="gcra").scope


@pytest.mark.parametrize(("instances", "rate"), [(1, 10), (2, 5), (3, 3), (11, 1), (1_000, 1)])
def test_a_share_is_rounded_down_but_never_nothing(instances: int, rate: int) -> None:
    share = Limit(10, 60, algorithm="gcra", burst=20, name="n").share(instances)
    assert (share.rate, share.burst, share.name) == (rate, max(1, 20 // instances), "n")


@given(
    st.integers(1, 1 << 26),
    st.floats(0.001, 366 * 86400),
    st.integers(1, 1 << 26),
    st.integers(1, 10_000),
    st.booleans(),
)
def test_every_limit_has_a_share(rate: int, per: float, burst: int, instances: int, bursts: bool) -> None:
    try:
        limit = Limit(rate, per, algorithm="gcra", burst=burst if bursts else None)
    except LimitError:
        return
    share = limit.share(instances)
    assert share.rate * instances <= rate or share.rate == 1
    assert share.capacity * instances <= limit.capacity or share.capacity == 1


@pytest.mark.parametrize("instances", [0, -1, 1.5, True, float("nan")])
def test_a_share_of_no_instances_is_refused(instances: object) -> None:
    with pytest.raises(LimitError, match="instances"):
        Limit(10, 60).share(instances)  # type: ignore[arg-type]


@pytest.mark.parametrize("patience", [-1, 61, float("nan"), float("inf"), True, "1"])
def test_a_patience_that_is_none_is_refused(patience: object) -> None:
    with pytest.raises(LimitError, match="patience"):
        HostStore("nowhere", patience=patience)  # type: ignore[arg-type]
