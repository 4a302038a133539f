"""The forms about documents: attach, remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from sispat.documentos import actions
from sispat.documentos.fields import NovoDocumento
from sispat.documentos.rules import TipoDeDocumento
from sispat.http.session import RequestContext
from sispat.http.slices import site_of
from sispat.http.submission import Submission
from sispat.http.upload import FILES, Upload
from sispat.kernel.fields import specs
from sispat.kernel.files import ACCEPTED, Attachable, FileStore
from sispat.kernel.i18n import _, lazy
from sispat.ui.fields import FormField, Section, typed
from sispat.ui.forms import Screen
from sispat.ui.pages import redirect

__all__ = ["Anexo", "Remocao", "attach", "attach_to_each", "file_fields"]


def file_fields(hint: str = "") -> tuple[FormField, ...]:
    """The inputs of a form that takes files (`Screen.sends_files`): from the disk, or by the camera of a phone."""
    pick = FormField(
        FILES, _("Arquivos"), "file", hint or _("Fotos (JPEG, PNG, WebP), PDF, DOCX, XLSX, ODT ou ODS."), optional=True,
        accept=ACCEPTED,
    )  # fmt: skip
    camera = FormField("camera", _("Ou tire uma foto agora"), "file", optional=True, accept="image/*", capture=True)
    return pick, camera


async def attach(
    ctx: RequestContext, entidade: str, id_: UUID, upload: Upload, new: NovoDocumento, *, any_: bool = True
) -> list[dict[str, Any]]:
    """Attach what a form brought; `any_`: at least one file has to be there. For forms of other slices as well."""
    of = actions.of_kind(site_of(ctx.request).attachables, entidade)
    ctx.access.require(of.action)  # before anything is said of the files
    files = upload.require_files(any_=any_)
    if not files:
        return []
    service = ctx.service
    return await actions.anexar(
        ctx, service.resource(FileStore), of, id_, new, files, service.settings.documents_per_record
    )


async def attach_to_each(
    ctx: RequestContext, entidade: str, ids: Sequence[UUID], submission: Submission, tipo: TipoDeDocumento
) -> None:
    """Attach what came along with a form, if anything did, to each of the records that it made."""
    assert isinstance(submission, Upload)
    for id_ in ids:
        await attach(ctx, entidade, id_, submission, NovoDocumento(tipo=tipo), any_=False)


async def _shown_record(ctx: RequestContext, of: Attachable, id_: UUID) -> tuple[str, str]:
    """The address of a record's card, and its name."""
    names = await site_of(ctx.request).names(ctx, [id_])
    return f"{of.entity.path}/{id_}", f"{of.entity.label} {names.get(id_, '')}".strip()


class Anexo(Screen):
    """Attach files to a record."""

    title = lazy("Anexar fotos ou documentos")
    submit = lazy("Anexar")
    sends_files = True

    def __init__(self, entidade: str, id_: UUID) -> None:
        self.entidade, self.id = entidade, id_
        self.api = {"entidade": entidade, "entidade_id": str(id_)}

    async def load(self, ctx: RequestContext) -> None:
        """The record, for those who may."""
        of = actions.of_kind(site_of(ctx.request).attachables, self.entidade)
        await actions.require_changeable(ctx, of, self.id)
        self.back, self.subtitle = await _shown_record(ctx, of, self.id)
        self.breadcrumbs = ((self.back, self.subtitle),)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Files, and what they are."""
        del values
        limits = ctx.service.settings
        hint = _(
            "Fotos (JPEG, PNG, WebP), PDF, DOCX, XLSX, ODT ou ODS; até %(files)s de cada vez, de %(size)s MB cada um.",
            files=limits.upload_files,
            size=limits.upload_size >> 20,
        )
        return (Section("", (*file_fields(hint), *_fields())),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Attach; then the record."""
        assert isinstance(submission, Upload)
        of = actions.of_kind(site_of(ctx.request).attachables, self.entidade)
        await actions.require_changeable(ctx, of, self.id)
        new = NovoDocumento.parse(typed(_fields(), submission.values))
        await attach(ctx, self.entidade, self.id, submission, new)
        return redirect(f"{of.entity.path}/{self.id}", feito="anexado")


def _fields() -> list[FormField]:
    return [FormField.of(spec) for spec in specs(NovoDocumento).values()]


class Remocao(Screen):
    """Remove a document, after a second thought."""

    template = "documentos/remover.html"
    title = lazy("Remover documento")
    submit = lazy("Remover")

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.row: dict[str, Any] = {}

    async def load(self, ctx: RequestContext) -> None:
        """The document."""
        attachables = site_of(ctx.request).attachables
        self.row = await actions.obter(ctx, attachables, self.id)
        of = actions.of_kind(attachables, self.row["entidade"])
        await actions.require_changeable(ctx, of, self.row["entidade_id"])
        self.back, self.subtitle = await _shown_record(ctx, of, self.row["entidade_id"])

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Nothing to fill in."""
        del ctx, values
        return ()

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Remove it; then its record."""
        del submission
        attachables = site_of(ctx.request).attachables
        row = await actions.remover(ctx, attachables, self.id)
        of = actions.of_kind(attachables, row["entidade"])
        return redirect(f"{of.entity.path}/{row['entidade_id']}", feito="removido")
