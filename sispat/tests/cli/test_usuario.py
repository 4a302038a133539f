"""`sispat usuario`: people listed, corrected, retired, restored; their sessions and second factors."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from processos import por_dentro

from esteio.postgres import Dsn

GESTOR = "gestor@demo.local"
SEGREDO = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Linha:
    """The command line on one database."""

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn

    def usuario(self, *palavras: str, falha: bool = False, **variaveis: str) -> str:
        feito = por_dentro("usuario", *palavras, DATABASE_URL=self._dsn.url, **variaveis)
        assert (feito.returncode == 1) is falha, feito.stderr
        return feito.stderr if falha else feito.stdout

    def um(self, sql: str, *valores: object) -> Any:
        with psycopg.connect(self._dsn.conninfo, autocommit=True) as conn:
            cursor = conn.execute(sql, valores)
            return cursor.fetchone() if cursor.description else None

    def acoes(self) -> list[str]:
        """What the audit says of the gestor, the newest last."""
        row = self.um(
            "select array_agg(acao order by e.id) from evento e join usuario u on u.id = e.entidade_id"
            " where u.email like %s and requisicao = 'linha de comando' and ator_id is null", "%gestor%",
        )  # fmt: skip
        return list(row[0] or [])


@pytest.fixture
def linha(cidade: Dsn) -> Linha:
    return Linha(cidade)


def _pessoas(linha: Linha) -> dict[str, list[str]]:
    return {campos[0]: campos[1:] for campos in (texto.split("\t") for texto in linha.usuario("listar").splitlines())}


def test_people_are_listed_corrected_retired_and_restored(linha: Linha) -> None:
    antes = _pessoas(linha)
    assert antes[GESTOR][1:] == ["gestor", "", ""]
    (setor,) = linha.um("select codigo from setor where ativo order by codigo limit 1")
    novo = ("--nome", "Gestora Nova", "--papel", "responsavel", "--setor", setor, "--novo-email", "nova.gestora@x.y")
    assert "nova.gestora@x.y" in linha.usuario("editar", "--email", GESTOR, *novo)
    assert _pessoas(linha)["nova.gestora@x.y"] == ["Gestora Nova", "responsavel", setor, ""]
    linha.usuario("editar", "--email", "nova.gestora@x.y", "--novo-email", GESTOR)
    assert _pessoas(linha)[GESTOR] == ["Gestora Nova", "responsavel", setor, ""], "what is not given stays"

    linha.usuario("desativar", "--email", GESTOR)
    assert _pessoas(linha)[GESTOR][-1] == "desativado"
    assert linha.um("select count(*) from sessao s join usuario u on u.id = usuario_id where email = %s", GESTOR) == (
        0,
    )
    linha.usuario("reativar", "--email", GESTOR)
    assert _pessoas(linha)[GESTOR][-1] == ""
    assert linha.acoes() == ["editar", "editar", "desativar", "reativar"]

    assert "último administrador" in linha.usuario("desativar", "--email", "admin@demo.local", falha=True)
    for comando in ("desativar", "reativar", "editar", "sessoes", "segundo-fator"):
        assert "ninguem@x.y" in linha.usuario(comando, "--email", "ninguem@x.y", falha=True)


def test_an_auditor_is_given_a_last_day_and_another(linha: Linha) -> None:
    ana = ("--email", "ana@tce.example")
    novo = ("criar", *ana, "--nome", "TCE", "--papel", "auditor", "--integracao")  # asks for no password
    assert "último dia" in linha.usuario(*novo, falha=True)
    assert "data" in linha.usuario(*novo, "--acesso-ate", "amanhã", falha=True)
    linha.usuario(*novo, "--acesso-ate", "31/12/2099")
    assert _pessoas(linha)["ana@tce.example"] == ["TCE", "auditor", "", "até 31/12/2099"]
    linha.usuario("editar", *ana, "--nome", "Tribunal", "--acesso-ate", "30/11/2098")
    linha.usuario("editar", *ana, "--nome", "Tribunal de Contas")
    assert _pessoas(linha)["ana@tce.example"] == ["Tribunal de Contas", "auditor", "", "até 30/11/2098"]
    linha.um("update usuario set acesso_fim = now() where email = 'ana@tce.example'")
    assert _pessoas(linha)["ana@tce.example"][-1] == "terminou em 30/11/2098"


def test_sessions_are_shown_and_ended(linha: Linha) -> None:
    linha.um(
        "insert into sessao (token_hash, usuario_id, expira_em, endereco, navegador)"
        " select sha256((email || n)::bytea), id, now() + interval '1 h', '192.0.2.' || n, 'Navegador' from usuario,"
        " generate_series(1, 2) n"
    )
    abertas = [texto.split("\t") for texto in linha.usuario("sessoes", "--email", GESTOR).splitlines()]
    assert sorted(campos[2:] for campos in abertas) == [["192.0.2.1", "Navegador"], ["192.0.2.2", "Navegador"]]
    assert linha.usuario("sessoes", "--email", GESTOR, "--encerrar") == "Encerradas: 2.\n"
    assert linha.usuario("sessoes", "--email", GESTOR) == ""
    assert len(linha.usuario("sessoes", "--email", "admin@demo.local").splitlines()) == 2
    assert linha.acoes() == ["encerrar_sessoes"]


def test_a_second_factor_is_sealed_anew_and_taken_away(linha: Linha) -> None:
    assert "sem segundo fator" in linha.usuario("segundo-fator", "--email", GESTOR)
    linha.um("insert into segundo_fator (usuario_id, segredo, ativo) select id, %s, true from usuario where email = %s",
             SEGREDO, GESTOR)  # fmt: skip
    assert "com segundo fator" in linha.usuario("segundo-fator", "--email", GESTOR)
    assert "SISPAT_SECRET" in linha.usuario("recifrar", falha=True)
    assert linha.usuario("recifrar", SISPAT_SECRET="k" * 32) == "Cifradas de novo: 1 de 1.\n"
    assert linha.um("select segredo like 'v1.%%' from segundo_fator") == (True,)
    assert "SISPAT_SECRET" in linha.usuario("recifrar", falha=True, SISPAT_SECRET="outra" * 10)
    assert "curta" not in linha.usuario("recifrar", falha=True, SISPAT_SECRET="curta demais")
    assert "sem segundo fator" in linha.usuario("segundo-fator", "--email", GESTOR, "--retirar")
    assert linha.acoes() == ["retirar_segundo_fator"]
    assert "segundo fator" in linha.usuario("segundo-fator", "--email", GESTOR, "--retirar", falha=True)
