"""Commissions and their members; a write-off may name one.

Only adds: programs of the release before go on beside it, and leave the new column empty.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# `estado` follows from the date, so that it cannot contradict it. Members are agentes: nobody removes one who was named.
COMISSAO = """
create table comissao (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    portaria       text not null check (length(portaria) between 1 and 60),
    finalidade     text not null check (finalidade in ('geral', 'baixa', 'avaliacao', 'inventario')),
    inicio         date not null,
    fim            date,
    observacao     text not null default '' check (length(observacao) <= 500),
    encerrada_em   date,
    estado         text not null generated always as (
                   case when encerrada_em is null then 'vigente' else 'encerrada' end) stored,
    registrada_por uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    versao         int not null default 1,
    constraint comissao_numero_unico unique (numero),
    constraint comissao_portaria_unica unique (portaria, finalidade),
    constraint comissao_fim_apos_inicio check (fim >= inicio),
    constraint comissao_encerrada_apos_inicio check (encerrada_em >= inicio)
);
create index comissao_estado_idx on comissao (estado, numero);
create table comissao_membro (
    comissao_id uuid not null references comissao,
    agente_id   uuid not null references agente,
    ordem       int not null,  -- the first presides
    primary key (comissao_id, agente_id),
    constraint comissao_membro_ordem_unica unique (comissao_id, ordem)
);
create index comissao_membro_agente_idx on comissao_membro (agente_id);
grant select, insert, update on comissao to sispat_app;
grant select, insert, delete on comissao_membro to sispat_app;
alter table baixa add column comissao_id uuid references comissao;
-- Twenty names, where it was what somebody typed.
alter table baixa drop constraint baixa_membros_check, add constraint baixa_membros_check check (length(membros) <= 4000);
"""


def upgrade() -> None:
    """Create the tables."""
    executar(COMISSAO)


def downgrade() -> None:
    """Drop them."""
    executar("alter table baixa drop column comissao_id; drop table comissao_membro, comissao")
