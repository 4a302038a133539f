"""Labels: which assets, and how they are drawn.

Promises: only assets within reach, and all that were asked for or none; what leaves is noted in the audit. The QR code leads
to the public page of the asset, by its code and not by its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from sispat.etiquetas import rules, sql
from sispat.etiquetas.fields import PedidoDeEtiquetas
from sispat.etiquetas.formats import FORMATS
from sispat.etiquetas.sql import Etiqueta
from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.formats import decimal, plate_number
from sispat.kernel.i18n import _
from sispat.kernel.pdf import PdfRenderer
from sispat.kernel.public_codes import code_of
from sispat.patrimonios import actions as patrimonios
from sispat.patrimonios.custody import named

__all__ = ["address_of", "desenhar", "escolher", "imprimir"]

TEMPLATE = "etiquetas/etiquetas.typ"


async def escolher(ctx: Context, asked: PedidoDeEtiquetas) -> list[Etiqueta]:
    """The assets that `asked` means, in the order of the list; raises `InvalidData` for none, too many or missing ones."""
    ctx.access.require(rules.IMPRIMIR)
    found = await _numbered(ctx, asked.numeros) if asked.numeros else await _sought(ctx, asked)
    if not found:
        raise InvalidData({"numeros": _("Nenhum bem escolhido. Marque os bens na lista, ou escreva os números.")})
    if len(found) > rules.DE_UMA_VEZ:
        most = decimal(rules.DE_UMA_VEZ)
        raise InvalidData({"numeros": _("São mais de %(most)s etiquetas, o limite de cada vez.", most=most)})
    if asked.inicio > FORMATS[asked.formato].per_sheet:
        per_sheet = FORMATS[asked.formato].per_sheet
        raise InvalidData({"inicio": _("Esta folha tem %(most)s etiquetas.", most=per_sheet)})
    return found


async def imprimir(ctx: Context, asked: PedidoDeEtiquetas) -> list[Etiqueta]:
    """The same, noted in the audit before the labels leave."""
    found = await escolher(ctx, asked)
    await audit.record(
        ctx.conn, actor=ctx.actor, key_id=ctx.key_id, request_id=ctx.request_id, entidade="usuario", entidade_id=ctx.actor,
        acao="imprimir_etiquetas", depois={"bens": len(found), "numeros": named([each.numero for each in found])},
    )  # fmt: skip
    return found


async def _numbered(ctx: Context, numeros: Sequence[int]) -> list[Etiqueta]:
    found = await sql.com_numeros(ctx.conn, ctx.access.setores, numeros)
    missing = sorted(set(numeros) - {each.numero for each in found})
    if missing:
        raise InvalidData(
            {"numeros": _("Não existem ou não estão ao seu alcance: %(numbers)s.", numbers=named(missing))}
        )
    return found


async def _sought(ctx: Context, asked: PedidoDeEtiquetas) -> list[Etiqueta]:
    found: list[Etiqueta] = []
    if not asked.q and not asked.filters():
        return found  # what was not narrowed is the whole city, which nobody means
    after: patrimonios.Key | None = None
    while len(found) <= rules.DE_UMA_VEZ:
        rows, after = await patrimonios.lote_exportado(ctx, asked, after)
        found += [Etiqueta(UUID(row["id"]), row["numero"], row["descricao"]) for row in rows]
        if after is None:
            break
    return found


def address_of(base: str, id_: UUID) -> str:
    """Where the QR code of an asset leads.

    In capitals, where the service has no path of its own: a QR code of capitals and figures has fewer and larger modules.
    """
    return f"{base}/b/{code_of(id_)}" if urlsplit(base).path else f"{base}/b/{code_of(id_)}".upper()


async def desenhar(
    renderer: PdfRenderer,
    found: Sequence[Etiqueta],
    asked: PedidoDeEtiquetas,
    *,
    city: str,
    base: str,
    preview: bool = False,
) -> bytes:
    """The labels as PDF, or the first sheet as PNG with the outlines of the labels; needs no connection."""
    format_ = FORMATS[asked.formato]
    shown = found[: format_.per_sheet - asked.inicio + 1] if preview else found
    data = {
        "formato": format_.data, "cidade": city, "inicio": asked.inicio, "ajuste_x": asked.ajuste_x,
        "ajuste_y": asked.ajuste_y, "contorno": preview,
        "bens": [{"plaqueta": plate_number(each.numero), "descricao": each.descricao} for each in shown],
    }  # fmt: skip
    addresses = [address_of(base, each.id) for each in shown]
    return await renderer.render(TEMPLATE, data, None, archival=False, picture=preview, qr=addresses)
