"""Reports that jobs make, and the balances typed from accounting beside those of a closed month.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

# The content is here and not on a disk: any machine may do the job, and any other give it out. After a week it goes.
ARQUIVO = """
create table relatorio_arquivo (
    id         uuid primary key default gen_random_uuid(),
    relatorio  text not null check (length(relatorio) between 1 and 60),
    nome       text not null check (length(nome) between 1 and 120),
    por        uuid not null references usuario on delete cascade,
    tarefa_id  uuid,
    linhas     bigint,
    tamanho    bigint,
    criado_em  timestamptz not null default now(),
    pronto_em  timestamptz
);
create index relatorio_arquivo_criado_idx on relatorio_arquivo (criado_em);
create table relatorio_parte (
    arquivo_id uuid not null references relatorio_arquivo on delete cascade,
    parte      int not null,
    conteudo   bytea not null,
    primary key (arquivo_id, parte)
);
grant select, insert, update, delete on relatorio_arquivo, relatorio_parte to sispat_app;
"""

# What the office had by account when it was reconciled, and what accounting had: neither changes; done again, it is another
# row, and the last one of a closing counts. `acumulada` is depreciation and impairment together, as in the plan of accounts.
CONCILIACAO = """
create table conciliacao (
    id                   uuid primary key default gen_random_uuid(),
    numero               bigint not null generated always as identity,
    fechamento           bigint not null references fechamento (numero),
    competencia          date not null check (extract(day from competencia) = 1),
    contas               int not null check (contas > 0),
    diferencas           int not null check (diferencas between 0 and contas),
    diferenca_bruto      numeric(16, 2) not null,
    diferenca_acumulada  numeric(16, 2) not null,
    observacao           text not null default '' check (length(observacao) <= 2000),
    registrada_por       uuid not null references usuario,
    criado_em            timestamptz not null default now(),
    estado               text not null generated always as (
                         case when diferencas = 0 then 'confere' else 'diverge' end) stored,
    versao               int not null default 1,
    constraint conciliacao_numero_unico unique (numero)
);
create index conciliacao_estado_idx on conciliacao (estado, numero);
create index conciliacao_fechamento_idx on conciliacao (fechamento, numero);
create table conciliacao_conta (
    conciliacao_id       uuid not null references conciliacao,
    conta                text not null,
    nome                 text not null,
    bruto                numeric(16, 2) not null,
    acumulada            numeric(16, 2) not null,
    contabil_bruto       numeric(16, 2) not null,
    contabil_acumulada   numeric(16, 2) not null,
    diferenca_bruto      numeric(16, 2) not null generated always as (contabil_bruto - bruto) stored,
    diferenca_acumulada  numeric(16, 2) not null generated always as (contabil_acumulada - acumulada) stored,
    justificativa        text not null default '' check (length(justificativa) <= 500),
    primary key (conciliacao_id, conta)
);
grant select, insert on conciliacao, conciliacao_conta to sispat_app;
"""


def upgrade() -> None:
    """Create the tables."""
    executar(ARQUIVO)
    executar(CONCILIACAO)


def downgrade() -> None:
    """Drop them."""
    executar("drop table conciliacao_conta, conciliacao, relatorio_parte, relatorio_arquivo")
