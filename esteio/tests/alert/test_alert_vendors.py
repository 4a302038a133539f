"""What Slack, Discord and Sentry are sent is what their manuals say, and their refusal is heard."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from receivers import http_receiver

from esteio.alert import ChannelRefused, Channels, NotDelivered, Notice
from esteio.alert._apprise import _answers

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # of apprise's imports, which are usually elsewhere
NOTICE = Notice("PROBLEM: disk <full> & @here", "12 % free\n*not* bold", "failure", 1e9)
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
DISCORD = "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"


def sent(monkeypatch: pytest.MonkeyPatch, url: str, notice: Notice) -> list[tuple[str, dict[str, Any]]]:
    """Address and body of each request that would have gone out: these vendors' hosts are fixed, so nothing is sent."""
    made: list[tuple[str, dict[str, Any]]] = []

    def send(_: Any, asked: requests.PreparedRequest, **__: Any) -> requests.Response:
        made.append((str(asked.url), json.loads(asked.body or b"")))
        answer = requests.Response()
        answer.request, answer.url = asked, str(asked.url)
        answer.status_code, answer._content = (204, b"") if "discord" in answer.url else (200, b"ok")
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    request = {"urls": [url], "sender": "Esteio", "timeout": 5}
    request["notice"] = {"subject": notice.subject, "body": notice.body, "level": notice.level}
    assert _answers(request) == [""]
    return made


@pytest.mark.parametrize("level", ["failure", "warning", "success"])
def test_slack_gets_a_message_of_its_own_form(monkeypatch: pytest.MonkeyPatch, level: Any) -> None:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and its reference of attachments."""
    [(address, body)] = sent(monkeypatch, SLACK, Notice(NOTICE.subject, NOTICE.body, level, 1e9))
    assert address == SLACK
    assert body.get("text") or body.get("attachments"), "one of them has to be there"
    for attachment in body.get("attachments", []):
        assert attachment.keys() <= {
            "blocks", "color", "fallback", "pretext", "author_name", "author_link", "author_icon", "title", "title_link",
            "text", "fields", "image_url", "thumb_url", "footer", "footer_icon", "ts", "mrkdwn_in",
        }  # fmt: skip
        assert isinstance(attachment.get("ts", 0), (int, float))
    whole = json.dumps(body, ensure_ascii=False)
    assert "12 % free" in whole
    assert "&lt;full&gt; &amp;" in whole, "the three characters that Slack reads as control are escaped"


@pytest.mark.parametrize("level", ["failure", "warning", "success"])
def test_discord_gets_a_message_of_its_own_form_within_its_limits(monkeypatch: pytest.MonkeyPatch, level: Any) -> None:
    """https://docs.discord.com/developers/resources/webhook#execute-webhook and #embed-limits."""
    long = Notice("x" * 500, "y" * 5000, level, 1e9).fitted()
    for notice in (Notice(NOTICE.subject, NOTICE.body, level, 1e9), long):
        made = sent(monkeypatch, DISCORD, notice)
        assert "".join(json.dumps(body, ensure_ascii=False) for _, body in made).count(notice.body.split("\n")[0]) == 1
        for address, body in made:
            assert address.partition("?")[0] == DISCORD
            embeds = body.get("embeds", [])
            assert body.get("content") or embeds
            assert len(body.get("content") or "") <= 2000
            assert len(embeds) <= 10
            for embed in embeds:
                assert len(embed.get("title") or "") <= 256
                assert len(embed.get("description") or "") <= 4096
                assert 0 <= int(embed.get("color", 0)) <= 0xFFFFFF


def test_sentry_gets_an_envelope_with_one_event_that_groups_by_subject() -> None:
    """https://develop.sentry.dev/sdk/foundations/transport/envelopes and the event payload's required attributes."""
    with http_receiver() as receiver:
        [channel] = (channels := Channels([f"sentry+http://abc123@127.0.0.1:{receiver.port}/42"])).channels
        assert "abc123" not in channel.name
        for level in ("failure", "success"):
            channels.send(channel, Notice(NOTICE.subject, NOTICE.body, level, 1e9))  # type: ignore[arg-type]
        first, second = (body.split(b"\n") for _, _, body in receiver.requests)
        assert [path for _, path, _ in receiver.requests] == ["/api/42/envelope/"] * 2
        header, item, event = (json.loads(line) for line in first[:3])
        assert (item["type"], item["length"]) == ("event", len(first[2]))
        assert header["event_id"] == event["event_id"]
        assert len(event["event_id"]) == 32
        assert event["timestamp"].endswith("+00:00")
        assert (event["platform"], event["level"]) == ("other", "error")
        assert event["message"]["formatted"].startswith(NOTICE.subject)
        other = json.loads(second[2])
        assert (other["level"], other["fingerprint"]) == ("info", event["fingerprint"])
        assert other["event_id"] != event["event_id"]
        receiver.status = 429
        with pytest.raises(NotDelivered, match="429"):
            channels.send(channel, NOTICE)


def test_what_is_no_dsn_is_refused_when_it_is_given() -> None:
    with pytest.raises(ChannelRefused, match="no DSN"):
        Channels(["sentry+https://nothing"])
