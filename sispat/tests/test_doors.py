"""Every route, asked by every role about a record of their own setor and about one of another setor.

`DOORS` says who is let in. It is compared with the routes the application has: a route that is missing here fails, and
so does one that is here and no more there. A new route adds one line, and what it is sent to `_body` where it takes any.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2
import psycopg
import pytest
from aplicacao import abrir
from arquivos import jpeg

from esteio.postgres import Dsn
from esteio.serve import lifecycle
from sispat.app import create_app
from sispat.http.route import HandlerRoute
from sispat.kernel.tokens import token_hash
from sispat.settings import Settings

KEY = "chave"  # an integration with an API key, the role and the setores of the responsavel
ROLES = ("admin", "gestor", "responsavel", "consulta", "auditor", KEY)
PEOPLE, MANAGERS, ADMIN = "admin gestor responsavel consulta auditor", "admin gestor", "admin"
SIGNS = "admin gestor responsavel consulta"
ALL, HANDS_OVER, READS_ALL = f"{PEOPLE} {KEY}", f"admin gestor responsavel {KEY}", "admin gestor consulta auditor"
PUBLIC = {
    "POST /api/auth/login",
    "GET /entrar",
    "POST /entrar",
    "GET /entrar/provedor",
    "GET /entrar/provedor/retorno",
    "POST /sair",
    "POST /idioma",
    "GET /api/docs",
    "GET /static/{digest}/{name}",
    "GET /b/{codigo}",
    "GET /B/{codigo}",
    "GET /t/{codigo}",
    "GET /conferir",
    "POST /conferir",
    "GET /inventarios/contagem.js",
    "GET /api/publico/patrimonios/{codigo}",
    "GET /api/publico/termos",
    "GET /api/publico/termos/{codigo}",
    "GET /api/publico/dados-abertos",
    "GET /api/publico/dados-abertos/{arquivo}",
    "GET /dados-abertos",
}

REACH_FEW = ("responsavel", KEY)
OWN, OTHERS = "proprio", "alheio"
# What a record of the other setor is called: a word to search for, and one that a responsavel never reads.
SEARCHED, OTHERS_MARK = "procurado", "segredo"
OTHERS_NAME = f"{SEARCHED} {OTHERS_MARK}"


@dataclass(frozen=True)
class Door:
    """`roles` may come in; `reach`: the address names a record, which for a responsavel has to be of their setores.

    The API key is asked for as one of the roles: it is kept out of what is one's own account.
    """

    roles: str
    reach: bool = False


def _register(plural: str, editors: str, *, reach: bool) -> Iterator[tuple[str, Door]]:
    for path in (f"/api/{plural}", f"/{plural}"):
        yield f"GET {path}", Door(ALL)
    yield f"POST /api/{plural}", Door(editors)
    yield f"GET /api/{plural}/{{id_}}", Door(ALL, reach)
    for method in ("PUT", "PATCH", "DELETE"):
        yield f"{method} /api/{plural}/{{id_}}", Door(editors, reach)
    yield f"GET /{plural}/{{id_:uuid}}", Door(ALL, reach)
    for method in ("GET", "POST"):
        yield f"{method} /{plural}/novo", Door(editors)
        yield f"{method} /{plural}/{{id_:uuid}}/editar", Door(editors, reach)
        yield f"{method} /{plural}/{{id_:uuid}}/excluir", Door(editors, reach)


def _reading(plural: str, *, reach: bool = True) -> Iterator[tuple[str, Door]]:
    for path in (f"{api}/{plural}{form}" for api in ("/api", "") for form in ("", ".csv", ".xlsx")):
        yield f"GET {path}", Door(ALL)
    yield f"GET /api/{plural}/{{id_}}", Door(ALL, reach)


def _movements(plural: str, makers: str, new: str = "nova") -> Iterator[tuple[str, Door]]:
    yield from _reading(plural)
    yield f"GET /{plural}/{{id_:uuid}}", Door(ALL, reach=True)
    yield f"POST /api/{plural}", Door(makers)
    for method in ("GET", "POST"):
        yield f"{method} /{plural}/{new}", Door(makers)


def _of_one(plural: str, action: str, verb: str, roles: str) -> Iterator[tuple[str, Door]]:
    yield f"POST /api/{plural}/{{id_}}/{action}", Door(roles, reach=True)
    for method in ("GET", "POST"):
        yield f"{method} /{plural}/{{id_:uuid}}/{verb}", Door(roles, reach=True)


def _report(name: str, roles: str) -> Iterator[tuple[str, Door]]:
    for path in (f"/relatorios/{name}.{end}" for end in ("csv", "xlsx", "pdf")):
        yield f"GET {path}", Door(roles)
        yield f"GET /api{path}", Door(roles)
    yield f"GET /api/relatorios/{name}.json", Door(roles)
    yield f"POST /api/relatorios/{name}/tarefas", Door(roles)
    yield f"GET /relatorios/{name}", Door(roles)
    yield f"POST /relatorios/{name}", Door(roles)


DOORS = {
    "GET /": Door(ALL),
    # patrimonios
    "GET /api/patrimonios": Door(ALL),
    "GET /api/patrimonios.csv": Door(ALL),
    "GET /api/patrimonios.xlsx": Door(ALL),
    "GET /patrimonios.xlsx": Door(ALL),
    "GET /api/patrimonios/{id_}": Door(ALL, reach=True),
    "GET /api/patrimonios/{id_}/historico": Door(ALL, reach=True),
    "POST /api/patrimonios": Door(MANAGERS),
    "POST /api/patrimonios/lote": Door(MANAGERS),
    "PATCH /api/patrimonios/{id_}": Door(MANAGERS, reach=True),
    "PUT /api/patrimonios/{id_}": Door(MANAGERS, reach=True),
    "PUT /api/patrimonios/{id_}/carga": Door(HANDS_OVER, reach=True),
    "POST /api/patrimonios/carga": Door(HANDS_OVER),
    "GET /patrimonios/carga": Door(HANDS_OVER),
    "POST /patrimonios/carga": Door(HANDS_OVER),
    "GET /patrimonios": Door(ALL),
    "GET /patrimonios.csv": Door(ALL),
    "GET /patrimonios/{id_:uuid}": Door(ALL, reach=True),
    "GET /patrimonios/novo": Door(MANAGERS),
    "POST /patrimonios/novo": Door(MANAGERS),
    "GET /patrimonios/{id_:uuid}/editar": Door(MANAGERS, reach=True),
    "POST /patrimonios/{id_:uuid}/editar": Door(MANAGERS, reach=True),
    "GET /patrimonios/{id_:uuid}/carga": Door(HANDS_OVER, reach=True),
    "POST /patrimonios/{id_:uuid}/carga": Door(HANDS_OVER, reach=True),
    # movimentacoes
    **dict(_movements("transferencias", HANDS_OVER)),
    "GET /api/transferencias/{id_}/bens": Door(ALL, reach=True),
    **dict(_of_one("transferencias", "aceite", "aceitar", HANDS_OVER)),
    **dict(_of_one("transferencias", "recusa", "recusar", HANDS_OVER)),
    **dict(_of_one("transferencias", "cancelamento", "cancelar", HANDS_OVER)),
    **dict(_movements("emprestimos", HANDS_OVER, "novo")),
    **dict(_of_one("emprestimos", "devolucao", "devolver", HANDS_OVER)),
    **dict(_movements("manutencoes", MANAGERS)),
    **dict(_of_one("manutencoes", "conclusao", "concluir", MANAGERS)),
    **dict(_movements("baixas", MANAGERS, "nova/{motivo}")),
    "GET /baixas/nova": Door(MANAGERS),
    **dict(_of_one("emprestimos", "prorrogacao", "prorrogar", HANDS_OVER)),
    **dict(_reading("localizacoes")),
    "GET /localizacoes/{id_:uuid}": Door(ALL, reach=True),
    "POST /api/localizacoes/falta": Door(HANDS_OVER),
    "POST /api/localizacoes/reencontro": Door(HANDS_OVER),
    "GET /localizacoes/nao-localizados": Door(HANDS_OVER),
    "POST /localizacoes/nao-localizados": Door(HANDS_OVER),
    "GET /localizacoes/encontrados": Door(HANDS_OVER),
    "POST /localizacoes/encontrados": Door(HANDS_OVER),
    **dict(_movements("regularizacoes", MANAGERS)),
    **dict(_of_one("baixas", "estorno", "estornar", ADMIN)),
    "POST /api/agentes/{id_}/saida": Door(MANAGERS, reach=True),
    "GET /agentes/{id_:uuid}/saida": Door(MANAGERS, reach=True),
    "POST /agentes/{id_:uuid}/saida": Door(MANAGERS, reach=True),
    # documentos
    "GET /api/uploads": Door(ALL),
    "POST /api/uploads": Door(HANDS_OVER),
    "GET /api/uploads/{id_}": Door(ALL, reach=True),
    "GET /api/uploads/{id_}/conteudo": Door(ALL, reach=True),
    "GET /api/uploads/{id_}/miniatura": Door(ALL, reach=True),
    "POST /api/uploads/{id_}/principal": Door(HANDS_OVER, reach=True),
    "DELETE /api/uploads/{id_}": Door(HANDS_OVER, reach=True),
    "GET /documentos/{id_:uuid}": Door(ALL, reach=True),
    "GET /documentos/{id_:uuid}/miniatura": Door(ALL, reach=True),
    "POST /documentos/{id_:uuid}/principal": Door(HANDS_OVER, reach=True),
    "GET /documentos/{id_:uuid}/remover": Door(HANDS_OVER, reach=True),
    "POST /documentos/{id_:uuid}/remover": Door(HANDS_OVER, reach=True),
    "GET /documentos/{entidade}/{id_:uuid}/novo": Door(HANDS_OVER, reach=True),
    "POST /documentos/{entidade}/{id_:uuid}/novo": Door(HANDS_OVER, reach=True),
    # etiquetas
    "GET /api/etiquetas": Door(HANDS_OVER),
    "GET /etiquetas": Door(HANDS_OVER),
    "GET /etiquetas/pdf": Door(HANDS_OVER),
    "GET /etiquetas/previa.png": Door(HANDS_OVER),
    # termos
    "GET /api/termos": Door(ALL),
    "GET /api/termos.csv": Door(ALL),
    "GET /api/termos.xlsx": Door(ALL),
    "GET /termos.csv": Door(ALL),
    "GET /termos.xlsx": Door(ALL),
    "POST /api/termos": Door(HANDS_OVER),
    "GET /api/termos/{id_}": Door(ALL, reach=True),
    "GET /api/termos/{id_}/partes": Door(ALL, reach=True),
    "GET /api/termos/{id_}/pdf": Door(ALL, reach=True),
    "POST /api/termos/{id_}/assinatura": Door(SIGNS, reach=True),
    "POST /api/termos/{id_}/anulacao": Door(MANAGERS, reach=True),
    "GET /termos": Door(ALL),
    "GET /termos/novo": Door(HANDS_OVER),
    "POST /termos/novo": Door(HANDS_OVER),
    "GET /termos/{id_:uuid}": Door(ALL, reach=True),
    "GET /termos/{id_:uuid}/pdf": Door(ALL, reach=True),
    "POST /termos/{id_:uuid}/assinar": Door(SIGNS, reach=True),
    "GET /termos/{id_:uuid}/anular": Door(MANAGERS, reach=True),
    "POST /termos/{id_:uuid}/anular": Door(MANAGERS, reach=True),
    # imoveis
    **dict(_reading("imoveis")),
    "GET /imoveis/{id_:uuid}": Door(ALL, reach=True),
    "GET /api/imoveis/{id_}/historico": Door(ALL, reach=True),
    "POST /api/imoveis": Door(MANAGERS),
    "PUT /api/imoveis/{id_}": Door(MANAGERS, reach=True),
    "PATCH /api/imoveis/{id_}": Door(MANAGERS, reach=True),
    "GET /imoveis/novo": Door(MANAGERS),
    "POST /imoveis/novo": Door(MANAGERS),
    "GET /imoveis/{id_:uuid}/editar": Door(MANAGERS, reach=True),
    "POST /imoveis/{id_:uuid}/editar": Door(MANAGERS, reach=True),
    **dict(_of_one("imoveis", "destinacao", "destinar", MANAGERS)),
    "POST /api/imoveis/{id_}/baixa": Door(MANAGERS, reach=True),
    "GET /imoveis/{id_:uuid}/baixar": Door(MANAGERS, reach=True),
    "GET /imoveis/{id_:uuid}/baixar/{motivo}": Door(MANAGERS, reach=True),
    "POST /imoveis/{id_:uuid}/baixar/{motivo}": Door(MANAGERS, reach=True),
    **dict(_reading("destinacoes")),
    "GET /destinacoes/{id_:uuid}": Door(ALL, reach=True),
    **dict(_reading("baixas-de-imoveis")),
    "GET /baixas-de-imoveis/{id_:uuid}": Door(ALL, reach=True),
    **dict(_of_one("baixas-de-imoveis", "estorno", "estornar", ADMIN)),
    # comissoes: an act is public, everybody sees them all
    **dict(_reading("comissoes", reach=False)),
    "GET /comissoes/{id_:uuid}": Door(ALL),
    "POST /api/comissoes": Door(MANAGERS),
    "PUT /api/comissoes/{id_}": Door(MANAGERS),
    "POST /api/comissoes/{id_}/encerramento": Door(MANAGERS),
    "GET /comissoes/nova": Door(MANAGERS),
    "POST /comissoes/nova": Door(MANAGERS),
    "GET /comissoes/{id_:uuid}/editar": Door(MANAGERS),
    "POST /comissoes/{id_:uuid}/editar": Door(MANAGERS),
    "GET /comissoes/{id_:uuid}/encerrar": Door(MANAGERS),
    "POST /comissoes/{id_:uuid}/encerrar": Door(MANAGERS),
    # depreciacao: a month is of the whole city, read by those who see it all
    **{door: Door(READS_ALL) for door, _ in _reading("fechamentos")},
    "POST /api/fechamentos": Door(MANAGERS),
    "POST /api/fechamentos/{id_}/reabertura": Door(ADMIN),
    **{
        f"GET {api}/bens{form}": Door(READS_ALL)
        for api in ("/api/fechamentos/{id_}", "/fechamentos/{id_:uuid}")
        for form in ("", ".csv", ".xlsx")
    },
    **{
        f"GET {of}/lancamentos{end}": Door(READS_ALL)
        for of in ("/api/fechamentos/{id_}", "/fechamentos/{id_:uuid}")
        for end in ("", ".csv", ".xlsx", "/bens", "/bens.csv")
    },
    "GET /fechamentos/novo": Door(MANAGERS),
    "POST /fechamentos/novo": Door(MANAGERS),
    "GET /fechamentos/{id_:uuid}": Door(READS_ALL),
    "GET /fechamentos/{id_:uuid}/reabrir": Door(ADMIN),
    "POST /fechamentos/{id_:uuid}/reabrir": Door(ADMIN),
    "GET /api/depreciacao/simulacao": Door(READS_ALL),
    "GET /depreciacao/simulacao": Door(READS_ALL),
    "GET /api/patrimonios/{id_}/depreciacao": Door(ALL, reach=True),
    "GET /patrimonios/{id_:uuid}/depreciacao": Door(ALL, reach=True),
    "GET /api/imoveis/{id_}/depreciacao": Door(ALL, reach=True),
    "GET /imoveis/{id_:uuid}/depreciacao": Door(ALL, reach=True),
    # conciliacao
    **{door: Door(READS_ALL) for door, _ in _reading("conciliacoes")},
    "GET /api/conciliacoes/{id_}/contas": Door(READS_ALL),
    "GET /conciliacoes/{id_:uuid}": Door(READS_ALL),
    "POST /api/conciliacoes": Door(MANAGERS),
    "GET /conciliacoes/nova": Door(MANAGERS),
    "POST /conciliacoes/nova": Door(MANAGERS),
    # dados abertos: what is published is public
    "POST /api/dados-abertos": Door(MANAGERS),
    "GET /dados-abertos/publicar": Door(MANAGERS),
    "POST /dados-abertos/publicar": Door(MANAGERS),
    # inventario
    **dict(_reading("inventarios")),
    "GET /inventarios/{id_:uuid}": Door(ALL, reach=True),
    "POST /api/inventarios": Door(MANAGERS),
    "GET /inventarios/novo": Door(MANAGERS),
    "POST /inventarios/novo": Door(MANAGERS),
    **dict(_of_one("inventarios", "estado", "iniciar", MANAGERS)),
    **{
        f"{method} /inventarios/{{id_:uuid}}/{verb}": Door(roles, reach=True)
        for method in ("GET", "POST")
        for verb, roles in (
            ("concluir", MANAGERS),
            ("reabrir", MANAGERS),
            ("encerrar", MANAGERS),
            ("contar", HANDS_OVER),
        )
    },
    "POST /api/inventarios/{id_}/leituras": Door(HANDS_OVER, reach=True),
    "POST /api/inventarios/codigo": Door(ALL),
    "GET /api/inventarios/{id_}/progresso": Door(ALL, reach=True),
    "GET /api/inventarios/{id_}/eventos": Door(ALL, reach=True),
    "GET /api/inventarios/{id_}/relatorio.pdf": Door(ALL, reach=True),
    "GET /inventarios/{id_:uuid}/relatorio.pdf": Door(ALL, reach=True),
    **dict(_reading("inventario-itens")),
    "GET /inventario-itens/{id_:uuid}": Door(ALL, reach=True),
    "GET /api/inventario-itens/{id_}/leituras": Door(ALL, reach=True),
    "POST /api/inventario-itens/{id_}/fotos": Door(HANDS_OVER, reach=True),
    **dict(_of_one("inventario-itens", "decisao", "decidir", MANAGERS)),
    **dict(_of_one("inventario-itens", "regularizacao", "regularizar", MANAGERS)),
    # reavaliacao
    **{door: Door(READS_ALL) for door, _ in _reading("reavaliacoes")},
    "GET /api/reavaliacoes/{id_}/bens": Door(READS_ALL),
    "GET /reavaliacoes/{id_:uuid}": Door(READS_ALL),
    "POST /api/reavaliacoes": Door(MANAGERS),
    "GET /reavaliacoes/nova": Door(MANAGERS),
    "POST /reavaliacoes/nova": Door(MANAGERS),
    "POST /api/reavaliacoes/{id_}/estorno": Door(ADMIN),
    "GET /reavaliacoes/{id_:uuid}/estornar": Door(ADMIN),
    "POST /reavaliacoes/{id_:uuid}/estornar": Door(ADMIN),
    # relatorios: of assets within reach; of a closed month by those who see the whole city
    "GET /relatorios": Door(ALL),
    "GET /api/relatorios": Door(ALL),
    **dict(_report("inventario-analitico", ALL)),
    **dict(_report("inventario-sintetico", ALL)),
    **dict(_report("carga", ALL)),
    **dict(_report("ficha", ALL)),
    **dict(_report("balancete", READS_ALL)),
    **dict(_report("movimento", READS_ALL)),
    **dict(_report("conciliacao", READS_ALL)),
    **dict(_report("depreciacao", READS_ALL)),
    "GET /api/relatorios/arquivos/{id_}": Door(ALL),
    "GET /relatorios/arquivos/{id_:uuid}": Door(ALL),
    # cadastros
    **dict(_register("setores", MANAGERS, reach=True)),
    **dict(_register("locais", MANAGERS, reach=True)),
    **dict(_register("agentes", MANAGERS, reach=True)),
    **dict(_register("classes", ADMIN, reach=False)),
    "GET /api/cep/{cep}": Door(ALL),
    "GET /opcoes/{entidade}": Door(ALL),
    # pessoas
    "POST /api/auth/logout": Door(PEOPLE),
    "GET /api/auth/me": Door(ALL),
    "GET /api/chaves": Door(ADMIN),
    "GET /api/chaves/{id_}": Door(ADMIN),
    "POST /api/chaves/{id_}/revogacao": Door(ADMIN),
    "POST /api/usuarios/{id_}/chaves": Door(ADMIN),
    "GET /chaves": Door(ADMIN),
    "POST /chaves/{id_:uuid}/revogar": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/chaves": Door(ADMIN),
    "GET /api/bloqueios": Door(ADMIN),
    "POST /api/bloqueios/{id_}/liberacao": Door(ADMIN),
    "GET /bloqueios": Door(ADMIN),
    "POST /bloqueios/{id_:uuid}/liberar": Door(ADMIN),
    "GET /api/usuarios": Door(ADMIN),
    "POST /api/usuarios": Door(ADMIN),
    "GET /api/usuarios/{id_}": Door(ADMIN),
    "PUT /api/usuarios/{id_}": Door(ADMIN),
    "POST /api/usuarios/{id_}/desativacao": Door(ADMIN),
    "POST /api/usuarios/{id_}/reativacao": Door(ADMIN),
    "POST /api/usuarios/{id_}/senha-provisoria": Door(ADMIN),
    "GET /api/usuarios/{id_}/sessoes": Door(ADMIN),
    "DELETE /api/usuarios/{id_}/sessoes": Door(ADMIN),
    "DELETE /api/usuarios/{id_}/sessoes/{sessao_id}": Door(ADMIN),
    "DELETE /api/usuarios/{id_}/segundo-fator": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/segundo-fator/retirar": Door(ADMIN),
    "POST /api/auth/codigo": Door(PEOPLE),
    "POST /api/auth/segundo-fator": Door(PEOPLE),
    "PUT /api/auth/segundo-fator": Door(PEOPLE),
    "GET /conta/segundo-fator": Door(PEOPLE),
    "POST /conta/segundo-fator": Door(PEOPLE),
    "POST /conta/segundo-fator/comecar": Door(PEOPLE),
    "GET /entrar/codigo": Door(PEOPLE),
    "POST /entrar/codigo": Door(PEOPLE),
    "GET /usuarios": Door(ADMIN),
    "GET /usuarios/novo": Door(ADMIN),
    "POST /usuarios/novo": Door(ADMIN),
    "GET /usuarios/{id_:uuid}": Door(ADMIN),
    "GET /usuarios/{id_:uuid}/editar": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/editar": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/desativar": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/reativar": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/senha-provisoria": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/sessoes/encerrar": Door(ADMIN),
    "POST /usuarios/{id_:uuid}/sessoes/{sessao_id:uuid}/encerrar": Door(ADMIN),
    "PUT /api/auth/senha": Door(PEOPLE),
    "GET /api/auth/sessoes": Door(PEOPLE),
    "DELETE /api/auth/sessoes": Door(PEOPLE),
    "DELETE /api/auth/sessoes/{id_}": Door(PEOPLE),
    "GET /conta": Door(PEOPLE),
    "GET /conta/senha": Door(PEOPLE),
    "POST /conta/senha": Door(PEOPLE),
    "POST /conta/sessoes/encerrar": Door(PEOPLE),
    "POST /conta/sessoes/{id_:uuid}/encerrar": Door(PEOPLE),
    # importacao
    "GET /api/importacoes": Door(MANAGERS),
    "POST /api/importacoes": Door(MANAGERS),
    "GET /api/importacoes/{id_}": Door(MANAGERS),
    "GET /api/importacoes/{id_}/erros": Door(MANAGERS),
    "GET /api/importacoes/{id_}/erros.csv": Door(MANAGERS),
    "POST /api/importacoes/{id_}/conferencia": Door(MANAGERS),
    "POST /api/importacoes/{id_}/gravacao": Door(MANAGERS),
    "POST /api/importacoes/{id_}/desfazimento": Door(MANAGERS),
    "GET /importacoes": Door(MANAGERS),
    "GET /importacoes/nova": Door(MANAGERS),
    "POST /importacoes/nova": Door(MANAGERS),
    "GET /importacoes/{id_:uuid}": Door(MANAGERS),
    "GET /importacoes/{id_:uuid}/erros.csv": Door(MANAGERS),
    "GET /importacoes/{id_:uuid}/colunas": Door(MANAGERS),
    "POST /importacoes/{id_:uuid}/colunas": Door(MANAGERS),
    "POST /importacoes/{id_:uuid}/gravar": Door(MANAGERS),
    "POST /importacoes/{id_:uuid}/desfazer": Door(MANAGERS),
    # tarefas
    "GET /api/tarefas": Door(ALL),
    "GET /api/tarefas/{id_}": Door(ALL),
    "POST /api/tarefas/{id_}/cancelamento": Door(ALL),
    "GET /tarefas": Door(ALL),
    "GET /tarefas/{id_:uuid}": Door(ALL),
    "POST /tarefas/{id_:uuid}/cancelar": Door(ALL),
    # avisos: by mail, to persons alone
    "GET /api/avisos": Door(PEOPLE),
    "PUT /api/avisos": Door(PEOPLE),
    "GET /meus-avisos": Door(PEOPLE),
    "POST /meus-avisos": Door(PEOPLE),
    # auditoria
    "GET /api/auditoria": Door(READS_ALL),
    "GET /auditoria": Door(READS_ALL),
}

NAMES_ALL_SETORES = {"GET /transferencias/nova", "POST /transferencias/nova"}

SECRET = "sispat_" + "s" * 43

Place = dict[str, str]
_serial = itertools.count(1)


def _routes(dsn: Dsn) -> set[str]:
    application = create_app(Settings(database_url=dsn))
    return {f"{m} {r.path}" for r in application.routes if isinstance(r, HandlerRoute) for m in r.methods} - PUBLIC


def test_every_route_has_a_line_in_the_table(cidade: Dsn) -> None:
    routes = _routes(cidade)
    assert routes - DOORS.keys() == set(), "add these routes to DOORS: who may come in?"
    assert DOORS.keys() - routes == set(), "these lines are of routes that are gone"


def _places(dsn: Dsn) -> dict[str, Place]:
    """One record of each kind, of a setor of the responsavel's and of another."""
    with psycopg.connect(dsn.conninfo) as conn:
        own = "(select setor_id from usuario_setor us join usuario u on u.id = usuario_id where papel = 'responsavel')"
        places = {}
        for where, test in ((OWN, "in"), (OTHERS, "not in")):
            row = conn.execute(
                f"select p.id, p.setor_id, local_id, classe_id, agente_id, p.numero"
                f" from patrimonio p join agente a on a.id = agente_id"
                f" where p.setor_id {test} {own} and a.setor_id {test} {own} and p.situacao = 'em_uso' order by numero limit 1"
            ).fetchone()
            assert row is not None
            names = ("patrimonios", "setores", "locais", "classes", "agentes", "numero")
            places[where] = dict(zip(names, map(str, row), strict=True))
        others = places[OTHERS]
        conn.execute("update patrimonio set descricao = %s where id = %s", [OTHERS_NAME, others["patrimonios"]])
        for table, plural in (("setor", "setores"), ("local", "locais"), ("agente", "agentes")):
            conn.execute(f"update {table} set nome = %s where id = %s", [OTHERS_NAME, others[plural]])
        found = conn.execute(
            "select string_agg(matricula, ' ') from (select matricula from agente limit 3) a"
        ).fetchone()
        commission = conn.execute("select id from comissao order by numero limit 1").fetchone()
        for place in places.values():
            place["matriculas"] = str(found and found[0])
            place["comissoes"] = str(commission and commission[0])
    return places


