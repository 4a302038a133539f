"""What the alerts of `sispat metrics rules` say, in Portuguese; in English it is what Esteio says.

Promises: pure. A test finds every alert that lacks a text here, and every text whose templates are not those of its alert.
"""

from __future__ import annotations

from collections.abc import Mapping

from sispat.kernel.i18n import SOURCE, language

__all__ = ["ALERT_TEXTS", "alert_texts"]

_SEE_ROUTES = "Veja quais rotas respondem 5xx, e o que foi instalado ou quebrou quando começou."
_BURNS = "{{ $labels.job }} gasta a margem de erro %s vezes mais depressa do que ela dura: %s %% dela em %s"
_DISK = "{{ $labels.check }} de {{ $labels.instance }}: {{ $value | humanize }} % do disco está livre"
_CERTIFICATE = (
    "{{ $labels.check }} de {{ $labels.instance }}: o certificado só vale por mais {{ $value | humanize }} dias"
)

ALERT_TEXTS: Mapping[str, tuple[str, str]] = {
    "EsteioAbsent": (
        "Nenhuma instância de {{ $labels.job }} responde à coleta",
        "Veja se roda e se responde /metrics com o segredo deste Prometheus; talvez ninguém consiga usar o sistema.",
    ),
    "EsteioInstanceDown": (
        "{{ $labels.instance }} não responde à coleta",
        "Veja se roda; as outras atendem enquanto isso, se houver.",
    ),
    "EsteioMeasurementsAbsent": (
        "{{ $labels.instance }} responde sem nenhum número de seus processos",
        "O endereço de /metrics é outro? Então nenhum outro alerta sobre ela soa.",
    ),
    "EsteioNoWorkers": (
        "{{ $labels.instance }} não tem nenhum processo que atenda",
        "Veja no registro do supervisor por que eles terminam.",
    ),
    "EsteioWorkerSilent": (
        "O processo {{ $labels.worker }} de {{ $labels.instance }} está parado há {{ $value | humanizeDuration }}",
        "Uma chamada que bloqueia, ou um processo suspenso; o supervisor o troca, se estiver ajustado para isso.",
    ),
    "EsteioErrorBudgetBurn1h": (_BURNS % ("14,4", 2, "1 h"), _SEE_ROUTES),
    "EsteioErrorBudgetBurn6h": (_BURNS % (6, 5, "6 h"), _SEE_ROUTES),
    "EsteioErrorBudgetBurn1d": (_BURNS % (3, 10, "1 dia"), _SEE_ROUTES),
    "EsteioErrorBudgetBurn3d": (_BURNS % (1, 10, "3 dias"), _SEE_ROUTES),
    "EsteioErrors": (
        "{{ $labels.job }}: ao menos {{ $value | humanizePercentage }} dos pedidos falham",
        "Veja quais rotas respondem 5xx, e o registro do mesmo momento.",
    ),
    "EsteioMemory": (
        "O processo {{ $labels.worker }} de {{ $labels.instance }} ocupa {{ $value | humanize1024 }}B",
        "Cresce sem fim? Uma recarga o troca sem perder nenhum pedido.",
    ),
    "EsteioCpu": (
        "O processo {{ $labels.worker }} de {{ $labels.instance }} usa {{ $value | humanizePercentage }} de um processador",
        "Mais processos, ou descubra o que calcula.",
    ),
    "EsteioEventLoopLate": (
        "O laço de eventos do processo {{ $labels.worker }} de {{ $labels.instance }} atrasa {{ $value | humanizeDuration }}",
        "Algo o bloqueia: todo pedido desse processo espera.",
    ),
    "EsteioDatabaseSlow": (
        "Uma ida e volta ao banco leva {{ $value | humanize }} ms",
        "Veja a carga, os bloqueios e o disco dele: `sispat banco relatorio`.",
    ),
    "EsteioCircuitOpen": (
        "O circuito {{ $labels.policy }} está aberto em {{ $value }} processos de {{ $labels.instance }}",
        "O que ele chama falha; ele volta a tentar sozinho. Veja aquele serviço.",
    ),
    "EsteioCircuitForced": (
        "Alguém mantém o circuito {{ $labels.policy }} de {{ $labels.instance }} aberto ou desligado",
        "Restaure-o quando terminar.",
    ),
    "EsteioRetriesRefused": (
        "As novas tentativas de {{ $labels.pipeline }} são recusadas pelo orçamento delas",
        "O que ele chama falha para quase todos.",
    ),
    "EsteioDatabaseDown": (
        "Processos de {{ $labels.instance }} não alcançam o banco {{ $labels.database }}",
        "Inicie-o, ou veja a rede no caminho; as conexões se refazem sozinhas.",
    ),
    "EsteioPoolExhausted": (
        "Pedidos de {{ $labels.instance }} esperam em vão por uma conexão com {{ $labels.database }}",
        "Veja primeiro comandos lentos e transações presas; só depois connection_limit.",
    ),
    "EsteioCommitUnknown": (
        "De {{ $value | humanize }} confirmações em {{ $labels.database }} ninguém sabe se valeram",
        "O registro diz quais; confira-as.",
    ),
    "EsteioLimitsDegraded": (
        "O limite {{ $labels.rule }} de {{ $labels.instance }} é decidido sem o Redis",
        "Veja o Redis; até lá cada processo conta por si.",
    ),
    "EsteioChecksSilent": (
        "Ninguém olha as verificações de {{ $labels.instance }} há {{ $value | humanizeDuration }}",
        "O operador roda? Até lá ninguém sabe do disco, do certificado e do relógio.",
    ),
    "EsteioCheckDown": ("{{ $labels.check }} de {{ $labels.instance }} está fora", "A página /operacao diz por quê."),
    "EsteioCheckDegraded": (
        "{{ $labels.check }} de {{ $labels.instance }} está degradado",
        "A página /operacao diz por quê.",
    ),
    "EsteioDiskPage": (_DISK, "Abra espaço: um banco sem disco para."),
    "EsteioDiskTicket": (_DISK, "Abra espaço: um banco sem disco para."),
    "EsteioCertificatePage": (_CERTIFICATE, "Renove-o, e veja por que não se renova sozinho."),
    "EsteioCertificateTicket": (_CERTIFICATE, "Renove-o, e veja por que não se renova sozinho."),
    "EsteioBackupAgentSilent": (
        "Quem faz as cópias em {{ $labels.instance }} está calado há {{ $value | humanizeDuration }}",
        "Inicie-o: não se faz nenhuma cópia, nem se arquiva o log.",
    ),
    "EsteioBackupOverdue": (
        "A cópia mais nova tem {{ $value | humanizeDuration }}",
        "Veja `sispat backup status`; faça uma com `sispat backup run`.",
    ),
    "EsteioBackupUnproven": (
        "Nenhuma cópia recente de {{ $labels.instance }} foi provada por uma restauração",
        "Veja `sispat backup status`; prove uma com `sispat backup verify`.",
    ),
    "EsteioBackupProblems": (
        "Há {{ $value }} problemas com as cópias em {{ $labels.instance }}",
        "`sispat backup status` diz quais.",
    ),
    "EsteioWalBehind": (
        "{{ $value | humanize1024 }}B do log (WAL) de {{ $labels.instance }} não estão no arquivo",
        "Uma restauração os perderia, e o disco do servidor enche. Veja `sispat backup status`.",
    ),
}
"""Summary and remedy, by the alert's name."""


def alert_texts() -> Mapping[str, tuple[str, str]]:
    """In the language of who runs the command; empty for English, which Esteio has."""
    return ALERT_TEXTS if language() == SOURCE else {}
