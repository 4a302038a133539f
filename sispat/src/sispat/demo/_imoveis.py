"""The land and buildings of the demo city, its commission, and what happened to them. The same city has the same ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import psycopg

from sispat.demo import _vocabulary as vocabulary
from sispat.demo._city import City

__all__ = ["CLASSES", "IMOVEIS", "insert_imoveis"]

IMOVEIS = ("comissao", "comissao_membro", "imovel", "imovel_destinacao", "imovel_baixa")

# (name, type, what for, use); {} takes the name of somebody.
_KINDS = (
    ("Escola Municipal {}", "predial", "Escola", "uso_especial"),
    ("Creche {}", "predial", "Creche", "uso_especial"),
    ("Unidade Básica de Saúde {}", "predial", "Posto de saúde", "uso_especial"),
    ("Praça {}", "logradouro", "Praça", "uso_comum"),
    ("Parque {}", "logradouro", "Parque", "uso_comum"),
    ("Ginásio {}", "predial", "Ginásio de esportes", "uso_especial"),
    ("Lote da Rua {}", "territorial", "", "dominical"),
    ("Casa da Rua {}", "predial", "Desocupada", "dominical"),
)
# The accounts, by part and use. The federal table has no life of buildings: fifty years and 10 % are invented.
_CONTAS = {
    ("edificacao", "uso_especial"): ("1.2.3.2.1.01.03", "Edifícios de uso especial"),
    ("terreno", "uso_especial"): ("1.2.3.2.1.01.04", "Terrenos de uso especial"),
    ("edificacao", "dominical"): ("1.2.3.2.1.04.01", "Edifícios dominicais"),
    ("terreno", "dominical"): ("1.2.3.2.1.04.02", "Terrenos dominicais"),
    ("terreno", "uso_comum"): ("1.2.3.2.1.05.01", "Praças e parques"),
}
_ID = {key: str(uuid5(NAMESPACE_URL, f"sispat demo {conta}")) for key, (conta, _) in _CONTAS.items()}
CLASSES = [(_ID[key], conta, nome, 600, 10, key[0] == "edificacao") for key, (conta, nome) in _CONTAS.items()]
"""Rows of classe: id, conta, nome, vida_util_meses, residual_pct, depreciavel."""
_STREETS = ("das Acácias", "XV de Novembro", "dos Ipês", "São Bento", "do Comércio", "da Estação", "Sete de Setembro")
_DISTRICTS = ("Centro", "Vila Nova", "Jardim das Flores", "Santa Rita", "Distrito Industrial")
_NUMBER = 48
_SOLD = 8  # every eighth of those that can be sold was

_COLUMNS = (
    "id", "numero", "nome", "tipo", "uso", "destinacao", "cep", "logradouro", "numero_predial", "bairro", "cidade", "uf",
    "latitude", "longitude", "area_terreno", "area_construida", "valor_terreno", "valor_edificacao", "forma_aquisicao",
    "data_aquisicao", "matricula", "cartorio", "inscricao_imobiliaria", "setor_id", "agente_id", "conservacao",
    "classe_terreno_id", "classe_edificacao_id",
)  # fmt: skip


def _rows(city: City, seed: int) -> Iterator[tuple[Any, ...]]:
    """Of imovel, in the order of their numbers; with a generator of its own, so that the assets stay as they are."""
    own = random.Random(f"imoveis {seed}")  # noqa: S311 - repeatable is the point
    for numero in range(1, _NUMBER + 1):
        name, tipo, uso, destinacao = _KINDS[numero % len(_KINDS)]
        person = f"{own.choice(vocabulary.FIRST_NAMES)} {own.choice(vocabulary.LAST_NAMES)}"
        agente = own.choice(city.agentes)
        land = own.randrange(300, 12_000)
        built = 0 if tipo in ("territorial", "logradouro") else own.randrange(80, 2500)
        digits = f"{own.getrandbits(128):032x}"
        yield (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}", numero, name.format(person), tipo,
            uso, destinacao, "14930000", f"Rua {own.choice(_STREETS)}", str(own.randrange(1, 1900)), own.choice(_DISTRICTS),
            "Boa Esperança", "SP", f"{-21.99 + own.uniform(-0.02, 0.02):.6f}", f"{-48.39 + own.uniform(-0.02, 0.02):.6f}",
            land, built or None, land * own.randrange(60, 400), built * own.randrange(900, 2600),
            own.choice(("compra", "doacao", "desapropriacao", "loteamento")),
            f"{own.randrange(1968, 2024)}-{own.randrange(1, 13):02}-{own.randrange(1, 29):02}",
            f"{own.randrange(1000, 60_000)}.{numero}",
            "1º Registro de Imóveis", f"{own.randrange(10, 99)}.{own.randrange(100, 999)}.{numero:04}", agente[4], agente[0],
            own.choice(("otimo", "bom", "bom", "regular", "ruim")), _ID["terreno", destinacao],
            _ID.get(("edificacao", destinacao)),
        )  # fmt: skip


_COMMISSION = """
with made as (
    insert into comissao (id, portaria, finalidade, inicio, registrada_por)
    values (md5('comissao')::uuid, '17/2026', 'geral', date '2026-01-05', %(admin)s) returning id
), members as (
    insert into comissao_membro (comissao_id, agente_id, ordem)
    select made.id, a.id, row_number() over (order by a.matricula)
    from made, (select id, matricula from agente order by matricula limit 3) a
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
select %(admin)s, 'demo', 'comissao', id, 'nomear_comissao', jsonb_build_object('portaria', '17/2026') from made"""

_REGISTERED = """
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
select %(admin)s, 'demo', 'imovel', id, 'criar', jsonb_build_object('numero', numero, 'nome', nome)
from imovel order by numero"""

# What can be sold was freed from its use by law; some of it was sold.
_FREED = """
with made as (
    insert into imovel_destinacao (id, imovel_id, setor_id, de, para, ato, numero_ato, data, motivo, registrada_por)
    select md5('destinacao' || id::text)::uuid, id, setor_id, 'uso_especial', 'dominical', 'lei',
           '5.' || 400 + numero || '/2025', date '2025-11-10', 'Sem uso desde a mudança', %(admin)s
    from imovel where destinacao = 'dominical' order by numero
    returning id, imovel_id
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, antes, depois)
select %(admin)s, 'demo', 'imovel', imovel_id, 'destinar_imovel', '{"destinacao": "uso_especial"}'::jsonb,
       '{"destinacao": "dominical"}'::jsonb from made"""

_WRITTEN_OFF = """
with chosen as (
    select id, row_number() over (order by numero) as place from imovel where destinacao = 'dominical'
), sold as (
    update imovel m set estado = 'baixado' from chosen where chosen.id = m.id and chosen.place %% %(every)s = 0 returning m.*
), made as (
    insert into imovel_baixa (id, imovel_id, setor_id, motivo, data, justificativa, lei, data_lei, processo, comissao_id,
                              portaria, membros, valor_avaliado, laudo, destinatario, destinatario_doc, destinacao, posse,
                              valor_terreno, valor_edificacao, registrada_por)
    select md5('baixa' || s.id::text)::uuid, s.id, s.setor_id, 'venda', date '2026-03-02',
           'Sem uso; a venda paga a nova creche', '5.' || 400 + s.numero || '/2025', date '2025-11-10',
           '2026/00' || s.numero, md5('comissao')::uuid, '17/2026',
           (select string_agg(a.nome, E'\\n' order by c.ordem) from comissao_membro c join agente a on a.id = c.agente_id),
           s.valor, 'L-' || s.numero, 'Construtora Boa Vista Ltda.', '11222333000181', s.destinacao, s.posse,
           s.valor_terreno, s.valor_edificacao, %(admin)s from sold s returning imovel_id
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, antes, depois)
select %(admin)s, 'demo', 'imovel', imovel_id, 'baixar', '{"estado": "ativo"}'::jsonb, '{"estado": "baixado"}'::jsonb
from made"""


def insert_imoveis(conn: psycopg.Connection[Any], city: City, seed: int, admin: str) -> int:
    """Write them; `admin` is who did all of it. How many imóveis there are."""
    values = {"admin": admin, "every": _SOLD}
    conn.execute(_COMMISSION, values)
    marks = ", ".join(["%s"] * len(_COLUMNS))
    with conn.cursor() as cursor:
        cursor.executemany(f"insert into imovel ({', '.join(_COLUMNS)}) values ({marks})", list(_rows(city, seed)))  # noqa: S608
    conn.execute("update numeracao set ultimo = %s where escopo = 'imovel' and exercicio = 0", [_NUMBER])
    for statement in (_REGISTERED, _FREED, _WRITTEN_OFF):
        conn.execute(statement, values)
    return _NUMBER
