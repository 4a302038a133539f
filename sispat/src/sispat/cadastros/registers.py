"""The four registers as their screens see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sispat.cadastros import pickers
from sispat.cadastros.rules import editing
from sispat.kernel.context import Context
from sispat.kernel.permissions import Action
from sispat.ui.fields import YES_NO, FormField, Section

__all__ = ["ADDRESS", "REGISTERS", "Register", "fields", "sections"]


@dataclass(frozen=True, slots=True)
class Register:
    """One register: `plural` is its address, `columns` what its list shows beside the name."""

    kind: str
    plural: str
    title: str
    noun: str
    new: str
    columns: tuple[str, ...]
    help: str
    short: str = ""  # its name in the menu, where the title is too long

    @property
    def menu_label(self) -> str:
        """What the menu calls it."""
        return self.short or self.title

    @property
    def path(self) -> str:
        """Of the list."""
        return f"/{self.plural}"

    @property
    def action(self) -> Action:
        """What changing it takes."""
        return editing(self.kind)


REGISTERS = (
    Register(
        "setor", "setores", "Setores", "setor", "Novo setor", ("codigo", "pai_id"),
        "As unidades da prefeitura. Cada pessoa alcança os bens dos seus setores.",
    ),
    Register(
        "local", "locais", "Locais", "local", "Novo local", ("setor_id",),
        "Salas, depósitos e pátios. Um local pertence sempre ao mesmo setor.",
    ),
    Register(
        "agente", "agentes", "Agentes responsáveis", "agente", "Novo agente", ("matricula", "cargo", "setor_id"),
        "As pessoas que respondem por bens (Lei 4.320/64, art. 94).", "Agentes",
    ),
    Register(
        "classe", "classes", "Classes", "classe", "Nova classe", ("conta", "vida_util_meses", "residual_pct"),
        "As contas do patrimônio, com a vida útil e o valor residual de cada uma.",
    ),
)  # fmt: skip

_NAME = FormField("nome", hint="Até 120 caracteres.")
_ACTIVE = FormField("ativo", "radio", groups=YES_NO, hint="O que não está em uso continua nos registros antigos.")
_ADDRESS = (
    FormField("cep", "cep", "Como 01001-000.", optional=True, width="curta", button="Buscar endereço pelo CEP"),
    FormField("logradouro", optional=True),
    FormField("numero", optional=True, width="curta"),
    FormField("complemento", optional=True, width="media"),
    FormField("bairro", optional=True, width="media"),
    FormField("cidade", optional=True, width="media"),
    FormField("uf", "codigo", optional=True, width="curta"),
)
ADDRESS = frozenset(field.name for field in _ADDRESS)
_CODE = "Use letras, algarismos, ponto e hífen, começando por letra ou algarismo; no máximo 20 caracteres."
_FIELDS = {
    "setor": (
        FormField("codigo", "codigo", "A sigla do setor, como SEMED.", width="curta", pattern_hint=_CODE),
        _NAME,
        FormField("pai_id", "escolha", "A unidade de que este setor faz parte.", optional=True),
        _ACTIVE,
    ),
    "local": (FormField("setor_id", "escolha", "Não muda depois."), _NAME, _ACTIVE, *_ADDRESS),
    "agente": (
        _NAME,
        FormField("matricula", "codigo", width="curta", pattern_hint="Use letras, algarismos, ponto e hífen; no máximo 20."),
        FormField("cargo", optional=True),
        FormField("setor_id", "escolha"),
        FormField("cpf", "documento", "Só é mostrado em parte.", optional=True, width="media"),
        _ACTIVE,
    ),
    "classe": (
        FormField(
            "conta", hint="Como no plano de contas: 1.2.3.1.1.03.01.", width="media",
            pattern_hint="Use de um a nove grupos de até três algarismos, separados por pontos, como 1.2.3.1.1.03.01.",
        ),
        _NAME,
        FormField("vida_util_meses", "inteiro", "De 1 a 1.200 meses.", width="curta"),
        FormField("residual_pct", "decimal", "De 0 a 100, como 10 ou 12,5.", width="curta"),
        FormField("depreciavel", "radio", groups=YES_NO, hint="Terrenos e bens culturais não sofrem."),
        _ACTIVE,
    ),
}  # fmt: skip


def fields(kind: str, *, new: bool) -> tuple[FormField, ...]:
    """The fields of one register, without choices; those of a row that exists lack what never changes."""
    return tuple(field for field in _FIELDS[kind] if new or (kind, field.name) != ("local", "setor_id"))


async def sections(
    ctx: Context, kind: str, values: dict[str, str], id_: UUID | None, *, buttons: bool
) -> tuple[Section, ...]:
    """The fields with their choices; a setor is not offered as its own superior."""
    ready = []
    for field in fields(kind, new=id_ is None):
        groups = field.groups
        if field.kind == "escolha":
            groups = await pickers.setores(ctx, values.get(field.name, ""), but=str(id_))
        ready.append(replace(field, groups=groups, button=field.button if buttons else ""))
    parts = {title: [c for c in ready if (c.name in ADDRESS) == bool(title)] for title in ("", "Endereço")}
    return tuple(Section(title, tuple(part)) for title, part in parts.items() if part)
