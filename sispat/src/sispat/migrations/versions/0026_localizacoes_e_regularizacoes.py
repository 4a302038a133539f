"""Assets noticed missing and found again; assets found without a plate; loans that are extended.

Only adds: programs of the release before go on beside it, and extend no loan.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

LOCALIZACAO = """
create table localizacao (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    estado         text not null check (estado in ('nao_localizado', 'localizado')),
    patrimonio_id  uuid not null references patrimonio,
    setor_id       uuid not null references setor,
    data           date not null,
    circunstancia  text not null check (length(circunstancia) between 3 and 1000),
    registrada_por uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    versao         int not null default 1,
    constraint localizacao_numero_unico unique (numero)
);
create index localizacao_patrimonio_idx on localizacao (patrimonio_id);
create index localizacao_estado_idx on localizacao (estado, numero);
create index localizacao_setor_idx on localizacao (setor_id, numero);
create index localizacao_setor_estado_idx on localizacao (setor_id, estado, numero);
grant select, insert on localizacao to sispat_app;
"""

# One for each asset that came into the books so, hence `estado` has one value.
REGULARIZACAO = """
create table regularizacao (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    estado         text not null generated always as ('regularizado') stored,
    patrimonio_id  uuid not null references patrimonio,
    setor_id       uuid not null references setor,
    encontrado_em  date not null,
    circunstancia  text not null check (length(circunstancia) between 3 and 1000),
    comissao_id    uuid not null references comissao,
    portaria       text not null check (length(portaria) between 1 and 60),
    membros        text not null check (length(membros) between 1 and 4000),
    laudo          text not null check (length(laudo) between 1 and 60),
    avaliado_em    date not null,
    valor_avaliado numeric(14, 2) not null check (valor_avaliado >= 0),
    registrada_por uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    versao         int not null default 1,
    constraint regularizacao_numero_unico unique (numero),
    constraint regularizacao_uma_por_bem unique (patrimonio_id),
    constraint regularizacao_avaliado_depois check (avaliado_em >= encontrado_em)
);
create index regularizacao_estado_idx on regularizacao (estado, numero);
create index regularizacao_setor_idx on regularizacao (setor_id, numero);
create index regularizacao_setor_estado_idx on regularizacao (setor_id, estado, numero);
grant select, insert on regularizacao to sispat_app;
"""

PRORROGACAO = """
alter table emprestimo
    add column prorrogacoes int not null default 0 check (prorrogacoes >= 0),
    add column prorrogacao text not null default '' check (length(prorrogacao) <= 500),
    add column prorrogado_por uuid references usuario,
    add constraint emprestimo_prorrogacao_diz_por_que check (
        (prorrogacoes > 0) = (prorrogado_por is not null) and (prorrogacoes = 0 or length(prorrogacao) >= 3));
"""


def upgrade() -> None:
    """Create the tables, add the columns."""
    for part in (LOCALIZACAO, REGULARIZACAO, PRORROGACAO):
        executar(part)


def downgrade() -> None:
    """Drop them."""
    executar(
        """alter table emprestimo drop constraint emprestimo_prorrogacao_diz_por_que, drop column prorrogacoes,
            drop column prorrogacao, drop column prorrogado_por;
        drop table regularizacao, localizacao"""
    )
