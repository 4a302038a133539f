"""A channel takes a notice or says why not, in time, and what is secret in its address is never shown."""

from __future__ import annotations

import email
import json
import logging
import socket
import time
from email import policy

import pytest
from receivers import http_receiver, mail_receiver

from esteio.alert import ChannelRefused, Channels, NotDelivered, Notice
from esteio.alert._apprise_client import run_apprise
from esteio.alert._masking import masked, redacted

NOTICE = Notice("Cópia provada: são joão", "linha um\nlinha <dois> & {três}", "success", 1e9)


def test_a_webhook_of_nobody_that_is_known_receives_json_and_mail_arrives_as_it_was_written() -> None:
    with http_receiver() as http, mail_receiver() as mail:
        channels = Channels(
            [http.url, f"mailto://127.0.0.1:{mail.port}?from=copias@cidade.gov.br&to=ti@cidade.gov.br", http.url]
        )
        first, second = channels.channels
        channels.send(first, NOTICE)
        channels.send(second, NOTICE)
        assert [(method, path) for method, path, _ in http.requests] == [("POST", "/ganchos/segredo-do-gancho")]
        assert http.notices[0]["title"] == NOTICE.subject
        assert http.notices[0]["message"] == NOTICE.body
        assert http.notices[0]["type"] == "success"
        [text] = mail.mails
        letter = email.message_from_string(text, policy=policy.default)
        assert letter["Subject"] == NOTICE.subject
        assert letter["To"] == "ti@cidade.gov.br"
        content = letter.get_body(("plain", "html")).get_content()
        assert "linha um" in content
        assert "três" in content
        mail.refuse = True
        with pytest.raises(NotDelivered, match=r"5\.1\.1 no such mailbox") as refused:
            channels.send(second, NOTICE)
        assert "ti@cidade" not in str(refused.value)


def test_what_a_channel_answers_is_told_without_its_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with http_receiver() as http:
        channels = Channels([http.url])
        [channel] = channels.channels
        http.status = 500
        with pytest.raises(NotDelivered, match="error=500") as failed:
            channels.send(channel, NOTICE)
    with pytest.raises(NotDelivered, match="Connection refused") as refused:
        channels.send(channel, NOTICE)
    assert "segredo" not in f"{failed.value} {refused.value} {channel} {channel!r} {caplog.text}"
    assert channel.name == "http://127.0.0.1/..."
    assert len(channel.key) == 4


def test_a_server_that_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        channels = Channels([f"http://127.0.0.1:{server.getsockname()[1]}/"])
        began = time.monotonic()
        with pytest.raises(NotDelivered, match="no answer within 2 s"):
            channels.send(channels.channels[0], NOTICE, 2.0)
        assert time.monotonic() - began < 20


def test_slack_and_discord_are_spoken_to_in_their_own_way_and_nonsense_is_refused() -> None:
    native = [
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "mailtos://user:senha@smtp.cidade.gov.br?to=ti@cidade.gov.br",
        "https://intranet.cidade.gov.br/gancho?chave=1",
    ]
    wrong = ["foo://segredo-meu/x", "segredo-meu", "mailto://", "slack://segredo-meu"]
    answers = run_apprise(native + wrong, "Esteio", 20.0)
    assert answers[:4] == ["", "", "", ""]
    assert all(answers[4:])
    assert "segredo-meu" not in " ".join(answers)
    assert "Unsupported URL" in answers[5]
    with pytest.raises(ChannelRefused, match=r"NOTIFY_URLS 'foo://...': Unparseable URL.*allowed: https://") as refused:
        Channels(wrong[:1], what="NOTIFY_URLS")
    assert "segredo" not in str(refused.value)


def test_no_channels_cost_no_process() -> None:
    assert Channels([]).channels == ()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T/A/x", "https://hooks.slack.com/..."),
        ("https://user:pass@intranet:8443/x?y=z", "https://intranet/..."),
        ("mailtos://user:p/a@ss@smtp.city.gov.br?to=a@city.gov.br", "mailtos://smtp.city.gov.br/..."),
        ("mailto://user:12/34", "mailto://user/..."),
        ("tgram://123456:token/chat", "tgram://..."),
        ("slack://T1/A1/xyz", "slack://..."),
        ("https://", "https://..."),
        ("https://\u0000token/", "https://..."),
        ("token", "..."),
    ],
)
def test_an_address_is_shown_as_far_as_it_is_no_secret(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_whatever_stands_in_an_address_is_taken_out_of_an_answer() -> None:
    url = "https://user:p%40ss-word@intranet.city/hooks/T0KEN?key=abcd1234&to=a"
    said = "POST /hooks/T0KEN?key=abcd1234 to intranet.city as user with p@ss-word or p%40ss-word: timed out"
    assert redacted(said, url) == "POST /***/***?key=*** to intranet.city as *** with *** or ***: timed out"


def test_a_notice_is_cut_to_what_every_channel_takes() -> None:
    long = Notice("s\n" * 500, "b" * 5000, "failure", 1.0).fitted()
    assert (len(long.subject), len(long.body)) == (200, 1790)
    assert "\n" not in long.subject
    assert Notice("only a subject", "", "success", 1.0).fitted().body == "only a subject"
    assert Notice.from_json(NOTICE.to_json()) == NOTICE == NOTICE.fitted()


@pytest.mark.parametrize("text", ["", "3", "{}", json.dumps({"subject": "", "body": "", "level": "x", "at": 1})])
def test_what_is_no_notice_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever
        Notice.from_json(text)
