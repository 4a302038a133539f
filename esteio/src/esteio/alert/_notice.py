"""What somebody is to be told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

__all__ = ["Level", "Notice"]

Level = Literal["success", "warning", "failure"]
_LONGEST_SUBJECT = 200
_LONGEST_BODY = 1790  # characters; Discord takes 2,000 with the subject and the line break between them


@dataclass(frozen=True, slots=True)
class Notice:
    """A message in plain text; `at` is when it became true, in seconds since the epoch. Without a body, the subject is it."""

    subject: str
    body: str
    level: Level
    at: float

    def fitted(self) -> Notice:
        """The same, cut to what every channel takes."""
        subject = _cut(" ".join(self.subject.split()), _LONGEST_SUBJECT)
        return Notice(subject, _cut(self.body.strip() or subject, _LONGEST_BODY), self.level, self.at)

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Notice:
        """Read what `to_json` wrote; ValueError when it is anything else."""
        given = json.loads(text)
        try:
            notice = cls(str(given["subject"]), str(given["body"]), given["level"], float(given["at"]))
        except (KeyError, TypeError) as error:
            msg = f"it is no notice ({error!r})"
            raise ValueError(msg) from error
        if notice.level not in get_args(Level):
            msg = f"its level is {notice.level!r}; allowed: {', '.join(get_args(Level))}"
            raise ValueError(msg)
        return notice


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
