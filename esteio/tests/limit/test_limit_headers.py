"""What answers say about limits, read by a parser of structured fields (RFC 9651)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.limit import Limit, MemoryStore
from esteio.limit import headers as h
from esteio.testing import ManualClock

http_sf = pytest.importorskip("http_sf")  # the parser; the tests of the wheel alone go without


def spent(limit: Limit, times: int, key: str = "k", cost: int = 1):
    store = MemoryStore(clock=ManualClock())
    for _ in range(times):
        decision = store.hit_now(key, limit, cost)
    return decision


def items(field: str) -> list[tuple[object, dict[str, object]]]:
    return http_sf.parse(field.encode(), tltype="list")


def test_a_policy_names_quota_and_window() -> None:
    assert h.policy_field(Limit(100, 900, name="name")) == '"name";q=100;w=900'
    assert items(h.policy_field(Limit(100, 900, name="name"))) == [("name", {"q": 100, "w": 900})]


def test_what_is_left_and_when_it_is_whole_again() -> None:
    assert h.rate_limit_field(spent(Limit(100, 30, name="name"), 50)) == '"name";r=50;t=30'


def test_a_denied_one_has_nothing_left_and_says_when_it_can_pass() -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    limit = Limit(2, 60, name="api")
    store.hit_now("k", limit)
    clock.advance(20.5)
    store.hit_now("k", limit)
    denied = store.hit_now("k", limit)
    assert h.rate_limit_field(denied) == '"api";r=0;t=40'  # 39.5 s until the first hit leaves, rounded up


def test_items_of_several_limits_are_one_list() -> None:
    field = ", ".join(h.policy_field(Limit(rate, 60, name=name)) for rate, name in ((1, "a"), (2, "b")))
    assert items(field) == [("a", {"q": 1, "w": 60}), ("b", {"q": 2, "w": 60})]


def test_a_limit_without_a_name_is_named_by_what_it_allows() -> None:
    assert items(h.policy_field(Limit(5, 0.5))) == [("5-per-1s", {"q": 5, "w": 1})]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=64).filter(str.isprintable), st.integers(1, 1 << 26))
def test_any_name_makes_a_field_that_parses(name: str, rate: int) -> None:
    limit = Limit(rate, 60, name=name)
    (parsed,) = items(h.policy_field(limit))
    assert parsed[1] == {"q": rate, "w": 60}
    ((again, left),) = items(h.rate_limit_field(spent(limit, 1)))
    assert again == parsed[0]
    assert left == {"r": rate - 1, "t": 60}


@pytest.mark.parametrize(
    ("name", "sent"), [('a"b', 'a"b'), ("a\\b", "a\\b"), ("envio é", "envio %C3%A9"), ("5%", "5%25")]
)
def test_names_are_escaped_and_what_ascii_cannot_say_is_percent_encoded(name: str, sent: str) -> None:
    assert items(h.policy_field(Limit(1, 1, name=name)))[0][0] == sent


@given(st.floats(0.001, 1e6), st.floats(0, 1, exclude_max=True))
def test_retry_after_is_a_whole_number_of_seconds_never_before_the_truth(per: float, drawn: float) -> None:
    denied = spent(Limit(1, per), 2)
    told = h.retry_after(denied, lambda: drawn)
    assert isinstance(told, int)
    assert told >= 1
    assert told >= denied.retry_after - 1e-6
    assert told <= denied.retry_after * 1.1 + 1


def test_those_denied_together_are_told_to_come_back_apart() -> None:
    denied = spent(Limit(1, 900), 2)
    assert len({h.retry_after(denied) for _ in range(200)}) > 20


def test_where_waiting_never_helps_no_time_is_told() -> None:
    impossible = spent(Limit(5, 60, name="bulk"), 1, cost=6)
    assert h.retry_after(impossible) is None
    body = h.problem([impossible], None)
    assert "can never pass" in body["detail"]
    assert "retry-after" not in body
    assert items(h.rate_limit_field(impossible))[0][1]["r"] == 5


def test_an_exhausted_limit_can_be_told_without_a_decision() -> None:
    assert h.exhausted_field(Limit(5, 900, name="auth"), 12.1) == '"auth";r=0;t=13'


def test_the_older_fields_count_seconds_from_now() -> None:
    fields = dict(h.legacy_fields(spent(Limit(100, 30), 50)))
    assert fields == {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "50", "x-ratelimit-reset": "30"}


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "en"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("en-US,en;q=0.9,pt;q=0.8", "en"),
        ("en;q=0.2, pt;q=0.7", "pt"),
        ("PT", "pt"),
        ("fr, de", "en"),
        ("pt;q=0", "en"),
        ("pt;q=nonsense", "en"),
        ("*", "en"),
        ("pt" + "," * 10_000, "pt"),
    ],
)
def test_the_language_is_the_one_liked_better(accepted: str, chosen: str) -> None:
    assert h.language(accepted) == chosen


def test_the_default_language_answers_those_who_like_neither() -> None:
    assert h.language("fr", "pt") == "pt"


def test_the_problem_is_of_the_drafts_type_and_names_the_limits_in_both_languages() -> None:
    denied = spent(Limit(30, 60, name="escrita"), 31)
    english = json.loads(h.problem_json([denied], 45, "en"))
    assert english == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too many requests",
        "status": 429,
        "detail": "The limit of 30 per 1 minute was reached. Try again in 45 seconds.",
        "violated-policies": ["escrita"],
        "retry-after": 45,
    }
    assert (
        h.problem([denied], 1, "pt")["detail"]
        == "O limite de 30 por 1 minuto foi atingido. Tente de novo em 1 segundo."
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 segundo"), (59.2, "1 minuto"), (90, "90 segundos"), (900, "15 minutos"), (901, "16 minutos"),
     (3600, "1 hora"), (9000, "3 horas"), (86_400, "1 dia"), (0, "0 segundos")],
)  # fmt: skip
def test_a_wait_is_told_in_the_largest_unit_that_fits_and_never_too_short(seconds: float, words: str) -> None:
    assert h.duration(seconds, "pt") == words
