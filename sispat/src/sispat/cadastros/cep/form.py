"""Filling in an address by its CEP.

Promises: the form always comes back, within a second, with everything that was typed; what ViaCEP knows replaces street,
district, city and state, what it does not know stays as typed.
"""

from __future__ import annotations

from sispat.cadastros.cep import CepLookup, CepUnavailable, CepUnknown
from sispat.kernel import formats
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.ui.forms import Form

__all__ = ["fill_in"]

_FOUND = ("logradouro", "bairro", "cidade", "uf")


async def fill_in(lookup: CepLookup, form: Form) -> None:
    """Complete `form` by the CEP in it, or say on it why that cannot be done."""
    cep = form.values.get("cep", "")
    try:
        address = await lookup.find(cep)
    except InvalidData as error:
        form.errors, form.notice = error.fields, ""
        return
    except CepUnavailable as error:
        form.notice = error.message
        return
    if address is None:
        form.notice = CepUnknown(cep.strip()).message
        return
    found = {name: getattr(address, name) for name in _FOUND}
    form.values |= {name: text for name, text in found.items() if text}
    form.notice = _(
        "Endereço do CEP %(cep)s preenchido. Confira-o, complete o número e salve: nada foi gravado ainda.",
        cep=formats.cep(address.cep),
    )
