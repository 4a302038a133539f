"""The demo city: complete, valid, the same each time, and never among other people's data."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import Any
from uuid import UUID

import psycopg
import pytest

from esteio.postgres import Dsn
from sispat.demo import LOGINS, DatabaseNotEmpty, DemoSummary, populate
from sispat.demo._city import City
from sispat.kernel.brazil import valid_cnpj, valid_cpf
from sispat.pessoas.passwords import verify

TAMANHO = 600


def linhas(dsn: Dsn, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute(sql).fetchall()


def valor(dsn: Dsn, sql: str) -> Any:
    return linhas(dsn, sql)[0][0]


def digesto(dsn: Dsn) -> str:
    """Of everything but the clock and the salt of the password."""
    clock = "array['criado_em', 'atualizado_em', 'em', 'senha_dada_em', 'senha_hash']"
    tudo = [
        linhas(dsn, f"select to_jsonb(t) - {clock} from {tabela} t order by 1")
        for tabela in (
            "usuario",
            "usuario_setor",
            "setor",
            "local",
            "agente",
            "classe",
            "patrimonio",
            "evento",
            "numeracao",
        )
    ]
    return hashlib.sha256(repr(tudo).encode()).hexdigest()


def test_the_city_has_what_it_promises(banco: Dsn) -> None:
    visto: list[tuple[int, int]] = []
    resumo = populate(banco, size=TAMANHO, progress=lambda feitos, total: visto.append((feitos, total)))
    assert resumo == DemoSummary(True, TAMANHO, 2026, 20, resumo.locais, 300, 21, TAMANHO)
    for tabela, quantos in (("setor", 20), ("agente", 300), ("classe", 21), ("patrimonio", TAMANHO)):
        assert valor(banco, f"select count(*) from {tabela}") == quantos
    assert resumo.locais == valor(banco, "select count(*) from local") >= 60
    assert visto[0] == (0, TAMANHO)
    assert visto[-1] == (TAMANHO, TAMANHO)


def test_numbers_are_consecutive_and_the_next_one_is_free(banco: Dsn) -> None:
    populate(banco, size=TAMANHO)
    assert linhas(banco, "select min(numero), max(numero), count(distinct numero) from patrimonio") == [
        (1, TAMANHO, TAMANHO)
    ]
    assert valor(banco, "select ultimo from numeracao where escopo = 'patrimonio' and exercicio = 0") == TAMANHO


def test_each_asset_has_its_audit_record_and_an_agente_of_its_setor(banco: Dsn) -> None:
    populate(banco, size=TAMANHO)
    assert valor(
        banco,
        """select count(*) from patrimonio p join evento e on e.entidade_id = p.id
           join usuario u on u.id = e.ator_id and u.email = 'admin@demo.local'
           where e.acao = 'criar' and e.requisicao = 'demo' and (e.depois ->> 'numero')::bigint = p.numero
             and e.depois ->> 'descricao' = p.descricao""",
    ) == TAMANHO  # fmt: skip
    assert (
        valor(banco, "select count(*) from patrimonio p join agente a using (setor_id) where a.id = p.agente_id")
        == TAMANHO
    )


def test_documents_are_valid_and_some_cnpj_have_letters() -> None:
    cidade = City(20_000, 2026)
    cpfs = [agente[5] for agente in cidade.agentes if agente[5]]
    assert 100 < len(cpfs) == len(set(cpfs))
    assert all(map(valid_cpf, cpfs))
    fornecedores = {str(linha[16]) for linha in cidade.patrimonios() if linha[16]}
    assert all(valid_cpf(doc) or valid_cnpj(doc) for doc in fornecedores)
    assert any(not doc.isdigit() for doc in fornecedores)


async def test_everybody_can_sign_in_and_the_responsavel_has_two_setores(banco: Dsn) -> None:
    populate(banco, size=50)
    usuarios = {
        email: (papel, senha) for email, papel, senha in linhas(banco, "select email, papel, senha_hash from usuario")
    }
    assert {email: papel for email, (papel, _) in usuarios.items()} == {email: papel for email, _, papel in LOGINS}
    for email, senha, _ in LOGINS:
        assert await verify(senha, usuarios[email][1])
    assert linhas(
        banco, "select u.email, count(*) from usuario_setor s join usuario u on u.id = s.usuario_id group by 1"
    ) == [("responsavel@demo.local", 2)]


def test_the_same_seed_and_size_make_the_same_rows(banco: Dsn, postgres_server: Any, modelo: str) -> None:
    outro = postgres_server.create_database("demo_outra", template=modelo)
    try:
        populate(banco, size=TAMANHO)
        populate(outro, size=TAMANHO)
        assert digesto(banco) == digesto(outro)
    finally:
        postgres_server.drop_database("demo_outra")
    primeira = next(City(TAMANHO, 7).patrimonios())
    assert primeira != next(City(TAMANHO, 8).patrimonios())
    assert UUID(str(primeira[0])).version == 4


def test_a_second_start_changes_nothing_and_is_quick(banco: Dsn) -> None:
    feito = populate(banco, size=TAMANHO)
    antes = digesto(banco)
    inicio = time.perf_counter()
    outra_vez = populate(banco.conninfo, size=TAMANHO)
    assert time.perf_counter() - inicio < 2  # milliseconds, on a machine that does something else too
    assert outra_vez == DemoSummary(False, *[getattr(feito, campo) for campo in DemoSummary.__slots__[1:]])
    assert digesto(banco) == antes


def test_what_people_did_in_the_demo_survives_a_second_start(banco: Dsn) -> None:
    populate(banco, size=TAMANHO)
    with psycopg.connect(banco.conninfo) as conn:
        conn.execute("insert into setor (codigo, nome) values ('NOVO', 'Setor criado por quem experimenta')")
    assert not populate(banco, size=TAMANHO).created
    assert valor(banco, "select count(*) from setor") == 21


@pytest.mark.parametrize(
    ("tabela", "sql"),
    [
        ("usuario", "insert into usuario (email, nome, papel, senha_hash) values ('a@b.c', 'Ana', 'gestor', '-')"),
        ("setor", "insert into setor (codigo, nome) values ('REAL', 'Setor de verdade')"),
    ],
)
def test_a_database_with_other_data_is_refused_untouched(banco: Dsn, tabela: str, sql: str) -> None:
    with psycopg.connect(banco.conninfo) as conn:
        conn.execute(sql)
    antes = digesto(banco)
    with pytest.raises(DatabaseNotEmpty, match=f"há 1 em “{tabela}”.*banco vazio") as erro:
        populate(banco, size=TAMANHO)
    assert erro.value.found == {tabela: 1}
    assert digesto(banco) == antes


def test_another_size_is_refused_and_says_which_demo_is_there(banco: Dsn) -> None:
    populate(banco, size=50)
    with pytest.raises(DatabaseNotEmpty, match="tamanho 50, semente 2026"):
        populate(banco, size=60)


def test_an_interrupted_demo_leaves_nothing(banco: Dsn) -> None:
    def desligar(feitos: int, _total: int) -> None:
        if feitos:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        populate(banco, size=TAMANHO, progress=desligar)
    assert valor(banco, "select (select count(*) from patrimonio) + (select count(*) from usuario)") == 0
    assert populate(banco, size=TAMANHO).created


def test_of_two_that_start_at_once_one_fills_and_the_other_finds_it_done(banco: Dsn) -> None:
    resultados: list[DemoSummary] = []
    juntos = [threading.Thread(target=lambda: resultados.append(populate(banco, size=TAMANHO))) for _ in range(2)]
    for fio in juntos:
        fio.start()
    for fio in juntos:
        fio.join()
    assert sorted(resumo.created for resumo in resultados) == [False, True]
    assert valor(banco, "select count(*) from patrimonio") == TAMANHO


def test_a_large_city_ends_with_the_indexes_it_began_with(banco: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    indices = "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index order by 1"
    antes = linhas(banco, indices)
    monkeypatch.setattr("sispat.demo._populate._MANY", TAMANHO)
    populate(banco, size=TAMANHO)
    assert linhas(banco, indices) == antes


@pytest.mark.parametrize("tamanho", [0, -1, 10_000_001])
def test_an_impossible_size_is_refused_before_anything_is_tried(tamanho: int) -> None:
    with pytest.raises(ValueError, match=f"size is {tamanho}; allowed: 1 to 10000000"):
        populate("host=/nowhere", size=tamanho)


def test_what_paid_for_it_is_known_of_most_and_named_where_it_has_a_name(banco: Dsn) -> None:
    populate(banco, size=TAMANHO)
    fontes = dict(linhas(banco, "select fonte, count(*)::int from patrimonio where posse = 'proprio' group by 1"))
    assert set(fontes) == {"proprio", "convenio", "emenda", "fundo", "nao_informada"}
    assert valor(banco, "select count(*) from patrimonio where posse <> 'proprio' and fonte <> 'nao_informada'") == 0
    named = "fonte in ('convenio', 'emenda', 'fundo')"
    assert valor(banco, f"select count(*) from patrimonio where ({named}) <> (fonte_numero <> '')") == 0
