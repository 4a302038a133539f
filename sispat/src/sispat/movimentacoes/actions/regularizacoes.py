"""Assets found without a plate: registered, with how they were found and who appraised them.

Promises: the asset, its number and the record of how it came are one transaction; its value is that of the appraisal.
"""

from __future__ import annotations

import datetime as dt

import orjson
from psycopg import errors

from sispat.cadastros import actions as cadastros
from sispat.comissoes.actions import acting
from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.kernel import record_sql
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.i18n import lazy
from sispat.kernel.records import obter, record
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import assets
from sispat.movimentacoes.found import NovaRegularizacao
from sispat.movimentacoes.kinds import REGULARIZACOES
from sispat.patrimonios import actions as patrimonios
from sispat.patrimonios.fields import NovoPatrimonio

__all__ = ["CONSTRAINTS", "regularizar"]

CONSTRAINTS = {"regularizacao_comissao_id_fkey": ("comissao_id", lazy("A comissão escolhida não existe."))}


async def regularizar(ctx: Context, new: NovaRegularizacao, today: dt.date) -> str:
    """Register an asset that was found; the document (JSON) of the regularisation."""
    ctx.access.require(rules.REGULARIZAR)
    assets.require_past(new.avaliado_em, today, "avaliado_em")
    commission = await acting(ctx, new.comissao_id, FinalidadeDaComissao.AVALIACAO, new.avaliado_em)
    await assets.require_in_reach(ctx, "local", new.local_id, "local_id")
    setor_id = (await cadastros.obter(ctx, "local", new.local_id))["setor_id"]
    asset = NovoPatrimonio.parse({**new.asset(), "setor_id": setor_id})
    async with ctx.conn.transaction():
        (document,) = await patrimonios.criar(ctx, asset)
        own = {"patrimonio_id": orjson.loads(document)["id"], "setor_id": setor_id}
        shared = {**new.found(), **commission._asdict(), "registrada_por": ctx.actor}
        try:
            (id_,) = await record_sql.inserir(ctx.conn, REGULARIZACOES.table, shared, [own])
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        await record(ctx, REGULARIZACOES, id_, "regularizar", None, {**own, **shared})
        return await obter(ctx, REGULARIZACOES, id_)
