"""`sispat backup` as an operator meets it: our own database, in Portuguese, while the service runs or not."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import psycopg
import pytest
from arquivos import pdf
from pikepdf import Name
from processos import Service, comando, pasta_de_dados, por_dentro

from esteio.alert import ENGLISH as AVISOS
from esteio.backup import Problem, ProblemCode, Why
from esteio.backup.agent import AgentState
from esteio.backup.agent._reporter import write_state
from esteio.cli import ENGLISH
from esteio.postgres import Dsn
from sispat.cli._backup_words import COMMAND_WORDS
from sispat.cli._notices import NOTICE_WORDS
from sispat.cli._operator import operation, operator_service
from sispat.cli._serve import _set_environment_of_workers
from sispat.http.backup_state import OPERATOR_STATE, BackupsAtRisk, OperatorSilent, backup_age
from sispat.settings import load_settings

PALAVRAS = NOTICE_WORDS["pt-BR"]


@pytest.fixture
def dados() -> Iterator[str]:
    with pasta_de_dados() as pasta:
        yield str(pasta)


def test_before_the_first_copy_the_list_is_empty_and_the_status_red(dados: str) -> None:
    vazia = por_dentro("backup", "list", SISPAT_DATA_DIR=dados)
    assert vazia.returncode == 0
    assert vazia.stdout == f"Nenhuma cópia em {dados}/backup.\n"
    estado = por_dentro("backup", "status", SISPAT_DATA_DIR=dados)
    assert (estado.returncode, estado.stdout) == (2, "PROBLEMA - não há nenhuma cópia\n")


@pytest.mark.timeout(180)
def test_a_copy_is_made_proven_and_restored_under_a_running_service(dados: str) -> None:
    with (
        Service("--workers", "1", "--demo", "--size", "150", SISPAT_DATA_DIR=dados) as servico,
        httpx2.Client(base_url=servico.endereco(), timeout=30) as cliente,
    ):
        servico.pronto()
        documentos = Path(dados) / "documentos"
        token = cliente.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"}).json()["token"]
        cliente.headers["Authorization"] = f"Bearer {token}"
        bem = {"entidade": "patrimonio", "entidade_id": cliente.get("/api/patrimonios").json()["items"][0]["id"]}
        nota = pdf()
        enviada = cliente.post("/api/uploads", data=bem, files={"arquivo": ("nota.pdf", nota)})
        assert enviada.status_code == 201, enviada.text
        (conteudo,) = (item["conteudo"] for item in enviada.json()["items"])
        (documentos / ".recebendo" / "metade.part").write_text("what is being received is in no backup")
        feita = comando("backup", "run", SISPAT_DATA_DIR=dados)
        assert feita.returncode == 0, feita.stderr
        assert "Copiando o banco ..." in feita.stderr
        assert "Restaurada para prova em" in feita.stdout
        assert "número de linhas de cada tabela" in feita.stdout
        assert f"Com ela 1 documentos, {len(nota)} B" in feita.stdout
        [copia] = json.loads(comando("backup", "list", "--json", SISPAT_DATA_DIR=dados).stdout)
        assert copia["id"].startswith("sispat_backup_")
        assert copia["verified"]
        url = json.loads((Path(dados) / "sispat.lock").read_text())["url"]
        with psycopg.connect(Dsn.parse(url).with_(user="postgres").conninfo, autocommit=True) as conn:
            conn.execute("truncate patrimonio cascade")
        shutil.rmtree(documentos)
        documentos.mkdir()
        assert cliente.get(conteudo).status_code in (404, 503)
        volta = comando("backup", "restore", "--in-place", "--yes", SISPAT_DATA_DIR=dados)
        assert volta.returncode == 0, volta.stderr
        assert "O banco de antes está guardado como 'sispat_before_" in volta.stdout
        assert f"Os documentos de antes estão guardados em {documentos}.before-" in volta.stdout
        assert "O sistema está fechado" in volta.stderr
        assert comando("manutencao", "estado", SISPAT_DATA_DIR=dados).stdout == "O sistema está aberto.\n"
        with psycopg.connect(Dsn.parse(url).conninfo) as conn:
            assert conn.execute("select count(*) from patrimonio").fetchone() == (150,)
        servico.esperar(lambda: servico.estado("/api/health/ready") == 200, 90)
        # A connection that the restore cut may cost one answer more: 503, to be asked again.
        servico.esperar(lambda: cliente.get(conteudo).content == nota, 90)
        outra = cliente.post("/api/uploads", data=bem, files={"arquivo": ("laudo.pdf", pdf(PageMode=Name.UseNone))})
        assert outra.status_code == 201, outra.text
        assert servico.encerrar() == 0
    assert comando("backup", "status", SISPAT_DATA_DIR=dados).stdout.startswith("OK - está tudo bem: sispat_backup_")


def test_an_operator_by_hand_says_who_starts_it(dados: str) -> None:
    sozinho = comando("operator", SISPAT_DATA_DIR=dados)
    assert sozinho.returncode == 1
    assert "Nenhum `sispat serve` usa a pasta de dados" in sozinho.stderr
    assert not (Path(dados) / "postgres").exists(), "it starts no database"


@pytest.mark.parametrize(
    ("variaveis", "tarefas", "recebe", "unica"),
    [
        ({}, ["base", "dump"], True, True),
        ({"DATABASE_URL": "postgresql://u@h/b"}, ["dump"], False, False),
        (
            {"DATABASE_URL": "postgresql://u@h/b", "BACKUP_DATABASE_URL": "postgresql://backup@h/b"},
            ["base", "dump"],
            True,
            False,
        ),
        (
            {"DATABASE_URL": "postgresql://u@h/b", "SISPAT_BACKUP_BASE": "0 3 * * *", "SISPAT_BACKUP_ARCHIVE": "sim"},
            ["base", "dump"],
            True,
            False,
        ),
        ({"SISPAT_BACKUP_BASE": "não", "SISPAT_BACKUP_DUMP": "não", "SISPAT_BACKUP_ARCHIVE": "não"}, [], False, True),
    ],
)
def test_what_the_operator_does_follows_from_whose_database_it_is(
    variaveis: dict[str, str], tarefas: list[str], recebe: bool, unica: bool
) -> None:
    feita = operation(load_settings(variaveis))
    assert [tarefa.kind for tarefa in feita.tasks] == tarefas
    assert {tarefa.cron.timezone for tarefa in feita.tasks} <= {"America/Sao_Paulo"}
    assert (feita.archive, feita.alone) == (recebe, unica)


def test_only_the_operator_gets_what_copies_the_whole_server(monkeypatch: pytest.MonkeyPatch) -> None:
    variaveis = {"DATABASE_URL": "postgresql://u@h/b", "BACKUP_DATABASE_URL": "postgresql://backup:s3gr3do@h/b"}
    monkeypatch.setattr(os, "environ", variaveis | {"PATH": os.environ["PATH"]})
    settings = load_settings(variaveis)
    with socket.create_server(("127.0.0.1", 0)) as porta:
        _set_environment_of_workers(settings, Dsn.parse(variaveis["DATABASE_URL"]), porta)
    assert "s3gr3do" not in str(os.environ)
    assert "s3gr3do" not in repr(settings)
    programa = operator_service(settings)
    assert (programa._env or {})["BACKUP_DATABASE_URL"] == variaveis["BACKUP_DATABASE_URL"]


async def test_health_shows_how_old_the_copy_is_and_warns_of_risk_and_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arquivo = tmp_path / "operator.json"
    monkeypatch.setenv(OPERATOR_STATE, str(arquivo))
    agora = time.time()
    write_state(arquivo, AgentState(agora - 60, 1, True, verified="c", verified_age=7140.0))
    assert await backup_age() == pytest.approx(2.0, abs=0.1)
    write_state(arquivo, AgentState(agora, 1, False))
    assert await backup_age() == 0
    write_state(arquivo, AgentState(agora, 1, True, amiss=(Problem.of(ProblemCode.LOG_NO_SPACE, free=3),)))
    with pytest.raises(BackupsAtRisk, match="3 MiB are left"):
        await backup_age()
    write_state(arquivo, AgentState(agora - 301, 1, True))
    with pytest.raises(OperatorSilent, match="nos últimos 5 min"):
        await backup_age()
    for conteudo in ("", "[]", "{"):
        arquivo.write_text(conteudo)
        with pytest.raises(OperatorSilent, match="não se sabe"):
            await backup_age()
    arquivo.unlink()
    with pytest.raises(OperatorSilent, match="ainda não escreveu"):  # of a first start
        await backup_age()


def test_two_in_the_morning_is_the_citys(dados: str) -> None:
    assert (
        "02:00:00-04:00"
        in por_dentro("backup", "schedule", SISPAT_DATA_DIR=dados, SISPAT_TIMEZONE="America/Manaus").stdout
    )


def test_an_encrypted_copy_needs_the_phrase(dados: str, postgres_database: str, tmp_path: Path) -> None:
    aqui = {"SISPAT_DATA_DIR": dados, "DATABASE_URL": postgres_database, "BACKUP_DIR": str(tmp_path / "cópias")}
    sem_pasta = por_dentro("backup", "run", "--no-verify", **aqui)
    assert "`sispat backup init` a cria" in sem_pasta.stderr
    (tmp_path / "cópias").mkdir()
    sem_marcador = por_dentro("backup", "run", "--no-verify", **aqui)
    assert "digite uma vez `sispat backup init`" in sem_marcador.stderr
    assert "está pronto para cópias" in por_dentro("backup", "init", **aqui).stdout
    feita = por_dentro("backup", "run", "--no-verify", SISPAT_BACKUP_PASSPHRASE="correto cavalo", **aqui)
    assert feita.returncode == 0, feita.stderr
    assert "correto cavalo" not in feita.stdout + feita.stderr
    assert list((tmp_path / "cópias").rglob("database.dump.zst.age"))
    assert "nenhuma chave foi dada" in por_dentro("backup", "verify", **aqui).stderr
    assert "não combinam" in por_dentro("backup", "verify", SISPAT_BACKUP_PASSPHRASE="outra frase", **aqui).stderr


def test_a_damaged_copy_is_told_in_portuguese_and_mended_from_another_place(
    dados: str, postgres_database: str, tmp_path: Path
) -> None:
    lugares = [tmp_path / "cópias", tmp_path / "outro"]
    aqui = {
        "SISPAT_DATA_DIR": dados,
        "DATABASE_URL": postgres_database,
        "BACKUP_DIR": str(lugares[0]),
        "SISPAT_BACKUP_STORES": str(lugares[1]),
    }
    sumido = por_dentro("backup", "list", **aqui)
    assert sumido.returncode == 1
    assert f"lugar das cópias {lugares[0]}: a pasta não existe; monte o disco" in sumido.stderr
    assert por_dentro("backup", "init", **aqui).returncode == 0
    assert por_dentro("backup", "run", "--no-verify", **aqui).returncode == 0
    [ferido] = lugares[0].rglob("database.dump.zst")
    inteiro = ferido.read_bytes()
    ferido.write_bytes(inteiro[:-1])
    estado = por_dentro("backup", "status", **aqui).stdout
    assert f"está danificada: database.dump.zst tem {len(inteiro) - 1} bytes, e não {len(inteiro)}" in estado
    assert "DANIFICADA" in por_dentro("backup", "list", **aqui).stdout
    lido = por_dentro("backup", "verify", "--everywhere", **aqui)
    assert lido.returncode == 1
    assert f"(certo em {lugares[1]})" in lido.stderr
    assert "está danificada: database.dump.zst" in por_dentro("backup", "restore", "--into", "x", **aqui).stderr
    assert f"database.dump.zst levado a {lugares[0]}." in por_dentro("backup", "copy", **aqui).stdout
    assert ferido.read_bytes() == inteiro


def test_the_webhook_hears_of_a_copy_that_failed_in_portuguese(dados: str, tmp_path: Path) -> None:
    recebidos: list[dict[str, str]] = []

    class Gancho(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            recebidos.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Gancho) as servidor:
        threading.Thread(target=servidor.serve_forever, args=(0.02,), daemon=True).start()
        gancho = f"http://127.0.0.1:{servidor.server_port}/segredo"
        aqui = {
            "SISPAT_DATA_DIR": dados,
            "WEBHOOK_URL": gancho,
            "SISPAT_ESCALATION_URLS": gancho.replace("segredo", "chefe"),
        }
        feita = comando("backup", "run", DATABASE_URL="postgresql://u:segredo@127.0.0.1:1/cidade", **aqui)
        da_copia = list(recebidos)
        prova = comando("backup", "notify", "--test", **aqui)
        assert (prova.returncode, len(recebidos) - len(da_copia), prova.stdout.count("127.0.0.1")) == (0, 2, 2), (
            prova.stderr
        )
        servidor.shutdown()
    assert (feita.returncode, feita.stderr.count("\n"), "segredo" in feita.stdout + feita.stderr) == (1, 1, False)
    [aviso] = da_copia  # the channel of the escalation hears of no copy
    assert aviso["title"] == "A cópia de cidade FALHOU"
    assert "Não se conhece nenhuma cópia com que se possa contar." in aviso["message"]
    assert "segredo" not in aviso["message"]
    assert comando("backup", "notify", "--test", SISPAT_DATA_DIR=dados).stderr.startswith("Ninguém é avisado")


def test_every_text_is_in_portuguese() -> None:
    assert [
        nome for nome in AVISOS.__slots__ if nome != "checks" and getattr(PALAVRAS, nome) == getattr(AVISOS, nome)
    ] == []
    for nome in AVISOS.__slots__:
        campos = [set(re.findall(r"{\w+}", str(getattr(palavras, nome)))) for palavras in (AVISOS, PALAVRAS)]
        assert campos[0] == campos[1], nome
    iguais = [nome for nome in ENGLISH.__slots__ if getattr(COMMAND_WORDS, nome) == getattr(ENGLISH, nome)]
    assert iguais == []
    assert len(COMMAND_WORDS.columns) == len(ENGLISH.columns)
    assert COMMAND_WORDS.reasons.keys() == Why.__members__.keys()
    assert all(("{about}" in COMMAND_WORDS.reasons[why.name]) == ("{about}" in why.value) for why in Why)
