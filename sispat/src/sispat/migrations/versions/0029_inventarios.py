"""The yearly count: what is expected, what was read where by whom, what was decided of each divergence.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# `setor_id` says whose people see a count; without one (whole city, a class) everybody does, and of its items each their own.
INVENTARIO = """
create table inventario (
    id            uuid primary key default gen_random_uuid(),
    numero        bigint not null generated always as identity,
    estado        text not null default 'aberto' check (estado in ('aberto', 'contando', 'decidindo', 'encerrado')),
    escopo        text not null check (escopo in ('cidade', 'setor', 'local', 'agente', 'classe')),
    setor_id      uuid references setor,
    local_id      uuid references local,
    agente_id     uuid references agente,
    classe_id     uuid references classe,
    comissao_id   uuid not null references comissao,
    portaria      text not null check (length(portaria) between 1 and 60),
    membros       text not null check (length(membros) between 1 and 4000),
    data_base     date not null,
    observacao    text not null default '' check (length(observacao) <= 1000),
    esperados     bigint not null default 0 check (esperados >= 0),
    aberto_por    uuid not null references usuario,
    criado_em     timestamptz not null default now(),
    encerrado_em  timestamptz,
    encerrado_por uuid references usuario,
    versao        int not null default 1,
    constraint inventario_numero_unico unique (numero),
    constraint inventario_escopo_diz_o_que check (case escopo
        when 'cidade' then num_nonnulls(setor_id, local_id, agente_id, classe_id) = 0
        when 'setor' then setor_id is not null and num_nonnulls(local_id, agente_id, classe_id) = 0
        when 'local' then num_nonnulls(setor_id, local_id) = 2 and num_nonnulls(agente_id, classe_id) = 0
        when 'agente' then num_nonnulls(setor_id, agente_id) = 2 and num_nonnulls(local_id, classe_id) = 0
        else classe_id is not null and num_nonnulls(setor_id, local_id, agente_id) = 0 end),
    constraint inventario_encerrado_diz_quem check (
        (estado = 'encerrado') = (encerrado_em is not null) and (encerrado_em is null) = (encerrado_por is null))
);
create index inventario_estado_idx on inventario (estado, numero);
create index inventario_setor_idx on inventario (setor_id, numero);
"""

# As each asset stood when the list was frozen; `numero` is the order of rooms and plates. Without `patrimonio_id`: found
# without a plate. What the readings say last is in the item itself, so that progress and lists read one table.
ITEM = """
create table inventario_item (
    id                uuid primary key default gen_random_uuid(),
    numero            bigint not null generated always as identity,
    inventario_id     uuid not null references inventario,
    estado            text not null default 'nao_verificado' check (
                      estado in ('nao_verificado', 'encontrado', 'outro_local', 'nao_encontrado', 'sem_tombo')),
    esperado          boolean not null,
    patrimonio_id     uuid references patrimonio,
    plaqueta          bigint,
    descricao         text not null check (length(descricao) between 1 and 500),
    classe_id         uuid references classe,
    valor             numeric(14, 2) not null check (valor >= 0),
    situacao          text,
    conservacao       text,
    setor_id          uuid not null references setor,
    local_id          uuid references local,
    agente_id         uuid references agente,
    local_visto_id    uuid references local,
    conservacao_vista text,
    nota              text not null default '' check (length(nota) <= 1000),
    leituras          bigint not null default 0 check (leituras >= 0),
    contraditorio     boolean not null default false,
    divergente        boolean not null generated always as (
                      estado in ('outro_local', 'nao_encontrado', 'sem_tombo')
                      or (estado = 'encontrado' and coalesce(situacao, '') = 'nao_localizado')) stored,
    decisao           text check (decisao in ('transferir', 'nao_localizar', 'reencontrar', 'regularizar', 'manter')),
    justificativa     text not null default '' check (length(justificativa) <= 500),
    movimento         text not null default '' check (length(movimento) <= 100),
    decidido_por      uuid references usuario,
    decidido_em       timestamptz,
    versao            int not null default 1,
    constraint inventario_item_numero_unico unique (numero),
    constraint inventario_item_um_por_bem unique (inventario_id, patrimonio_id),
    constraint inventario_item_sem_tombo check ((estado = 'sem_tombo') = (patrimonio_id is null)),
    constraint inventario_item_decidido check (
        (decisao is null) = (decidido_em is null) and (decisao is null) = (decidido_por is null))
);
create index inventario_item_ordem_idx on inventario_item (inventario_id, numero);
create index inventario_item_estado_idx on inventario_item (inventario_id, estado, numero);
create index inventario_item_setor_idx on inventario_item (setor_id, inventario_id, numero);
create index inventario_item_bem_idx on inventario_item (patrimonio_id);
create index inventario_item_sem_decisao_idx on inventario_item (inventario_id, numero)
    where divergente and decisao is null;
