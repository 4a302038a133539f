"""What the doctor finds, in Portuguese and by SISPAT's names of settings; and the kinds of findings that are SISPAT's own.

Promises: pure. The sentences are made from codes and fields (`esteio.doctor.FindingCode`); a test finds every code that lacks
a text here, and every text whose fields are not those of its code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from esteio.cli.findings import DoctorWords
from esteio.doctor import Code, Finding
from esteio.health import Status
from sispat.kernel.i18n import SOURCE, language

__all__ = ["FINDING_TEXTS", "SispatFinding", "doctor_words"]

_FAIL, _WARN, _UNKNOWN, _PASS = Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS


class SispatFinding(Code):
    """What SISPAT adds to Esteio's findings."""

    SERVICE_STOPPED = (
        _UNKNOWN,
        "no `sispat serve` uses {directory}, so its database was not looked at",
        "start it and look again",
    )
    DEMO_PASSWORDS = (
        _FAIL,
        "people of the demo may sign in with the password that everybody knows: {emails}",
        "change each (`sispat usuario senha --email ...`), or use another database",
    )
    NO_DEMO_PASSWORDS = _PASS, "nobody signs in with a password of the demo"
    SECRET_NOT_SET = (
        _WARN,
        "SISPAT_SECRET is not set: whoever reads a backup has the keys of the second factors",
        "set it to `openssl rand -base64 32`, the same on all machines, and run `sispat usuario recifrar`",
    )
    SECRET_SET = _PASS, "the keys of the second factors are encrypted"
    COOKIES_IN_CLEAR = (
        _FAIL,
        "SISPAT_SECURE_COOKIES is off: a browser also sends the session over plain HTTP",
        "remove it: auto does the right thing",
    )
    DOCUMENTS_STORE_SOUND = _PASS, "{store} took an object, gave it back and removed it within {seconds:.1f} s"
    DOCUMENTS_STORE_DENIED = (
        _FAIL,
        "{store} does not let this account {action} an object: {reason}",
        "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_..., AZURE_...); the account has to read, "
        "write, list and remove",
    )
    DOCUMENTS_STORE_FAILS = (
        _FAIL,
        "{store} failed to {action} an object: {reason}",
        "see whether it runs, its bucket exists and the address in SISPAT_DOCUMENTS_STORE is right; until then no document is "
        "taken or shown",
    )
    DOCUMENTS_STORE_ALTERS = (
        _FAIL,
        "{store} gave back something else than it took",
        "take another store: documents would be lost in it",
    )
    PROXIES_ALL = (
        _WARN,
        "SISPAT_FORWARDED_ALLOW_IPS is *: anybody can pretend to come from any address",
        "name the addresses of the proxy",
    )


