"""The page that counts, made for a phone: scan, photograph or type; say what is; go on.

Promises: it works as a plain form without scripts, and a form that is sent twice is one reading; with scripts readings wait in
the phone until the service has acknowledged them (`count.js`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.documentos.fields import NovoDocumento
from sispat.documentos.rules import TipoDeDocumento
from sispat.documentos.screens import attach
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.http.upload import FILES, Upload
from sispat.inventario import rules
from sispat.inventario.actions import counting, opening
from sispat.inventario.fields import DadosDaLeitura, NovaLeitura
from sispat.inventario.kinds import INVENTARIOS, ITENS
from sispat.inventario.rules import EstadoDoInventario, EstadoDoItem, Resultado
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.fields import specs
from sispat.kernel.files import FileStore
from sispat.kernel.formats import plate_number
from sispat.kernel.i18n import _, lazy
from sispat.kernel.records import obter
from sispat.ui.fields import FormField, Section, typed
from sispat.ui.forms import Screen
from sispat.ui.pages import redirect

__all__ = ["CAMERA", "Contagem"]

CAMERA: Mapping[str, str] = MappingProxyType({"Permissions-Policy": "camera=(self), geolocation=(), microphone=()"})
"""The one page that may look through the camera."""


class Contagem(Screen):
    """Count."""

    template = "inventario/contar.html"
    title = lazy("Contar")
    sends_files = True
    headers = CAMERA

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"{INVENTARIOS.path}/{id_}"
        self.stored: dict[str, Any] = {}
        self.counts: dict[str, int] = {}
        self.last = ""
        self.results = [(each.value, each.label) for each in Resultado]
        self.states = EstadoDoItem.labels()

    @property
    def counting(self) -> bool:
        """Whether readings are taken now."""
        return bool(self.stored["estado"] == EstadoDoInventario.CONTANDO)

    async def load(self, ctx: RequestContext) -> None:
        """The count, how far it is, and what was read last."""
        ctx.access.require(rules.CONTAR)
        self.stored = orjson.loads(await obter(ctx, INVENTARIOS, self.id))
        self.counts = await opening.progresso(ctx, self.id)
        number = _("Inventário nº %(number)s", number=self.stored["numero"])
        self.breadcrumbs = ((INVENTARIOS.path, INVENTARIOS.title), (self.back, number))
        with suppress(ValueError, NotFound):
            item = orjson.loads(await obter(ctx, ITENS, UUID(ctx.request.query_params.get("item", ""))))
            plate = f"{plate_number(item['plaqueta'])} " if item["plaqueta"] else ""
            self.last = f"{plate}{item['descricao']}: {EstadoDoItem(item['estado']).label}"

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """Where the person stands, as they said it last."""
        here = ctx.request.query_params.get("local") or (self.stored["local"] or {}).get("id", "")
        return {"local_id": here}

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """What is asked beside the outcome, which is a button."""
        setor = self.stored["setor"]
        within = UUID(setor["id"]) if setor else None
        fields = [
            await pickers.with_choices(ctx, field, "local", values, within) if field.name == "local_id" else field
            for field in _fields()
        ]
        photo = FormField(
            FILES, _("Foto da etiqueta ou do bem"), "file",
            _("Sem número digitado, o código da etiqueta é lido da foto."), optional=True, accept="image/*", capture=True,
        )  # fmt: skip
        return (Section("", (*fields, photo)),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Take the reading; then the same page, ready for the next one."""
        assert isinstance(submission, Upload)
        reading = await self._reading(ctx, submission)
        (taken,) = await counting.receber(ctx, self.id, [reading])
        if taken.motivo:
            raise InvalidData({"codigo": taken.motivo})
        assert taken.item_id is not None
        if taken.descricao:  # within reach
            kind = NovoDocumento(tipo=TipoDeDocumento.FOTO)
            await attach(ctx, ITENS.entity.name, taken.item_id, submission, kind, any_=False)
        here = {"local": str(reading.local_id)} if reading.local_id else {}
        return redirect(f"{self.back}/contar", feito="leitura", item=str(taken.item_id), **here)

    async def _reading(self, ctx: RequestContext, upload: Upload) -> NovaLeitura:
        said = typed(_fields(), upload.values)
        said["resultado"] = upload.values.get("resultado", "")
        pictures = upload.require_files(any_=False)
        if not said.get("codigo", "").strip() and pictures and said["resultado"] != Resultado.SEM_TOMBO:
            codes = await ctx.service.resource(FileStore).inspection.codes_in(pictures[0])
            said["codigo"] = next((each for each in codes if counting.meant(each) is not None), "")
        # The same form sent again is the same reading.
        id_ = uuid5(NAMESPACE_URL, f"{ctx.actor} {upload.key}")
        return NovaLeitura.parse({**said, "id": id_, "lida_em": dt.datetime.now(dt.UTC)})


def _fields() -> list[FormField]:
    return [FormField.of(spec) for name, spec in specs(DadosDaLeitura).items() if name != "resultado"]
