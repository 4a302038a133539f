"""What leaves the service: the newest files of open data, and the movements of a month summed for accounting. Only adds."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# `arquivos`: of each file its rows, bytes, compressed bytes and sha256. The parts are compressed already.
PUBLICACAO = """
create table publicacao (
    id           uuid primary key default gen_random_uuid(),
    publicado_em timestamptz not null default now(),
    arquivos     jsonb not null
);
create table publicacao_parte (
    publicacao_id uuid not null references publicacao on delete cascade,
    arquivo       text not null,
    parte         int not null,
    conteudo      bytea not null,
    primary key (publicacao_id, arquivo, parte)
);
alter table publicacao_parte alter column conteudo set storage external;
grant select, insert, update, delete on publicacao, publicacao_parte to sispat_app;
"""

# The movements of `lancamento`, by account and setor: they are sums and differences of columns, so that adding the columns up
# first gives the same, from some hundred rows instead of a million.
LANCAMENTO_CONTA = """
create view lancamento_conta as
select f.competencia, f.id as fechamento_id, d.setor_id, l.conta, l.especie, l.componente, sum(l.valor) as valor
from fechamento f
cross join lateral (
    select setor_id, conta, conta_anterior, ingresso, evento, sum(bruto) as bruto, sum(acumulada) as acumulada,
           sum(perda) as perda, sum(depreciacao) as depreciacao, sum(entrada) as entrada, sum(ajuste_bruto) as ajuste_bruto,
           sum(ajuste_acumulada) as ajuste_acumulada, sum(ajuste_perda) as ajuste_perda, sum(evento_bruto) as evento_bruto,
           sum(evento_acumulada) as evento_acumulada, sum(evento_perda) as evento_perda, sum(baixa_bruto) as baixa_bruto,
           sum(baixa_acumulada) as baixa_acumulada, sum(baixa_perda) as baixa_perda
    from depreciacao where fechamento = f.numero group by 1, 2, 3, 4, 5
) d
cross join lateral (
    select d.bruto - coalesce(d.entrada, 0) - coalesce(d.ajuste_bruto, 0) - coalesce(d.evento_bruto, 0)
               - coalesce(d.baixa_bruto, 0) as bruto,
           d.acumulada - coalesce(d.depreciacao, 0) - coalesce(d.ajuste_acumulada, 0) - coalesce(d.evento_acumulada, 0)
               - coalesce(d.baixa_acumulada, 0) as acumulada,
           d.perda - coalesce(d.ajuste_perda, 0) - coalesce(d.evento_perda, 0) - coalesce(d.baixa_perda, 0) as perda,
           case when d.ingresso in ('saldo_inicial', 'estorno_baixa') then d.ingresso else 'ajuste' end as do_passado
) inicio
cross join lateral (values
    (d.conta_anterior, 'reclassificacao', 'bruto', case when d.conta_anterior is not null then -inicio.bruto end),
    (d.conta, 'reclassificacao', 'bruto', case when d.conta_anterior is not null then inicio.bruto end),
    (d.conta_anterior, 'reclassificacao', 'acumulada', case when d.conta_anterior is not null then -inicio.acumulada end),
    (d.conta, 'reclassificacao', 'acumulada', case when d.conta_anterior is not null then inicio.acumulada end),
    (d.conta_anterior, 'reclassificacao', 'perda', case when d.conta_anterior is not null then -inicio.perda end),
    (d.conta, 'reclassificacao', 'perda', case when d.conta_anterior is not null then inicio.perda end),
    (d.conta, d.ingresso, 'bruto', d.entrada),
    (d.conta, 'ajuste', 'bruto', d.ajuste_bruto),
    (d.conta, inicio.do_passado, 'acumulada', d.ajuste_acumulada),
    (d.conta, inicio.do_passado, 'perda', d.ajuste_perda),
    (d.conta, 'depreciacao', 'acumulada', d.depreciacao),
    (d.conta, d.evento, 'bruto', d.evento_bruto),
    (d.conta, d.evento, 'acumulada', d.evento_acumulada),
    (d.conta, d.evento, 'perda', d.evento_perda),
    (d.conta, 'baixa', 'bruto', d.baixa_bruto),
    (d.conta, 'baixa', 'acumulada', d.baixa_acumulada),
    (d.conta, 'baixa', 'perda', d.baixa_perda)
) l (conta, especie, componente, valor)
where f.reaberto_em is null and l.valor <> 0
group by 1, 2, 3, 4, 5, 6 having sum(l.valor) <> 0;
grant select on lancamento_conta to sispat_app;
"""


def upgrade() -> None:
    """Add the tables and the view."""
    executar(PUBLICACAO)
    executar(LANCAMENTO_CONTA)


def downgrade() -> None:
    """Drop them."""
    executar("drop view lancamento_conta; drop table publicacao_parte, publicacao")