def _a_block(conn: psycopg.Connection) -> str:
    key = uuid4().bytes * 2
    row = conn.execute(
        "insert into bloqueio (chave, tipo, conta, ate) values (%s, 'conta', %s, now() + interval '1 h') returning id",
        [key, key],
    ).fetchone()
    return str(row and row[0])


def _an_account(conn: psycopg.Connection) -> str:
    row = conn.execute(
        "insert into usuario (email, nome, papel, senha_hash) values (%s, 'Ana', 'consulta', '-') returning id",
        [f"ana{next(_serial)}@x.y"],
    ).fetchone()
    return str(row and row[0])


def _an_auditor(conn: psycopg.Connection) -> None:
    conn.execute(
        """insert into usuario (email, nome, papel, senha_hash, acesso_ate, acesso_fim)
           select 'auditor@demo.local', 'Ana', 'auditor', senha_hash, '2099-12-31', '2100-01-01' from usuario
           where email = 'consulta@demo.local'"""
    )


def _a_key(conn: psycopg.Connection, secret: str = "", role: str = "consulta") -> str:
    owner = conn.execute(
        "insert into usuario (email, nome, papel, senha_hash, integracao) values (%s, 'Folha', %s, '', true) returning id",
        [f"folha{next(_serial)}@x.y", role],
    ).fetchone()
    assert owner is not None
    conn.execute(
        "insert into usuario_setor select %s, setor_id from usuario_setor us join usuario u on u.id = usuario_id"
        " where u.papel = %s",
        [owner[0], role],
    )
    row = conn.execute(
        "insert into chave_api (usuario_id, hash, inicio, nome, expira_em)"
        " values (%s, %s, 'sispat_', 'Folha', now() + interval '1 h') returning id",
        [owner[0], token_hash(secret or str(uuid4()))],
    ).fetchone()
    return str(row and row[0])


