"""What is said of alerts, so that another program can say it in its own language. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from esteio.alert._notice import Level, Notice
from esteio.alert._words import ENGLISH, NoticeWords
from esteio.alert.rules import ABSENT, Alert, Kind, Message, Severity

__all__ = ["ALERT_ENGLISH", "AlertWords", "alert_notice"]

_MOST = 10
_KINDS = {
    Kind.OPENED: "PROBLEM",
    Kind.RECOVERED: "Well again",
    Kind.REPEATED: "STILL a problem",
    Kind.ESCALATED: "NOBODY looks after it",
}


@dataclass(frozen=True, slots=True)
class AlertWords:
    """Texts of a notice of alerts; names in braces are filled in. `titles` by the alert's name, where it has one."""

    kinds: Mapping[Kind, str] = field(default_factory=lambda: _KINDS)
    titles: Mapping[str, str] = field(default_factory=dict)
    one: str = "{kind}: {title}"
    many: str = "{kind}: {title}, and {more} more"
    line: str = "{title} ({name}), since {since}"
    because: str = ": {reason}"
    lasted: str = ", for {duration}"
    absent: str = "nothing is known of: {title}"
    more: str = "and {more} more"
    seen: str = "Seen on {host}, {at}."
    todo: str = "What to do: docs/how-to/runbook.md, under {names}."
    notice: NoticeWords = ENGLISH
    host: Callable[[], str] = lambda: ""

    def title(self, name: str) -> str:
        """What the alert `name` says."""
        base = name.removesuffix(ABSENT)
        title = self.titles.get(base, base)
        return title if base == name else self.absent.format(title=title)


ALERT_ENGLISH = AlertWords()


def alert_notice(message: Message, words: AlertWords = ALERT_ENGLISH) -> Notice:
    """`message` as a notice."""
    alerts, kind = message.alerts, words.kinds[message.kind]
    first = words.title(alerts[0].name)
    subject = words.one if len(alerts) == 1 else words.many
    lines = [_line(alert, message, words) for alert in alerts[:_MOST]]
    if len(alerts) > _MOST:
        lines.append(words.more.format(more=len(alerts) - _MOST))
    lines.append(words.seen.format(host=words.host(), at=words.notice.when(message.at)))
    if message.kind is not Kind.RECOVERED:
        names = dict.fromkeys(alert.name.removesuffix(ABSENT) for alert in alerts[:_MOST])
        lines.append(words.todo.format(names=", ".join(names)))
    return Notice(
        subject.format(kind=kind, title=first, more=len(alerts) - 1), "\n".join(lines), _level(message), message.at
    )


def _line(alert: Alert, message: Message, words: AlertWords) -> str:
    since = alert.bad_since if alert.bad_since is not None else alert.firing_since or message.at
    line = words.line.format(title=words.title(alert.name), name=alert.name, since=words.notice.when(since))
    if message.kind is Kind.RECOVERED:
        line += words.lasted.format(duration=words.notice.duration(max(0.0, message.at - since)))
    return line + (words.because.format(reason=alert.reason) if alert.reason else "")


def _level(message: Message) -> Level:
    if message.kind is Kind.RECOVERED:
        return "success"
    return "failure" if message.severity is Severity.PAGE else "warning"
