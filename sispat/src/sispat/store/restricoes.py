"""What a violated constraint means to the person who typed: one table, used by every write.

Promises: a constraint of the schema that people can run into has a field and a sentence here (a test
compares with the schema); what is not in the table passes through as the programming error it is.
"""

from __future__ import annotations

from psycopg import errors

from sispat.domain.erros import DadosInvalidos

__all__ = ["RESTRICOES", "traduzir"]

RESTRICOES: dict[str, tuple[str, str]] = {
    "setor_codigo_unico": ("codigo", "Já existe um setor com este código."),
    "setor_pai_id_fkey": ("pai_id", "O setor superior escolhido não existe."),
    "setor_check": ("pai_id", "Um setor não pode ser superior a si mesmo."),
    "local_nome_unico": ("nome", "Este setor já tem um local com este nome."),
    "local_setor_id_fkey": ("setor_id", "O setor escolhido não existe."),
    "agente_matricula_unica": ("matricula", "Já existe um agente com esta matrícula."),
    "agente_cpf_unico": ("cpf", "Já existe um agente com este CPF."),
    "agente_setor_id_fkey": ("setor_id", "O setor escolhido não existe."),
    "classe_conta_unica": ("conta", "Já existe uma classe com esta conta."),
    "patrimonio_classe_id_fkey": ("classe_id", "A classe escolhida não existe."),
    "patrimonio_setor_id_fkey": ("setor_id", "O setor escolhido não existe."),
    "patrimonio_local_fk": ("local_id", "O local escolhido não pertence a este setor."),
    "patrimonio_agente_id_fkey": ("agente_id", "O agente escolhido não existe."),
    "patrimonio_disponivel_apos_aquisicao": ("data_disponivel", "A data deve ser igual ou posterior à de aquisição."),
    "usuario_email_unico": ("email", "Já existe um usuário com este e-mail."),
}


def traduzir(erro: errors.IntegrityError) -> DadosInvalidos | None:
    """The field error that `erro` stands for, or None where no user input can be its cause."""
    achado = RESTRICOES.get(erro.diag.constraint_name or "")
    return None if achado is None else DadosInvalidos(dict([achado]))
