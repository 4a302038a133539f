"""Fill an empty, migrated database with the demo city.

Promises: all or nothing, in one transaction; a database that holds anything else is refused untouched
(`BancoNaoVazio`); a database that already holds this demo is left as it is, within milliseconds. Two that start at
once: one fills, the other waits and finds it done. Runs as the owner of the tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg

from esteio.postgres import Dsn
from sispat.demo._cidade import COLUNAS, Cidade
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.pessoas.passwords import hash_password

__all__ = ["LOGINS", "BancoNaoVazio", "Resumo", "popular"]

LOGINS = (
    ("admin@demo.local", "demo", "administrador"),
    ("gestor@demo.local", "demo", "gestor"),
    ("responsavel@demo.local", "demo", "responsavel"),
    ("consulta@demo.local", "demo", "consulta"),
)
"""E-mail, password and role of the demo's users, for the start message."""

_MARCA = UUID("de300000-0000-4000-8000-000000000001")  # the audit record that says which demo this is
_TRAVA = 0x515_DE30  # advisory lock key
_LOTE = 10_000  # assets between two calls of `progresso`
_MUITOS = 20_000  # from here on building the indexes at the end is faster than keeping them up
_MAXIMO = 10_000_000


class BancoNaoVazio(SispatError):
    """The database holds what this demo did not make: `achados` counts it by table."""

    code = "banco-nao-vazio"

    def __init__(self, achados: dict[str, int], demo: tuple[int, int] | None = None) -> None:
        self.achados, self.demo = dict(achados), demo
        que = ", ".join(
            _("%(number)s em “%(table)s”", number=quantos, table=tabela) for tabela, quantos in achados.items()
        )
        if demo is not None:
            que = _("outra demonstração (tamanho %(size)s, semente %(seed)s)", size=demo[0], seed=demo[1])
        super().__init__(
            _(
                "O banco não está vazio: há %(found)s. A demonstração não se mistura com outros dados e nada foi gravado. "
                "Aponte DATABASE_URL para um banco vazio, ou inicie sem a demonstração.",
                found=que,
            )
        )


@dataclass(frozen=True, slots=True)
class Resumo:
    """What the demo holds; `criado` is False where it was there already."""

    criado: bool
    tamanho: int
    semente: int
    setores: int
    locais: int
    agentes: int
    classes: int
    patrimonios: int


def popular(
    dsn: Dsn | str,
    *,
    tamanho: int = 5000,
    semente: int = 2026,
    progresso: Callable[[int, int], None] | None = None,
) -> Resumo:
    """Make the demo city with `tamanho` assets (1 to 10,000,000); `progresso(done, total)` is called on the way.

    Raises `BancoNaoVazio`, or psycopg's errors where the database cannot be reached or is not migrated.
    """
    if not 1 <= tamanho <= _MAXIMO:
        raise ValueError(f"tamanho is {tamanho}; allowed: 1 to {_MAXIMO} assets")
    with psycopg.connect(dsn.conninfo if isinstance(dsn, Dsn) else dsn) as conn:
        existente = _existente(conn)
        if existente is None:
            conn.execute("set local statement_timeout = 0")
            conn.execute("set local lock_timeout = 0")
            conn.execute("select pg_advisory_xact_lock(%s)", [_TRAVA])
            existente = _existente(conn)
        if existente is None:
            _recusar_dados_alheios(conn)
            return _criar(conn, Cidade(tamanho, semente), semente, progresso or _em_silencio)
        if (existente.tamanho, existente.semente) != (tamanho, semente):
            raise BancoNaoVazio({}, (existente.tamanho, existente.semente))
        return existente


def _em_silencio(_feitos: int, _total: int) -> None:
    """Nobody is looking."""


def _existente(conn: psycopg.Connection[Any]) -> Resumo | None:
    linha = conn.execute(
        """select e.depois from evento e join usuario u on u.id = e.ator_id
           where e.entidade_id = %s and e.entidade = 'demo' and u.email = %s""",
        [_MARCA, LOGINS[0][0]],
    ).fetchone()
    return None if linha is None else Resumo(criado=False, **linha[0])