# A movement that is over, of an asset of the setor: of a decided one nothing is left to decide.
_OF_AN_ASSET = "%(patrimonios)s, %(setores)s, %(name)s"
_MOVEMENTS = {
    "localizacoes": f"""insert into localizacao (patrimonio_id, setor_id, circunstancia, estado, data, registrada_por)
        select {_OF_AN_ASSET}, 'localizado', '2026-03-01', id""",
    "regularizacoes": """with c as (insert into comissao (portaria, finalidade, inicio, registrada_por)
        select gen_random_uuid()::text, 'geral', '2026-01-01', id from usuario limit 1 returning id),
        p as (insert into patrimonio (numero, descricao, classe_id, valor, data_aquisicao, data_disponivel, conservacao,
        setor_id, local_id, agente_id) select (random() * 1e9)::int + 1000, %(name)s, %(classes)s, 1, '2026-03-01',
        '2026-03-01', 'bom', %(setores)s, %(locais)s, %(agentes)s returning id)
        insert into regularizacao (patrimonio_id, setor_id, circunstancia, encontrado_em, comissao_id, portaria, membros,
        laudo, avaliado_em, valor_avaliado, registrada_por) select (select id from p), %(setores)s, %(name)s, '2026-03-01',
        (select id from c), '1', 'Ana', 'L-1', '2026-03-01', 1, id""",
    "transferencias": """insert into transferencia (origem_id, destino_id, motivo, bens, pedida_por, estado, decidida_em)
        select %(setores)s, %(setores)s, %(name)s, 1, id, 'cancelada', now()""",
    "emprestimos": f"""insert into emprestimo (patrimonio_id, setor_id, tomador, saida, previsao, finalidade, devolvido_em,
        registrado_por) select {_OF_AN_ASSET}, '2026-03-01', '2026-03-02', 'Feira', '2026-03-02', id""",
    "manutencoes": f"""insert into manutencao (patrimonio_id, setor_id, fornecedor, tipo, problema, enviado_em, concluido_em,
        custo, servico, registrada_por)
        select {_OF_AN_ASSET}, 'corretiva', 'Não liga', '2026-03-01', '2026-03-02', 0, 'Nada', id""",
    "baixas": f"""insert into baixa (patrimonio_id, setor_id, justificativa, motivo, data, valor, situacao_anterior, estorno,
        registrada_por, estornada_em, estornada_por)
        select {_OF_AN_ASSET}, 'erro_cadastro', '2026-03-01', 1, 'em_uso', 'Não era este', id, now(), id""",
}

