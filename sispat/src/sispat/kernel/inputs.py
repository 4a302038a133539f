"""What people type, checked once for pages and API alike.

Promises: a form or a JSON body becomes a frozen `Input` or a `InvalidData` that names every wrong
field in the person's language, with what is allowed. Text is trimmed, of printable characters, never NUL, never what
a wrong encoding left behind; money is exact decimal, dates are dates.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from sispat.kernel.brazil import INVALID_CEP, normal_cep, valid_cnpj, valid_cpf, without_separators
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _, gettext_noop

__all__ = [
    "NOT_PLAIN",
    "PATTERN",
    "Area",
    "As",
    "BlankIsNone",
    "Cep",
    "Coordinate",
    "Cpf",
    "CpfOrCnpj",
    "Date",
    "EmailOrBlank",
    "FieldMessage",
    "Input",
    "Kind",
    "Legible",
    "Moment",
    "Money",
    "Month",
    "Percent",
    "Plain",
    "Uf",
    "Whole",
    "example",
    "invalid_fields",
]  # fmt: skip


Kind = Literal[
    "text",
    "long",
    "date",
    "month",
    "money",
    "decimal",
    "integer",
    "code",
    "cpf_cnpj",
    "cep",
    "radio",
    "reference",
    "moment",
    "plate",
    "file",
]


class As(NamedTuple):
    """How values of a type are typed and shown, where the type itself does not say."""

    kind: Kind


NOT_PLAIN, PATTERN = "decimal", "string_pattern_mismatch"
"""Rules by which forms tell what is wrong in their own words."""


class FieldMessage(str):
    """What is wrong with a field, for people; `rule` is the type of error, for programs."""

    __slots__ = ("rule",)
    rule: str

    def __new__(cls, text: str, rule: str) -> Self:
        """`text`, with the rule that was broken."""
        made = super().__new__(cls, text)
        made.rule = rule
        return made


def example(**values: Any) -> ConfigDict:
    """For an input that is a body of the API: an example that the demo city accepts as it is (a test sends it)."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class Input(BaseModel):
    """Base of everything that comes from outside."""

    # Built when the first of them is read: all of them at each start of a worker would be waited for.
    model_config = ConfigDict(str_strip_whitespace=True, extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Check `data`; raises `InvalidData`."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise InvalidData(invalid_fields(error.errors())) from None


def _legible(text: str) -> str:
    if text.isprintable() and not _UNUSUAL.search(text):
        return text  # nearly every text; each look at each character costs an import seconds
    if "\x00" in text:
        raise PydanticCustomError("nul", _("Contém um caractere nulo (NUL), que não pode ser guardado. Apague-o."))
    if "\ufffd" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise PydanticCustomError("codificacao", _("Contém caracteres que não são UTF-8 válido. Digite de novo."))
    if any((ord(c) < 32 and c not in "\r\n\t") or ord(c) == 127 for c in text):
        raise PydanticCustomError("controle", _("Contém um caractere de controle, invisível. Apague-o."))
    hidden = None if text.isascii() else next(filter(_is_hidden, text), None)
    if hidden is not None:
        # Two names that look the same and are not, or one that reads in another order than it is stored.
        raise PydanticCustomError(
            "invisivel",
            _(
                "Contém um caractere invisível ou que muda a ordem do texto (%(point)s). Apague-o e digite de novo.",
                point=f"U+{ord(hidden):04X}",
            ),
        )
    return text


# Letters that show nothing: the fillers of Hangul, and the blank of Braille.
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Printable for Python (`str.isprintable`: all but the categories C and Z), and yet refused.
_UNUSUAL = re.compile(f"[\ufffd{''.join(_BLANK_LETTERS)}]")


def _is_hidden(c: str) -> bool:
    """Format characters (zero width, bidi), controls above ASCII, line and paragraph separators, blank letters."""
    return (unicodedata.category(c) in ("Cf", "Cc", "Zl", "Zp") and c not in "\r\n\t") or c in _BLANK_LETTERS


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _plain(value: Any) -> Any:
    """Only `1234.56`: "1.500" is one and a half to a program, and forms read Brazilian figures before (ui.fields).

    Also keeps out what Python reads beyond that, such as "1_000" or "1e3". A float from JSON by its shortest form.
    """
    if isinstance(value, float):
        value = str(value)
    if isinstance(value, str) and not re.fullmatch(r"\s*-?\d{1,30}(\.\d{1,30})?\s*", value, re.ASCII):
        raise PydanticCustomError(
            NOT_PLAIN, _("Informe um número com ponto decimal e sem separador de milhares, como 1234.56.")
        )
    return value


def _whole(value: Any) -> Any:
    """The same of whole numbers: no "1_000", no "1e3"."""
    if isinstance(value, str) and not re.fullmatch(r"\s*-?\d{1,30}\s*", value, re.ASCII):
        raise PydanticCustomError("inteiro", _("Informe um número inteiro."))
    return value


def _date(value: dt.date) -> dt.date:
    if not dt.date(1900, 1, 1) <= value <= dt.date(2100, 12, 31):
        raise PydanticCustomError("data", _("Informe uma data entre 01/01/1900 e 31/12/2100."))
    return value


def _month(value: Any) -> Any:
    """`10/2026` of a form and `2026-10` as the month's first day; a date is checked as one."""
    if not isinstance(value, str):
        return value
    month = re.fullmatch(r"\s*(?:(\d{1,2})/(\d{4})|(\d{4})-(\d{2}))\s*", value, re.ASCII)
    return value if month is None else f"{month[2] or month[3]}-{month[1] or month[4]:0>2}-01"


def _moment(value: Any) -> Any:
    """A `+` that was not escaped in a query string arrives as a blank."""
    return re.sub(r"(?<=\d) (?=\d\d:?\d\d$)", "+", value) if isinstance(value, str) and "T" in value else value


def _with_zone(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("fuso", _("Informe também o fuso, como 2026-01-31T08:00:00-03:00 ou ...Z."))
    return value


def _cpf(value: str) -> str:
    if re.fullmatch(r"\*{3}\.\d{3}\.\d{3}-\*{2}", value):
        return value  # as it was shown; the use case knows whether that means "unchanged"
    cpf = without_separators(value)
    if not valid_cpf(cpf):
        raise PydanticCustomError("cpf", _("CPF inválido: são 11 algarismos e os dois últimos conferem os demais."))
    return cpf


def _cep(value: str) -> str:
    cep = normal_cep(value) if value else ""
    if cep is None:
        raise PydanticCustomError("cep", str(INVALID_CEP))
    return cep


def _uf(value: str) -> str:
    uf = value.upper()
    if uf and not re.fullmatch("[A-Z]{2}", uf):
        raise PydanticCustomError("uf", _("Use as duas letras da UF, como SP."))
    return uf


def _cpf_or_cnpj(value: str) -> str:
    number = without_separators(value)
    if not (valid_cpf(number) or valid_cnpj(number)):
        raise PydanticCustomError("documento", _("CPF ou CNPJ inválido: confira os dígitos verificadores."))
    return number


def _decimal(pattern: str, maximum: float, example: str) -> WithJsonSchema:
    """What a program may send for a decimal: a string keeps every digit; a number is read by its shortest form."""
    kinds = [{"type": "string", "pattern": pattern}, {"type": "number", "minimum": 0, "maximum": maximum}]
    return WithJsonSchema({"anyOf": kinds, "examples": [example]})


BlankIsNone = BeforeValidator(_blank_is_none)
Plain = BeforeValidator(_plain)
"""Of numbers: written with ASCII digits, perhaps one decimal point, and nothing else."""
Whole = BeforeValidator(_whole)
"""Of whole numbers: written with ASCII digits and nothing else."""

Legible = AfterValidator(_legible)
"""Of text that can be read; after `Field(...)`, whose limits pydantic would else not see as those of a text."""
Money = Annotated[
    Decimal,
    Plain,
    Field(ge=0, max_digits=14, decimal_places=2, allow_inf_nan=False),
    _decimal(r"^\d{1,12}(\.\d{1,2})?$", 999_999_999_999.99, "1234.56"),
    As("money"),
]
Percent = Annotated[
    Decimal,
    Plain,
    Field(ge=0, le=100, max_digits=5, decimal_places=2),
    _decimal(r"^\d{1,3}(\.\d{1,2})?$", 100, "10.00"),
]
Area = Annotated[
    Decimal,
    Plain,
    Field(ge=0, max_digits=14, decimal_places=2, allow_inf_nan=False),
    _decimal(r"^\d{1,12}(\.\d{1,2})?$", 999_999_999_999.99, "360.50"),
    As("decimal"),
]
"""Square metres."""
Coordinate = Annotated[
    Decimal,
    Plain,
    Field(ge=-180, le=180, max_digits=9, decimal_places=6),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^-?\d{1,3}(\.\d{1,6})?$"},
                {"type": "number", "minimum": -180, "maximum": 180},
            ],
            "examples": ["-23.550520"],
        }
    ),
    As("decimal"),
]
"""Degrees of latitude or longitude (WGS 84): six decimals are 11 cm."""
Date = Annotated[dt.date, AfterValidator(_date)]
Month = Annotated[Date, BeforeValidator(_month), AfterValidator(lambda day: day.replace(day=1)), As("month")]
"""A month, as its first day."""
Moment = Annotated[dt.datetime, BeforeValidator(_moment), AfterValidator(_with_zone)]
"""A point in time with its offset from UTC."""
Cep = Annotated[str, AfterValidator(_cep), Field(examples=["01001-000"]), As("cep")]
"""Eight digits, or nothing."""
Uf = Annotated[str, AfterValidator(_uf), Field(examples=["SP"]), As("code")]
"""Two letters, or nothing."""
Cpf = Annotated[str, AfterValidator(_cpf), As("cpf_cnpj")]
CpfOrCnpj = Annotated[str, AfterValidator(_cpf_or_cnpj), As("cpf_cnpj")]
EmailOrBlank = Annotated[
    str, Field(max_length=254, pattern=r"^([^@\s]+@[^@\s]+)?$"), AfterValidator(str.lower), Legible
]
"""In lower case, as accounts have it, or nothing."""

