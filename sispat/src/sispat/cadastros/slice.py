"""The registers, as the application sees them."""

from __future__ import annotations

import math

from sispat.cadastros import actions, rules
from sispat.cadastros.cep import CepLookup, CepUnavailable, CepUnknown
from sispat.cadastros.fields import ENTITIES, ListaDeCadastro
from sispat.cadastros.registers import REGISTERS
from sispat.cadastros.routes import route
from sispat.http.errors import Problem
from sispat.http.service import Service
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import _, lazy

__all__ = ["SLICE"]


def _unknown(error: CepUnknown) -> Problem:
    return Problem(404, error.code, _("CEP não encontrado"), error.message)


def _unavailable(error: CepUnavailable) -> Problem:
    headers = {} if error.retry_after is None else {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return Problem(503, error.code, _("Consulta de CEP indisponível"), error.message, headers=headers)


def _lookup(service: Service) -> CepLookup:
    return CepLookup.build(service.settings.cep_url)


SLICE = Slice(
    name="cadastros",
    routes=route,
    menu=[MenuEntry(20 + position, register.path, register.menu_label) for position, register in enumerate(REGISTERS)],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=list(ENTITIES.values()),
    labels=labels_of(ListaDeCadastro),
    verbs={"criar": lazy("Cadastrou"), "editar": lazy("Editou"), "excluir": lazy("Excluiu")},
    names=actions.nomes,
    notices={
        "criado": lazy("Cadastro gravado."),
        "salvo": lazy("Alterações gravadas."),
        "excluido": lazy("Registro excluído."),
    },
    problems={CepUnknown: _unknown, CepUnavailable: _unavailable},
    resources=[_lookup],
)
