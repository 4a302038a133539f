"""The registers: setores, locais, agentes, classes. Created, corrected, retired, removed while unused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from psycopg import errors
from pydantic import Field

from sispat.domain.documentos import mascarar_cpf
from sispat.domain.erros import Conflito, DadosInvalidos, EmUso, NaoEncontrado
from sispat.domain.permissoes import Acao
from sispat.store import cadastros as store
from sispat.store import eventos, restricoes
from sispat.usecases.contexto import Contexto
from sispat.usecases.entradas import Cep, Cpf, Entrada, Legivel, Opcional, Uf

__all__ = [
    "ENTRADAS", "NOMES", "Agente", "Classe", "Local", "Setor", "criar", "editar", "excluir", "historico", "listar",
    "nomes", "obter",
]  # fmt: skip

Nome = Annotated[str, Field(min_length=1, max_length=120), Legivel]


class Setor(Entrada):
    """A unit of the city hall."""

    codigo: Annotated[str, Field(pattern=r"^[0-9A-Z][0-9A-Z.\-]{0,19}$", examples=["SEMED"]), Legivel]
    nome: Nome
    pai_id: Annotated[UUID | None, Opcional] = None
    ativo: bool = True


class Local(Entrada):
    """A room or place of one setor; it stays with that setor. The address is optional, and so is each part of it."""

    setor_id: UUID
    nome: Nome
    ativo: bool = True
    cep: Cep = ""
    logradouro: Annotated[str, Field(max_length=200), Legivel] = ""
    numero: Annotated[str, Field(max_length=20), Legivel] = ""
    complemento: Annotated[str, Field(max_length=100), Legivel] = ""
    bairro: Annotated[str, Field(max_length=200), Legivel] = ""
    cidade: Annotated[str, Field(max_length=200), Legivel] = ""
    uf: Uf = ""


class Agente(Entrada):
    """A person who can answer for assets (Lei 4.320/64, art. 94)."""

    nome: Nome
    matricula: Annotated[str, Field(pattern=r"^[0-9A-Z.\-]{1,20}$", examples=["12345-6"]), Legivel]
    cargo: Annotated[str, Field(max_length=120), Legivel] = ""
    setor_id: UUID
    cpf: Annotated[Cpf | None, Opcional] = None
    ativo: bool = True


class Classe(Entrada):
    """An account of assets with its useful life."""

    conta: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){0,8}$", examples=["1.2.3.1.1.03.01"]), Legivel]
    nome: Nome
    vida_util_meses: Annotated[int, Field(ge=1, le=1200)]
    residual_pct: Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
    depreciavel: bool = True
    ativo: bool = True


ENTRADAS: dict[str, type[Entrada]] = {"setor": Setor, "local": Local, "agente": Agente, "classe": Classe}
NOMES = {"setor": "O setor", "local": "O local", "agente": "O agente", "classe": "A classe"}


def _acao(tipo: str) -> Acao:
    return Acao.CLASSE_EDITAR if tipo == "classe" else Acao.CADASTRO_EDITAR


async def listar(
    ctx: Contexto, tipo: str, *, q: str = "", setor_id: UUID | None = None, ativos: bool = False
) -> list[dict[str, Any]]:
    """The rows of one register within reach, in order."""
    ctx.acesso.exigir(Acao.CADASTRO_VER)
    linhas = await store.listar(
        ctx.conn, store.TABELAS[tipo], setores=ctx.acesso.setores, setor_id=setor_id, q=q, ativos=ativos
    )
    return [_mostrar(linha) for linha in linhas]


async def obter(ctx: Contexto, tipo: str, id_: UUID) -> dict[str, Any]:
    """One row within reach."""
    ctx.acesso.exigir(Acao.CADASTRO_VER)
    linha = await store.obter(ctx.conn, store.TABELAS[tipo], id_, setores=ctx.acesso.setores)
    if linha is None:
        raise NaoEncontrado(NOMES[tipo], id_)
    return _mostrar(linha)


def _mostrar(linha: Mapping[str, Any]) -> dict[str, Any]:
    """What leaves: a CPF only masked (LGPD: as little as serves)."""
    return {**linha, "cpf": mascarar_cpf(linha["cpf"])} if linha.get("cpf") else dict(linha)


async def criar(ctx: Contexto, tipo: str, dados: Entrada) -> dict[str, Any]:
    """Add a row; as stored."""
    ctx.acesso.exigir(_acao(tipo))
    valores = dados.model_dump()
    _recusar_mascara(valores)
    async with ctx.conn.transaction():
        try:
            id_ = await store.inserir(ctx.conn, store.TABELAS[tipo], valores)
        except errors.IntegrityError as erro:
            raise restricoes.traduzir(erro) or erro from erro
        await _auditar(ctx, tipo, id_, "criar", depois=valores)
        return await obter(ctx, tipo, id_)


async def editar(ctx: Contexto, tipo: str, id_: UUID, dados: Entrada, versao: int) -> dict[str, Any]:
    """Correct a row; as stored. Raises `Conflito` when somebody was faster."""
    ctx.acesso.exigir(_acao(tipo))
    tabela = store.TABELAS[tipo]
    async with ctx.conn.transaction():
        antes = await _travar(ctx, tipo, id_, versao, dados)
        mudancas = {c: v for c, v in dados.model_dump().items() if c not in tabela.fixos and antes[c] != v}
        if "cpf" in mudancas and mudancas["cpf"] == mascarar_cpf(antes["cpf"]):
            del mudancas["cpf"]  # the form sent back what it was shown
        _recusar_mascara(mudancas)
        if mudancas:
            try:
                await store.atualizar(ctx.conn, tabela, id_, mudancas)
            except errors.IntegrityError as erro:
                raise restricoes.traduzir(erro) or erro from erro
            await _auditar(ctx, tipo, id_, "editar", antes={c: antes[c] for c in mudancas}, depois=mudancas)
        return await obter(ctx, tipo, id_)


async def excluir(ctx: Contexto, tipo: str, id_: UUID, versao: int) -> None:
    """Remove a row nothing refers to; raises `EmUso` otherwise."""
    ctx.acesso.exigir(_acao(tipo))
    async with ctx.conn.transaction():
        antes = await _travar(ctx, tipo, id_, versao, None)
        try:
            await store.excluir(ctx.conn, store.TABELAS[tipo], id_)
        except errors.ForeignKeyViolation as erro:
            raise EmUso(NOMES[tipo], antes["nome"]) from erro
        await _auditar(ctx, tipo, id_, "excluir", antes=antes)


async def historico(ctx: Contexto, tipo: str, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one row within reach, newest first."""
    await obter(ctx, tipo, id_)
    return await eventos.historico(ctx.conn, id_)


