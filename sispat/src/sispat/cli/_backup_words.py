"""What `sispat backup ...` says, in Portuguese; in English Esteio's commands speak by themselves."""

from __future__ import annotations

from esteio.cli import Words
from sispat.cli._backup_details import worded
from sispat.kernel.i18n import SOURCE, Language, language

__all__ = ["COMMAND_WORDS", "words_in"]

_PORTUGUESE = Words(
    backup="Cópias de segurança, restauradas para prova antes de se contar com elas.",
    init=(
        "Prepara lugares novos, uma vez: escreve um marcador em cada um. Sem ele nada se escreve ali, e um disco que não está "
        "montado é um erro, e não uma pasta no disco do sistema. Confira que os discos estão montados agora."
    ),
    init_encrypted=(
        "Se ali se recusam para sempre cópias sem cifra, ao fazer, provar ou restaurar. Padrão: sim, se agora as cópias são "
        "cifradas."
    ),
    init_made="{store} está pronto para cópias.",
    init_there="{store} já estava pronto.",
    init_only_encrypted="Só cópias cifradas são feitas, provadas e restauradas ali.",
    run="Faz uma cópia, restaura-a para prova e remove as antigas.",
    no_verify="Restaurá-la depois para prova; sem isso, nada antigo é removido.",
    kind="dump: este banco; base: o servidor inteiro; incremental: o que mudou nele desde então.",
    gentle="Deixa espaço aos outros: um dump em um só fluxo, no máximo 100 MB por segundo de uma base.",
    if_leader="Só se nenhuma outra máquina faz cópias deste banco agora (trava de líder nele); senão, código 75.",
    list="Mostra as cópias, e até quando se chega a partir de cada base.",
    json="Para programas.",
    verify="Restaura uma cópia num servidor à parte e a compara.",
    everywhere="Em vez disso, lê cada arquivo em cada lugar, e diz qual não está como foi escrito.",
    check_copies=(
        "Compara cada exemplar de uma cópia com o manifesto, por nomes e tamanhos; nada é restaurado nem consertado. Código 1 "
        "quando um difere."
    ),
    read_data="Lê também cada byte em cada lugar: leva o tempo de baixar tudo. De uma base, o log também.",
    sync=(
        "Leva uma cópia aos lugares a que faltam arquivos dela, ou que os têm danificados. Cada arquivo é conferido no "
        "caminho, e um danificado nunca se espalha; nada é removido."
    ),
    copy_id="O nome dela, newest, ou all: todas as cópias e o log.",
    read_first="Lê antes cada arquivo em cada lugar, para achar também os alterados.",
    restore=(
        "Traz uma cópia de volta. Antes se mostra o plano: o que é substituído, quanto demora, o que se perde. O que é "
        "substituído fica guardado ao lado, até que alguém o remova."
    ),
    restore_database=(
        "Traz um banco de volta de um dump, como banco novo (--as) ou no lugar do atual (--replace): o serviço fica fechado "
        "enquanto isso, as conexões são cortadas, e o que se escreveu desde a cópia só fica no banco antigo, guardado ao lado."
    ),
    restore_as="Nome do banco novo; no que existe não se mexe.",
    replace_database="Toma o lugar do banco atual e dos documentos dele. Pergunta o nome.",
    as_or_replace="diga --as NOME ou --replace",
    restore_cluster=(
        "Traz de volta todos os bancos do servidor, a qualquer segundo que o log alcance: numa pasta de dados nova, ou no "
        "lugar da atual, que fica guardada ao lado."
    ),
    target_time="Um instante com fuso horário, como 2026-03-01T14:30:00-03:00, ou last: tudo o que houver; ou xid:1234, "
    "lsn:0/3000028, name:PONTO_DE_RESTAURAÇÃO, immediate (o fim da base).",
    replace_cluster="Toma o lugar de --data-dir, cujo servidor está parado, ou do nosso servidor, que pode estar ligado.",
    directory_or_replace="diga --directory PASTA ou --replace, com --data-dir PASTA a não ser que o servidor seja o próprio",
    own_server="o servidor próprio",
    restore_documents="Traz os documentos de uma cópia para uma pasta nova, e nada mais.",
    documents_directory="A pasta nova.",
    restore_documents_into="A pasta nova para os documentos; sem ela, um banco ou pasta de dados nova não os recebe.",
    restore_no_documents="Com --replace: deixa os documentos atuais como estão.",
    documents_with="--documents PASTA vai com um banco ou pasta de dados nova, --no-documents com --replace",
    restore_dry_run="Mostra o plano e não faz nada.",
    only_shown="Nada foi feito (--dry-run).",
    plan="Plano: {id} ({kind}, começada em {began}, {size}, {documents} documentos).",
    plan_new="Torna-se {name}, que é novo; nada é substituído.",
    plan_replace="Toma o lugar de {name}, que fica guardado ao lado: é preciso espaço para os dois.",
    plan_seconds="Demora uns {seconds:.0f} s, como na última prova, e outro tanto para documentos e conferências.",
    plan_unknown="Não se sabe quanto demora: nunca foi provada.",
    plan_lost="O que se escreveu nos últimos {age} não está nela.",
    plan_lost_after="O que se escreveu depois desse alvo não está nela.",
    plan_passed_over="Mais novas, mas não usadas, por falha na prova ou data no futuro: {ids}.",
    now_say="Este comando agora se chama `backup {command}`; o nome antigo sai na próxima versão.",
    drop_slot=(
        "Em vez disso, remove o slot de replicação, para o servidor não guardar mais log para nós. O que não foi recebido até "
        "então falta para sempre: faça depois uma base."
    ),
    slot_dropped="O slot foi removido.",
    no_slot="Não havia slot.",
    yes_prune="Não pergunta.",
    sure_prune="Remover para sempre {count} cópias, e o log e os documentos de que nada mais precisa?",
    id="O nome dela, ou latest: a mais nova que não falhou na prova.",
    any_id="O nome dela, ou newest: a última feita.",
    into="Nome do banco novo.",
    in_place="Toma o lugar do banco atual; com --to, o do nosso servidor, que pode estar ligado.",
    yes="Não pergunta o nome do banco.",
    one_of="diga --into NOME ou --in-place",
    to="O servidor inteiro num instante com fuso horário (2026-03-01T14:30:00-03:00), ou last; ou xid:1234, "
    "lsn:0/3000028, name:PONTO_DE_RESTAURAÇÃO, immediate (o fim da base).",
    timeline="A linha do tempo a seguir; sem isso, a mais nova que já tinha começado.",
    bad_moment="esperado: um instante com fuso horário, como 2026-03-01T14:30:00-03:00, last, xid:, lsn:, name: ou immediate",
    directory="Com --to: a pasta de dados nova.",
    data_dir="Com --to: a pasta de dados a substituir; o servidor dela está parado, ela fica guardada.",
    one_of_directories=(
        "com --to, diga --directory PASTA ou --data-dir PASTA; --in-place só sem DATABASE_URL, para o servidor próprio"
    ),
    cluster="O identificador (system identifier) de um cluster, quando os lugares guardam vários.",
    cluster_accepted="O cluster {cluster} está aceito.",
    documents_into="A pasta nova para onde vão os documentos: só eles, ou com --into ou --directory.",
    no_documents="Com --in-place ou --data-dir: deixa os documentos atuais como estão.",
    documents_or_not="--documents PASTA vai sozinho ou com --into ou --directory, --no-documents com --in-place ou --data-dir",
    documents_made="Com ela {files} documentos, {size}; {new} deles eram novos, {new_size}.",
    documents_odd=(
        "Dos documentos, {vanished} sumiram no meio, {changed} estavam sendo escritos, {unreadable} não se puderam ler; "
        "{special} atalhos e dispositivos ficaram de fora."
    ),
    documents_back="{files} documentos restaurados, {size}, como devem ser, em {directory}.",
    documents_kept="Os documentos de antes estão guardados em {kept}; remova-os quando não forem mais precisos.",
    documents="Passando pelos documentos",
    archive="Recebe o log do servidor à medida que é escrito, até ser interrompido.",
    schedule="Mostra quando se fazem as cópias, escreve isso para outro agendador, ou cumpre-o até ser interrompido.",
    base_cron="Quando se faz uma base, como no crontab; vazio para nunca.",
    incremental_cron=(
        "Quando se copia o que mudou desde a última base ou incremental, como no crontab; do PostgreSQL 17 em diante, com "
        "summarize_wal = on. Vazio para nunca."
    ),
    dump_cron="Quando se faz um dump, como no crontab; vazio para nunca.",
    timezone="O fuso horário de ambos; sem ele, SISPAT_TIMEZONE.",
    form="Imprime para este agendador.",
    write="Em vez disso, escreve nesta pasta.",
    operate="Faz tudo isso até ser interrompido: recebe o log, cumpre o horário, diz como está.",
    with_archive="Recebe o log do servidor à medida que é escrito; o papel precisa de REPLICATION.",
    install="Entrega-o a esse agendador; o que lhe foi entregue antes é substituído.",
    install_for="com --install, diga a que agendador: --for systemd, cron ou windows",
    windows_untried=(
        "Estas tarefas valem pelo esquema da Microsoft e servem ao Windows por construção, mas ainda não foram executadas lá."
    ),
    keep_to="Cumpre-o até ser interrompido; o que se perdeu é recuperado.",
    recovered="{id} e o log restaurados em {directory} em {seconds:.1f} s; a última transação: {last}.",
    kept_directory="A pasta de dados de antes está guardada em {kept}; remova-a quando não for mais precisa.",
    archiving="Recebendo o log em {directory}; interrompa para terminar.",
    scheduled="{kind}: {cron}, próxima {next}",
    prune=(
        "Mostra que cópias antigas sairiam, cada uma com o motivo, e então pergunta. Cada cópia feita já faz isso depois de "
        "uma boa prova; nada sai enquanto houver menos de duas provadas."
    ),
    dry_run="Só mostra o que seria feito.",
    status=(
        "Se alguém precisa se levantar, em uma linha. Código 0: está tudo bem; 1: há o que consertar, mas existe uma cópia "
        "recente e provada; 2: dados podem se perder, ou não se sabe de nada."
    ),
    max_age="Horas a partir das quais a cópia provada mais nova é velha demais.",
    show="Mostra tudo o que se sabe de uma cópia: o que há nela, a última prova com o registro da que falhou, anotações.",
    show_id="O nome dela; newest para a última feita, latest para a última contra a qual nada depõe.",
    show_made="{id}: {kind}, começada em {began}, há {age}",
    show_size="{content} em {seconds:.1f} s, {stored} guardados",
    show_server="PostgreSQL {version}, banco {database}, cifra {encryption}, inteira em {stores}",
    show_note="Anotação: {note}",
    show_accepted="{code} foi aceito em {at}",
    show_trial="Prova em {at}: {state}",
    accept=(
        "Aceita o que status diz de uma cópia, que deixa de ser problema: documentos que sumiram, prova que falhou, um tipo "
        "que não se faz mais, relógio que saltou. As regras seguem daí e podem remover cópias mais antigas. Com um "
        "identificador de sistema: esse cluster novo pode gravar onde há cópias de outro, pois é o servidor certo."
    ),
    accept_id="O nome da cópia, ou o identificador de sistema de um cluster.",
    accepted="Aceito: {problem}",
    nothing_to_accept="De {backup} não há nada que uma pessoa possa aceitar; veja `backup status`.",
    pin="Guarda uma cópia por mais velha que fique, até --undo. Nem prune nem delete mexem nela.",
    unpin="Deixa que volte a sair quando for velha o bastante.",
    pinned="{backup} fica guardada até `backup keep --undo {backup}`.",
    unpinned="{backup} fica guardada pelo tempo das outras.",
    annotate="Escreve uma anotação junto de uma cópia, que show mostra; a anterior é substituída.",
    note="No máximo 1000 caracteres; vazia, remove a anotação.",
    annotated="A anotação está junto de {backup}.",
    delete=(
        "Remove uma cópia de todos os lugares, para sempre; também o que resta de uma que não se pode ler. Recusado enquanto "
        "estiver guardada por keep, ou uma incremental precisar dela."
    ),
    delete_id="O nome inteiro dela.",
    yes_delete="Não pergunta.",
    sure_delete="{backup} será removida de todos os lugares, sem volta. Remover?",
    unlock=(
        "Tira a vez de quem diz estar trabalhando num lugar, se a máquina dele se foi: sem isso espera-se até que vença, um a "
        "dois minutos. Quem ainda trabalha termina sem gravar a cópia nem remover nada."
    ),
    lease_held="{store}: o processo {pid} em {host!r}, desde {since}, até {expires} se não renovar",
    no_lease="Ninguém está trabalhando em nenhum dos lugares.",
    yes_unlock="Não pergunta.",
    sure_unlock="Se algum deles ainda trabalha, a cópia dele se perde. Tirar a vez?",
    unlocked="{store} está livre.",
    not_done="Nada foi feito: responda que sim, ou passe --yes.",
    notify="Entrega os avisos que ainda não puderam ser entregues; com --test, mostra se chegam.",
    notify_test="Manda um teste a cada canal: código 0 quando todos o aceitam.",
    nobody="Ninguém é avisado: defina WEBHOOK_URL ou SISPAT_NOTIFY_URLS.",
    arrived="{channel} aceitou.",
    not_arrived="{channel} não aceitou: {reason}",
    delivered="{sent} entregues, {owed} por entregar.",
    type_name="O banco {name!r} será substituído, e guardado ao lado. Digite o nome dele para confirmar",
    type_directory="A pasta de dados {name!r} será substituída, e guardada ao lado. Digite o nome dela para confirmar",
    made="Cópia {id}: {content} em {seconds:.1f} s, {stored} guardados em {stores}.",
    proven="Restaurada para prova em {seconds:.1f} s: {rows} linhas como devem ser ({checked}).",
    proven_whole="Restaurada para prova em {seconds:.1f} s: {rows} linhas lidas ({checked}).",
    not_proven="Sem prova; as cópias antigas não foram tocadas.",
    restored="{id} restaurada como {database!r} em {seconds:.1f} s: {rows} linhas como devem ser.",
    left_out_passwords=(
        "A cópia não é cifrada, e por isso não tem senhas: estes papéis foram criados sem uma, defina-a com ALTER ROLE: "
        "{roles}."
    ),
    left_out_settings=(
        "Também não tem parâmetros que possam ser segredos; defina de novo com ALTER DATABASE ou ALTER ROLE: {names}."
    ),
    kept="O banco de antes está guardado como {kept!r}; remova-o quando não for mais preciso.",
    keep="fica",
    remove="removida",
    would_remove="seria removida",
    nothing="Nenhuma cópia em {where}.",
    ok="OK - está tudo bem: {id} tem prova e {age}.",
    red="PROBLEMA - {problem}",
    copy_whole="{backup} em {store}: cada arquivo está como foi escrito.",
    right_in="certo em {stores}",
    right_nowhere="certo em nenhum lugar que se leu",
    brought="{file} levado a {store}.",
    nothing_to_bring="{backup}: não falta nada dela em lugar nenhum.",
    reach="{begins} a {ends}",
    columns=("Cópia", "Tipo", "Idade", "Conteúdo", "Guardado", "Estado", "Restauração", "Onde", "Alcance"),
    verified="provada",
    unverified="sem prova",
    failed="FALHOU",
    damaged="DANIFICADA",
    unfinished="inacabada",
    database="Copiando o banco",
    base="Copiando o servidor",
    check="Lendo cada arquivo",
    restoring="Restaurando",
    indexes="Criando os índices",
    compare="Comparando tabelas",
    amcheck="Conferindo índices",
    tables="Lendo cada tabela",
    checksums="Conferindo cada página",
    unpack="Desempacotando",
    differences="Comparando os arquivos",
    delta=(
        "Reescreve só os arquivos de --data-dir que diferem da base, por tamanho e soma de verificação: rápido onde pouco "
        "difere. Nada da pasta de antes é guardado, e até o fim nenhum servidor parte nela."
    ),
    mapping=(
        "VELHO=NOVO, uma vez para cada: o tablespace que estava na pasta VELHO vai para a pasta NOVO, nova ou vazia. Sem isso "
        "um tablespace vai para dentro da pasta restaurada, e não se mexe no que há em VELHO."
    ),
    bad_mapping="--tablespace-mapping é VELHO=NOVO, duas pastas absolutas",
    delta_mapping="--delta reescreve os tablespaces onde estão: deixe de fora --tablespace-mapping",
    delta_data_dir="--delta vai com --replace e --data-dir, a pasta de um servidor parado",
    plan_delta="O que difere em {name} é sobrescrito: nada dela é guardado.",
    type_delta="O que difere na pasta de dados {name!r} será sobrescrito, e não guardado. Digite o nome dela para confirmar",
    log="Buscando o log",
    stop="Parando o servidor",
    swap="Trocando os bancos",
    wait="Esperando que termine a remoção de cópias antigas",
    bring="Copiando entre os lugares",
    reasons={
        "YOUNG": "tem menos de {about} dias",
        "OLD": "tem mais de {about} dias",
        "NEWEST": "a mais nova",
        "VERIFIED": "uma das {about} provadas mais novas",
        "PERIOD_DAY": "a mais nova do seu dia",
        "PERIOD_WEEK": "a mais nova da sua semana",
        "PERIOD_MONTH": "a mais nova do seu mês",
        "PERIOD_YEAR": "a mais nova do seu ano",
        "NEEDED": "{about} precisa dela",
        "PINNED": "alguém disse `backup keep`",
        "LEAP": "o relógio pode ter saltado depois dela",
        "HALTED": "não se sabe o que {about} precisa dele",
        "ASKED": "uma pessoa pediu",
        "FUTURE": "começada no futuro deste relógio",
        "TOO_FEW": "só há {about} cópias provadas",
        "UNFINISHED": "inacabada, mas com menos de um dia",
        "ABANDONED": "inacabada, e ninguém trabalha nela",
        "UNREADABLE": "não se pode ler: {about}",
        "HELD": "poderia sair, mas um lugar não a solta: {about}",
        "LOG": "{about} segmentos de log de que nenhuma base precisa mais",
        "DOCUMENTS": "{about} documentos de que nenhuma cópia precisa mais",
    },
    problems={
        "NO_BACKUP": "não há nenhuma cópia",
        "DAMAGED": "{backup} está danificada: {file}: {reason}",
        "FILES_MISSING": "{backup} está danificada: falta {files} em todos os lugares",
        "VERIFICATION_FAILED": "{backup} não passou na prova: {reason}",
        "NEVER_VERIFIED": "nenhuma cópia tem prova",
        "TOO_OLD": "a cópia provada mais nova, {backup}, tem {age:.1f} h; o máximo é {allowed:.1f} h",
        "IN_THE_FUTURE": "{backup} foi começada no futuro: o relógio desta máquina, ou o daquela, está errado",
        "NOT_ENCRYPTED": (
            "{backup} não está cifrada, e o lugar foi feito só para cópias cifradas: não é provada nem restaurada; veja quem "
            "a pôs ali, e remova-a com `backup delete {backup}`"
        ),
        "FOREIGN": (
            "{backup} foi feita por outro conjunto de cópias, {repository}: não é provada nem restaurada; veja quem a pôs "
            "ali, e remova-a com `backup delete {backup}`"
        ),
        "KIND_TOO_OLD": (
            "a mais nova do tipo {kind} com prova, {backup}, tem {age:.1f} h; o máximo é {allowed:.1f} h: veja por que não se "
            "faz mais nenhuma, ou diga com `backup accept {backup}` que não se fará"
        ),
        "DOCUMENTS_VANISHED": (
            "{backup} tem {found} documentos, a anterior tinha {before}: monte o disco deles, ou diga com "
            "`backup accept {backup}` que foram removidos de propósito"
        ),
        "CLOCK_LEAPT": (
            "{backup} começou {days} dias depois da anterior: nada é removido até que se diga com `backup accept {backup}` "
            "que o relógio está certo, ou se remova a cópia com `backup delete {backup}`"
        ),
        "PRUNE_HALTED": (
            "nada do log e dos documentos é removido, pois não se sabe o que {backup} precisa: conserte-a com "
            "`backup sync {backup}`, ou desista dela com `backup delete {backup}`"
        ),
        "STORE_SILENT": "não se sabe o que há em {store}: {reason}",
        "COPY_ABSENT": "{backup} não está em {store}: leve-a com `backup sync {backup}`",
        "COPY_NOT_MADE": "{backup} não está em {store}: {reason}",
        "COPY_LACKS_FILE": "{backup} em {store} está danificada: falta {file}",
        "COPY_SIZE": "{backup} em {store} está danificada: {file} tem {found} bytes, e não {written}",
        "COPY_CHANGED": "{backup} em {store} está danificada: {file} não está como foi escrito",
        "COPY_UNREADABLE": "{backup} em {store}: não se consegue ler {file}: {reason}",
        "LOG_ABSENT": "{file} não está em {store}: leve-o com `backup sync all`",
        "LOG_DAMAGED": "{file} em {store} está danificado: {reason}",
        "LOG_GAP": "falta WAL de {first} a {last}: faça uma cópia do tipo base",
        "LOG_GAP_IN_STORE": "em {store} falta WAL de {first} a {last}: leve-o com `backup sync all`",
        "LOG_OLD": "o WAL mais novo em {store} tem {minutes:.0f} min; permitido: {allowed:.0f} min",
        "LOG_CONFLICT": "{file} está em {store} com outro conteúdo: dois servidores de um mesmo cluster escrevem WAL; "
        "nada é sobrescrito",
        "LOG_OTHER_TIMELINE": (
            "o servidor seguiu na linha do tempo {timeline}, e a base mais nova com o seu log não leva até lá: faça uma base"
        ),
        "LOG_NOT_RECEIVED": "o WAL não está sendo recebido: {reason}",
        "LOG_SILENT": "nenhum WAL foi recebido há {seconds:.0f} s",
        "LOG_WAITS": "{count} segmentos de WAL esperam por {store}, o mais antigo há {seconds:.0f} s",
        "LOG_NOT_SHIPPED": "o WAL não chega a {store}: {reason}",
        "LOG_NO_SPACE": "restam {free} MiB onde o WAL é recebido",
        "LOG_SLOT": "o slot de replicação está como {slot!r}: o servidor pode remover WAL antes de ser recebido",
        "SPOOL_LARGE": "o spool guarda {size} MiB de WAL que falta em algum lugar; com {limit} MiB o recebimento para",
        "SPOOL_FULL": "o spool está cheio, {size} de {limit} MiB: o WAL não é mais recebido, e o servidor tem de guardá-lo",
        "ARCHIVE_SILENT": "o arquivamento do WAL não diz nada há {minutes:.0f} min: o WAL não está sendo recebido",
        "CLUSTER_NEW": "o cluster {system} grava aqui, onde há cópias de {others}: é o servidor certo? "
        "Se for, diga isso com `backup accept {system}`",
        "AGENT_SILENT": "o operador não diz nada há {minutes:.0f} min: não se fazem cópias",
        "SERVICE_DOWN": "{service} não está em execução: {reason}",
        "UNSEEN": "não se consegue ver como estão as cópias: {reason}",
    },
    reason=worded,
    checks={
        "sha256 of each file": "sha256 de cada arquivo",
        "restore": "restauração",
        "number of rows of each table": "número de linhas de cada tabela",
        "sampled rows of each table": "amostra de linhas de cada tabela",
        "list of files": "lista dos arquivos",
        "documents": "documentos",
        "every table read": "leitura de cada tabela",
        "checksums": "somas de verificação das páginas",
    },
)


def words_in(language: Language) -> Words:
    """The words of one language."""
    return _PORTUGUESE if language == SOURCE else Words()


COMMAND_WORDS = words_in(language())
"""Of the terminal, read once: the help of each command is made of them when it is imported."""
