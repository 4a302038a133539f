"""Addresses by CEP, from ViaCEP, which is somebody else's computer.

Promises: an answer or `CepUnavailable` within 0.9 s, however ViaCEP fails - absent, hanging, slow, talking garbage,
refusing; while it fails it is left alone, and what it said before is still known. Nothing here is needed to save an
address: it only saves typing. HTTP is loaded when somebody first asks.
"""

from __future__ import annotations

from sispat.cadastros.cep.address import PostalAddress
from sispat.cadastros.cep.errors import CepUnavailable, CepUnknown
from sispat.cadastros.cep.lookup import CepLookup

__all__ = ["CepLookup", "CepUnavailable", "CepUnknown", "PostalAddress"]
