"""What people type, checked once for pages and API alike.

Promises: a form or a JSON body becomes a frozen `Entrada` or a `DadosInvalidos` that names every wrong
field in Portuguese, with what is allowed. Text is trimmed, of printable characters, never NUL, never what
a wrong encoding left behind; money is exact decimal, dates are dates.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from sispat.domain.documentos import cnpj_valido, cpf_valido, normalizar
from sispat.domain.enderecos import CEP_INVALIDO, cep_normal
from sispat.domain.erros import DadosInvalidos

__all__ = ["Cep", "Cpf", "Data", "Dinheiro", "Documento", "Entrada", "Legivel", "Opcional", "Uf", "campos_invalidos"]


class Entrada(BaseModel):
    """Base of everything that comes from outside."""

    model_config = ConfigDict(str_strip_whitespace=True, extra="forbid", frozen=True)

    @classmethod
    def ler(cls, dados: Mapping[str, Any]) -> Self:
        """Check `dados`; raises `DadosInvalidos`."""
        try:
            return cls.model_validate(dict(dados))
        except ValidationError as erro:
            raise DadosInvalidos(campos_invalidos(erro.errors())) from None


def _legivel(texto: str) -> str:
    if "\x00" in texto:
        raise PydanticCustomError("nul", "Contém um caractere nulo (NUL), que não pode ser guardado. Apague-o.")
    if "\ufffd" in texto or any("\ud800" <= c <= "\udfff" for c in texto):
        raise PydanticCustomError("codificacao", "Contém caracteres que não são UTF-8 válido. Digite de novo.")
    if any((ord(c) < 32 and c not in "\r\n\t") or ord(c) == 127 for c in texto):
        raise PydanticCustomError("controle", "Contém um caractere de controle, invisível. Apague-o.")
    return texto


def _vazio_e_nada(valor: Any) -> Any:
    return None if isinstance(valor, str) and not valor.strip() else valor


def _dinheiro(valor: Any) -> Any:
    """Brazilian "1.234,56" and plain "1234.56" alike; a float from JSON by its shortest decimal form."""
    if isinstance(valor, float):
        return str(valor)
    if not isinstance(valor, str):
        return valor
    texto = valor.replace("R$", "").replace("\xa0", "").strip().replace(" ", "")
    if "," in texto or re.fullmatch(r"\d{1,3}(\.\d{3})+", texto):
        texto = texto.replace(".", "").replace(",", ".")
    try:
        return Decimal(texto)
    except InvalidOperation:
        raise PydanticCustomError("dinheiro", "Informe um valor em reais, como 1.234,56.") from None


def _data(valor: dt.date) -> dt.date:
    if not dt.date(1900, 1, 1) <= valor <= dt.date(2100, 12, 31):
        raise PydanticCustomError("data", "Informe uma data entre 01/01/1900 e 31/12/2100.")
    return valor


def _cpf(valor: str) -> str:
    if re.fullmatch(r"\*{3}\.\d{3}\.\d{3}-\*{2}", valor):
        return valor  # as it was shown; the use case knows whether that means "unchanged"
    cpf = normalizar(valor)
    if not cpf_valido(cpf):
        raise PydanticCustomError("cpf", "CPF inválido: são 11 algarismos e os dois últimos conferem os demais.")
    return cpf


def _cep(valor: str) -> str:
    cep = cep_normal(valor) if valor else ""
    if cep is None:
        raise PydanticCustomError("cep", CEP_INVALIDO)
    return cep


def _uf(valor: str) -> str:
    uf = valor.upper()
    if uf and not re.fullmatch("[A-Z]{2}", uf):
        raise PydanticCustomError("uf", "Use as duas letras da UF, como SP.")
    return uf


def _documento(valor: str) -> str:
    documento = normalizar(valor)
    if not (cpf_valido(documento) or cnpj_valido(documento)):
        raise PydanticCustomError("documento", "CPF ou CNPJ inválido: confira os dígitos verificadores.")
    return documento


Legivel = AfterValidator(_legivel)
Dinheiro = Annotated[
    Decimal,
    BeforeValidator(_dinheiro),
    Field(ge=0, max_digits=14, decimal_places=2, allow_inf_nan=False, examples=["1234.56"]),
]
Data = Annotated[dt.date, AfterValidator(_data)]
Cep = Annotated[str, AfterValidator(_cep), Field(examples=["01001-000"])]
"""Eight digits, or nothing."""
Uf = Annotated[str, AfterValidator(_uf), Field(examples=["SP"])]
"""Two letters, or nothing."""
Cpf = Annotated[str, AfterValidator(_cpf)]
Documento = Annotated[str, AfterValidator(_documento)]
Opcional = BeforeValidator(_vazio_e_nada)

# pydantic's error types -> Portuguese; the names in braces come from the error's context.
_MENSAGENS = {
    "missing": "Preencha este campo.",
    "extra_forbidden": "Campo desconhecido.",
    "string_type": "Informe um texto.",
    "string_too_short": "Informe pelo menos {min_length} caractere(s).",
    "string_too_long": "Use no máximo {max_length} caracteres.",
    "string_pattern_mismatch": "Formato não aceito (esperado: {pattern}).",
    "string_unicode": "Contém caracteres que não são UTF-8 válido. Digite de novo.",
    "uuid_parsing": "Escolha um item da lista.",
    "uuid_type": "Escolha um item da lista.",
    "enum": "Escolha uma das opções: {expected}.",
    "literal_error": "Escolha uma das opções: {expected}.",
    "int_parsing": "Informe um número inteiro.",
    "int_type": "Informe um número inteiro.",
    "int_from_float": "Informe um número inteiro.",
    "bool_parsing": "Informe sim ou não.",
    "bool_type": "Informe sim ou não.",
    "decimal_parsing": "Informe um número, como 1234.56.",
    "decimal_type": "Informe um número, como 1234.56.",
    "decimal_max_places": "Use no máximo {decimal_places} casas decimais.",
    "decimal_max_digits": "Use no máximo {max_digits} algarismos.",
    "decimal_whole_digits": "Use no máximo {whole_digits} algarismos antes da vírgula.",
    "finite_number": "Informe um número finito.",
    "date_from_datetime_parsing": "Informe uma data como 2026-01-31.",
    "date_parsing": "Informe uma data como 2026-01-31.",
    "date_type": "Informe uma data como 2026-01-31.",
    "date_from_datetime_inexact": "Informe uma data, sem horário.",
    "greater_than_equal": "O mínimo é {ge}.",
    "less_than_equal": "O máximo é {le}.",
    "json_invalid": "O corpo não é JSON válido: {error}.",
    "model_attributes_type": "Envie um objeto JSON.",
    "dict_type": "Envie um objeto JSON.",
}


def campos_invalidos(erros: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Pydantic's error list as field -> sentence; the first error of a field counts."""
    campos: dict[str, str] = {}
    for erro in erros:
        partes = [str(p) for p in erro["loc"] if p not in ("body", "query", "path", "header")]
        campo = ".".join(partes) or "corpo"
        modelo = "Preencha este campo." if _em_branco(erro) else _MENSAGENS.get(erro["type"], str(erro["msg"]))
        contexto = {chave: str(valor) for chave, valor in (erro.get("ctx") or {}).items()}
        campos.setdefault(campo, modelo.format_map(_Faltante(contexto)))
    return campos


class _Faltante(dict[str, str]):
    def __missing__(self, chave: str) -> str:
        return chave


def _em_branco(erro: Mapping[str, Any]) -> bool:
    entrada = erro.get("input")
    return entrada is None or (isinstance(entrada, str) and not entrada.strip() and erro["type"] != "string_too_long")
