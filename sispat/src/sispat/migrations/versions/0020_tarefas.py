"""Jobs: what is done later, in a process of its own.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# `vez` counts how often a process took the job: whoever works for an earlier `vez` can no longer finish it. `falhas` counts
# how often one could not; at `tentativas` the job has failed. Progress is written every half second: room for it on the page.
TAREFA = """
create table tarefa (
    id           uuid primary key default gen_random_uuid(),
    numero       bigint not null generated always as identity,
    tipo         text not null check (tipo ~ '^[a-z_]+[.][a-z_]+$'),
    argumentos   jsonb not null,
    estado       text not null default 'pendente'
                 check (estado in ('pendente', 'executando', 'concluida', 'falhou', 'cancelada')),
    pedida_por   uuid references usuario,
    chave_id     uuid,
    requisicao   text not null,
    idioma       text not null,
    pedida_em    timestamptz not null default now(),
    a_partir_de  timestamptz not null default now(),
    iniciada_em  timestamptz,
    terminada_em timestamptz,
    vez          int not null default 0,
    falhas       int not null default 0,
    tentativas   int not null check (tentativas > 0),
    prazo        int not null check (prazo > 0),
    executor     text not null default '',
    vista_em     timestamptz,
    cancelar_em  timestamptz,
    etapa        text not null default '',
    feito        bigint not null default 0,
    total        bigint,
    resultado    jsonb,
    erro         jsonb,
    constraint tarefa_numero_unico unique (numero),
    constraint tarefa_terminada check ((terminada_em is null) = (estado in ('pendente', 'executando')))
) with (fillfactor = 50);
create index tarefa_fila_idx on tarefa (a_partir_de, numero) where estado in ('pendente', 'executando');
create index tarefa_pessoa_idx on tarefa (pedida_por, numero);
create index tarefa_terminada_idx on tarefa (terminada_em) where terminada_em is not null;
grant select, insert, update, delete on tarefa to sispat_app;
"""


def upgrade() -> None:
    """Add the table."""
    executar(TAREFA)


def downgrade() -> None:
    """Drop it."""
    executar("drop table tarefa")
