"""All or nothing, for any groups of any traffic: against states that are copied, tried, and kept or thrown away."""

from hypothesis import given
from hypothesis import strategies as st
from traffic import NAMES, PER_US, gaps

from esteio.limit import Hit, Limit, MemoryStore
from esteio.limit._algorithms import State
from esteio.testing import ManualClock

LIMITS = [Limit(rate, PER_US / 1e6, algorithm=name) for name in NAMES for rate in (2, 5)]  # type: ignore[arg-type]
hits = st.builds(Hit, st.sampled_from("ab"), st.sampled_from(LIMITS), st.integers(1, 3))
groups = st.lists(st.tuples(gaps, st.lists(hits, min_size=1, max_size=4), st.booleans()), max_size=30)


@given(groups)
def test_a_group_is_charged_whole_or_not_at_all(groups: list[tuple[int, list[Hit], bool]]) -> None:
    clock, now = ManualClock(100), 100_000_000
    store = MemoryStore(clock=clock)
    states: dict[tuple[str, str], State] = {}
    for gap, group, charge in groups:
        now += gap
        clock.advance(gap / 1e6)
        tried = dict(states)
        expected = []
        for key, limit, cost in group:
            state, *verdict = limit.decide(tried.get((limit.scope, key), ()), now, cost)
            tried[limit.scope, key] = state
            expected.append(verdict)
        passed = all(allowed for allowed, *_ in expected)
        said = store.decide_now(group, charge=charge)
        assert [each.allowed for each in said] == [allowed for allowed, *_ in expected]
        if passed and charge:
            states = tried
            assert [[each.allowed, each.remaining, each.reset_us, each.retry_us] for each in said] == expected
            continue
        for each in said:
            _, _, left, _, _ = each.limit.decide(states.get((each.limit.scope, each.key), ()), now, 0)
            assert not each.allowed or each.remaining == left
        for limit in LIMITS:
            for key in "ab":
                _, *untouched = limit.decide(states.get((limit.scope, key), ()), now, 1)
                assert store.decide_now([Hit(key, limit)], charge=False)[0].allowed == untouched[0]
