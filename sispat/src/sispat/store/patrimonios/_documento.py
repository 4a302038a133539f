"""The JSON document of an asset, as SQL: short in lists, whole on its card."""

from __future__ import annotations

from sispat.store.documento import cru, nulavel, objeto, simples, texto

__all__ = ["CURTO", "INTEIRO", "JUNCOES"]

# Of `p`, an asset's row, and what JUNCOES brings beside it.
_CURTO = (
    simples("id", "p.id"),
    cru("numero", "p.numero"),
    texto("descricao", "p.descricao"),
    simples("valor", "p.valor"),
    simples("data_aquisicao", "p.data_aquisicao"),
    simples("situacao", "p.situacao"),
    simples("conservacao", "p.conservacao"),
    cru("classe", "c.referencia"),
    cru("setor", "s.referencia"),
    cru("local", "l.referencia"),
    cru("agente", "a.referencia"),
    cru("versao", "p.versao"),
)
_INTEIRO = (
    *_CURTO,
    simples("data_disponivel", "p.data_disponivel"),
    simples("posse", "p.posse"),
    texto("marca", "p.marca"),
    texto("modelo", "p.modelo"),
    texto("numero_serie", "p.numero_serie"),
    nulavel("fornecedor_doc", "p.fornecedor_doc"),
    texto("nota_fiscal", "p.nota_fiscal"),
    texto("empenho", "p.empenho"),
    texto("licitacao", "p.licitacao"),
    texto("observacao", "p.observacao"),
    texto("criado_em", "p.criado_em"),
    texto("atualizado_em", "p.atualizado_em"),
)

CURTO = objeto(*_CURTO)
INTEIRO = objeto(*_INTEIRO)
JUNCOES = """
    join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id
    join local l on l.id = p.local_id join agente a on a.id = p.agente_id"""
