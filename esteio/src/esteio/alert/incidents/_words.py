"""What causes and sources of incidents are called, in the languages of the toolkit's pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from esteio.alert.incidents._incident import Source

__all__ = ["CAUSE_WORDS", "SOURCE_WORDS"]

CAUSE_WORDS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        "disk-full": "disco cheio",
        "deploy": "publicação",
        "settings": "configuração mudada",
        "process-died": "um processo morreu",
        "database-shutdown": "o banco de dados caiu",
        "circuit-open": "um circuito se abriu",
        "boot": "a máquina ou o serviço começou",
        "slow-statement": "comando demorado",
        "unknown": "não se sabe",
    },
    "en": {
        "disk-full": "disk full",
        "deploy": "deploy",
        "settings": "setting changed",
        "process-died": "a process died",
        "database-shutdown": "the database went down",
        "circuit-open": "a circuit opened",
        "boot": "the machine or the service started",
        "slow-statement": "slow statement",
        "unknown": "unknown",
    },
}
"""By language and code of `CAUSES`; also of what is evidence and no cause."""

SOURCE_WORDS: Mapping[str, Mapping[Source, str]] = {
    "pt-BR": {Source.PROBE: "sondas", Source.REQUESTS: "pedidos", Source.ALERT: "alertas"},
    "en": {Source.PROBE: "probes", Source.REQUESTS: "requests", Source.ALERT: "alerts"},
}
"""By language."""
