"""The JSON document of an asset, as SQL: short in lists, whole on its card."""

from __future__ import annotations

from sispat.kernel.json_sql import json_object, nullable, plain, raw, text

__all__ = ["JOINS", "SHORT", "WHOLE"]

# Of `p`, an asset's row, and what JOINS brings beside it.
_SHORT = (
    plain("id", "p.id"),
    raw("numero", "p.numero"),
    text("descricao", "p.descricao"),
    plain("valor", "p.valor"),
    plain("data_aquisicao", "p.data_aquisicao"),
    plain("situacao", "p.situacao"),
    plain("conservacao", "p.conservacao"),
    raw("classe", "c.referencia"),
    raw("setor", "s.referencia"),
    raw("local", "l.referencia"),
    raw("agente", "a.referencia"),
    raw("versao", "p.versao"),
)
_WHOLE = (
    *_SHORT,
    plain("data_disponivel", "p.data_disponivel"),
    plain("posse", "p.posse"),
    text("marca", "p.marca"),
    text("modelo", "p.modelo"),
    text("numero_serie", "p.numero_serie"),
    nullable("fornecedor_doc", "p.fornecedor_doc"),
    text("nota_fiscal", "p.nota_fiscal"),
    text("empenho", "p.empenho"),
    text("licitacao", "p.licitacao"),
    text("observacao", "p.observacao"),
    text("criado_em", "p.criado_em"),
    text("atualizado_em", "p.atualizado_em"),
)

SHORT = json_object(*_SHORT)
WHOLE = json_object(*_WHOLE)
JOINS = """
    join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id
    join local l on l.id = p.local_id join agente a on a.id = p.agente_id"""