_COUNT = """insert into inventario (escopo, setor_id, comissao_id, portaria, membros, data_base, observacao, aberto_por,
    estado, encerrado_em, encerrado_por) select 'setor', %(setores)s, (select id from comissao order by numero limit 1), '1',
    'Ana', '2026-12-31', %(name)s, id"""
_IMOVEL = """insert into imovel (numero, nome, tipo, destinacao, valor_terreno, valor_edificacao, forma_aquisicao,
    data_aquisicao, setor_id, agente_id, conservacao, estado) select (random() * 1e9)::int + 1000, %(name)s, 'predial',
    'uso_comum', 1, 0, 'compra', '2020-01-01', %(setores)s, %(agentes)s, 'bom', 'baixado'"""
_OF_AN_IMOVEL = f"with m as ({_IMOVEL} from usuario limit 1 returning id)"
# Written off already, or ended: nothing is left to decide of it.
_RECORDS = {
    "imoveis": _IMOVEL,
    "destinacoes": f"""{_OF_AN_IMOVEL} insert into imovel_destinacao (imovel_id, setor_id, de, para, ato, numero_ato, data,
        motivo, registrada_por) select (select id from m), %(setores)s, 'uso_comum', 'dominical', 'lei', '1', '2026-03-02',
        %(name)s, id""",
    "baixas-de-imoveis": f"""{_OF_AN_IMOVEL} insert into imovel_baixa (imovel_id, setor_id, motivo, data, justificativa,
        destinacao, posse, valor_terreno, valor_edificacao, registrada_por, estornada_em, estornada_por, estorno)
        select (select id from m), %(setores)s, 'erro_cadastro', '2026-03-02', %(name)s, 'dominical', 'proprio', 1, 0, id,
        now(), id, 'Não era este'""",
    "reavaliacoes": """with c as (insert into comissao (portaria, finalidade, inicio, registrada_por)
        select gen_random_uuid()::text, 'geral', '2026-01-01', id from usuario limit 1 returning id)
        insert into reavaliacao (tipo, data, laudo, justificativa, comissao_id, portaria, membros, bens, valor_antes,
        valor_depois, registrada_por, estornada_em, estornada_por, estorno) select 'reavaliacao', '2026-03-02', 'L-1',
        'Laudo da comissão', (select id from c), '1', 'Ana', 1, 1, 1, id, now(), id, 'Não era este'""",
    # Reopened already: it is read, and nothing is left to decide.
    "fechamentos": """insert into fechamento (competencia, regra, inicial, bens, bruto, acumulada, perda, depreciacao, ajuste,
        fechado_por, reaberto_em, reaberto_por, motivo) select '2020-01-01', 'mes', true, 0, 0, 0, 0, 0, 0, id, now(), id,
        'Fechado cedo demais'""",
    "conciliacoes": """with f as (insert into fechamento (competencia, regra, inicial, bens, bruto, acumulada, perda,
        depreciacao, ajuste, fechado_por, reaberto_em, reaberto_por, motivo) select '2020-01-01', 'mes', true, 0, 0, 0, 0, 0,
        0, id, now(), id, 'Fechado cedo demais' from usuario where papel = 'gestor' limit 1 returning numero)
        insert into conciliacao (fechamento, competencia, contas, diferencas, diferenca_bruto, diferenca_acumulada,
        registrada_por) select (select numero from f), '2020-01-01', 1, 0, 0, 0, id""",
    "inventarios": f"{_COUNT}, 'encerrado', now(), id",
    "inventario-itens": f"""with m as ({_COUNT}, 'decidindo', null, null from usuario limit 1 returning id)
        insert into inventario_item (inventario_id, estado, esperado, patrimonio_id, descricao, valor, setor_id, decisao,
        decidido_em, decidido_por) select (select id from m), 'nao_encontrado', true, %(patrimonios)s, %(name)s, 1,
        %(setores)s, 'manter', now(), id""",
    "comissoes": """insert into comissao (portaria, finalidade, inicio, encerrada_em, registrada_por)
        select gen_random_uuid()::text, 'geral', '2026-01-01', '2026-03-02', id""",
}