"""

# The id is made by the phone: what it sends again is here already. Nothing of a reading ever changes.
LEITURA = """
create table inventario_leitura (
    id            uuid primary key,
    inventario_id uuid not null references inventario,
    item_id       uuid not null references inventario_item,
    resultado     text not null check (resultado in ('encontrado', 'outro_local', 'nao_encontrado', 'sem_tombo')),
    codigo        text not null default '' check (length(codigo) <= 300),
    local_id      uuid references local,
    conservacao   text check (conservacao in ('otimo', 'bom', 'regular', 'ruim', 'inservivel')),
    nota          text not null default '' check (length(nota) <= 1000),
    lida_em       timestamptz not null,
    recebida_em   timestamptz not null default now(),
    por           uuid not null references usuario
);
create index inventario_leitura_item_idx on inventario_leitura (item_id, lida_em desc, recebida_em desc, id desc);
create index inventario_leitura_inventario_idx on inventario_leitura (inventario_id, recebida_em);
grant select, insert, update on inventario, inventario_item to sispat_app;
grant select, insert on inventario_leitura to sispat_app;
"""

# A closed count is what the year's balance stands on. The lock (for share) waits for whoever is closing it just now.
ENCERRADO = """
create function inventario_fechado() returns trigger language plpgsql as $$
begin
    raise exception 'inventario % is closed', old.numero
        using errcode = 'restrict_violation', constraint = 'inventario_encerrado';
end $$;
create trigger inventario_fechado before update or delete on inventario
    for each row when (old.estado = 'encerrado') execute function inventario_fechado();

create function inventario_de_item_fechado() returns trigger language plpgsql as $$
declare
    fechado bigint;
begin
    perform from inventario where id in (select inventario_id from tocados) order by id for share;
    select numero into fechado from inventario
        where id in (select inventario_id from tocados) and estado = 'encerrado' limit 1;
    if found then
        raise exception 'inventario % is closed', fechado
            using errcode = 'restrict_violation', constraint = 'inventario_encerrado';
    end if;
    return null;
end $$;
create trigger inventario_item_novo after insert on inventario_item referencing new table as tocados
    for each statement execute function inventario_de_item_fechado();
create trigger inventario_item_mudado after update on inventario_item referencing old table as tocados
    for each statement execute function inventario_de_item_fechado();
create trigger inventario_item_apagado after delete on inventario_item referencing old table as tocados
    for each statement execute function inventario_de_item_fechado();
create trigger inventario_leitura_nova after insert on inventario_leitura referencing new table as tocados
    for each statement execute function inventario_de_item_fechado();
create trigger inventario_leitura_apagada after delete on inventario_leitura referencing old table as tocados
    for each statement execute function inventario_de_item_fechado();

create function inventario_leitura_fica() returns trigger language plpgsql as $$
begin
    raise exception 'reading % stays as it came', old.id using errcode = 'restrict_violation';
end $$;
create trigger inventario_leitura_fica before update on inventario_leitura
    for each row execute function inventario_leitura_fica();
"""


def upgrade() -> None:
    """Create the tables and what keeps them."""
    for part in (INVENTARIO, ITEM, LEITURA, ENCERRADO):
        executar(part)


def downgrade() -> None:
    """Drop them."""
    executar(
        """drop table inventario_leitura, inventario_item, inventario;
        drop function inventario_fechado, inventario_de_item_fechado, inventario_leitura_fica"""
    )
