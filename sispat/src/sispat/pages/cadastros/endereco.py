"""Filling in an address by its CEP.

Promises: the form always comes back, within a second, with everything that was typed; what ViaCEP knows replaces street,
district, city and state, what it does not know stays as typed.
"""

from __future__ import annotations

from sispat.cep import CepDesconhecido, CepIndisponivel, ConsultaCep
from sispat.domain.erros import DadosInvalidos
from sispat.pages import _formatos
from sispat.pages._formulario import Formulario

__all__ = ["preencher"]

_ACHADOS = ("logradouro", "bairro", "cidade", "uf")


async def preencher(consulta: ConsultaCep, formulario: Formulario) -> None:
    """Complete `formulario` by the CEP in it, or say on it why that cannot be done."""
    cep = formulario.valores.get("cep", "")
    try:
        endereco = await consulta.consultar(cep)
    except DadosInvalidos as erro:
        formulario.erros, formulario.aviso = erro.campos, ""
        return
    except CepIndisponivel as erro:
        formulario.aviso = erro.mensagem
        return
    if endereco is None:
        formulario.aviso = CepDesconhecido(cep.strip()).mensagem
        return
    achado = {nome: getattr(endereco, nome) for nome in _ACHADOS}
    formulario.valores |= {nome: texto for nome, texto in achado.items() if texto}
    formulario.aviso = (
        f"Endereço do CEP {_formatos.cep(endereco.cep)} preenchido. Confira-o, complete o número e salve: "
        "nada foi gravado ainda."
    )