FINDING_TEXTS: Mapping[str, tuple[str, str]] = {
    "NOT_ANSWERED": ("{what}: não respondeu a tempo ({reason})", "veja se travou; --limit lhe dá mais tempo"),
    "NOT_SEEN": ("não se consegue ver {what}: {reason}", "dê à conta que roda isto o que ela precisa para ver"),
    "SETTING_MISSPELT": ("{name} está definida, e ninguém a lê", "talvez seja {near}: corrija o nome ou remova-a"),
    "SETTING_UNREAD": ("{name} está definida, e ninguém a lê", "remova-a, ou veja o nome certo em `sispat settings`"),
    "SETTING_INVALID": ("{name}: {problem}", "o que se pode definir: {allowed}"),
    "ADDRESS_INVALID": ("{name}: {part} é {value!r}", "o que se pode: {allowed}"),
    "SETTINGS_KNOWN": ("todas as {count} configurações definidas são lidas", ""),
    "DATABASE_NOT_SET": ("nenhum banco foi indicado", "defina DATABASE_URL"),
    "DATABASE_REFUSED": ("o banco {database} recusa: {reason}", "inicie-o, ou corrija o endereço"),
    "FSYNC_OFF": (
        "fsync está desligado: uma queda de energia destrói o banco",
        "ponha fsync = on e recarregue o servidor",
    ),
    "FULL_PAGE_WRITES_OFF": (
        "full_page_writes está desligado: uma queda de energia pode deixar páginas pela metade",
        "ponha full_page_writes = on e recarregue o servidor",
    ),
    "SYNCHRONOUS_COMMIT_OFF": (
        "synchronous_commit está desligado para {role}: uma queda perde o que já foi confirmado",
        "ponha synchronous_commit = on no servidor, no banco e no papel",
    ),
    "CHECKSUMS_OFF": (
        "sem somas de verificação: uma página que o disco estragou é servida como se estivesse certa",
        "pare o servidor, rode pg_checksums --enable e inicie-o de novo",
    ),
    "WAL_LEVEL_MINIMAL": (
        "wal_level é minimal: não há bases nem arquivamento do WAL",
        "ponha wal_level = replica e reinicie o servidor",
    ),
    "AUTOVACUUM_OFF": (
        "o autovacuum está desligado: as tabelas crescem até o servidor parar",
        "ponha autovacuum = on e recarregue o servidor",
    ),
    "ARCHIVE_FAILS": (
        "o archive_command falha: {failed} vezes, a última com {file}",
        "corrija-o, ou o lugar para onde leva; até lá o disco do servidor enche",
    ),
    "ARCHIVE_NONE": (
        "ninguém arquiva o WAL: uma restauração perde tudo desde a última cópia",
        "defina BACKUP_DATABASE_URL com um papel que tem REPLICATION, ou defina archive_command",
    ),
    "IDLE_IN_TRANSACTION_UNBOUNDED": (
        "idle_in_transaction_session_timeout é 0: uma sessão esquecida mantém travas e impede o autovacuum",
        "ponha idle_in_transaction_session_timeout = '10min' e recarregue o servidor",
    ),
    "SERVER_WITHOUT_TLS": (
        "o PostgreSQL escuta em {addresses} com ssl desligado: hashes de senhas e dados passam legíveis pela rede",
        "ponha ssl = on com um certificado, ou listen_addresses = 'localhost'",
    ),
    "VERSION_ENDED": ("o PostgreSQL {version} não recebe correções desde {end}", "passe a uma versão mais nova"),
    "VERSION_ENDS": (
        "o PostgreSQL {version} só recebe correções até {end}",
        "planeje a troca por uma versão mais nova",
    ),
    "POOL_TOO_LARGE": (
        "{processes} processos com connection_limit {each} podem abrir {wanted} conexões, e só {admitted} são admitidas",
        "ponha connection_limit de até {fitting} no endereço do banco, ou aumente max_connections",
    ),
    "ROLE_SUPERUSER": (
        "os processos entram no banco como {role}, um superusuário: uma só injeção de SQL toma o servidor",
        "crie um papel que só leia e grave e indique-o em SISPAT_DATABASE_APP_URL (docs/how-to/papel-do-banco.md)",
    ),
    "ROLE_OWNER": (
        "os processos entram no banco como {role}, que é dono das tabelas ou pode tornar-se",
        "crie um papel que só leia e grave e indique-o em SISPAT_DATABASE_APP_URL (docs/how-to/papel-do-banco.md)",
    ),
    "CLOCKS_DIFFER": (
        "o relógio do banco está a {seconds:.1f} s do desta máquina",
        "faça os dois seguirem um servidor de hora (chrony ou systemd-timesyncd)",
    ),
    "DATABASE_SOUND": ("PostgreSQL {version}, como {role}, até {wanted} de {admitted} conexões, durável", ""),
    "REDIS_REFUSED": ("o Redis em {address} recusa: {reason}", "inicie-o, ou corrija REDIS_URL e REDIS_PASSWORD"),
    "REDIS_HIDDEN": (
        "o Redis em {address} não mostra a sua configuração: {reason}",
        "deixe a conta usar INFO e CONFIG GET, ou pergunte a quem cuida dele",
    ),
    "REDIS_NODE_AWAY": (
        "{node}, de {address}, não responde: {reason}",
        "inicie-o: dele depende se os outros aguentam mais uma perda",
    ),
    "REDIS_NO_QUORUM": (
        "os Sentinels de {address} não conseguiriam trocar de servidor agora: {reason}",
        "inicie os Sentinels que faltam; mais da metade precisa concordar",
    ),
    "REDIS_FEW_SENTINELS": (
        "{count} Sentinels conhecem {service}: com menos de três, a perda de uma máquina acaba com toda troca",
        "rode três, cada um numa máquina sua",
    ),
    "REDIS_NO_REPLICA": (
        "{node} não tem réplica que o siga: sem ele os limites recomeçam, e não se decidem até que volte",
        "acrescente uma réplica em outra máquina",
    ),
    "REDIS_CLUSTER_DOWN": (
        "{address}: o estado do cluster é {state}, {slots} de 16384 slots são atendidos",
        "inicie os nós que faltam, ou dê os slots deles a outros (redis-cli --cluster fix)",
    ),
    "REDIS_EVICTS": (
        "maxmemory-policy é {policy}: cheios {memory} MB, contadores somem e limites recomeçam",
        "ponha maxmemory-policy noeviction",
    ),
    "REDIS_NOT_KEPT": (
        "o Redis não grava nada em disco (nem save nem appendonly): depois de um reinício os limites recomeçam",
        "ponha appendonly yes",
    ),
    "REDIS_NOT_WRITTEN": (
        "o Redis não conseguiu gravar em disco: {last}",
        "veja o registro e o disco dele; depois, BGSAVE",
    ),
    "REDIS_OPEN": (
        "o Redis escuta em {addresses} sem senha: quem o alcança lê e muda tudo",
        "defina requirepass e REDIS_PASSWORD, ou bind 127.0.0.1",
    ),
    "REDIS_SOUND": ("Redis {version} em {address}: {policy}, gravado em disco", ""),
    "BACKUP_NOT_SET": ("nada diz onde ficam as cópias", "defina BACKUP_DIR ou AWS_S3_BUCKET"),
    "BACKUP_AT_RISK": ("{problem}", "veja `sispat backup status` e `sispat backup list`"),
    "BACKUP_DEFECT": ("{problem}", "veja `sispat backup status`"),
    "BACKUP_PROVEN": ("{backup} foi provada por uma restauração e tem {hours:.1f} h", ""),
    "BACKUP_ON_ONE_DISK": (
        "todas as cópias estão no disco do banco ou do sistema: {stores}",
        "acrescente a SISPAT_BACKUP_STORES um lugar noutro disco e noutra máquina",
    ),
    "BACKUP_ON_ONE_MACHINE": (
        "todas as cópias estão nesta máquina: {stores}; incêndio, furto ou sequestro de dados as levam com o banco",
        "acrescente a SISPAT_BACKUP_STORES um bucket ou uma pasta de outra máquina",
    ),
    "BACKUP_ELSEWHERE": ("há cópias também fora desta máquina: {stores}", ""),
    "BACKUP_READABLE_ELSEWHERE": (
        "as cópias saem desta máquina sem cifra: {stores}",
        "defina SISPAT_BACKUP_RECIPIENTS ou SISPAT_BACKUP_PASSPHRASE, e guarde noutro lugar o que as abre",
    ),
    "BACKUP_SCHEDULED": ("o operador faz as cópias; deu notícia há {minutes:.0f} min", ""),
    "BACKUP_SCHEDULE_SILENT": (
        "o operador, que faz as cópias, não dá notícia há {minutes:.0f} min",
        "inicie o serviço de novo",
    ),
    "BACKUP_SCHEDULE_UNSEEN": (
        "nenhum operador faz as cópias; o que o cron ou o systemd fazem não se vê daqui",
        "deixe SISPAT_BACKUP=sim e inicie o serviço, ou veja se o agendamento está instalado",
    ),
    "NOBODY_TOLD": (
        "ninguém é avisado quando uma cópia falha",
        "defina WEBHOOK_URL ou SISPAT_NOTIFY_URLS, e prove com `sispat backup notify --test`",
    ),
    "SOMEBODY_TOLD": ("{count} canais são avisados de como terminam as cópias", ""),
    "OUTSIDE_UNSEEN": (
        "não se sabe se alguém de fora vigia este serviço: daqui não se vê",
        "deixe outra máquina (esteio watch, Uptime Kuma, UptimeRobot) consultar /api/health; depois, --accept",
    ),
    "TLS_NOT_ASKED": (
        "nenhum endereço público foi dito, e nenhum certificado foi visto",
        "defina SISPAT_PUBLIC_URL=https://...",
    ),
    "TLS_ABSENT": ("{url} é HTTP puro: senhas e sessões podem ser lidas no caminho", "sirva-o por HTTPS"),
    "TLS_REFUSED": ("um navegador recusa {host}: {reason}", "instale um certificado deste nome, com a cadeia inteira"),
    "TLS_UNREACHABLE": (
        "daqui não se alcança {host}:{port}: {reason}",
        "inicie o que o serve; onde esta máquina não alcança o próprio endereço público, veja de outra",
    ),
    "TLS_ENDED": ("o certificado de {host} só vale por mais {days:.1f} dias", "renove-o hoje"),
    "TLS_ENDS": ("o certificado de {host} só vale por mais {days:.1f} dias", "veja por que não se renova sozinho"),
    "TLS_VALID": ("o certificado de {host} vale por mais {days:.0f} dias", ""),
    "BOUND_TO_NETWORK": (
        "o serviço escuta em {host}: outros na rede o alcançam sem TLS, por fora de qualquer proxy",
        "escute em 127.0.0.1 atrás de um proxy com TLS, ou feche a porta no firewall para todos menos o proxy",
    ),
    "BOUND_TO_THIS": ("o serviço só escuta em {host}", ""),
    "BOUND_WITH_TLS": ("o serviço escuta em {host}, e ele mesmo fala TLS", ""),
    "PORT_OPEN": (
        "{process} escuta em {addresses}, porta {port}: outros na rede o alcançam, se nenhum firewall a fecha",
        "faça-o escutar em 127.0.0.1, ou feche a porta no firewall e aceite este achado",
    ),
    "PORTS_EXPECTED": ("nada escuta para a rede além do que deve ({ports})", ""),
    "FILE_READABLE": ("{path} pode ser lido por qualquer conta desta máquina (modo {mode})", "chmod o-rwx {path}"),
    "FILES_CLOSED": ("nenhuma outra conta lê {count} segredos e pastas de dados", ""),
    "CLOCK_FREE": (
        "o relógio não segue nenhum servidor de hora",
        "`timedatectl set-ntp true`, ou instale o chrony; cópias, sessões e certificados precisam da hora certa",
    ),
    "CLOCK_UNSEEN": ("este sistema não diz se o relógio segue um servidor de hora", "veja a configuração de hora dele"),
    "CLOCK_SYNCHRONISED": ("o núcleo do sistema diz que o relógio segue um servidor de hora", ""),
    "DISK_FULL": ("{path}: {free:.1f} % do disco e {inodes:.1f} % dos inodes livres", "libere espaço já"),
    "DISK_LOW": (
        "{path}: {free:.1f} % do disco e {inodes:.1f} % dos inodes livres",
        "libere espaço, ou aumente o disco",
    ),
    "DISK_ROOM": ("{path}: {free:.0f} % do disco livre", ""),
    "DRIVES_UNSEEN": (
        "não se sabe como estão os discos: {reason}",
        "instale o smartmontools e rode isto como root; numa máquina virtual, pergunte a quem cuida do hospedeiro",
    ),
    "DRIVE_FAILING": ("{drive} diz que está falhando", "faça já uma cópia em outro lugar, e troque-o"),
    "DRIVE_DAMAGED": (
        "{drive} tem {count} setores danificados ou erros de mídia",
        "veja se aumentam; planeje a troca",
    ),
    "DRIVE_WORN": ("{drive} já gastou {percent:.0f} % das gravações para que foi feito", "planeje a troca"),
    "DRIVE_OLD": (
        "{drive} funciona há {years:.1f} anos; do quinto em diante falham mais a cada ano",
        "planeje a troca; até lá nada pode depender só dele",
    ),
    "DRIVES_SOUND": ("{count} discos dizem que estão bem; o mais velho funciona há {years:.1f} anos", ""),
    "UPS_NOT_ANSWERED": (
        "ninguém disse se um nobreak sustenta esta máquina; no Brasil a rede falta {times} vezes e {hours} h por ano em "
        "média (ANEEL {year}): só isso passa das 8,76 h que 99,9 % permitem",
        "defina SISPAT_UPS como sim ou não; pense também no switch e no enlace",
    ),
    "UPS_ABSENT": (
        "sem nobreak: no Brasil a rede falta {times} vezes e {hours} h por ano em média (ANEEL {year}): só isso passa das "
        "8,76 h que 99,9 % permitem",
        "ponha a máquina, o switch e o enlace num nobreak que também a desligue em ordem",
    ),
    "UPS_PRESENT": ("um nobreak sustenta esta máquina, como alguém respondeu", ""),
    "PASSWORD_COMMON": ("a senha em {name} é das que se tentam primeiro", "troque-a por uma longa, ao acaso"),
    "PASSWORDS_UNCOMMON": ("nenhuma senha de {names} é das que se tentam primeiro", ""),
    "PYTHON_ENDED": ("o Python {version} não recebe correções desde {end}", "passe a um mais novo"),
    "PYTHON_ENDS": ("o Python {version} só recebe correções até {end}", "planeje a troca por um mais novo"),
    "VERSIONS": ("{packages}", ""),
    "SERVICE_STOPPED": (
        "nenhum `sispat serve` usa {directory}, e o banco dele não foi examinado",
        "inicie-o e examine de novo",
    ),
    "DEMO_PASSWORDS": (
        "pessoas da demonstração entram com a senha que todos conhecem: {emails}",
        "troque cada uma (`sispat usuario senha --email ...`), ou use outro banco",
    ),
    "NO_DEMO_PASSWORDS": ("ninguém entra com uma senha da demonstração", ""),
    "SECRET_NOT_SET": (
        "falta SISPAT_SECRET: quem ler uma cópia tem as chaves dos segundos fatores",
        "defina-a com `openssl rand -base64 32`, a mesma em todas as máquinas, e rode `sispat usuario recifrar`",
    ),
    "SECRET_SET": ("as chaves dos segundos fatores estão cifradas", ""),
    "COOKIES_IN_CLEAR": (
        "SISPAT_SECURE_COOKIES está desligada: o navegador envia a sessão também por HTTP puro",
        "remova-a: auto faz o certo",
    ),
    "DOCUMENTS_STORE_SOUND": ("{store} recebeu um objeto, devolveu-o e o apagou em {seconds:.1f} s", ""),
    "DOCUMENTS_STORE_DENIED": (
        "{store} não deixa esta conta {action} um objeto: {reason}",
        "confira as credenciais (AWS_ACCESS_KEY_ID e AWS_SECRET_ACCESS_KEY, GOOGLE_..., AZURE_...); a conta precisa ler, "
        "gravar, listar e apagar",
    ),
    "DOCUMENTS_STORE_FAILS": (
        "{store} não conseguiu {action} um objeto: {reason}",
        "veja se funciona, se o balde existe e se o endereço em SISPAT_DOCUMENTS_STORE está certo; até lá nenhum documento é "
        "recebido nem mostrado",
    ),
    "DOCUMENTS_STORE_ALTERS": (
        "{store} devolveu outra coisa do que recebeu",
        "use outro armazém: nele os documentos se perderiam",
    ),
    "PROXIES_ALL": (
        "SISPAT_FORWARDED_ALLOW_IPS é *: qualquer um pode fingir que vem de qualquer endereço",
        "diga os endereços do proxy",
    ),
}
"""Evidence and fix by code."""

