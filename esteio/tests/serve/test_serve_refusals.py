"""What the server refuses is said in the form and the language that are wanted."""

from __future__ import annotations

import json

import pytest

from esteio.serve import RefusalWords
from esteio.serve._refusals import BAD_REQUEST, HEAD_TOO_LARGE, OVERLOADED, TOO_MANY, TOO_SLOW

ALL = [BAD_REQUEST, HEAD_TOO_LARGE, OVERLOADED, TOO_MANY, TOO_SLOW]


def parts(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return lines[0], dict(line.split(": ", 1) for line in lines[1:]), body.decode()


@pytest.mark.parametrize("refusal", ALL)
def test_a_program_gets_a_problem_and_a_browser_a_page(refusal):
    line, fields, body = parts(refusal.response(RefusalWords(), [(b"accept", b"*/*")], [(b"date", b"today")]))
    assert line == f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}"
    assert json.loads(body)["type"] == f"urn:esteio:problem:{refusal.code}"
    assert int(fields["content-length"]) == len(body.encode())
    assert (fields["connection"], fields["cache-control"], fields["date"]) == ("close", "no-store", "today")
    _, fields, body = parts(refusal.response(RefusalWords(), [(b"accept", b"text/html,*/*;q=0.1")]))
    assert fields["content-type"].startswith("text/html")
    assert refusal.detail in body


def test_words_of_another_language_are_used_and_escaped():
    words = RefusalWords("pt-BR", {"overloaded": ("Um momento", "Há pedidos <demais>.")})
    _, fields, page = parts(OVERLOADED.response(words, [(b"accept", b"text/html")]))
    assert 'lang="pt-BR"' in page
    assert "Há pedidos &lt;demais&gt;." in page
    assert int(fields["content-length"]) == len(page.encode())
    assert json.loads(parts(OVERLOADED.response(words, []))[2])["detail"] == "Há pedidos <demais>."


def test_those_who_are_refused_together_do_not_come_back_together():
    seconds = {parts(OVERLOADED.response(RefusalWords(), []))[1]["retry-after"] for _ in range(200)}
    assert seconds == {"2", "3", "4"}
