"""Why a file is not taken, and what else may be wrong with files."""

from __future__ import annotations

from enum import StrEnum

from sispat.kernel.errors import SispatError
from sispat.kernel.formats import decimal
from sispat.kernel.i18n import _, gettext_noop

__all__ = ["ContentMissing", "FileRefused", "InspectionBusy", "NoRoom", "Reason", "StoreAway"]


class Reason(StrEnum):
    """Why a file is not taken."""

    EMPTY = "vazio"
    TOO_LARGE = "grande-demais"
    NOT_TAKEN = "tipo-nao-aceito"
    DAMAGED = "danificado"
    TOO_MANY_PIXELS = "pixels-demais"
    ACTIVE = "conteudo-ativo"
    LOCKED = "com-senha"
    MACROS = "macros"
    EXPANDS = "expande-demais"
    TRAILING = "algo-depois-do-fim"
    NOT_INSPECTED = "nao-examinado"


_TAKEN = gettext_noop("Aceitamos fotos (JPEG, PNG, WebP), PDF, DOCX, XLSX, ODT e ODS.")
_SENTENCES: dict[Reason, str] = {
    Reason.EMPTY: gettext_noop("“%(name)s” está vazio. Escolha o arquivo de novo."),
    Reason.TOO_LARGE: gettext_noop("“%(name)s” é grande demais; o limite é %(limit)s MB. Diminua-o ou divida-o."),
    Reason.DAMAGED: gettext_noop("“%(name)s” está danificado ou veio pela metade. Abra-o, salve-o de novo e envie."),
    Reason.TOO_MANY_PIXELS: gettext_noop(
        "“%(name)s” tem pontos demais (%(limit)s milhões é o limite). Diminua a imagem e envie de novo."
    ),
    Reason.LOCKED: gettext_noop("“%(name)s” está protegido por senha e não pode ser examinado. Envie-o sem senha."),
    Reason.MACROS: gettext_noop("“%(name)s” tem macros ou busca conteúdo de fora. Salve-o sem isso, ou como PDF."),
    Reason.EXPANDS: gettext_noop(
        "“%(name)s” cresce demais ao ser aberto e pode ser uma bomba de compactação. Salve-o como PDF."
    ),
    Reason.TRAILING: gettext_noop(
        "“%(name)s” traz algo antes do começo ou depois do fim. Abra-o, salve-o de novo e envie."
    ),
    Reason.NOT_INSPECTED: gettext_noop(
        "“%(name)s” não pôde ser examinado no tempo e na memória permitidos. Salve-o mais simples."
    ),
}
_UNKNOWN = gettext_noop("“%(name)s” é de um tipo que não é aceito.")
_INSTEAD: dict[str, str] = {
    "heic": gettext_noop(
        "“%(name)s” é HEIC, o formato do iPhone. Em Ajustes, Câmera, Formatos, escolha Mais Compatível."
    ),
    "video": gettext_noop("“%(name)s” é um vídeo, e vídeos não são aceitos."),
    "office": gettext_noop("“%(name)s” é de um Office antigo ou tem senha. Salve-o como DOCX, XLSX ou PDF."),
    "image": gettext_noop("“%(name)s” é uma imagem de outro formato. Salve-a como JPEG ou PNG."),
    "program": gettext_noop("“%(name)s” é um programa, e programas não são aceitos."),
    "markup": gettext_noop(
        "“%(name)s” é uma página (HTML) ou um desenho (SVG), que pode executar programas. Salve-o como PDF."
    ),
}
_ACTIVE: dict[str, str] = {
    "javascript": gettext_noop("“%(name)s” executa um programa (JavaScript). Imprima-o como PDF e envie o novo."),
    "launch": gettext_noop("“%(name)s” abre outros programas. Imprima-o como PDF e envie o novo."),
    "xfa": gettext_noop("“%(name)s” é um formulário dinâmico (XFA). Imprima-o como PDF e envie o novo."),
    "attachment": gettext_noop("“%(name)s” traz outros arquivos dentro. Envie cada um deles à parte."),
    "multimedia": gettext_noop("“%(name)s” traz som, vídeo ou 3D. Imprima-o como PDF e envie o novo."),
}


class FileRefused(SispatError):
    """A file cannot be taken: `reason` and `what` say why, for programs; the sentence names the file."""

    code = "arquivo-recusado"

    def __init__(self, reason: Reason, *, name: str = "", what: str = "", limit: float = 0) -> None:
        self.reason, self.name, self.what, self.limit = reason, name, what, limit
        super().__init__(self._sentence())

    def of(self, name: str) -> FileRefused:
        """The same of the file `name`."""
        return FileRefused(self.reason, name=name, what=self.what, limit=self.limit)

    def _sentence(self) -> str:
        told = {"name": self.name, "limit": decimal(round(self.limit))}
        if self.reason is Reason.ACTIVE:
            return _(_ACTIVE[self.what], **told)
        if self.reason is Reason.NOT_TAKEN:
            return f"{_(_INSTEAD.get(self.what, _UNKNOWN), **told)} {_(_TAKEN)}"
        return _(_SENTENCES[self.reason], **told)


class NoRoom(SispatError):
    """The disk of the documents is full, or its quota used up."""

    code = "disco-cheio"

    def __init__(self) -> None:
        super().__init__(
            _(
                "O disco dos documentos está cheio. Nada foi gravado. Avise quem cuida do servidor; depois, envie de novo."
            )
        )


class StoreAway(SispatError):
    """The store of the documents (SISPAT_DOCUMENTS_STORE) does not answer, or lets nobody in; the log says which."""

    code = "armazem-fora"

    def __init__(self, *, reading: bool = False) -> None:
        away = _("O armazém dos documentos não respondeu.")
        nothing = "" if reading else f" {_('Nada foi gravado.')}"
        again = _("Tente de novo em instantes; se continuar, avise quem cuida do servidor.")
        super().__init__(f"{away}{nothing} {again}")


class InspectionBusy(SispatError):
    """Other files are being looked into, and this one was not within the time it may wait."""

    code = "ocupado"

    def __init__(self) -> None:
        super().__init__(_("Há arquivos demais chegando ao mesmo tempo. Nada foi gravado. Tente de novo em instantes."))


class ContentMissing(SispatError):
    """A document is in the books, and its content is not on this machine's disk, nor in the store where one is `shared`.

    It may lie on the disk of another machine, from which nobody has brought it to the store yet.
    """

    code = "conteudo-ausente"

    def __init__(self, name: str, *, shared: bool = False) -> None:
        self.name, self.shared = name, shared
        super().__init__(
            _(
                "O conteúdo de “%(name)s” não está no armazém dos documentos, nem no disco deste servidor. Se os documentos "
                "ainda estão sendo levados ao armazém, ele aparece quando isso terminar. Se já foram, avise quem cuida do "
                "servidor: uma cópia de segurança o traz.",
                name=name,
            )
            if shared
            else _(
                "O conteúdo de “%(name)s” não está no disco deste servidor. "
                "Avise quem cuida dele: uma cópia de segurança o traz.",
                name=name,
            )
        )
