"""Proof that a browser signed in before: for one account, for a time, until the password changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sispat.kernel import devices as d

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2Fs$aGFzaA"
ANA = "ana@cidade.gov.br"


def test_a_proof_holds_for_its_account_until_it_is_old() -> None:
    prova = d.issue(ANA, HASH, now=1000.0)
    assert d.recognize(prova, ANA, HASH, now=1001.0) == prova
    assert d.recognize(prova, ANA, HASH, now=1000.0 + d.MAX_AGE - 1) == prova
    assert d.recognize(prova, ANA, HASH, now=1000.0 + d.MAX_AGE + 1) is None
    assert d.recognize(prova, "rui@cidade.gov.br", HASH, now=1001.0) is None


def test_a_changed_password_ends_it_and_an_account_that_is_not_there_has_none() -> None:
    prova = d.issue(ANA, HASH)
    assert d.recognize(prova, ANA, HASH.replace("c2Fs", "b3V0")) is None
    assert d.recognize(prova, ANA, None) is None


def test_a_browser_shared_by_colleagues_remembers_the_last_few() -> None:
    contas = [f"p{n}@cidade.gov.br" for n in range(6)]
    cookie = ""
    for conta in contas:
        cookie = d.merge(cookie, d.issue(conta, HASH), None)
    assert [d.recognize(cookie, conta, HASH) is not None for conta in contas] == [False, False, True, True, True, True]


def test_signing_in_again_replaces_the_proof_that_was_used() -> None:
    velha = d.issue(ANA, HASH)
    outra = d.issue("rui@cidade.gov.br", HASH)
    nova = d.issue(ANA, HASH)
    assert d.merge(f"{velha}~{outra}", nova, velha) == f"{nova}~{outra}"
    assert d.merge("", nova, None) == nova


@pytest.mark.parametrize(
    "cookie", ["", "~", "~~~", ".", "..", "a.b", "a.b.c", "é.1.x", "x" * 10_000, "a." + "9" * 300 + ".b"]
)
def test_garbage_proves_nothing(cookie: str) -> None:
    assert d.recognize(cookie, ANA, HASH) is None
    assert d.merge(cookie, "nova", None) == "nova"


@given(st.text(max_size=120), st.text(max_size=60))
def test_whatever_a_client_sends_is_no_proof_and_no_error(cookie: str, email: str) -> None:
    assert d.recognize(cookie, email, HASH) is None
    assert len(d.merge(cookie, "nova", None)) <= 400


@given(st.integers(0, 60), st.characters(codec="ascii", exclude_characters="~"))
def test_a_proof_with_one_letter_changed_is_none(posicao: int, letra: str) -> None:
    prova = d.issue(ANA, HASH, now=1000.0)
    posicao %= len(prova)
    if prova[posicao] != letra:
        falsa = prova[:posicao] + letra + prova[posicao + 1 :]
        assert d.recognize(falsa, ANA, HASH, now=1001.0) is None