async def nomes(ctx: Contexto, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What the rows that somebody's history refers to are called; also those now out of reach."""
    ctx.acesso.exigir(Acao.CADASTRO_VER)
    return await store.nomes(ctx.conn, ids) if ids else {}


async def _travar(ctx: Contexto, tipo: str, id_: UUID, versao: int, dados: Entrada | None) -> dict[str, Any]:
    antes = await store.obter(ctx.conn, store.TABELAS[tipo], id_, setores=ctx.acesso.setores, travar=True)
    if antes is None:
        raise NaoEncontrado(NOMES[tipo], id_)
    if antes["versao"] != versao:
        enviado = {} if dados is None else dados.model_dump()
        raise Conflito(f"{NOMES[tipo]} “{antes['nome']}”", atual=_mostrar(antes), enviado=enviado)
    return antes


def _recusar_mascara(valores: Mapping[str, Any]) -> None:
    if "*" in (valores.get("cpf") or ""):
        raise DadosInvalidos({"cpf": "Digite o CPF inteiro, com 11 algarismos, ou deixe em branco."})


async def _auditar(
    ctx: Contexto,
    tipo: str,
    id_: UUID,
    acao: str,
    *,
    antes: Mapping[str, Any] | None = None,
    depois: Mapping[str, Any] | None = None,
) -> None:
    await eventos.registrar(
        ctx.conn,
        ator=ctx.ator,
        requisicao=ctx.requisicao,
        entidade=tipo,
        entidade_id=id_,
        acao=acao,
        antes=antes and _mostrar(antes),
        depois=depois and _mostrar(depois),
    )
