"""What a form sent, with its files.

Promises: files go to the disk as they come, and are looked into, before the transaction of the request begins, while no
connection is held; the session is asked for before the first byte is read, and again in the transaction. A file that is not
taken does not lose what was typed: the `Upload` arrives with `failure`, which `require_files` raises. Whatever becomes of
the request, what it brought and nobody placed in the `FileStore` is removed at its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request

from sispat.http.multipart import read_multipart
from sispat.http.service import service_of
from sispat.http.session import require_session
from sispat.http.submission import Submission, read_submission, submission_of, values_of
from sispat.kernel.errors import InvalidData, SispatError
from sispat.kernel.files import FileRefused, FileStore, Incoming, Inspected
from sispat.kernel.i18n import _

__all__ = ["FILES", "RawUpload", "Upload", "discard_upload", "receive_upload"]

FILES = "arquivo"
"""The field of files, and of what is wrong with them."""


@dataclass(frozen=True, slots=True)
class Upload(Submission):
    """A submission with files; `files` are fit to be kept, `failure` is why they are not."""

    files: tuple[Inspected, ...] = ()
    received: tuple[Incoming, ...] = ()
    failure: SispatError | None = None

    def require_files(self, *, any_: bool = True) -> tuple[Inspected, ...]:
        """The files; raises what is wrong with them, with `any_` also where there is none."""
        if self.failure is not None:
            raise self.failure
        if any_ and not self.received:
            raise InvalidData({FILES: _("Escolha pelo menos um arquivo.")})
        return self.files

    def sent_files(self) -> Iterable[str]:
        """The hashes of what came."""
        return (each.sha256.hex() for each in self.received)


class RawUpload(Upload):
    """Files as they came, in `received`, of any type: whoever asks for it reads them with the care they need."""

    __slots__ = ()


async def receive_upload(request: Request, kind: type[Upload]) -> Upload:
    """The upload of `request`, read once; what was typed is also kept for whoever has to show it again."""
    read = submission_of(request)
    if isinstance(read, Upload):
        return read
    await require_session(request)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        upload = kind((await read_submission(request)).values)  # such as a form shown again after signing in
    else:
        upload = await _received(request, kind)
    request.state.submission = upload
    return upload


async def _received(request: Request, kind: type[Upload]) -> Upload:
    service = service_of(request)
    store, limits = service.resource(FileStore), service.settings
    received: list[Incoming] = []
    request.state.received = received
    sniffed = not issubclass(kind, RawUpload)

    def take(field: str, filename: str) -> Incoming | None:
        if len(received) > limits.upload_files:
            return None  # one too many is enough to say so
        if sniffed:
            store.inspection.expect()
        received.append(store.receive(field, filename, limits.upload_size, sniffed=sniffed))
        return received[-1]

    values = values_of(await read_multipart(request, take))
    files: tuple[Inspected, ...] = ()
    failure = _failure(received, limits.upload_files)
    if failure is None and sniffed:
        # From here on what was typed is safe, whatever comes.
        request.state.submission = Submission(values)
        files, failure = await _looked_into(store, received)
    return kind(values, files, tuple(received), failure)


async def _looked_into(store: FileStore, received: list[Incoming]) -> tuple[tuple[Inspected, ...], SispatError | None]:
    files, refused = [], list[str]()
    for each in received:
        try:
            files.append(await store.inspection.look_into(each))
        except FileRefused as refusal:
            refused.append(refusal.message)
        except SispatError as failure:
            return (), failure
    return (tuple(files), None) if not refused else ((), InvalidData({FILES: " ".join(refused)}))


def _failure(received: list[Incoming], most: int) -> SispatError | None:
    if len(received) > most:
        return InvalidData({FILES: _("São arquivos demais: o limite é %(most)s de cada vez.", most=most)})
    failures = [each.failure for each in received if each.failure is not None]
    other = next((each for each in failures if not isinstance(each, FileRefused)), None)
    if other is not None or not failures:
        return other
    return InvalidData({FILES: " ".join(each.message for each in failures)})


def discard_upload(request: Request) -> None:
    """Remove what the request brought and nobody keeps."""
    for each in getattr(request.state, "received", ()):
        each.discard()
        for path in (each.path.with_suffix(".out"), each.path.with_suffix(".small")):
            with suppress(FileNotFoundError):
                path.unlink()
