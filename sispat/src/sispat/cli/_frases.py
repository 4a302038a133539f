"""What Esteio's backups say in the fields of their errors and problems, in Portuguese.

Promises: pure. A sentence that is not known - PostgreSQL's own words, a store's answer - comes back as it was, so
nothing is ever hidden. A test finds every sentence in Esteio's source that lacks one here.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["traduzir"]

# The first that fits counts. What stands in braces is carried over; when it is called `frase`, it is translated too.
_FRASES = {
    # manifest and proof
    "it has no seal at its end": "falta o selo no fim",
    "its seal does not fit: it was changed after it was written": "o selo não confere: foi alterado depois de escrito",
    "has format {a}, known is {b}": "tem o formato {a}, o conhecido é {b}",
    "lacks or garbles a field ({a})": "falta um campo, ou está trocado ({a})",
    "no file with role {a}": "não há arquivo com o papel {a}",
    "restore it as what it is, a {a}": "restaure-a como o que é, do tipo {a}",
    "use another backup, or the copy in another store": "use outra cópia, ou esta de outro lugar",
    "use the version that wrote it": "use a versão que a escreveu",
    "use another backup": "use outra cópia",
    "it is of kind {a}: the whole cluster, not a database": "é do tipo {a}: o servidor inteiro, não um banco",
    "restore it into a data directory, or take a dump": "restaure-a numa pasta de dados, ou use um dump",
    "it is no proof ({a})": "não é uma prova ({a})",
    "there is none": "não há nenhum",
    "somebody said that it is to be kept": "alguém disse que é para guardar",
    "`backup keep --undo {a}` first": "antes, `backup keep --undo {a}`",
    "{a} cannot be restored without it": "sem ela {a} não se restaura",
    "delete those first": "remova antes essas",
    "restore `latest`, restore this one as a new database, or accept it with `backup accept`": (
        "restaure `latest`, restaure esta num banco novo, ou aceite-a com `backup accept`"
    ),
    "the restored server did not start": "o servidor restaurado não partiu",
    "the restored server refused a statement": "o servidor restaurado recusou um comando",
    "the restored server was lost": "perdeu-se o servidor restaurado",
    "{a} documents are in it, where the backup before had {b}": "{a} documentos estão nela, a cópia anterior tinha {b}",
    "make that directory, or name another one": "crie essa pasta, ou diga outra",
    "use a directory below it, or restore the cluster into a new directory": (
        "use uma pasta dentro dela, ou restaure o servidor numa pasta nova"
    ),
    # files
    "it is missing": "está faltando",
    "its content is not the one its name says": "o conteúdo não é o que o nome diz",
    "no other store has it right": "nenhum outro lugar o tem certo",
    "replay ended at {a}, before {b}": "a reprodução parou em {a}, antes de {b}",
    "the stores hold {a} clusters: {b}": "os lugares guardam {a} clusters: {b}",
    "cluster {a} has no base; {frase}": "o cluster {a} não tem base; {frase}",
    "no base leads to timeline {a}": "nenhuma base leva à linha do tempo {a}",
    "choose another timeline, or none": "escolha outra linha do tempo, ou nenhuma",
    "say which with --cluster": "diga qual com --cluster",
    "it is not installed here": "não está instalado aqui",
    "it ended with exit code {a}": "terminou com o código {a}",
    "make its parent, or mount that disk": "crie a pasta-mãe dela, ou monte esse disco",
    "there is no such file": "não existe tal arquivo",
    "{a} bytes, the manifest says {b}": "{a} bytes, o manifesto diz {b}",
    "its sha256 is not the manifest's": "o sha256 não é o do manifesto",
    "{a} bytes, not {b}": "{a} bytes, e não {b}",
    "{a} bytes, listed are {b}": "{a} bytes, a lista diz {b}",
    "its sha256 is not the listed one": "o sha256 não é o da lista",
    "is not in the list of files": "não está na lista de arquivos",
    "the list of files (backup_manifest) was changed": "a lista de arquivos (backup_manifest) foi alterada",
    "it is not in the stores as it was sent": "não está nos lugares como foi enviada",
    "{a} in {b} is not as it was written": "{a} em {b} não está como foi escrito",
    "no other store has it as it was written": "nenhum outro lugar o tem como foi escrito",
    "it ends in the middle": "termina no meio",
    "it is empty": "está vazio",
    "something follows its end": "há algo depois do fim",
    "no whole tar file ({a})": "não é um tar inteiro ({a})",
    "{a} is neither a file nor a directory below the data directory": "{a} não é arquivo nem pasta da pasta de dados",
    # content
    "{a} is not in the manifest": "{a} não está no manifesto",
    "{a} has {b} rows, not {c}": "{a} tem {b} linhas, e não {c}",
    "{a} has as many rows ({b}), but other content": "{a} tem o mesmo número de linhas ({b}), mas outro conteúdo",
    "it is cluster {a}, another one": "é do servidor {a}, outro",
    "a table stayed locked for {a}; pg_locks and pg_blocking_pids() tell by whom": (
        "uma tabela ficou travada por {a}; pg_locks e pg_blocking_pids() dizem por quem"
    ),
    # keys
    "no key was given": "nenhuma chave foi dada",
    "the key file and the passphrase do not fit ({a})": "o arquivo da chave e a frase não combinam ({a})",
    "Excessive work parameter for passphrase. Decryption would take around {a} seconds.": (
        "por sua medida, levaria cerca de {a} segundos"
    ),
    "at least one": "pelo menos um",
    "{a} characters or more": "{a} caracteres ou mais",
    "lines that begin with AGE-SECRET-KEY-": "linhas que começam com AGE-SECRET-KEY-",
    "AGE-SECRET-KEY-1... or an OpenSSH private key without a passphrase": (
        "AGE-SECRET-KEY-1... ou uma chave privada do OpenSSH sem frase"
    ),
    "age1..., ssh-ed25519 ... or ssh-rsa ...": "age1..., ssh-ed25519 ... ou ssh-rsa ...",
    "a readable file ({a})": "um arquivo que se possa ler ({a})",
    "identity file": "arquivo de identidade",
    # restores
    "role {a} may make no databases": "o papel {a} não pode criar bancos",
    "use a role with CREATEDB or a superuser": "use um papel com CREATEDB ou um superusuário",
    "the backup is of PostgreSQL {a}, the server is the older {b}": (
        "a cópia é do PostgreSQL {a}, o servidor é o mais antigo {b}"
    ),
    "restore on PostgreSQL {a} or newer": "restaure no PostgreSQL {a} ou mais novo",
    "the backup is of PostgreSQL {a}, the programs are of {b}": "a cópia é do PostgreSQL {a}, os programas são do {b}",
    "the backup is of PostgreSQL {a}, the server of {b}": "a cópia é do PostgreSQL {a}, o servidor é do {b}",
    "restore a dump, which can change the major": "restaure um dump, que muda de versão",
    "it is a mount point, which can't be renamed": "há um disco montado nela, e por isso não pode trocar de nome",
    "use a directory below it": "use uma pasta abaixo dela",
    "its server belongs to another account": "o servidor dela é de outra conta",
    "run this as that account, or as root": "rode isto como essa conta, ou como root",
    "install PostgreSQL {a}; a dump can change the major": "instale o PostgreSQL {a}; só um dump muda de versão",
    "the server lacks the extensions {a}": "faltam ao servidor as extensões {a}",
    "install them on the server's machine": "instale-as na máquina do servidor",
    "the server's disk has {a} MB free, {b} MB are needed": "o disco do servidor tem {a} MB livres, são precisos {b} MB",
    "make room: the old database is kept until you remove it": "libere espaço: o banco de antes fica até que o remova",
    "{a} MiB are needed, {b} are free": "são precisos {a} MiB, há {b} livres",
    "make room": "libere espaço",
    "programs connect to it faster than they can be cut off": "há programas que se conectam mais depressa do que caem",
    "stop them, then try again": "encerre-os e tente de novo",
    "the name has {a} bytes": "o nome tem {a} bytes",
    "give it 1 to {a}": "dê-lhe de 1 a {a}",
    "it exists": "já existe",
    "choose another name, or restore in place": "escolha outro nome, ou restaure no lugar",
    "name a new directory": "diga uma pasta nova",
    "a server runs on it": "há um servidor rodando nela",
    "stop the service first": "encerre antes o serviço",
    "the server cannot make such a database ({a})": "o servidor não consegue criar um banco assim ({a})",
    "see its reason": "veja o motivo dele",
    "there is no base backup": "não há cópia do tipo base",
    "make one with `backup run --kind base`": "faça uma com `backup run --kind base`",
    "{a} needs {b}, which is gone": "{a} precisa de {b}, que não existe mais",
    "restore an older moment from another base backup": "restaure um instante anterior, de outra base",
    "{a} can't be reached": "não se chega a {a}",
    "{a} can't be reached; segment {b} is missing": "não se chega a {a}; falta o segmento {b}",
    "{a} can't be reached, the log ends before it": "não se chega a {a}, o log termina antes",
    "what can be reached is {a} to {b}": "chega-se de {a} a {b}",
    "what can be reached is {a}": "chega-se a {a}",
    # documents
    "its content is another": "o conteúdo é outro",
    "is missing in {a}": "está faltando em {a}",
    "it changes while it is read": "muda enquanto é lido",
    "the backup has no documents": "a cópia não tem documentos",
    "leave out --documents": "deixe de fora --documents",
    "{a} has {b} documents, and nobody said where they belong": ("{a} tem {b} documentos, e ninguém disse onde ficam"),
    "set BACKUP_DOCUMENTS, or leave them out with --no-documents": (
        "defina SISPAT_DOCUMENTS_DIR, ou deixe-os de fora com --no-documents"
    ),
    "a disk is mounted on it, so it cannot be renamed": "há um disco montado nela, não se pode mudar o nome",
    "keep the documents in a directory on that disk, or restore beside": (
        "guarde os documentos numa pasta desse disco, ou restaure ao lado"
    ),
    "{a} is no directory that this account can write to": "{a} não é uma pasta em que esta conta possa gravar",
    "make it, or name another directory for the documents": "crie-a, ou diga outra pasta para os documentos",
    "the documents need {a} MiB, {b} are free": "os documentos precisam de {a} MiB, há {b} livres",
    "make room: the present ones are kept until you remove them": ("libere espaço: os atuais ficam até que os remova"),
    # base backups and the log
    "stop or release": "stop ou release",
    "the log is received into a directory, and no store is one": "o log é recebido numa pasta, e nenhum lugar é uma",
    "set BACKUP_DIR": "defina BACKUP_DIR",
    "the cluster has {a} tablespaces of its own, and only one can be streamed": (
        "o servidor tem {a} tablespaces próprios, e só se copia um"
    ),
    "make backups of kind dump, or move their tables to pg_default": (
        "faça cópias do tipo dump, ou mova as tabelas para pg_default"
    ),
    "PostgreSQL {a} knows none before 17": "o PostgreSQL {a} ainda não as tem; só desde o 17",
    "make backups of kind base": "faça cópias do tipo base",
    "make a backup of kind base": "faça uma cópia do tipo base",
    "summarize_wal is off": "summarize_wal está desligado",
    "set summarize_wal = on, then make a backup of kind base": "ligue summarize_wal, depois faça uma cópia do tipo base",
    "{a} failed its trial": "{a} não passou na prova",
    "{a} is of another cluster": "{a} é de outro servidor",
    "{a} incrementals were made on one base, which is the most": "já há {a} incrementais sobre uma base, o máximo",
    "nothing came within {a} s": "nada chegou em {a} s",
    # stores
    "the directory does not exist": "a pasta não existe",
    "mount the disk it is on, or correct the address; `backup init` makes it where its parent exists": (
        "monte o disco em que está, ou corrija o endereço; `backup init` a cria, se a pasta de cima existe"
    ),
    (
        "mount the disk that belongs there, or correct the address; for a new place, type `backup init` once "
        "(`sispat backup init`)"
    ): "monte o disco que deve estar ali, ou corrija o endereço; num lugar novo, digite uma vez `sispat backup init`",
    "it has no marker": "não tem o marcador",
    "it belongs to another set of backups": "é de outro conjunto de cópias",
    "its marker cannot be read: {frase}": "o marcador não pode ser lido: {frase}",
    "it is no marker ({a})": "não é um marcador ({a})",
    "there is no such object": "não existe tal objeto",
    "there is no such bucket": "não existe tal bucket",
    "it is retained by the store": "o lugar o retém",
    "{a} bytes were sent, it has {b}": "foram enviados {a} bytes, lá há {b}",
    "see the reason": "veja o motivo",
    "try again when it answers; what others have is not lost": (
        "tente de novo quando responder; o que está nos outros não se perdeu"
    ),
    "check the credentials and the permissions (list, read, write, delete)": (
        "confira as credenciais e as permissões (listar, ler, escrever, remover)"
    ),
    "who has its lease changes all the time": "quem tem a vez muda o tempo todo",
    "see the reason: the region or another option of its address is wrong, or it does not know a header we send": (
        "veja o motivo: a região ou outra opção do endereço está errada, ou ele não conhece um cabeçalho que mandamos"
    ),
    "make room or prune; nothing that is complete was removed": (
        "libere espaço ou remova cópias antigas; nada que esteja inteiro foi removido"
    ),
    "look at what `list` shows, and check the bucket's name": "veja o que `list` mostra, e confira o nome do bucket",
    "it is kept until its retention ends, and removed by a later prune": (
        "fica até o fim da retenção, e sai num prune posterior"
    ),
    "it was removed again where that was possible; check what is between us and the store": (
        "foi removido de novo onde possível; veja o que há entre nós e o lugar"
    ),
    "the scheme": "o esquema",
    "the host": "o host",
    "the bucket": "o bucket",
    "the container": "o contêiner",
    "the address": "o endereço",
    "an option of {a}": "uma opção de {a}",
    "a path, file, s3, gs, az": "um caminho, file, s3, gs, az",
    "no credentials in the address": "nenhuma credencial no endereço",
    "none": "nenhuma",
    # schedules
    "timezone": "o fuso horário",
    "expression": "a expressão",
    "expression for Windows": "a expressão para o Windows",
    "five fields: minute hour day month weekday": "cinco campos: minuto hora dia mês dia-da-semana",
    "crontab's fields ({a})": "os campos do crontab ({a})",
    "a name such as America/Sao_Paulo, or UTC": "um nome como America/Sao_Paulo, ou UTC",
    "every day and month, as in 0 2 * * 1-5": "todos os dias e meses, como em 0 2 * * 1-5",
    "at most {a} times a day": "no máximo {a} vezes por dia",
    "plain days here; L and # only in the built-in scheduler": "aqui só dias simples; L e # só no agendador próprio",
    # programs
    "the programs": "os programas",
    "does not run in {a} ({b})": "não roda em {a} ({b})",
    "the one in {a} is of unknown version": "o que está em {a} é de versão desconhecida",
    "the one in {a} is {b}": "o que está em {a} é o {b}",
    "it ended before it had read everything": "terminou antes de ler tudo",
    "it wrote nothing": "não escreveu nada",
    "it said nothing": "não disse nada",
    "{a} was killed by signal {b}: {frase}": "{a} foi morto pelo sinal {b}: {frase}",
    "{a} failed with exit code {b}: {frase}": "{a} falhou com o código {b}: {frase}",
    "{a} failed with exit code {b}": "{a} falhou com o código {b}",
    # settings
    "is not set": "não está definida",
    "is set together with BACKUP_RECIPIENTS": "está definida junto com BACKUP_RECIPIENTS",
    "is {a}": "é {a}",
    "has {a}": "tem {a}",
    "daily=, weekly=, monthly=, yearly= or verified= with a number to 9999 (verified at least 1), separated by blanks": (
        "daily=, weekly=, monthly=, yearly= ou verified= com um número até 9999 (verified ao menos 1), separados por espaços"
    ),
    "one of the two": "uma das duas",
    "a number from 1 to 19, or from -1 to -20": "um número de 1 a 19, ou de -1 a -20",
    "a number from {a} to {b}": "um número de {a} a {b}",
    "a directory (or AWS_S3_BUCKET or BACKUP_STORES)": "uma pasta (ou AWS_S3_BUCKET ou BACKUP_STORES)",
    "1 to 100 letters, digits, _ . and -": "1 a 100 letras, algarismos, _ . e -",
    # made of others
    "backup store {a}: object {b}: {frase}; {frase_2}": "lugar {a}: objeto {b}: {frase}; {frase_2}",
    "backup store {a}: {frase}; {frase_2}": "lugar {a}: {frase}; {frase_2}",
    "document {a}: {frase}": "documento {a}: {frase}",
    "{frase}, in {a}": "{frase}, em {a}",
    "is missing": "está faltando",
    "{a} is missing": "{a} está faltando",
}


def traduzir(frase: str) -> str:
    """`frase` in Portuguese, or as it is."""
    arquivo, separador, resto = frase.partition(": ")
    if separador and " " not in arquivo and (dita := traduzir(resto)) != resto:
        return f"{arquivo}: {dita}"
    for padrao, texto in _compiladas():
        if achado := padrao.fullmatch(frase):
            campos = achado.groupdict()
            return texto.format(**{nome: _campo(nome, valor) for nome, valor in campos.items()})
    return frase


def _campo(nome: str, valor: str) -> str:
    return traduzir(valor) if nome.startswith("frase") else valor


@cache
def _compiladas() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_padrao(ingles), portugues) for ingles, portugues in _FRASES.items())


def _padrao(modelo: str) -> re.Pattern[str]:
    partes = re.split(r"\{(\w+)\}", modelo)
    textos = [f"(?P<{parte}>.+?)" if numero % 2 else re.escape(parte) for numero, parte in enumerate(partes)]
    return re.compile("".join(textos), re.DOTALL)
