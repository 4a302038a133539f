"""What a form sent.

Promises: any bytes can be read: what is no UTF-8 becomes the replacement character, which the fields then
report; line ends are one character. The fields whose name begins with an underscore are ours, not typed.
Raises `InvalidData` where the body is no form, `BodyTooLarge` past the limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from sispat.http.multipart import read_multipart
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _

__all__ = ["SEARCHED", "Submission", "read_submission", "submission_of", "values_of"]

SEARCHED = ".busca"  # ends the name of a field that only finds choices for the field before the dot
_SECRETS = frozenset({"password", "senha_atual", "senha_nova", "senha_repetida", "codigo_de_entrada"})
_MOST_FIELDS = 1000  # three for each account of a large plan of accounts


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission: `values` as typed, the last one where a name comes twice."""

    values: dict[str, str]

    @property
    def csrf(self) -> str:
        """The CSRF token the form carried."""
        return self.values.get("_csrf", "")

    @property
    def key(self) -> str:
        """What makes a repetition of this submission recognisable; empty where the form has none."""
        return self.values.get("_chave", "")

    @property
    def review(self) -> bool:
        """Whether to show the form again, filled, instead of saving."""
        return bool(self.values.get("_rever") or self.action or self.searches)

    @property
    def searches(self) -> bool:
        """Whether something was typed to find a choice, which has not been made yet."""
        return any(name.endswith(SEARCHED) and value.strip() for name, value in self.values.items())

    @property
    def action(self) -> str:
        """Which button that only helps to fill in was used; empty for the one that saves."""
        return self.values.get("_acao", "")

    @property
    def wants_another(self) -> bool:
        """Whether, once this is saved, another record is to be added."""
        return self.values.get("_depois", "") == "outro"

    @property
    def confirmed(self) -> str:
        """What the person ticked a box for, after the form asked."""
        return self.values.get("_confirmado", "")

    def typed(self) -> dict[str, str]:
        """What may be carried on: all but our own fields and secrets."""
        return {n: v for n, v in self.values.items() if not n.startswith("_") and n not in _SECRETS}

    def sent_files(self) -> Iterable[str]:
        """What tells the files that came along from others."""
        return ()

    def digest(self, path: str) -> bytes:
        """What two submissions share if they are the same: 32 bytes."""
        parts = [path, *(part for pair in sorted(self.typed().items()) for part in pair), *self.sent_files()]
        return hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode()).digest()


async def read_submission(request: Request) -> Submission:
    """The submission of `request`, also kept for whoever has to show it again (`submission_of`), or to do it again."""
    read = submission_of(request)
    if read is not None:
        return read
    type_ = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if type_ == "application/x-www-form-urlencoded":
        pairs = _pairs(await request.body())
    elif type_ == "multipart/form-data":
        pairs = await read_multipart(request, lambda _field, _filename: None)  # files are not ours to take
    else:
        raise InvalidData({"corpo": _("Envie um formulário (application/x-www-form-urlencoded).")})
    submission = Submission(values_of(pairs))
    request.state.submission = submission
    return submission


def values_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What was typed, by name; raises `InvalidData` for too many fields."""
    values = {_lines(name): _lines(value) for name, value in pairs}
    if len(values) > _MOST_FIELDS:
        raise InvalidData(
            {"corpo": _("Campos demais: %(given)s; o limite é %(most)s.", given=len(values), most=_MOST_FIELDS)}
        )
    return values


def submission_of(request: Request) -> Submission | None:
    """What this request submitted, if it got as far as being read."""
    submission: Submission | None = getattr(request.state, "submission", None)
    return submission


def _pairs(body: bytes) -> Iterable[tuple[str, str]]:
    for pair in body.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            yield _text(name), _text(value)


def _text(encoded: bytes) -> str:
    return unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8", "replace")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