def _a_movement(conn: psycopg.Connection, kind: str, place: Place, name: str) -> str:
    row = conn.execute(
        f"{(_MOVEMENTS | _RECORDS)[kind]} from usuario where papel = 'gestor' limit 1 returning id",
        {**place, "name": name},
    ).fetchone()
    return str(row and row[0])


def _an_import(conn: psycopg.Connection) -> str:
    """That was just sent: nothing of it can be saved or undone yet."""
    row = conn.execute(
        "insert into importacao (arquivo, tamanho, por) select 'bens.csv', 1, id from usuario limit 1 returning id"
    ).fetchone()
    return str(row and row[0])


def _a_job(conn: psycopg.Connection) -> str:
    """Of the gestor: to anybody else but an administrator it does not exist."""
    row = conn.execute(
        "insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo)"
        " select 'teste.algo', '{}', id, 'r', 'pt-BR', 5, 60 from usuario where email = 'gestor@demo.local' returning id"
    ).fetchone()
    return str(row and row[0])


def _a_report(conn: psycopg.Connection) -> str:
    """That the gestor asked for, and a job made: nobody else gets it."""
    row = conn.execute(
        """with made as (insert into relatorio_arquivo (relatorio, nome, por, tarefa_id, linhas, tamanho, pronto_em)
               select 'ficha', 'a.pdf', id, gen_random_uuid(), 1, 1, now() from usuario where email = 'gestor@demo.local'
               returning id)
           insert into relatorio_parte (arquivo_id, parte, conteudo) select id, 0, 'x' from made returning arquivo_id"""
    ).fetchone()
    return str(row and row[0])


