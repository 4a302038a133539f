"""The movements of the demo city: what keeps each asset where its state says it is. The same city has the same ones.

Written by the database from the assets themselves, so that a million of them costs a few statements.
"""

from __future__ import annotations

from typing import Any

import psycopg

__all__ = ["MOVEMENTS", "insert_movements"]

MOVEMENTS = ("transferencia", "emprestimo", "manutencao", "localizacao", "regularizacao", "baixa")

# Every other one goes to a setor of the demo's responsavel, so that there is something to accept.
_TRANSFERS = """
with own as (
    select us.setor_id from usuario_setor us join usuario u on u.id = us.usuario_id where u.papel = 'responsavel'
), every as (
    select id, row_number() over (order by codigo) as place, count(*) over () as number from setor
), gone as (
    select md5('transferencia' || p.id::text)::uuid as id, p.id as patrimonio_id, p.setor_id, p.local_id, p.agente_id,
           p.numero,
           case when p.numero %% 2 = 0 and p.setor_id <> (select min(setor_id::text)::uuid from own)
                then (select min(setor_id::text)::uuid from own)
                else (select e.id from every e where e.id <> p.setor_id order by (e.place + p.numero) %% e.number limit 1)
           end as destino_id
    from patrimonio p where p.situacao = 'em_transferencia'
), asked as (
    insert into transferencia (id, origem_id, destino_id, motivo, bens, pedida_por)
    select id, setor_id, destino_id, 'Remanejamento entre unidades', 1, %(admin)s from gone order by numero
    returning id, numero
), items as (
    insert into transferencia_item (transferencia_id, patrimonio_id, local_id, agente_id)
    select id, patrimonio_id, local_id, agente_id from gone
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
select %(admin)s, 'demo', 'transferencia', id, 'pedir_transferencia', jsonb_build_object('numero', numero) from asked"""


# The days are counted from the last day of the city's purchases, so that some of these are late and others not.
_LOANS = """
with made as (
    insert into emprestimo (id, patrimonio_id, setor_id, tomador, saida, previsao, finalidade, registrado_por)
    select md5('emprestimo' || id::text)::uuid, id, setor_id, 'Escola Estadual Rui Barbosa', date '2026-09-01',
           date '2026-09-01' + (numero %% 240)::int, 'Feira de ciências', %(admin)s
    from patrimonio where situacao = 'emprestado' order by numero
    returning id, numero
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
select %(admin)s, 'demo', 'emprestimo', id, 'emprestar', jsonb_build_object('numero', numero) from made"""

_REPAIRS = """
with made as (
    insert into manutencao (id, patrimonio_id, setor_id, tipo, problema, fornecedor, enviado_em, previsao, registrada_por)
    select md5('manutencao' || id::text)::uuid, id, setor_id, 'corretiva', 'Não liga', 'Oficina Central', date '2026-09-01',
           date '2026-09-01' + (numero %% 240)::int, %(admin)s
    from patrimonio where situacao = 'em_manutencao' order by numero
    returning id, numero
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
select %(admin)s, 'demo', 'manutencao', id, 'enviar_para_manutencao', jsonb_build_object('numero', numero) from made"""

_WRITE_OFFS = """
with made as (
    insert into baixa (id, patrimonio_id, setor_id, motivo, data, justificativa, portaria, membros, laudo, valor,
                       situacao_anterior, registrada_por)
    select md5('baixa' || id::text)::uuid, id, setor_id, 'inutilizacao', greatest(data_disponivel, date '2026-06-30'),
           'Sem conserto que valha a pena', '17/2026', E'Ana Souza\\nRui Lima\\nEva Castro', 'L-' || numero, valor, 'em_uso',
           %(admin)s
    from patrimonio where situacao = 'baixado' order by numero
    returning id, numero
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
select %(admin)s, 'demo', 'baixa', id, 'baixar', jsonb_build_object('numero', numero) from made"""


_MISSING = """
with made as (
    insert into localizacao (id, estado, patrimonio_id, setor_id, data, circunstancia, registrada_por)
    select md5('localizacao' || id::text)::uuid, 'nao_localizado', id, setor_id, date '2026-09-15',
           'Não estava no local na conferência', %(admin)s
    from patrimonio where situacao = 'nao_localizado' order by numero
    returning id, numero
)
insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
select %(admin)s, 'demo', 'localizacao', id, 'notar_falta', jsonb_build_object('numero', numero) from made"""


def insert_movements(conn: psycopg.Connection[Any], admin: str) -> None:
    """Write them; `admin` is who did all of it."""
    for statement in (_TRANSFERS, _LOANS, _REPAIRS, _MISSING, _WRITE_OFFS):
        conn.execute(statement, {"admin": admin})
