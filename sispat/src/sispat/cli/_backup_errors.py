"""The errors of Esteio's backups, in Portuguese, by class and fields.

Promises: no field of an error is lost, and an error that is not known is told in its own words. Only imported once
such an error happened, so no command waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esteio.backup import (
    AlreadyRunning,
    BackupDamaged,
    BackupNotFound,
    CannotVerify,
    DatabaseRefused,
    DeleteRefused,
    DetailCode,
    EncryptionRequired,
    LeaseHeld,
    LeaseLost,
    LockRefused,
    ManifestError,
    NotConfirmed,
    NotLeader,
    RestoreRefused,
    RestoreUnclear,
    StoreInUse,
    ToolFailed,
    ToolMissing,
    VerificationFailed,
    detail_of,
)
from esteio.backup.archive import ArchiveFailed, WalConflict, WalMismatch
from esteio.backup.base import NotPossible
from esteio.backup.packing import InvalidKey, KeyTooSlow, PackUnreadable, WrongKey
from esteio.backup.schedule import InstallFailed, ScheduleError
from esteio.backup.store import AllStoresFailed, InvalidKeyName, StoreError, StoreUrlError
from esteio.cli.environment import EnvironmentProblem
from esteio.errors import EsteioError
from esteio.maintenance import MaintenanceError, MaintenanceHeld
from esteio.postgres import DatabaseUnavailable
from sispat.cli._backup_details import worded

__all__ = ["ERRORS", "in_portuguese"]

ERRORS: Mapping[type[EsteioError], str] = {
    AllStoresFailed: "{motivos}",
    AlreadyRunning: "cópias em {lock}: {quem} está trabalhando ali; espere que termine e tente de novo",
    ArchiveFailed: "{name}: o WAL não está sendo recebido: {reason}; tenta-se de novo",
    BackupDamaged: (
        "a cópia {backup!r} está danificada: {file}: {problem}; restaure outra, ou esta de outro lugar: "
        "`sispat backup check --read-data` diz qual a tem certa"
    ),
    DeleteRefused: "a cópia {backup!r} não foi removida: {reason}; {advice}",
    BackupNotFound: "a cópia {wanted!r} não está em {where}; as mais novas de lá: {conhecidas}",
    DatabaseRefused: "o banco {database} recusou: {reason}; use o dono dele ou um superusuário, ou veja o motivo",
    DatabaseUnavailable: "o banco {name!r} não está disponível: {reason}",
    EncryptionRequired: (
        "o lugar {store} só aceita cópias cifradas, e nada diz como cifrar; defina SISPAT_BACKUP_PASSPHRASE ou "
        "SISPAT_BACKUP_RECIPIENTS"
    ),
    EnvironmentProblem: "{variable} {problem}; o que se pode definir: {allowed}",
    InstallFailed: "{program}: {reason}; escreva-o com --write PASTA e instale-o à mão",
    InvalidKey: "{kind} {shown!r}: não pode ser usado; o que se pode: {allowed}",
    InvalidKeyName: (
        "o nome de objeto {key!r} não pode ser usado; o que se pode: partes de 1 a 200 bytes unidas por /, nenhuma "
        "começada por ponto, sem caracteres de controle nem barra invertida"
    ),
    LeaseHeld: (
        "cópias em {store}: o processo {pid} em {host!r} está trabalhando ali desde {since}; espere que termine e tente de "
        "novo. Se ele se foi para sempre, a vez dele vence em {expires}, e quem vier depois toma o lugar um minuto mais "
        "tarde; `sispat backup unlock` o faz já"
    ),
    LeaseLost: (
        "cópias em {store}: o processo {pid} em {host!r} tomou a vez, que não se renovou por um minuto ou foi tirada por "
        "`sispat backup unlock`; esta execução não muda mais nada ali: faça outra"
    ),
    LockRefused: "trava {lock}: {reason}; dê a esta conta permissão de escrita nessa pasta, ou escolha outra",
    MaintenanceError: "manutenção {path}: {problem}; dê a esta conta permissão de escrita nessa pasta",
    MaintenanceHeld: (
        "manutenção {path}: o processo {aviso.pid} de {aviso.who} a mantém ({aviso.reason}); espere que termine, ou "
        "encerre-o"
    ),
    ManifestError: "manifesto da cópia {backup!r}: {problem}; {advice}",
    NotConfirmed: "restauração de {database!r} não confirmada, nada foi mexido; digite o nome, ou passe --yes",
    NotLeader: (
        "cópias de {database}: outra máquina as faz agora, e tem a trava de líder nesse banco; ela faz o que é preciso, ou "
        "deixe de fora --if-leader"
    ),
    NotPossible: "não é possível uma cópia do tipo {kind!r}: {reason}; {advice}",
    PackUnreadable: "os dados não podem ser lidos: {reason}; use outra cópia, ou esta de outro lugar",
    RestoreRefused: "restauração em {database!r} recusada, nada foi mexido: {reason}; {advice}",
    RestoreUnclear: (
        "perdeu-se o servidor enquanto {database!r} tomava o lugar do banco antigo, e ele não responde; quando voltar: se "
        "esse banco ainda existir, nada mudou, e os documentos de antes, guardados ao lado, devem voltar ao lugar; se não "
        "existir, está tudo feito"
    ),
    ScheduleError: "agenda: {what} é {value!r}; o que se pode: {allowed}",
    StoreError: "lugar das cópias {store}: {objeto}{reason}; {advice}",
    StoreInUse: (
        "cópias em {store}: o processo {pid} em {host!r} lê ou remove ali desde {since}; espere que termine e tente de novo. "
        "Se ele se foi, deixa de contar em {expires}"
    ),
    StoreUrlError: (
        "lugar das cópias: {part} é {value!r}; o que se pode: {allowed}. Exemplos: /srv/copias, "
        "s3://bucket/pasta?endpoint=http://minio:9000, gs://bucket, az://conta/conteiner"
    ),
    ToolFailed: "{program} {fim}: {stderr}",
    ToolMissing: (
        "{program} do PostgreSQL {major}: {problem}; instale os programas de cliente do PostgreSQL {major}, "
        "ou diga a pasta em que estão"
    ),
    CannotVerify: (
        "prova da cópia {backup!r} não feita: {directory} tem {free} MB livres, são precisos {needed} MB; "
        "diga outra pasta (TMPDIR)"
    ),
    VerificationFailed: "a cópia {backup!r} não passou na prova: {problems}; não conte com ela, faça uma nova",
    WalConflict: (
        "{file} está em {store} com outro conteúdo; nada é sobrescrito, e nada mais deste cluster é levado para lá: dois "
        "servidores de um cluster gravam WAL, ou os arquivos dele foram postos de volta sem uma restauração; pare o "
        "errado, ou restaure, para que comece outra linha do tempo"
    ),
    KeyTooSlow: (
        "esta máquina não consegue abrir o arquivo da chave, tentado por cinco minutos: {reason}; tente de novo com menos em "
        "execução, ou abra-o noutra máquina com `age -d` e dê a identidade que está nele"
    ),
    WalMismatch: (
        "{file} é do cluster {found}, e não de {system}: não é levado; comece o arquivamento de novo, e veja a que "
        "servidor leva o endereço dele"
    ),
    WrongKey: (
        "os dados cifrados não se abrem: {reason}; dê a identidade do destinatário (SISPAT_BACKUP_IDENTITY), ou a "
        "frase com que a cópia foi feita (SISPAT_BACKUP_PASSPHRASE)"
    ),
}
_MOST_PROBLEMS = 5


def in_portuguese(erro: EsteioError) -> str:
    """What is said of `erro`."""
    texto = next((ERRORS[classe] for classe in type(erro).__mro__ if classe in ERRORS), None)
    return worded(detail_of(erro)) if texto is None else texto.format(**_fields(erro))


def _fields(erro: EsteioError) -> dict[str, Any]:
    campos = {nome: worded(valor) if isinstance(valor, str) else valor for nome, valor in vars(erro).items()}
    if isinstance(erro, MaintenanceHeld):
        campos["aviso"] = erro.notice
    elif isinstance(erro, StoreError):
        campos["advice"] = worded(erro.advice)
        campos["objeto"] = f"objeto {erro.key!r}: " if erro.key else ""
    elif isinstance(erro, AllStoresFailed):
        campos["motivos"] = _reasons(erro)
    elif isinstance(erro, AlreadyRunning):
        campos["lock"] = erro.lock.parent
        campos["quem"] = f"o processo {erro.pid}" if erro.pid else "outro processo"
    elif isinstance(erro, BackupNotFound):
        campos["conhecidas"] = ", ".join(erro.known[-3:]) or "nenhuma ainda: faça uma com `sispat backup run`"
        if erro.refused:
            falhas = ", ".join(erro.refused[-3:])
            campos["conhecidas"] += (
                f"; falhou na prova ou está no futuro: {falhas}; para usá-la assim mesmo, diga o nome"
            )
    elif isinstance(erro, ToolFailed):
        campos["fim"] = f"foi morto pelo sinal {-erro.code}" if erro.code < 0 else f"falhou com o código {erro.code}"
        campos["stderr"] = worded(erro.stderr).strip() or worded(DetailCode.SAID_NOTHING())
    elif isinstance(erro, VerificationFailed):
        mais = len(erro.problems) - _MOST_PROBLEMS
        campos["problems"] = "; ".join(map(worded, erro.problems[:_MOST_PROBLEMS])) + (
            f" (e mais {mais})" if mais > 0 else ""
        )
    return campos


def _reasons(erro: AllStoresFailed) -> str:
    ditos = [in_portuguese(cada) if isinstance(cada, EsteioError) else str(cada) for cada in erro.failures.values()]
    qual = f"para o objeto {erro.key!r}" if erro.key else "das cópias"
    return ditos[0] if len(ditos) == 1 else f"não há um lugar que sirva {qual}: {'; '.join(ditos)}"
