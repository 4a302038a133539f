"""What documents are, and who may remove which. Pure."""

from __future__ import annotations

from uuid import UUID

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, GESTAO, Access, Action, Papel

__all__ = ["ACTIONS", "ANEXAR", "VER", "TipoDeDocumento", "may_remove"]

VER = Action("documento.ver", gettext_noop("ver fotos e documentos"), EVERYBODY)
ANEXAR = Action("documento.anexar", gettext_noop("anexar fotos e documentos"), GESTAO | {Papel.RESPONSAVEL})
"""For records of which nothing else says who may."""
ACTIONS = (VER, ANEXAR)


class TipoDeDocumento(Labelled):
    """What a document is to people; `FOTO` alone is shown as a picture."""

    FOTO = "foto", "Foto"
    NOTA_FISCAL = "nota_fiscal", "Nota fiscal"
    TERMO = "termo", "Termo assinado"
    BOLETIM = "boletim", "Boletim de ocorrência"
    LAUDO = "laudo", "Laudo ou avaliação"
    GARANTIA = "garantia", "Garantia ou manual"
    ESCRITURA = "escritura", "Escritura ou matrícula"
    LEI = "lei", "Lei, decreto ou portaria"
    OUTRO = "outro", "Outro"


def may_remove(access: Access, action: Action, enviado_por: UUID) -> bool:
    """Whether this person may remove a document of a record for which `action` is needed.

    Who manages all assets removes any; others what they attached themselves, so that nobody loses somebody else's proof.
    """
    return access.may(action) and (access.papel in GESTAO or access.usuario_id == enviado_por)
