"""`sispat migrate` and `sispat demo`."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["demo", "migrate"]


def migrate() -> None:
    """Atualiza o esquema do banco, numa só transação; não faz nada quando já está em dia."""
    from sispat.cli._preparo import atualizar
    from sispat.cli._servidor import banco_em_uso, encerravel
    from sispat.settings import carregar

    with encerravel(), banco_em_uso(carregar()) as dsn:
        feita = atualizar(dsn)
    if feita.de == feita.para:
        typer.echo(f"O banco já está em dia (versão {feita.para}).")
    else:
        typer.echo(f"Banco migrado da versão {feita.de or 'vazia'} para a {feita.para}.")


def demo(
    size: Annotated[int, typer.Option("--size", min=1, max=10_000_000, help="Quantos bens criar.")] = 5000,
) -> None:
    """Cria uma cidade inventada num banco vazio; recusa um banco com outros dados."""
    from sispat.cli._preparo import atualizar, com_prazo
    from sispat.cli._progresso import Progresso
    from sispat.cli._servidor import banco_em_uso, encerravel
    from sispat.demo import LOGINS, popular
    from sispat.settings import carregar

    with encerravel(), banco_em_uso(carregar()) as dsn:
        atualizar(dsn)
        with Progresso("Criando a cidade de demonstração") as progresso:
            resumo = popular(com_prazo(dsn), tamanho=size, progresso=progresso)
    verbo = "criada" if resumo.criado else "já existente"
    typer.echo(f"Demonstração {verbo}: {resumo.patrimonios} bens em {resumo.setores} setores.")
    for email, senha, papel in LOGINS:
        typer.echo(f"  {email}  senha: {senha}  ({papel})")