_GROUPS = {
    "settings": "Configuração", "postgresql": "PostgreSQL", "redis": "Redis", "backup": "Cópias de segurança",
    "documents": "Documentos",
    "network": "Rede", "files": "Arquivos", "machine": "Máquina", "software": "Programas", "sispat": "SISPAT",
}  # fmt: skip
_STATUSES = {Status.FAIL: "falha", Status.WARN: "atenção", Status.UNKNOWN: "não se sabe", Status.PASS: "em ordem"}
_NAMES = {
    "BACKUP_STORES": "SISPAT_BACKUP_STORES", "BACKUP_RECIPIENTS": "SISPAT_BACKUP_RECIPIENTS",
    "BACKUP_PASSPHRASE": "SISPAT_BACKUP_PASSPHRASE", "NOTIFY_URLS": "SISPAT_NOTIFY_URLS", "HAS_UPS": "SISPAT_UPS",
    "PUBLIC_URL": "SISPAT_PUBLIC_URL",
}  # fmt: skip
"""Esteio's names of settings, in its English templates, and what SISPAT calls them."""
_ACTIONS = {"write": "gravar", "read": "ler", "list": "listar", "remove": "apagar"}
_NAMED = re.compile(rf"\b({'|'.join(_NAMES)})\b")


def doctor_words() -> DoctorWords:
    """What is said in the language in force."""
    if language() != SOURCE:
        return DoctorWords(finding=_in_english)
    return DoctorWords(_STATUSES, _GROUPS, "aceito", _in_portuguese)


def _in_english(finding: Finding) -> tuple[str, str]:
    evidence, fix = (
        _NAMED.sub(lambda name: _NAMES[name[1]], text) for text in (finding.code.evidence, finding.code.fix)
    )
    return evidence.format(**finding.fields), fix.format(**finding.fields)


def _in_portuguese(finding: Finding) -> tuple[str, str]:
    evidence, fix = FINDING_TEXTS[finding.code.name]
    fields = {name: _value_in_portuguese(value) for name, value in finding.fields.items()}
    if "action" in fields:
        fields["action"] = _ACTIONS[fields["action"]]
    return evidence.format(**fields), fix.format(**fields)


def _value_in_portuguese(value: Any) -> Any:
    """A problem of backups, or a sentence from one of their errors, is worded by its own code."""
    from esteio.backup import Problem
    from sispat.cli._backup_details import worded

    if isinstance(value, Problem):
        from sispat.cli._backup_words import COMMAND_WORDS

        return COMMAND_WORDS.problem(value)
    return worded(value) if isinstance(value, str) else value
