"""Land and buildings, the acts that change their use, and how they leave the books.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

IMOVEL = """
insert into numeracao values ('imovel', 0, 0);
create table imovel (
    id               uuid primary key default gen_random_uuid(),
    numero           bigint not null check (numero > 0),
    nome             text not null check (length(nome) between 3 and 200),
    tipo             text not null check (tipo in ('predial', 'territorial', 'unidade', 'rural', 'logradouro')),
    uso              text not null default '' check (length(uso) <= 120),
    destinacao       text not null check (destinacao in ('uso_comum', 'uso_especial', 'dominical')),
    cep              text not null default '' check (cep ~ '^([0-9]{8})?$'),
    logradouro       text not null default '' check (length(logradouro) <= 200),
    numero_predial   text not null default '' check (length(numero_predial) <= 20),
    complemento      text not null default '' check (length(complemento) <= 100),
    bairro           text not null default '' check (length(bairro) <= 200),
    cidade           text not null default '' check (length(cidade) <= 200),
    uf               text not null default '' check (uf ~ '^([A-Z]{2})?$'),
    latitude         numeric(9, 6),
    longitude        numeric(9, 6),
    area_terreno     numeric(14, 2) check (area_terreno >= 0),
    area_construida  numeric(14, 2) check (area_construida >= 0),
    valor_terreno    numeric(14, 2) not null check (valor_terreno >= 0),
    valor_edificacao numeric(14, 2) not null check (valor_edificacao >= 0),
    valor            numeric not null generated always as (valor_terreno + valor_edificacao) stored,
    forma_aquisicao  text not null check (forma_aquisicao in (
                     'compra', 'desapropriacao', 'doacao', 'permuta', 'loteamento', 'construcao', 'dacao', 'usucapiao',
                     'heranca', 'cessao', 'outra')),
    data_aquisicao   date not null,
    ato_aquisicao    text not null default '' check (length(ato_aquisicao) <= 120),
    transmitente     text not null default '' check (length(transmitente) <= 120),
    posse            text not null default 'proprio' check (posse in ('proprio', 'cessao', 'comodato')),
    matricula        text not null default '' check (length(matricula) <= 40),
    cartorio         text not null default '' check (length(cartorio) <= 120),
    inscricao_imobiliaria text not null default '' check (length(inscricao_imobiliaria) <= 40),
    inscricao_rural  text not null default '' check (length(inscricao_rural) <= 40),
    setor_id         uuid not null references setor,
    agente_id        uuid not null references agente,
    conservacao      text not null check (conservacao in ('otimo', 'bom', 'regular', 'ruim', 'inservivel')),
    observacao       text not null default '' check (length(observacao) <= 2000),
    estado           text not null default 'ativo' check (estado in ('ativo', 'baixado')),
    versao           int not null default 1,
    criado_em        timestamptz not null default now(),
    atualizado_em    timestamptz not null default now(),
    ordem            text collate "C" not null generated always as (left(sem_acento(nome), 100)) stored,
    busca            tsvector not null generated always as (palavras(
                         nome || ' ' || uso || ' ' || logradouro || ' ' || bairro || ' ' || matricula || ' '
                         || sem_separadores(matricula) || ' ' || inscricao_imobiliaria || ' '
                         || sem_separadores(inscricao_imobiliaria) || ' ' || inscricao_rural || ' '
                         || sem_separadores(inscricao_rural) || ' ' || numero::text)) stored,
    constraint imovel_numero_unico unique (numero),
    -- Brazil's outermost points, rounded outwards (imoveis.fields).
    constraint imovel_posicao_no_brasil check (
        (latitude is null) = (longitude is null)
        and (latitude is null or (latitude between -33.8 and 5.3 and longitude between -74.0 and -28.8))),
    constraint imovel_sem_edificacao check (
        tipo <> 'territorial' or (valor_edificacao = 0 and coalesce(area_construida, 0) = 0))
);
-- A matrícula is of one imóvel in its register; what was written off may come back under a new number.
create unique index imovel_matricula_unica on imovel (cartorio, matricula) where matricula <> '' and estado = 'ativo';
"""

# Every sort, of the city and of a setor; every filter, newest first; words. `numero` breaks ties.
INDICES = """
create index imovel_ordem_idx on imovel (ordem, numero);
create index imovel_valor_idx on imovel (valor, numero);
create index imovel_setor_numero_idx on imovel (setor_id, numero);
create index imovel_setor_ordem_idx on imovel (setor_id, ordem, numero);
create index imovel_setor_valor_idx on imovel (setor_id, valor, numero);
create index imovel_agente_idx on imovel (agente_id);
create index imovel_destinacao_idx on imovel (destinacao, estado, conservacao, tipo);
create index imovel_estado_idx on imovel (estado, numero) where estado <> 'ativo';
create index imovel_conservacao_idx on imovel (conservacao, numero);
create index imovel_busca_idx on imovel using gin (busca) with (fastupdate = off);
grant select, insert, update on imovel to sispat_app;
"""

# Código Civil, arts. 99 to 101: what is of common use changes by law alone, and so does what becomes dominical.
DESTINACAO = """
create table imovel_destinacao (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    imovel_id      uuid not null references imovel,
    setor_id       uuid not null references setor,
    de             text not null check (de in ('uso_comum', 'uso_especial', 'dominical')),
    para           text not null check (para in ('uso_comum', 'uso_especial', 'dominical')),
    ato            text not null check (ato in ('lei', 'decreto')),
    numero_ato     text not null check (length(numero_ato) between 1 and 60),
    data           date not null,
    motivo         text not null check (length(motivo) between 3 and 1000),
    estado         text not null generated always as (
                   case when de = 'dominical' then 'afetacao' when para = 'dominical' then 'desafetacao'
                        else 'mudanca' end) stored,
    registrada_por uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    versao         int not null default 1,
    constraint imovel_destinacao_numero_unico unique (numero),
    constraint imovel_destinacao_muda check (de <> para),
    constraint imovel_destinacao_por_lei check (ato = 'lei' or (para <> 'dominical' and de <> 'uso_comum'))
);
create index imovel_destinacao_imovel_idx on imovel_destinacao (imovel_id);
create index imovel_destinacao_estado_idx on imovel_destinacao (estado, numero);
create index imovel_destinacao_setor_idx on imovel_destinacao (setor_id, numero);
create index imovel_destinacao_setor_estado_idx on imovel_destinacao (setor_id, estado, numero);
grant select, insert on imovel_destinacao to sispat_app;
"""

# Lei 14.133/2021, art. 76, I: an alienation by law, after appraisal. Use and posse are kept as they were.
_ALIENATION = """lei <> '' and data_lei is not null and processo <> '' and valor_avaliado is not null and laudo <> ''
        and destinatario <> '' and destinatario_doc is not null"""
_MOTIVES = ("venda", "doacao", "permuta", "dacao", "investidura")
BAIXA = f"""
create table imovel_baixa (
    id               uuid primary key default gen_random_uuid(),
    numero           bigint not null generated always as identity,
    imovel_id        uuid not null references imovel,
    setor_id         uuid not null references setor,
    motivo           text not null check (motivo in ('venda', 'doacao', 'permuta', 'dacao', 'investidura', 'desapropriacao',
                                                     'devolucao', 'erro_cadastro')),
    data             date not null,
    justificativa    text not null check (length(justificativa) between 10 and 2000),
    lei              text not null default '' check (length(lei) <= 60),
    data_lei         date check (data_lei <= data),
    processo         text not null default '' check (length(processo) <= 60),
    comissao_id      uuid references comissao,
    portaria         text not null default '' check (length(portaria) <= 60),
    membros          text not null default '' check (length(membros) <= 4000),
    valor_avaliado   numeric(14, 2) check (valor_avaliado >= 0),
    laudo            text not null default '' check (length(laudo) <= 60),
    destinatario     text not null default '' check (length(destinatario) <= 120),
    destinatario_doc text check (destinatario_doc ~ '^([0-9]{{11}}|[0-9A-Z]{{12}}[0-9]{{2}})$'),
    destinacao       text not null,
    posse            text not null,
    valor_terreno    numeric(14, 2) not null,
    valor_edificacao numeric(14, 2) not null,
    registrada_por   uuid not null references usuario,
    criado_em        timestamptz not null default now(),
    estornada_em     timestamptz,
    estornada_por    uuid references usuario,
    estorno          text not null default '' check (length(estorno) <= 2000),
    estado           text not null generated always as (
                     case when estornada_em is null then 'efetiva' else 'estornada' end) stored,
    versao           int not null default 1,
    constraint imovel_baixa_numero_unico unique (numero),
    constraint imovel_baixa_so_dominical check (
        motivo not in ('venda', 'doacao', 'permuta', 'dacao', 'investidura')
        or (destinacao = 'dominical' and posse = 'proprio')),
    constraint imovel_baixa_devolve_o_alheio check (motivo <> 'devolucao' or posse <> 'proprio'),
    {"".join(f"constraint imovel_baixa_{each}_exige check (motivo <> '{each}' or ({_ALIENATION}))," for each in _MOTIVES)}
    constraint imovel_baixa_desapropriacao_exige check (
        motivo <> 'desapropriacao' or (processo <> '' and destinatario <> '')),
    constraint imovel_baixa_devolucao_exige check (motivo <> 'devolucao' or (processo <> '' and destinatario <> '')),
    constraint imovel_baixa_estorno_diz_por_que check (
        (estornada_em is null) = (estornada_por is null) and (estornada_em is null or length(estorno) >= 10))
);
create unique index imovel_baixa_uma_efetiva on imovel_baixa (imovel_id) where estornada_em is null;
create index imovel_baixa_imovel_idx on imovel_baixa (imovel_id);
create index imovel_baixa_estado_idx on imovel_baixa (estado, numero);
create index imovel_baixa_setor_idx on imovel_baixa (setor_id, numero);
create index imovel_baixa_setor_estado_idx on imovel_baixa (setor_id, estado, numero);
grant select, insert, update on imovel_baixa to sispat_app;
"""

# As with assets (migrations 0004, 0019): what is retired takes no imóvel, and who has one is not retired. The foreign key
# holds KEY SHARE on the setor and the agente, a retirement takes UPDATE, and whoever waited sees what the other committed.
REGRAS = """
create function imovel_agente_em_uso() returns trigger language plpgsql as $$
begin
    perform from agente where id = new.agente_id and not ativo for key share;
    if found then
        raise exception 'a retired agente takes no imovel'
            using errcode = 'check_violation', constraint = 'imovel_agente_em_uso';
    end if;
    return null;
