"""Photos and documents of records, and the contents that they refer to.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# A content is one row however often it is attached. `solto_em`: since when no document refers to it; its file is removed
# once no backup is kept of a time when one did.
CONTEUDO = """
create table conteudo (
    sha256    bytea primary key check (length(sha256) = 32),
    formato   text not null check (formato in ('jpg', 'png', 'webp', 'pdf', 'docx', 'xlsx', 'odt', 'ods')),
    tamanho   bigint not null check (tamanho > 0),
    largura   int check (largura > 0),
    altura    int check (altura > 0),
    criado_em timestamptz not null default now(),
    solto_em  timestamptz,
    constraint conteudo_medidas check ((largura is null) = (altura is null))
);
create index conteudo_solto_idx on conteudo (solto_em) where solto_em is not null;
"""

# Of a record of any entity, named as the audit names it; no key refers to it, because it may be of any table. Records that
# have documents are never deleted.
DOCUMENTO = """
create table documento (
    id          uuid primary key default gen_random_uuid(),
    entidade    text not null check (entidade ~ '^[a-z_]{1,40}$'),
    entidade_id uuid not null,
    sha256      bytea not null references conteudo,
    tipo        text not null check (tipo in ('foto', 'nota_fiscal', 'termo', 'boletim', 'laudo', 'garantia', 'escritura',
                                              'lei', 'outro')),
    nome        text not null check (length(nome) between 1 and 200),
    descricao   text not null default '' check (length(descricao) <= 200),
    principal   boolean not null default false,
    enviado_por uuid not null references usuario,
    enviado_em  timestamptz not null default now(),
    constraint documento_uma_vez unique (entidade, entidade_id, sha256),
    constraint documento_principal_e_foto check (not principal or tipo = 'foto')
);
create unique index documento_principal_unico on documento (entidade, entidade_id) where principal;
create index documento_conteudo_idx on documento (sha256);
grant select, insert, update, delete on conteudo, documento to sispat_app;
"""


def upgrade() -> None:
    """Create the tables."""
    executar(CONTEUDO)
    executar(DOCUMENTO)


def downgrade() -> None:
    """Drop them."""
    executar("drop table documento, conteudo")
