"""Loans, maintenance and write-offs: a row for each asset that went.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# `estado` follows from the dates, so that it cannot contradict them. Each is listed by the same indexes: of the city or of a
# setor, of all states or of one, newest first; and what is open by the day it should be back.
EMPRESTIMO = """
create table emprestimo (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    patrimonio_id  uuid not null references patrimonio,
    setor_id       uuid not null references setor,
    agente_id      uuid references agente,
    tomador        text not null default '' check (length(tomador) <= 120),
    tomador_doc    text check (tomador_doc ~ '^([0-9]{11}|[0-9A-Z]{12}[0-9]{2})$'),
    contato        text not null default '' check (length(contato) <= 120),
    saida          date not null,
    previsao       date not null,
    finalidade     text not null check (length(finalidade) between 3 and 500),
    devolvido_em   date,
    observacao     text not null default '' check (length(observacao) <= 500),
    estado         text not null generated always as (
                   case when devolvido_em is null then 'aberto' else 'devolvido' end) stored,
    registrado_por uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    versao         int not null default 1,
    constraint emprestimo_numero_unico unique (numero),
    constraint emprestimo_a_alguem check ((agente_id is not null) <> (tomador <> '')),
    constraint emprestimo_previsao_apos_saida check (previsao >= saida),
    constraint emprestimo_devolvido_apos_saida check (devolvido_em >= saida)
);
create unique index emprestimo_um_aberto on emprestimo (patrimonio_id) where devolvido_em is null;
create index emprestimo_patrimonio_idx on emprestimo (patrimonio_id);
create index emprestimo_estado_idx on emprestimo (estado, numero);
create index emprestimo_setor_idx on emprestimo (setor_id, numero);
create index emprestimo_setor_estado_idx on emprestimo (setor_id, estado, numero);
create index emprestimo_previsao_idx on emprestimo (previsao) where devolvido_em is null;
create index emprestimo_agente_idx on emprestimo (agente_id) where devolvido_em is null;
"""

MANUTENCAO = """
create table manutencao (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    patrimonio_id  uuid not null references patrimonio,
    setor_id       uuid not null references setor,
    tipo           text not null check (tipo in ('corretiva', 'preventiva')),
    problema       text not null check (length(problema) between 3 and 1000),
    fornecedor     text not null default '' check (length(fornecedor) <= 120),
    fornecedor_doc text check (fornecedor_doc ~ '^([0-9]{11}|[0-9A-Z]{12}[0-9]{2})$'),
    em_garantia    boolean not null default false,
    enviado_em     date not null,
    previsao       date,
    concluido_em   date,
    custo          numeric(14, 2) check (custo >= 0),
    servico        text not null default '' check (length(servico) <= 1000),
    servico_garantido_ate date,
    estado         text not null generated always as (
                   case when concluido_em is null then 'aberta' else 'concluida' end) stored,
    registrada_por uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    versao         int not null default 1,
    constraint manutencao_numero_unico unique (numero),
    constraint manutencao_previsao_apos_envio check (previsao >= enviado_em),
    constraint manutencao_concluida_apos_envio check (concluido_em >= enviado_em),
    constraint manutencao_conclusao_diz_custo check ((concluido_em is null) = (custo is null)),
    constraint manutencao_conclusao_diz_servico check (concluido_em is null or length(servico) >= 3)
);
create unique index manutencao_uma_aberta on manutencao (patrimonio_id) where concluido_em is null;
create index manutencao_patrimonio_idx on manutencao (patrimonio_id);
create index manutencao_estado_idx on manutencao (estado, numero);
create index manutencao_setor_idx on manutencao (setor_id, numero);
create index manutencao_setor_estado_idx on manutencao (setor_id, estado, numero);
create index manutencao_previsao_idx on manutencao (previsao) where concluido_em is null;
"""

# What each motive asks for (Lei 14.133/2021, art. 76: alienation after appraisal; Decreto 9.373/2018: destruction by a
# commission's report). The number of members is a setting, hence not here.
BAIXA = """
create table baixa (
    id               uuid primary key default gen_random_uuid(),
    numero           bigint not null generated always as identity,
    patrimonio_id    uuid not null references patrimonio,
    setor_id         uuid not null references setor,
    motivo           text not null check (motivo in ('leilao', 'doacao', 'permuta', 'inutilizacao', 'furto_roubo',
                                                     'extravio', 'sinistro', 'erro_cadastro')),
    data             date not null,
    justificativa    text not null check (length(justificativa) between 10 and 2000),
    processo         text not null default '' check (length(processo) <= 60),
    portaria         text not null default '' check (length(portaria) <= 60),
    membros          text not null default '' check (length(membros) <= 1000),
    valor_avaliado   numeric(14, 2) check (valor_avaliado >= 0),
    laudo            text not null default '' check (length(laudo) <= 60),
    destinatario     text not null default '' check (length(destinatario) <= 120),
    destinatario_doc text check (destinatario_doc ~ '^([0-9]{11}|[0-9A-Z]{12}[0-9]{2})$'),
    boletim          text not null default '' check (length(boletim) <= 60),
    data_ocorrencia  date check (data_ocorrencia <= data),
    valor            numeric(14, 2) not null,
    situacao_anterior text not null check (situacao_anterior in ('em_uso', 'nao_localizado')),
    registrada_por   uuid not null references usuario,
    criado_em        timestamptz not null default now(),
    estornada_em     timestamptz,
    estornada_por    uuid references usuario,
    estorno          text not null default '' check (length(estorno) <= 2000),
    estado           text not null generated always as (
                     case when estornada_em is null then 'efetiva' else 'estornada' end) stored,
    versao           int not null default 1,
    constraint baixa_numero_unico unique (numero),
    constraint baixa_leilao_exige check (motivo <> 'leilao' or (
        processo <> '' and portaria <> '' and membros <> '' and valor_avaliado is not null)),
    constraint baixa_doacao_exige check (motivo <> 'doacao' or (
        processo <> '' and portaria <> '' and membros <> '' and valor_avaliado is not null
        and destinatario <> '' and destinatario_doc is not null)),
    constraint baixa_permuta_exige check (motivo <> 'permuta' or (
        processo <> '' and portaria <> '' and membros <> '' and valor_avaliado is not null
        and destinatario <> '' and destinatario_doc is not null)),
    constraint baixa_inutilizacao_exige check (motivo <> 'inutilizacao' or (
        laudo <> '' and portaria <> '' and membros <> '')),
    constraint baixa_furto_roubo_exige check (motivo <> 'furto_roubo' or (
        boletim <> '' and data_ocorrencia is not null)),
    constraint baixa_extravio_exige check (motivo <> 'extravio' or (processo <> '' and data_ocorrencia is not null)),
    constraint baixa_sinistro_exige check (motivo <> 'sinistro' or (laudo <> '' and data_ocorrencia is not null)),
    constraint baixa_estorno_diz_por_que check (
        (estornada_em is null) = (estornada_por is null) and (estornada_em is null or length(estorno) >= 10))
);
create unique index baixa_uma_efetiva on baixa (patrimonio_id) where estornada_em is null;
create index baixa_patrimonio_idx on baixa (patrimonio_id);
create index baixa_estado_idx on baixa (estado, numero);
create index baixa_setor_idx on baixa (setor_id, numero);
create index baixa_setor_estado_idx on baixa (setor_id, estado, numero);
grant select, insert, update on emprestimo, manutencao, baixa to sispat_app;
"""


def upgrade() -> None:
    """Create the tables."""
    executar(EMPRESTIMO)
    executar(MANUTENCAO)
    executar(BAIXA)


def downgrade() -> None:
    """Drop them."""
    executar("drop table emprestimo, manutencao, baixa")
