"""The forms of a register: create, correct, remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from sispat.cep import ConsultaCep
from sispat.domain.permissoes import Acao
from sispat.pages._campos import Secao
from sispat.pages._envio import Envio
from sispat.pages._formulario import Formulario, Tela, versao_de
from sispat.pages._modelos import ir_para
from sispat.pages.cadastros.descricao import Cadastro, campos, secoes
from sispat.pages.cadastros.endereco import preencher
from sispat.usecases import cadastros
from sispat.usecases.contexto import Contexto

__all__ = ["Edicao", "Exclusao", "Novo", "acao_de"]


def acao_de(cadastro: Cadastro) -> Acao:
    """What changing this register takes."""
    return Acao.CLASSE_EDITAR if cadastro.tipo == "classe" else Acao.CADASTRO_EDITAR


class _TelaDeCadastro(Tela):
    def __init__(self, cadastro: Cadastro, cep: ConsultaCep, id_: UUID | None = None) -> None:
        self.cadastro = cadastro
        self.cep = cep
        self.id = id_
        self.linha: dict[str, Any] = {}
        self.voltar = f"/{cadastro.plural}" + (f"/{id_}" if id_ else "")
        self.migalhas = ((cadastro.endereco, cadastro.titulo),)

    async def abrir(self, ctx: Contexto) -> None:
        """Load the row, where there is one."""
        ctx.acesso.exigir(acao_de(self.cadastro))
        if self.id is not None:
            self.linha = await cadastros.obter(ctx, self.cadastro.tipo, self.id)
            self.subtitulo = self.linha["nome"]
            self.migalhas = (*self.migalhas, (self.voltar, self.linha["nome"]))

    async def secoes(self, ctx: Contexto, valores: dict[str, str]) -> Sequence[Secao]:
        """The fields of the register."""
        return await secoes(ctx, self.cadastro.tipo, valores, self.id, botoes=self.cep.ligada)

    async def completar(self, acao: str, formulario: Formulario) -> None:
        """Find the address of a CEP."""
        if acao == "cep":
            await preencher(self.cep, formulario)

    def de_gravado(self, gravado: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return {c.nome: c.texto(gravado[c.nome]) for c in campos(self.cadastro.tipo, novo=self.id is None)}

    async def iniciais(self, ctx: Contexto) -> dict[str, str]:
        """What is stored, or what is mostly so."""
        del ctx
        if self.id is None:
            return {"ativo": "true", "depreciavel": "true"}
        return {**self.de_gravado(self.linha), "versao": str(self.linha["versao"])}

    def lidos(self, envio: Envio) -> dict[str, Any]:
        """What was typed, as the use cases read it."""
        todos = campos(self.cadastro.tipo, novo=self.id is None)
        return {c.nome: c.lido(envio.valores[c.nome]) for c in todos if c.nome in envio.valores}


class Novo(_TelaDeCadastro):
    """Add a row."""

    salvar = "Cadastrar"

    def __init__(self, cadastro: Cadastro, cep: ConsultaCep) -> None:
        super().__init__(cadastro, cep)
        self.titulo = cadastro.novo

    async def gravar(self, ctx: Contexto, envio: Envio) -> Response:
        """Add it; then its page."""
        tipo = self.cadastro.tipo
        linha = await cadastros.criar(ctx, tipo, cadastros.ENTRADAS[tipo].ler(self.lidos(envio)))
        return ir_para(f"{self.voltar}/{linha['id']}", feito="criado")


class Edicao(_TelaDeCadastro):
    """Correct a row."""

    usa_versao = True

    def __init__(self, cadastro: Cadastro, cep: ConsultaCep, id_: UUID) -> None:
        super().__init__(cadastro, cep, id_)
        self.titulo = f"Editar {cadastro.nome}"

    async def gravar(self, ctx: Contexto, envio: Envio) -> Response:
        """Correct it; then its page."""
        assert self.id is not None
        tipo, dados = self.cadastro.tipo, self.lidos(envio)
        if tipo == "local":  # its setor is no field of the form
            dados["setor_id"] = (await cadastros.obter(ctx, tipo, self.id))["setor_id"]
        await cadastros.editar(ctx, tipo, self.id, cadastros.ENTRADAS[tipo].ler(dados), versao_de(envio))
        return ir_para(self.voltar, feito="salvo")


class Exclusao(_TelaDeCadastro):
    """Remove a row, after a second thought."""

    modelo = "cadastros/excluir.html"
    usa_versao = True
    salvar = "Excluir"

    def __init__(self, cadastro: Cadastro, cep: ConsultaCep, id_: UUID) -> None:
        super().__init__(cadastro, cep, id_)
        self.titulo = f"Excluir {cadastro.nome}"

    async def secoes(self, ctx: Contexto, valores: dict[str, str]) -> Sequence[Secao]:
        """Nothing to fill in."""
        del ctx, valores
        return ()

    async def gravar(self, ctx: Contexto, envio: Envio) -> Response:
        """Remove it; then the list."""
        assert self.id is not None
        await cadastros.excluir(ctx, self.cadastro.tipo, self.id, versao_de(envio))
        return ir_para(self.cadastro.endereco, feito="excluido")
