"""Transfers: what is asked for, item by item, and what became of it.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# A transfer leads from one setor to one setor; its items are decided one by one or all at once. `numero` is what people
# call it and the key by which lists are walked: an identity, not a row of `numeracao`, because gaps in it mean nothing.
TRANSFERENCIA = """
create table transferencia (
    id          uuid primary key default gen_random_uuid(),
    numero      bigint not null generated always as identity,
    estado      text not null default 'pendente' check (estado in ('pendente', 'aceita', 'recusada', 'cancelada')),
    origem_id   uuid not null references setor,
    destino_id  uuid not null references setor,
    local_id    uuid,
    agente_id   uuid references agente,
    motivo      text not null check (length(motivo) between 3 and 500),
    bens        int not null check (bens > 0),
    pedida_por  uuid not null references usuario,
    criado_em   timestamptz not null default now(),
    decidida_em timestamptz,
    versao      int not null default 1,
    constraint transferencia_numero_unico unique (numero),
    constraint transferencia_local_fk foreign key (local_id, destino_id) references local (id, setor_id),
    constraint transferencia_decidida check ((estado = 'pendente') = (decidida_em is null))
);
create table transferencia_item (
    transferencia_id uuid not null references transferencia,
    patrimonio_id    uuid not null references patrimonio,
    estado           text not null default 'pendente' check (estado in ('pendente', 'aceita', 'recusada', 'cancelada')),
    local_id         uuid not null references local,   -- where it stood and who answered for it when this was asked for
    agente_id        uuid not null references agente,
    decidida_por     uuid references usuario,
    decidida_em      timestamptz,
    observacao       text not null default '' check (length(observacao) <= 500),
    primary key (transferencia_id, patrimonio_id),
    constraint transferencia_item_decidido check (
        (estado = 'pendente') = (decidida_em is null) and (estado = 'pendente') = (decidida_por is null)),
    constraint transferencia_recusa_diz_por_que check (estado <> 'recusada' or length(observacao) >= 3)
);
create unique index transferencia_item_um_pendente on transferencia_item (patrimonio_id) where estado = 'pendente';
"""

# Every list: of the city, of a setor as origin or destination; of all states or of one; newest first.
INDICES = """
create index transferencia_estado_idx on transferencia (estado, numero);
create index transferencia_origem_idx on transferencia (origem_id, numero);
create index transferencia_destino_idx on transferencia (destino_id, numero);
create index transferencia_origem_estado_idx on transferencia (origem_id, estado, numero);
create index transferencia_destino_estado_idx on transferencia (destino_id, estado, numero);
create index transferencia_item_patrimonio_idx on transferencia_item (patrimonio_id);
grant select, insert, update on transferencia, transferencia_item to sispat_app;
"""

# What is lent, repaired or on its way comes back to the setor it left: else who is to receive it would not see it.
FORA = """
create function patrimonio_setor_fixo_fora() returns trigger language plpgsql as $$
begin
    raise exception 'patrimonio % is away (%) and stays in its setor', new.numero, new.situacao
        using errcode = 'check_violation', constraint = 'patrimonio_setor_fixo_fora';
end $$;
create trigger patrimonio_setor_fixo_fora before update of setor_id on patrimonio
    for each row when (old.setor_id <> new.setor_id
                       and new.situacao in ('em_manutencao', 'emprestado', 'em_transferencia'))
    execute function patrimonio_setor_fixo_fora();
"""


def upgrade() -> None:
    """Create both tables and the rule."""
    executar(TRANSFERENCIA)
    executar(INDICES)
    executar(FORA)


def downgrade() -> None:
    """Drop them."""
    executar("drop table transferencia_item, transferencia; drop function patrimonio_setor_fixo_fora cascade")
