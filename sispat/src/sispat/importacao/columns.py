"""Which field a column of a spreadsheet is. Pure.

Promises: a heading is known by the field's name, its label, what the original SISPAT calls it in its exports, or what the
person chose for it the last time, which comes first. Two columns are never the same field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sispat.kernel.fields import FieldSpec, plain_heading
from sispat.kernel.i18n import lazy
from sispat.patrimonios.fields import PATRIMONIO, ItemDoLote

__all__ = ["CONTA", "FIELDS", "LABELS", "MATRICULA", "NUMERO", "QUANTIDADE", "SITUACAO", "guessed"]

NUMERO, QUANTIDADE, SITUACAO, MATRICULA, CONTA = "numero", "quantidade", "situacao", "matricula", "conta"
"""What a column may be beside a field that people write: the plate number; how many (one); the state, which is not imported
but tells what was written off; and what names a person or a class without doubt."""

FIELDS: dict[str, FieldSpec] = {
    name: spec for name, spec in PATRIMONIO.fields.items() if name in ItemDoLote.model_fields
}
LABELS: dict[str, str] = {
    NUMERO: PATRIMONIO.fields[NUMERO].ui.label,
    **{name: spec.ui.label for name, spec in FIELDS.items()},
    MATRICULA: lazy("Matrícula do responsável"),
    CONTA: lazy("Conta da classe"),
    SITUACAO: PATRIMONIO.fields[SITUACAO].ui.label,
    QUANTIDADE: lazy("Quantidade"),
}

# The headings of the original SISPAT's exports (label or name), and what spreadsheets of city halls call the same.
_OTHERS = {
    NUMERO: "no patrimonio, n patrimonio, numero patrimonio, patrimonio, tombo, tombamento, plaqueta, numero do tombo",
    "descricao": "descricao bem, descricao do bem, bem, denominacao, especificacao",
    "classe_id": "tipo, categoria, grupo, classe do bem",
    CONTA: "conta contabil, conta, codigo da classe",
    "valor": "valor aquisicao, valor de aquisicao, valor do bem, preco, valor unitario, vlr",
    "data_aquisicao": "data aquisicao, data de compra, data da compra, data de entrada, dt aquisicao, aquisicao",
    "numero_serie": "no de serie, n de serie, serie, numero de serie",
    "nota_fiscal": "numero nota fiscal, nf, no nf, numero da nota fiscal",
    "setor_id": "setor responsavel, secretaria, departamento, unidade, orgao, lotacao",
    "local_id": "local objeto, localizacao, sala, ambiente",
    "agente_id": "responsavel, agente, nome do responsavel, detentor",
    MATRICULA: "matricula, matricula do agente",
    "conservacao": "situacao bem, situacao do bem, estado de conservacao, estado",
    "fornecedor_doc": "cnpj, cpf, cpf ou cnpj, cnpj do fornecedor, fornecedor cnpj",
    "observacao": "observacoes, obs",
    SITUACAO: "status",
    QUANTIDADE: "qtd, qtde",
}
_KNOWN = {
    **{heading: name for heading, name in PATRIMONIO.import_names.items() if name in LABELS},
    QUANTIDADE: QUANTIDADE,
    **{heading: name for name, headings in _OTHERS.items() for heading in headings.split(", ")},
}


def guessed(headings: Sequence[str], remembered: Mapping[str, str]) -> list[str]:
    """For each column its field, or nothing: it is left out. `remembered` are plain headings -> what the person chose."""
    known = {**_KNOWN, **{heading: name for heading, name in remembered.items() if name == "" or name in LABELS}}
    found: list[str] = []
    for heading in headings:
        name = known.get(plain_heading(heading).replace(".", ""), "")
        found.append("" if name in found else name)
    return found
