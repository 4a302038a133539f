"""Rows of every kind of record, many of each, made by the database: what lists are measured and tested over.

Promises: `Ground.fill` makes so many of one kind over a city of the demo (`sispat.demo`), mostly of what is over, with a few
that are not, old ones and new ones, spread over its setores, agentes and assets. What a constraint allows once only, is
there once.
"""

from __future__ import annotations

from typing import Any

import psycopg

__all__ = ["TABLES", "Ground"]

_EACH = "select id, {columns} row_number() over (order by {order}) - 1 as n from {table}"
_OF_ASSET = "setor_id, classe_id, local_id, agente_id,"
_PREPARED = (
    f"create temp table s as {_EACH.format(columns='', order='id', table='setor')}",
    f"create temp table a as {_EACH.format(columns='setor_id,', order='id', table='agente')}",
    f"create temp table p as {_EACH.format(columns=_OF_ASSET, order='id', table='patrimonio')}",
    "create temp table u as select id from usuario where papel = 'gestor' limit 1",
    """insert into comissao (portaria, finalidade, inicio, registrada_por)
       select 'Portaria 1', 'geral', '2020-01-01', id from u on conflict do nothing""",
    "create temp table c as select id from comissao limit 1",
    """create temp table palavra as select x, row_number() over () - 1 as n from unnest(array['Escola Municipal', 'Creche',
       'Posto', 'Praça', 'Lote', 'Casa', 'Ginásio', 'Parque', 'Galpão', 'Quartel']) x""",
)
_N = "generate_series(1, {n}) k"
# What is inserted into each table. Those that others refer to come first.
_INSERTED = {
    "imovel": f"""(numero, nome, tipo, uso, destinacao, logradouro, bairro, latitude, longitude, area_terreno, valor_terreno,
        valor_edificacao, forma_aquisicao, data_aquisicao, matricula, cartorio, setor_id, agente_id, conservacao, estado)
        select 1000 + k, palavra.x || ' ' || (k::bigint * 7919 % 5003), 'predial', '', case when k % 10 = 0 then 'dominical'
            when k % 4 = 0 then 'uso_comum' else 'uso_especial' end, 'Rua ' || (k % 997), 'Bairro ' || (k % 53),
            -22 + k % 1000 * 1e-4, -48 + k % 1000 * 1e-4, 300, k::bigint * 31 % 900000, k::bigint * 17 % 900000, 'compra',
            date '2000-01-01' + k % 9000, k::text, 'R', a.setor_id, a.id,
            case when k % 50 = 0 then 'inservivel' else 'bom' end, case when k % 40 = 3 then 'baixado' else 'ativo' end
        from {_N} join a on a.n = k % {{a}} join palavra on palavra.n = k % 10""",
    "imovel_destinacao": f"""(imovel_id, setor_id, de, para, ato, numero_ato, data, motivo, registrada_por)
        select m.id, m.setor_id, 'uso_especial', 'dominical', 'lei', k::text, date '2010-01-01' + k % 5000, 'Sem uso', u.id
        from {_N} join m on m.n = k % {{m}}, u""",
    "imovel_baixa": f"""(imovel_id, setor_id, motivo, data, justificativa, destinacao, posse, valor_terreno, valor_edificacao,
        registrada_por, estornada_em, estornada_por, estorno)
        select m.id, m.setor_id, 'erro_cadastro', '2020-01-01', 'Cadastrado duas vezes', 'dominical', 'proprio', 1, 0, u.id,
            now(), u.id, 'Não era este' from {_N} join m on m.n = k % {{m}}, u""",
    "transferencia": f"""(origem_id, destino_id, motivo, bens, pedida_por, estado, decidida_em)
        select s.id, d.id, 'Mudança de sala', 1, u.id, case when k % 500 = 3 then 'pendente' when k % 300 = 0 then 'recusada'
            else 'aceita' end, case when k % 500 <> 3 then now() end
        from {_N} join s on s.n = k % {{s}} join s d on d.n = (k * 7 + 3) % {{s}}, u""",
    "transferencia_item": """(transferencia_id, patrimonio_id, estado, local_id, agente_id, decidida_por, decidida_em)
        select t.id, p.id, 'aceita', p.local_id, p.agente_id, u.id, now()
        from transferencia t join p on p.n = t.numero % {p}, u where t.estado = 'aceita' limit {n}""",
    "emprestimo": f"""(patrimonio_id, setor_id, tomador, saida, previsao, finalidade, devolvido_em, registrado_por)
        select p.id, p.setor_id, 'Escola', date '2020-01-01', date '2020-01-01' + k % 300, 'Feira',
            case when k > 100 then date '2020-06-01' end, u.id from {_N} join p on p.n = k % {{p}}, u""",
    "manutencao": f"""(patrimonio_id, setor_id, tipo, problema, enviado_em, previsao, concluido_em, custo, servico,
        registrada_por)
        select p.id, p.setor_id, 'corretiva', 'Não liga', date '2020-01-01', date '2020-02-01',
            case when k > 100 then date '2020-02-01' end, case when k > 100 then 9 end,
            case when k > 100 then 'Fonte trocada' else '' end, u.id from {_N} join p on p.n = k % {{p}}, u""",
    "localizacao": f"""(estado, patrimonio_id, setor_id, data, circunstancia, registrada_por)
        select case when k % 500 = 0 then 'nao_localizado' else 'localizado' end, p.id, p.setor_id, date '2020-01-01',
            'Na conferência', u.id from {_N} join p on p.n = k % {{p}}, u""",
    "baixa": f"""(patrimonio_id, setor_id, motivo, data, justificativa, valor, situacao_anterior, registrada_por,
        estornada_em, estornada_por, estorno)
        select p.id, p.setor_id, 'erro_cadastro', date '2020-01-01', 'Cadastrado duas vezes', 1, 'em_uso', u.id, now(), u.id,
            'Não era este' from {_N} join p on p.n = k % {{p}}, u""",
    "termo": f"""(tipo, exercicio, numero, codigo, assunto_id, setor_id, origem_id, bens, valor, conteudo, emitido_por,
        anulado_em, anulado_por, anulacao)
        select case when k % 400 = 7 then 'baixa' else 'transferencia' end, 2020, k, upper(substr(md5(k::text), 1, 16)),
            gen_random_uuid(), s.id, d.id, 1, 1, '{{{{}}}}', u.id, case when k % 500 = 3 then now() end,
            case when k % 500 = 3 then u.id end, case when k % 500 = 3 then 'Outro' else '' end
        from {_N} join s on s.n = k % {{s}} join s d on d.n = (k * 7 + 3) % {{s}}, u""",
    "termo_bem": """(termo_id, patrimonio_id)
        select t.id, p.id from termo t join p on p.n = t.ordem % {p} limit {n}""",
    "termo_parte": """(termo_id, posicao, papel, nome, agente_id)
        select t.id, 1, 'Quem recebe', 'Ana', a.id from termo t join a on a.n = t.ordem % {a} limit {n}""",
    "importacao": f"(arquivo, tamanho, por) select 'bens.csv', 1, u.id from {_N}, u",
    "tarefa": f"""(tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo, estado, terminada_em)
        select 'teste.algo', '{{{{}}}}', case when k > 30 then u.id
                else (select id from usuario where papel = 'responsavel') end, 'r', 'pt-BR', 5, 60, 'concluida', now()
        from {_N}, u""",
    "evento": f"""(ator_id, requisicao, entidade, entidade_id, acao)
        select case when k > 30 then u.id else (select id from usuario where papel = 'responsavel') end, 'r', 'patrimonio',
            p.id, case when k % 500 = 3 then 'baixar' else 'editar' end from {_N} join p on p.n = k % {{p}}, u""",
    # Every 200th is being counted, so that items can be added to them.
    "inventario": f"""(estado, escopo, setor_id, comissao_id, portaria, membros, data_base, aberto_por, encerrado_em,
        encerrado_por)
        select case when k % 200 = 3 then 'contando' else 'encerrado' end, case when k % 2 = 0 then 'setor' else 'cidade' end,
            case when k % 2 = 0 then s.id end, c.id, 'Portaria 1', 'Ana', '2020-12-31', u.id,
            case when k % 200 <> 3 then now() end, case when k % 200 <> 3 then u.id end
        from {_N} join s on s.n = k % {{s}}, u, c""",
    # Each count has every asset once, as many counts as that takes.
    "inventario_item": f"""(inventario_id, estado, esperado, patrimonio_id, plaqueta, descricao, classe_id, valor, situacao,
        conservacao, setor_id, local_id, agente_id, contraditorio, decisao, decidido_em, decidido_por)
        select i.id, case when k % 100 = 3 then 'outro_local' when k % 900 = 5 then 'nao_encontrado'
                when k % 7 = 0 then 'nao_verificado' else 'encontrado' end, true, p.id, k, 'Mesa', p.classe_id, 1,
            'em_uso', 'bom', p.setor_id, p.local_id, p.agente_id, k % 700 = 2,
            case when k % 100 = 3 and k % 300 <> 3 then 'manter' end,
            case when k % 100 = 3 and k % 300 <> 3 then now() end, case when k % 100 = 3 and k % 300 <> 3 then u.id end
        from {_N} join p on p.n = k % {{p}}
        join (select id, row_number() over (order by numero) - 1 as n from inventario where estado = 'contando') i
            on i.n = k / {{p}}, u""",
    "conteudo": f"(sha256, formato, tamanho) select sha256(k::text::bytea), 'pdf', 1000 from {_N}",
    "documento": f"""(entidade, entidade_id, sha256, tipo, nome, enviado_por)
        select 'patrimonio', case when k <= 20 then p.id else gen_random_uuid() end, sha256(k::text::bytea), 'outro',
            'nota.pdf', u.id from {_N} join p on p.n = case when k <= 20 then 0 else k % {{p}} end, u""",
}  # fmt: skip
TABLES = tuple(_INSERTED)
"""All that can be filled, in an order in which what others refer to comes first."""
_STANDS_ON = {
    "imovel_destinacao": ("imovel",), "imovel_baixa": ("imovel",), "transferencia_item": ("transferencia",),
    "termo_bem": ("termo",), "termo_parte": ("termo",), "inventario_item": ("inventario",), "documento": ("conteudo",),
}  # fmt: skip