def _recusar_dados_alheios(conn: psycopg.Connection[Any]) -> None:
    achados = {}
    for tabela in ("usuario", "setor", "local", "agente", "classe", "patrimonio", "evento"):
        linha = conn.execute(f"select count(*) from (select from {tabela} limit 1000000) t").fetchone()  # noqa: S608
        if linha and linha[0]:
            achados[tabela] = int(linha[0])
    if achados:
        raise BancoNaoVazio(achados)


def _criar(
    conn: psycopg.Connection[Any], cidade: Cidade, semente: int, progresso: Callable[[int, int], None]
) -> Resumo:
    progresso(0, cidade.tamanho)
    _cadastros(conn, cidade)
    indices = _retirar_indices(conn) if cidade.tamanho >= _MUITOS else []
    admin = cidade.usuarios[0][0]
    linhas, feitos = cidade.patrimonios(), 0
    while lote := list(islice(linhas, _LOTE)):
        _copiar(conn, "patrimonio", COLUNAS, lote)
        _copiar(conn, "evento", _EVENTO, _eventos(lote, admin))
        feitos += len(lote)
        progresso(feitos, cidade.tamanho)
    conn.execute("update numeracao set ultimo = %s where escopo = 'patrimonio' and exercicio = 0", [feitos])
    for indice in indices:
        conn.execute(indice)
    resumo = {
        "tamanho": cidade.tamanho, "semente": semente, "setores": len(cidade.setores), "locais": len(cidade.locais),
        "agentes": len(cidade.agentes), "classes": len(cidade.classes), "patrimonios": feitos,
    }  # fmt: skip
    _copiar(conn, "evento", _EVENTO, [(admin, "demo", "demo", str(_MARCA), "criar", json.dumps(resumo))])
    for tabela in ("usuario", "setor", "local", "agente", "classe", "numeracao", "patrimonio", "evento"):
        conn.execute(f"analyze {tabela}")
    return Resumo(criado=True, **resumo)


def _cadastros(conn: psycopg.Connection[Any], cidade: Cidade) -> None:
    senha_hash = hash_password(LOGINS[0][1])  # one hash for all: the password is printed at every start
    usuarios = [(*usuario, senha_hash) for usuario in cidade.usuarios]
    _copiar(conn, "usuario", ("id", "email", "nome", "papel", "senha_hash"), usuarios)
    _copiar(conn, "setor", ("id", "codigo", "nome", "pai_id"), cidade.setores)
    _copiar(conn, "usuario_setor", ("usuario_id", "setor_id"), cidade.setores_do_responsavel)
    _copiar(conn, "local", ("id", "setor_id", "nome"), cidade.locais)
    _copiar(conn, "agente", ("id", "nome", "matricula", "cargo", "setor_id", "cpf"), cidade.agentes)
    colunas = ("id", "conta", "nome", "vida_util_meses", "residual_pct", "depreciavel")
    _copiar(conn, "classe", colunas, cidade.classes)


_EVENTO = ("ator_id", "requisicao", "entidade", "entidade_id", "acao", "depois")


def _eventos(lote: Iterable[tuple[Any, ...]], admin: str) -> Iterator[tuple[Any, ...]]:
    for id_, numero, descricao, *_rest in lote:
        depois = f'{{"numero": {numero}, "descricao": "{descricao}"}}'
        yield admin, "demo", "patrimonio", id_, "criar", depois


def _copiar(
    conn: psycopg.Connection[Any], tabela: str, colunas: Iterable[str], linhas: Iterable[tuple[Any, ...]]
) -> None:
    """COPY as text, joined here: the demo's words need no escaping, and psycopg's row by row costs twice the time."""
    texto = "".join(["\t".join(["\\N" if valor is None else str(valor) for valor in linha]) + "\n" for linha in linhas])
    with conn.cursor().copy(f"copy {tabela} ({', '.join(colunas)}) from stdin") as copia:
        copia.write(texto)


def _retirar_indices(conn: psycopg.Connection[Any]) -> list[str]:
    """Drop the indexes of the big tables that carry no constraint; the statements that make them again."""
    achados = conn.execute(
        """select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i
           where i.indrelid in ('patrimonio'::regclass, 'evento'::regclass) and not i.indisunique
           order by i.indexrelid""",
    ).fetchall()
    for nome, _definicao in achados:
        conn.execute(f"drop index {nome}")
    return [definicao for _nome, definicao in achados]