end $$;
create trigger imovel_novo_setor_em_uso after insert on imovel
    for each row execute function cadastro_setor_em_uso('imovel_setor_em_uso');
create trigger imovel_outro_setor_em_uso after update of setor_id on imovel
    for each row when (old.setor_id <> new.setor_id) execute function cadastro_setor_em_uso('imovel_setor_em_uso');
create trigger imovel_novo_agente_em_uso after insert on imovel
    for each row execute function imovel_agente_em_uso();
create trigger imovel_outro_agente_em_uso after update of agente_id on imovel
    for each row when (old.agente_id <> new.agente_id) execute function imovel_agente_em_uso();

create function cadastro_sem_imoveis_ao_sair() returns trigger language plpgsql as $$
declare
    tem boolean;
begin
    execute format('select from %I where id = $1 for update', tg_table_name) using old.id;
    execute format('select exists (select from imovel where %I = $1 and estado <> ''baixado'')', tg_argv[1])
        into tem using old.id;
    if tem then
        raise exception '% % holds imoveis', tg_table_name, old.id using errcode = 'check_violation', constraint = tg_argv[0];
    end if;
    return new;
end $$;
create trigger setor_sem_imoveis_ao_sair before update of ativo on setor
    for each row when (old.ativo and not new.ativo)
    execute function cadastro_sem_imoveis_ao_sair('setor_sem_imoveis_ao_sair', 'setor_id');
create trigger agente_sem_imoveis_ao_sair before update of ativo on agente
    for each row when (old.ativo and not new.ativo)
    execute function cadastro_sem_imoveis_ao_sair('agente_sem_imoveis_ao_sair', 'agente_id');
"""


def upgrade() -> None:
    """Create the tables and the rules."""
    for part in (IMOVEL, INDICES, DESTINACAO, BAIXA, REGRAS):
        executar(part)


def downgrade() -> None:
    """Drop them."""
    executar(
        """drop table imovel_baixa, imovel_destinacao, imovel;
        drop function imovel_agente_em_uso; drop function cadastro_sem_imoveis_ao_sair cascade;
        delete from numeracao where escopo = 'imovel'"""
    )
