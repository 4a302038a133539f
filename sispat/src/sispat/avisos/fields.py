"""What a person chooses about their mails, and what they are shown."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import ConfigDict

from sispat.avisos.rules import Quando
from sispat.kernel.fields import Shape, Ui
from sispat.kernel.inputs import Input, example
from sispat.kernel.labelled import Labelled

__all__ = ["Avisos", "EscolhaDeAvisos", "Idioma", "Mensagem"]


class Idioma(Labelled):
    """The languages there are (`kernel.i18n.LANGUAGES`), each by its own name."""

    PORTUGUES = "pt-BR", "Português"
    INGLES = "en", "English"


class EscolhaDeAvisos(Input):
    """What a person chooses."""

    model_config = example(quando="diario", idioma="pt-BR")

    quando: Annotated[Quando, Ui("Quando receber")] = Quando.DIARIO
    idioma: Annotated[Idioma, Ui("Idioma do e-mail")] = Idioma.PORTUGUES


class Mensagem(Shape):
    """A mail: subject and text."""

    model_config = ConfigDict(extra="forbid")

    assunto: str
    texto: str


class Avisos(Shape):
    """What a person chose, and how it stands; `resumo` is the mail as it would be sent now, null where nothing waits.

    `envia`: whether this city sends mails at all; `proximo`: the next daily mail; `falha`: why the last one was not taken.
    """

    model_config = ConfigDict(extra="forbid")

    email: str
    quando: Quando
    idioma: Idioma
    envia: bool
    proximo: dt.datetime | None
    enviado_em: dt.datetime | None
    falha: str
    resumo: Mensagem | None
