"""`sispat doctor`: Esteio's findings in Portuguese, and what SISPAT adds to them."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path

import psycopg
from processos import comando

from esteio.backup import Problem, ProblemCode
from esteio.doctor import Code, FindingCode, examine
from esteio.postgres import Dsn
from sispat.cli._doctor import examinations
from sispat.cli._doctor_words import FINDING_TEXTS, SispatFinding, doctor_words
from sispat.kernel import i18n
from sispat.settings import Settings


def _codes() -> Iterator[Code]:
    yield from FindingCode
    yield from SispatFinding


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_finding_has_a_text_in_portuguese_with_its_fields() -> None:
    assert set(FINDING_TEXTS) == {code.name for code in _codes()}
    assert set(FindingCode.__members__).isdisjoint(SispatFinding.__members__)
    for code in _codes():
        for text, dito in zip((code.evidence, code.fix), FINDING_TEXTS[code.name], strict=True):
            assert _fields(dito) == _fields(text), code.name
            assert bool(dito) == bool(text), code.name


def test_sispats_own_findings_are_in_the_reference() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/doctor.md").read_text()
    assert [code.name for code in SispatFinding if f"| `{code.name}` | {code.status.value} |" not in page] == []


def test_problems_of_backups_and_names_of_settings_are_said_in_the_language_of_who_reads() -> None:
    none = FindingCode.BACKUP_AT_RISK.found(problem=Problem.of(ProblemCode.NO_BACKUP))
    assert doctor_words().finding(none)[0] == "não há nenhuma cópia"
    with i18n.using("en"):
        assert doctor_words().finding(FindingCode.UPS_ABSENT.found(times=1, hours=2, year=3))[1].startswith("put")
        assert "set SISPAT_PUBLIC_URL to" in doctor_words().finding(FindingCode.TLS_NOT_ASKED.found())[1]


def test_what_sispat_adds_is_found_until_it_is_mended(cidade: Dsn, tmp_path: Path) -> None:
    def codes(**changed: object) -> set[str]:
        settings = Settings(database_url=cidade, data_dir=tmp_path / "data", backup_dir=tmp_path / "copies", **changed)
        return {each.code.name for each in examine(examinations(settings), limit=30.0)}

    bad = codes(secure_cookies="não", forwarded_allow_ips="*", host="0.0.0.0", ups=False, workers=64)
    assert bad >= {
        "DEMO_PASSWORDS", "SECRET_NOT_SET", "COOKIES_IN_CLEAR", "PROXIES_ALL", "BOUND_TO_NETWORK", "UPS_ABSENT",
        "ROLE_SUPERUSER", "POOL_TOO_LARGE", "BACKUP_AT_RISK", "NOBODY_TOLD", "TLS_NOT_ASKED",
    }  # fmt: skip
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update usuario set senha_hash = 'outra'")
    good = codes(secret="x" * 32, ups=True, webhook_url="https://hooks.example")
    assert good >= {"NO_DEMO_PASSWORDS", "SECRET_SET", "UPS_PRESENT", "BOUND_TO_THIS", "SOMEBODY_TOLD"}
    assert good.isdisjoint({"DEMO_PASSWORDS", "SECRET_NOT_SET", "COOKIES_IN_CLEAR", "PROXIES_ALL", "POOL_TOO_LARGE"})


def test_the_command_speaks_portuguese_and_says_wrong_settings(tmp_path: Path) -> None:
    r = comando(
        "doctor", SISPAT_DATA_DIR=str(tmp_path / "data"), BACKUP_DIR=str(tmp_path), SISPAT_BACKUP_STORES="ftp://x",
        SISPAT_WORKRES="3", DATABASE_URL="",
    )  # fmt: skip
    assert r.returncode == 2, r.stderr
    assert "atenção      SISPAT_WORKRES está definida, e ninguém a lê [SETTING_MISSPELT]" in r.stdout
    assert "-> talvez seja SISPAT_WORKERS: corrija o nome ou remova-a" in r.stdout
    assert "[SERVICE_STOPPED]" in r.stdout
    assert "BACKUP_DIR, AWS_S3_BUCKET, BACKUP_STORES: o esquema é 'ftp' [ADDRESS_INVALID]" in r.stdout
    r = comando("doctor", "--json", SISPAT_PORT="x")
    told = json.loads(r.stdout)
    assert r.returncode == told["exit_code"] == 2
    assert [each["about"]["name"] for each in told["findings"]] == ["SISPAT_PORT"]
