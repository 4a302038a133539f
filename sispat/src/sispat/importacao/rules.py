"""Who may import, and how much at once. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import GESTAO, Action

__all__ = [
    "ACTIONS",
    "BYTES_ABERTOS",
    "ERROS_GUARDADOS",
    "IMPORTAR",
    "LINHAS_MAXIMO",
    "EstadoDaImportacao",
    "Existentes",
]

IMPORTAR = Action("importacao.importar", gettext_noop("importar bens de planilhas"), GESTAO)
ACTIONS = (IMPORTAR,)

LINHAS_MAXIMO = 100_000  # rows of one spreadsheet; a city of 300,000 sends three
ERROS_GUARDADOS = 1000  # errors kept of one check: whoever has more mends these first
BYTES_ABERTOS = 600 * 1024**2  # what a compressed spreadsheet may become; 100,000 rows of 30 columns are about 200 MB


class EstadoDaImportacao(Labelled):
    """How an import stands."""

    RECEBIDA = "recebida", "Recebida"
    CONFERIDA = "conferida", "Conferida"
    GRAVADA = "gravada", "Gravada"
    DESFEITA = "desfeita", "Desfeita"


class Existentes(Labelled):
    """What happens to a row whose plate number is there already."""

    RECUSAR = "recusar", "São erros: a planilha só tem bens novos"
    ATUALIZAR = "atualizar", "Atualizam o bem, nas colunas que não estão em branco"
