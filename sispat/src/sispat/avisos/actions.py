"""A person's own mails: see how they stand and what would be sent now, choose."""

from __future__ import annotations

import datetime as dt

from sispat.avisos import rules, sql
from sispat.avisos.fields import Avisos, EscolhaDeAvisos, Idioma, Mensagem
from sispat.avisos.rules import Quando
from sispat.avisos.sending import City
from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.i18n import using

__all__ = ["escolher", "obter"]


async def obter(ctx: Context, city: City, *, sends: bool, now: float) -> Avisos:
    """How one's own mails stand at `now`, seconds since the epoch; `sends`: whether the city sends any."""
    ctx.access.require(rules.PROPRIOS)
    row = await sql.one(ctx.conn, ctx.actor)
    chosen = city.language_of(row.idioma if row else None)
    with using(chosen):
        groups = await city.groups(ctx, now)
        mail = city.mail(groups, ctx.access.nome) if groups else None
    quando = Quando(row.quando) if row else Quando.DIARIO
    following = city.next_slot(now) if sends and quando != Quando.NUNCA else None
    return Avisos(
        email=ctx.access.email,
        quando=quando,
        idioma=Idioma(chosen),
        envia=sends,
        proximo=None if following is None else dt.datetime.fromtimestamp(following, dt.UTC),
        enviado_em=row.enviado_em if row else None,
        falha=row.falha if row else "",
        resumo=None if mail is None else Mensagem(assunto=mail.subject, texto=mail.text),
    )


async def escolher(ctx: Context, city: City, chosen: EscolhaDeAvisos, now: float) -> None:
    """Choose when, and in which language."""
    ctx.access.require(rules.PROPRIOS)
    row = await sql.one(ctx.conn, ctx.actor)
    before = EscolhaDeAvisos(
        quando=Quando(row.quando) if row else Quando.DIARIO,
        idioma=Idioma(city.language_of(row.idioma if row else None)),
    )
    await sql.choose(ctx.conn, ctx.actor, chosen.quando, chosen.idioma, dt.datetime.fromtimestamp(now, dt.UTC))
    if chosen != before:
        await audit.record(
            ctx.conn, **ctx.author._asdict(), entidade="usuario", entidade_id=ctx.actor, acao="escolher_avisos",
            antes=before.model_dump(), depois=chosen.model_dump(),
        )  # fmt: skip
