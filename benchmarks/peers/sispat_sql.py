"""The statements of the floor: JSON text built by PostgreSQL, as SISPAT's own store builds it."""

from __future__ import annotations

SESSION = """
    select u.id from sessao s join usuario u on u.id = s.usuario_id
    where s.token_hash = %s and s.expira_em > now() and u.ativo"""
DOCUMENT = """
    '{"id":"' || p.id || '","numero":' || p.numero || ',"descricao":' || to_json(p.descricao) || ',"valor":"' || p.valor
    || '","data_aquisicao":"' || p.data_aquisicao || '","situacao":"' || p.situacao || '","conservacao":"' || p.conservacao
    || '","classe":' || c.referencia || ',"setor":' || s.referencia || ',"local":' || l.referencia
    || ',"agente":' || a.referencia || ',"versao":' || p.versao || '}'"""
JOINS = """
    join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id
    join local l on l.id = p.local_id join agente a on a.id = p.agente_id"""
LIST = f"""
    select '{{"itens":[' || string_agg(doc, ',') || ']}}' from (
        select {DOCUMENT} as doc from (select * from patrimonio order by numero limit 50) p {JOINS} order by p.numero) d"""
ONE = f"select {DOCUMENT} from patrimonio p {JOINS} where p.id = %s"
CREATE = f"""
with n as (
    update numeracao set ultimo = ultimo + 1 where escopo = 'patrimonio' and exercicio = 0 returning ultimo
), p as (
    insert into patrimonio (numero, descricao, valor, data_aquisicao, data_disponivel, conservacao,
                            classe_id, setor_id, local_id, agente_id)
    select n.ultimo, %(descricao)s, %(valor)s::numeric, %(data_aquisicao)s::date, %(data_aquisicao)s::date, 'bom',
           %(classe_id)s::uuid, %(setor_id)s::uuid, %(local_id)s::uuid, %(agente_id)s::uuid from n
    returning *
), e as (
    insert into evento (requisicao, entidade, entidade_id, acao, depois)
    select 'floor', 'patrimonio', p.id, 'criar', to_jsonb(p) - 'busca' - 'ordem' from p
)
select {DOCUMENT} from p {JOINS}"""