def _a_photo(conn: psycopg.Connection, place: Place, name: str) -> str:
    """Of the asset, attached by nobody in particular; its content is not on the disk."""
    digest = uuid4().bytes * 2
    conn.execute(
        "insert into conteudo (sha256, formato, tamanho, largura, altura) values (%s, 'jpg', 1, 1, 1)", [digest]
    )
    row = conn.execute(
        """insert into documento (entidade, entidade_id, sha256, tipo, nome, enviado_por)
           select 'patrimonio', %s, %s, 'foto', %s, id from usuario where papel = 'gestor' limit 1 returning id""",
        [place["patrimonios"], digest, f"{name}.jpg"],
    ).fetchone()
    return str(row and row[0])


def _a_termo(conn: psycopg.Connection, place: Place, name: str) -> str:
    """One that counts no more, so that nothing of it is left to sign or annul."""
    row = conn.execute(
        """insert into termo (tipo, exercicio, numero, codigo, assunto_id, setor_id, bens, valor, conteudo, emitido_por,
                              anulado_em, anulado_por, anulacao)
           select 'baixa', 2026, 9000 + %(n)s, upper(substr(md5(%(n)s::text), 1, 16)), %(patrimonios)s, %(setores)s, 1, 1,
                  %(said)s, id, now(), id, %(name)s from usuario where papel = 'gestor' limit 1 returning id""",
        {**place, "n": next(_serial), "name": name, "said": json.dumps(_PAPER | {"titulo": name})},
    ).fetchone()
    return str(row and row[0])


_PAPER: dict[str, Any] = {
    "tipo": "baixa", "numero": 1, "exercicio": 2026, "cidade": {"nome": "Cidade"}, "data": "2 de março", "codigo": "A",
    "endereco": "http://x.y", "substitui": None, "fatos": [["Motivo", "Leilão"]], "bens": [["1", "Mesa", "Bom", "Sala", "1"]],
    "quantos": "1 bem", "total": "1,00", "partes": [], "qr": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>',
}  # fmt: skip


_DOCUMENTS = ("documentos", "uploads")
_MAKE = {
    "relatorios": _a_report,
    "importacoes": _an_import,
    "tarefas": _a_job,
    "bloqueios": _a_block,
    "usuarios": _an_account,
    "chaves": _a_key,
}