class Ground:
    """Of one database, whose connection `conn` commits each statement; `rows` of each kind."""

    def __init__(self, conn: psycopg.Connection[Any], rows: int) -> None:
        self._conn = conn
        self._filled: set[str] = set()
        conn.execute("set statement_timeout = 0")
        conn.execute("set synchronous_commit = off")
        for sql in _PREPARED:
            conn.execute(sql)
        # Written out as numbers, so that what is joined by them can be hashed.
        self._counts = {name: self._count(name) for name in ("s", "a", "p")} | {"n": rows}

    def fill(self, *tables: str) -> None:
        """Fill these tables and what they stand on, each once."""
        wanted = {name for table in tables for name in (*_STANDS_ON.get(table, ()), table)} - self._filled
        for table in (name for name in TABLES if name in wanted):
            inserted = _INSERTED[table].format(**self._counts)
            self._conn.execute(f"insert into {table} {inserted} on conflict do nothing")
            self._conn.execute(f"vacuum analyze {table}")
            if table == "imovel":
                self._conn.execute(
                    f"create temp table m as {_EACH.format(columns='setor_id,', order='id', table=table)}"
                )
                self._counts["m"] = self._count("m")
            self._filled.add(table)

    def _count(self, table: str) -> int:
        self._conn.execute(f"analyze {table}")
        ((number,),) = self._conn.execute(f"select count(*) from {table}").fetchall()
        return int(number)