# pydantic's error types -> sentences; their variables come from the error's context.
_SENTENCES = {
    "missing": gettext_noop("Preencha este campo."),
    "extra_forbidden": gettext_noop("Campo desconhecido."),
    "string_type": gettext_noop("Informe um texto."),
    "string_too_short": gettext_noop("Informe pelo menos %(min_length)s caracteres."),
    "string_too_long": gettext_noop("Use no máximo %(max_length)s caracteres."),
    "string_pattern_mismatch": gettext_noop("Formato não aceito (esperado: %(pattern)s)."),
    "string_unicode": gettext_noop("Contém caracteres que não são UTF-8 válido. Digite de novo."),
    "uuid_parsing": gettext_noop("Escolha um item da lista."),
    "uuid_type": gettext_noop("Escolha um item da lista."),
    "enum": gettext_noop("Escolha uma das opções: %(expected)s."),
    "literal_error": gettext_noop("Escolha uma das opções: %(expected)s."),
    "int_parsing": gettext_noop("Informe um número inteiro."),
    "int_type": gettext_noop("Informe um número inteiro."),
    "int_from_float": gettext_noop("Informe um número inteiro."),
    "bool_parsing": gettext_noop("Informe sim ou não."),
    "bool_type": gettext_noop("Informe sim ou não."),
    "decimal_parsing": gettext_noop("Informe um número, como 1234.56."),
    "decimal_type": gettext_noop("Informe um número, como 1234.56."),
    "decimal_max_places": gettext_noop("Use no máximo %(decimal_places)s casas decimais."),
    "decimal_max_digits": gettext_noop("Use no máximo %(max_digits)s algarismos."),
    "decimal_whole_digits": gettext_noop("Use no máximo %(whole_digits)s algarismos antes da vírgula."),
    "finite_number": gettext_noop("Informe um número finito."),
    "date_from_datetime_parsing": gettext_noop("Informe uma data como 2026-01-31."),
    "date_parsing": gettext_noop("Informe uma data como 2026-01-31."),
    "date_type": gettext_noop("Informe uma data como 2026-01-31."),
    "date_from_datetime_inexact": gettext_noop("Informe uma data, sem horário."),
    "datetime_parsing": gettext_noop("Informe data e hora com fuso, como 2026-01-31T08:00:00-03:00."),
    "datetime_from_date_parsing": gettext_noop("Informe data e hora com fuso, como 2026-01-31T08:00:00-03:00."),
    "datetime_type": gettext_noop("Informe data e hora com fuso, como 2026-01-31T08:00:00-03:00."),
    "list_type": gettext_noop("Envie uma lista."),
    "greater_than_equal": gettext_noop("O mínimo é %(ge)s."),
    "less_than_equal": gettext_noop("O máximo é %(le)s."),
    "json_invalid": gettext_noop("O corpo não é JSON válido: %(error)s."),
    "model_attributes_type": gettext_noop("Envie um objeto JSON."),
    "tuple_type": gettext_noop("Envie uma lista."),
    "too_short": gettext_noop("Envie pelo menos %(min_length)s itens."),
    "too_long": gettext_noop("Envie no máximo %(max_length)s itens."),
    "dict_type": gettext_noop("Envie um objeto JSON."),
}


def invalid_fields(errors: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Pydantic's error list as field -> sentence; the first error of a field counts."""
    fields: dict[str, str] = {}
    for error in errors:
        parts = [str(p) for p in error["loc"] if p not in ("body", "query", "path", "header")]
        field = ".".join(parts) or "corpo"
        fields.setdefault(field, FieldMessage(_sentence(error), error["type"]))
    return fields


def _sentence(error: Mapping[str, Any]) -> str:
    known = _SENTENCES["missing"] if _blank(error) else _SENTENCES.get(error["type"])
    if known is None:  # our own, in words already
        return str(error["msg"])
    return _(known, **(error.get("ctx") or {}))


def _blank(error: Mapping[str, Any]) -> bool:
    given = error.get("input")
    return given is None or (isinstance(given, str) and not given.strip() and error["type"] != "string_too_long")