_LAW = {"para": "dominical", "ato": "lei", "numero_ato": "1/2026", "data": "2026-03-02", "motivo": "Sem uso"}
_NOBODY = "00000000-0000-4000-8000-000000000000"
_UNPLATED = {
    "descricao": "Armário", "circunstancia": "No depósito", "laudo": "L-1", "encontrado_em": "2026-03-02",
    "avaliado_em": "2026-03-02", "valor_avaliado": "10.00",
    **dict.fromkeys(("classe_id", "comissao_id", "local_id", "agente_id"), _NOBODY),
}  # fmt: skip
_REPORT = {
    "tipo": "reavaliacao", "data": "2026-03-02", "laudo": "L-1", "justificativa": "Pesquisa de preços",
    "comissao_id": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip
_BY_END: dict[str, dict[str, Any]] = {
    "/estado": {"estado": "contando"},
    "/leituras": {
        "leituras": [{"id": _NOBODY, "resultado": "encontrado", "codigo": "1", "lida_em": "2026-03-02T10:00:00Z"}]
    },
    "/contar": {"resultado": "encontrado", "codigo": "1"},
    "/decisao": {"decisao": "manter", "justificativa": "Está lá"},
    "/decidir": {"decisao": "manter", "justificativa": "Está lá"},
    "/{id_}/regularizacao": _UNPLATED,
    "/regularizar": _UNPLATED,
    "/api/auth/codigo": {"codigo": "x"},
    "/api/auth/segundo-fator": {"codigo": "x"},
    "/api/auth/senha": {"atual": "errada", "nova": "quatro patas verdes dormem"},
    "/chaves": {"nome": "Folha"},
    "/api/termos": {"tipo": "responsabilidade", "assunto_id": "00000000-0000-4000-8000-000000000000"},
    "/termos/novo": {"tipo": "responsabilidade", "assunto_id": "00000000-0000-4000-8000-000000000000"},
    "/assinatura": {"sha256": "0" * 64},
    "/assinar": {"sha256": "0" * 64},
    "/anulacao": {"anulacao": "Era outro"},
    "/anular": {"anulacao": "Era outro"},
    "/gravacao": {"versao": 1},
    "/destinacao": _LAW,
    "/destinar": _LAW,
    "/baixa": {"motivo": "erro_cadastro", "data": "2026-03-02", "justificativa": "Cadastrado duas vezes"},
    "/baixar/{motivo}": {"data": "2026-03-02", "justificativa": "Cadastrado duas vezes"},
    "/estorno": {"estorno": "Não era este"},
    "/estornar": {"estorno": "Não era este"},
    "/encerramento": {"encerrada_em": "2026-03-02"},
    "/api/conciliacoes": {
        "competencia": "2099-01-01",
        "contas": [{"conta": "1.2.3", "bruto": "1.00", "acumulada": "0.00"}],
    },
    "/conciliacoes/nova": {"competencia": "2099-01-01"},
    "/api/fechamentos": {"competencia": "2099-01-01"},
    "/fechamentos/novo": {"competencia": "01/2099"},
    "/reabertura": {"motivo": "Fechado cedo demais"},
    "/reabrir": {"motivo": "Fechado cedo demais"},
    "/api/reavaliacoes": {**_REPORT, "bens": [{"numero": 999_999, "valor": "1.00"}]},
    "/reavaliacoes/nova": {**_REPORT, "bens": "999999 1,00"},
    "{id_:uuid}/encerrar": {"encerrada_em": "2026-03-02"},
    "/meus-avisos": {"quando": "diario", "idioma": "pt-BR"},
    "/saida": {"motivo": "Aposentadoria", "sucessor_id": "00000000-0000-4000-8000-000000000000"},
}


def _kind(path: str) -> str:
    return path.removeprefix("/api").split("/")[1].removesuffix(".csv").removesuffix(".xlsx")


def _about_movements(path: str, own: Place) -> dict[str, Any]:
    """Of an asset that nobody has, so that nothing changes."""
    where = {"destino_id": own["setores"], "local_id": own["locais"], "agente_id": own["agentes"]}
    day = "2026-03-02"
    said: dict[str, dict[str, Any]] = {
        "transferencias": {**where, "motivo": "Sala nova"},
        "emprestimos": {"tomador": "Escola", "saida": day, "previsao": day, "finalidade": "Feira"},
        "manutencoes": {"problema": "Não liga", "enviado_em": day},
        "regularizacoes": {
            "descricao": "Armário",
            "circunstancia": "No depósito",
            "laudo": "L-1",
            "encontrado_em": day,
            "avaliado_em": day,
            "valor_avaliado": "10.00",
            "classe_id": own["classes"],
            "comissao_id": "00000000-0000-4000-8000-000000000000",
            **{name: where[name] for name in ("local_id", "agente_id")},
        },
        "baixas": {"motivo": "erro_cadastro", "data": day, "justificativa": "Cadastrado duas vezes"},
        "localizacoes": {"data": day, "circunstancia": "Não estava na sala"},
        "prorrog": {"previsao": "2027-01-01", "motivo": "Feira adiada"},
        "aceit": {name: where[name] for name in ("local_id", "agente_id")},
        "recusa": {"observacao": "Sem o cabo"},
        "cancela": {},
        "devol": {"devolvido_em": day},
        "conclu": {"concluido_em": day, "custo": "1.00", "servico": "Fonte trocada"},
        "estorn": {"estorno": "Não era este bem"},
    }
    end = path.rsplit("/", 1)[1] if "{id_" in path else _kind(path)
    body = next(each for start, each in said.items() if end.startswith(start))
    if "{id_" in path and "transferencias" not in path:
        return body
    if _kind(path) == "regularizacoes":
        return body
    return {**body, "numeros": [999_999] if path.startswith("/api") else "999999"}


def _body(path: str, own: Place) -> dict[str, Any] | None:
    """What is sent to a writing route: valid, and from a version nobody has, so that nothing changes."""
    code, versao = f"N{next(_serial)}", {} if path.startswith("/api") or path.endswith("/novo") else {"versao": "999"}
    described = {
        "descricao": "Mesa", "valor": "10,00" if versao else "10.00", "data_aquisicao": "2026-01-31",
        "classe_id": own["classes"],
    }  # fmt: skip
    placed = {"local_id": own["locais"], "agente_id": own["agentes"]}
    if path == "/api/patrimonios/carga":
        return placed | {"numeros": [int(own["numero"])]}
    if path == "/patrimonios/carga":
        return placed | {"bens": own["numero"], "quantos": "1"}
    if path.startswith("/api"):
        placed["setor_id"] = own["setores"]
    bodies: dict[str, dict[str, Any]] = {
        "patrimonios": described | placed,
        "setores": {"codigo": code, "nome": code},
        "locais": {"setor_id": own["setores"], "nome": code},
        "agentes": {"setor_id": own["setores"], "nome": code, "matricula": code},
        "classes": {
            "conta": "9.{}.{}".format(*divmod(next(_serial), 1000)),
            "nome": code,
            "vida_util_meses": "10",
            "residual_pct": "10",
        },
    }
    bodies["usuarios"] = {"email": f"{code.lower()}@x.y", "nome": code, "papel": "consulta"}
    bodies["imoveis"] = {
        "nome": code, "valor_terreno": "10.00", "valor_edificacao": "0.00", "data_aquisicao": "2020-01-01",
        "setor_id": own["setores"], "agente_id": own["agentes"],
    }  # fmt: skip
    bodies["inventarios"] = {
        "escopo": "setor", "setor_id": own["setores"], "comissao_id": own["comissoes"], "data_base": "2026-12-31",
    }  # fmt: skip
    bodies["comissoes"] = {"portaria": code, "inicio": "2026-01-05", "matriculas": own["matriculas"]}
    for end, body in _BY_END.items():
        if path.endswith(end):
            return body
    kind = _kind(path)
    if kind not in bodies:
        return {}
    if path.endswith("/lote"):
        return {"items": [described | placed]}
    if kind == "patrimonios" and path.endswith("/carga"):
        return placed | versao
    if kind == "patrimonios" and not path.endswith("novo") and "{" in path:
        return described | versao
    return {} | versao if path.endswith("/excluir") else bodies[kind] | versao


async def _knock(c: httpx2.AsyncClient, door: str, id_: str, own: Place) -> httpx2.Response:
    method, path = door.split(" ")
    if door == "GET /api/uploads":
        return await c.get(path, params={"entidade": "patrimonio", "entidade_id": own["patrimonios"]})
    if door == "POST /api/uploads":
        data = {"entidade": "patrimonio", "entidade_id": own["patrimonios"]}
        return await c.post(path, data=data, files={"arquivo": b"<svg>"})
    if door == "POST /api/inventario-itens/{id_}/fotos":
        return await c.post(path.replace("{id_}", id_), files={"arquivo": jpeg()})
    if door == "POST /api/importacoes":
        return await c.post(path, files={"arquivo": ("bens.csv", b"a;b")})
    address = (
        path.replace("{entidade}/{id_:uuid}", f"patrimonio/{id_}")
        .replace("{cep}", "01001000")
        .replace("{motivo}", "erro_cadastro")
        .replace("{entidade}", "agente")
    )
    address = re.sub(r"\{(id_|sessao_id)(:uuid)?\}", id_, address)
    if method == "GET":
        # A stream goes on for as long as somebody looks, and ends when its worker drains.
        lifecycle.draining = address.endswith("/eventos")
        try:
            return await c.get(address)
        finally:
            lifecycle.draining = False
    body = _about_movements(path, own) if _kind(path) in _MOVEMENTS else _body(path, own)
    if path.startswith("/api"):
        return await c.request(method, address, json=body, headers={"If-Match": '"999"'} if "{id_}" in path else {})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return await c.request(method, address, content=urlencode(body or {}), headers=form)


def _expected_of_documents(method: str, path: str, role: str) -> set[int]:
    if path.endswith(("/conteudo", "/miniatura")) or (method == "GET" and path == "/documentos/{id_:uuid}"):
        return {503}  # let in; there is no content on the disk
    if method == "POST" and path.endswith(("/uploads", "/novo")):
        return {422}  # let in; no file is sent, or one that is not taken
    if role in REACH_FEW and (method == "DELETE" or (method == "POST" and path.endswith("remover"))):
        return {422}  # let in; of another's document, which only who manages all removes
    return {200} if method == "GET" else {200, 204, 303}


# No ViaCEP is asked in tests; there is no such agente.
# Nobody said which labels.
_LET_IN = {
    "GET /etiquetas": {422}, "GET /etiquetas/pdf": {422}, "GET /etiquetas/previa.png": {422}, "GET /api/etiquetas": {422},
    "POST /api/inventarios/codigo": {422}, "GET /api/inventarios/{id_}/relatorio.pdf": {422},  # no photo, no item
    "GET /inventarios/{id_:uuid}/relatorio.pdf": {422}, "POST /api/inventarios/{id_}/leituras": {200},
    "POST /api/inventario-itens/{id_}/fotos": {201},
    "GET /api/cep/{cep}": {503}, "POST /api/dados-abertos": {202}, "POST /api/termos": {404}, "POST /termos/novo": {404},
}  # fmt: skip


def _expected(door: str, role: str, where: str) -> set[int]:
    path = door.split(" ")[1]
    rule = DOORS[door]
    if role not in rule.roles.split():
        return {403}
    if _kind(path) == "tarefas" and "{id_" in path:
        return {200, 303} if role in ("admin", "gestor") else {404}
    if "/arquivos/" in path:
        return {200} if role == "gestor" else {404}
    if rule.reach and where == OTHERS and role in REACH_FEW:
        return {404}
    return _let_in_to_reports(door) if "relatorios/" in path else _let_in(door, role)


def _let_in_to_reports(door: str) -> set[int]:
    if re.search(r"relatorios/(ficha|carga)[./]|^POST /relatorios/(ficha|carga)$", door):
        return {422}  # nobody said of which asset, of which agente
    return {202} if door.startswith("POST /api") else {303} if door.startswith("POST") else {200}


def _let_in(door: str, role: str) -> set[int]:
    method, path = door.split(" ")
    if door in _LET_IN:
        return _LET_IN[door]
    if _kind(path) in _DOCUMENTS:
        return _expected_of_documents(method, path, role)
    if method == "GET":
        return {200}
    if _kind(path) == "importacoes":  # let in; but for being sent and checked, nothing can be done with it yet
        return {200, 201, 303} if path.endswith(("/importacoes", "/conferencia", "/colunas")) else {422}
    if _kind(path) in _MOVEMENTS or ("{id_" in path and _kind(path) in ("termos", "inventarios", "inventario-itens")):
        return {422}  # let in; there is no such asset, or nothing left to decide
    if re.search(
        r"^POST .*(fechamentos|reavaliacoes|conciliacoes)|/saida$|/destina(cao|r)$|imoveis.*/baixa(r/.*)?$|/estorn(o|ar)$"
        r"|comissoes/.*/encerra(mento|r)$|/senha$|/codigo$"
        r"|^PUT .*segundo-fator$|^POST /conta/segundo-fator$|usuarios/.*/chaves$",
        door,
    ):
        return {
            422
        }  # let in; nothing is left to decide, the present password or the code is wrong, a person has no keys
    if path.endswith("segundo-fator/comecar") or path == "/api/auth/segundo-fator":
        return {200}
    if ("{id_" in path and "segundo-fator" in path) or re.search(r"sessoes/\{", path):
        return {404}  # let in; there is no second factor, no such session
    if path == "/api/auth/sessoes" or re.search(r"usuarios/\{id_(:uuid)?\}/(?!editar)", path):
        return {200, 303}  # what has no version
    # Let in, and refused for the version only; what has no version is done.
    refused = 412 if path.startswith("/api") else 409
    return {refused} if "{id_" in path and not re.search("bloqueios|chaves", path) else {200, 201, 204, 303}


@pytest.fixture
def conn(cidade: Dsn) -> Iterator[psycopg.Connection]:
    """For all records that a test makes: a session of its own would cost more than the record."""
    with psycopg.connect(cidade.conninfo, autocommit=True) as made:
        yield made


@pytest.mark.timeout(300)  # some 250 doors
@pytest.mark.parametrize("role", ROLES)
async def test_who_is_let_in_where(cidade: Dsn, conn: psycopg.Connection, role: str) -> None:
    places = _places(cidade)
    _an_auditor(conn)
    wrong = []
    email = None if role == KEY else f"{role}@demo.local"
    async with abrir(cidade, email, limit_write=None, limit_user=None, limit_report=None, open_data=True) as c:
        if role == KEY:
            _a_key(conn, SECRET, "responsavel")
            c.headers["Authorization"] = f"Bearer {SECRET}"
        # Signing out is the last door.
        for door in sorted(DOORS, key=lambda door: "logout" in door):
            for where in (OWN, OTHERS) if DOORS[door].reach else (OWN,):
                kind = _kind(door.split(" ")[1])
                if kind in _MOVEMENTS or kind in _RECORDS:
                    id_ = _a_movement(conn, kind, places[where], OTHERS_NAME if where == OTHERS else "Sala de aula")
                elif kind in _DOCUMENTS:
                    place = places[where]
                    name = OTHERS_NAME if where == OTHERS else "Frente"
                    id_ = place["patrimonios"] if "{entidade}" in door else _a_photo(conn, place, name)
                elif kind == "termos":
                    id_ = _a_termo(conn, places[where], OTHERS_NAME if where == OTHERS else "Sala de aula")
                else:
                    id_ = _MAKE[kind](conn) if kind in _MAKE else places[where].get(kind, str(uuid4()))
                r = await _knock(c, door, id_, places[OWN])
                if r.status_code not in _expected(door, role, where):
                    wrong.append((door, where, r.status_code, r.text[:200]))
                # What may be handed over to any setor names them all: these are no secret, unlike what is in them.
                told = r.text.replace(f"· {OTHERS_NAME}", "") if door in NAMES_ALL_SETORES else r.text
                if role in REACH_FEW and OTHERS_MARK in told:
                    wrong.append((door, where, "shows a record of another setor", ""))
    assert wrong == []


async def test_who_reads_the_whole_city_finds_in_lists_what_a_responsavel_does_not(cidade: Dsn) -> None:
    _places(cidade)
    lists = ["/api/patrimonios", "/api/patrimonios.csv", "/patrimonios", "/patrimonios.csv"]
    lists += [f"{api}/{plural}" for api in ("", "/api") for plural in ("setores", "locais", "agentes")]
    lists += [f"/opcoes/{entity}" for entity in ("setor", "local", "agente")]
    for role, seen in (("consulta", True), ("responsavel", False)):
        async with abrir(cidade, f"{role}@demo.local", limit_report=None) as c:
            for address in lists:
                r = await c.get(address, params={"q": SEARCHED})
                assert (OTHERS_MARK in r.text) is seen, (role, address)
