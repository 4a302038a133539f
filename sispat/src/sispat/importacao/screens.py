"""The forms of imports: send a spreadsheet; say what its columns are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import anyio
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.http.upload import FILES, RawUpload
from sispat.importacao import actions, rules
from sispat.importacao.columns import LABELS
from sispat.importacao.fields import DEFAULTS, Conferencia
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import specs
from sispat.kernel.files import Incoming
from sispat.kernel.formats import decimal
from sispat.kernel.i18n import _, lazy
from sispat.ui.fields import FormField, Section, choices, typed
from sispat.ui.forms import Screen
from sispat.ui.pages import redirect

__all__ = ["Colunas", "Envio", "received"]

_PIECE = 1 << 20
_COLUMN = "coluna-"
_ACCEPTED = ".csv,.txt,.xlsx,.ods,text/csv"


async def received(ctx: RequestContext, upload: RawUpload) -> UUID:
    """The import of the one spreadsheet that `upload` brought."""
    ctx.access.require(rules.IMPORTAR)  # before anything is said of the file
    upload.require_files()
    if len(upload.received) != 1:
        raise InvalidData({FILES: _("Envie uma planilha de cada vez.")})
    (file,) = upload.received
    return await actions.receber(ctx, file.name, file.size, _pieces(file))


async def _pieces(file: Incoming) -> AsyncIterator[bytes]:
    async with await anyio.open_file(file.path, "rb") as opened:
        while piece := await opened.read(_PIECE):
            yield piece


class Colunas(Screen):
    """What each column of a spreadsheet is, and what all rows have that do not say it."""

    title = lazy("Colunas da planilha")
    submit = lazy("Conferir a planilha")
    breadcrumbs = (("/importacoes", lazy("Importações")),)

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"/importacoes/{id_}"

    async def load(self, ctx: RequestContext) -> None:
        """The import."""
        self.row = await actions.obter(ctx, self.id)
        self.subtitle = self.row["arquivo"]

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """As it was read the last time."""
        del ctx
        options: dict[str, Any] = self.row["opcoes"]
        fields = {name: FormField.of(spec) for name, spec in specs(Conferencia).items()}
        values = {name: fields[name].text(options.get(name)) for name in DEFAULTS}
        values["existentes"] = options.get("existentes", rules.Existentes.RECUSAR.value)
        return values | {f"{_COLUMN}{n}": column["campo"] for n, column in enumerate(self.row["colunas"])}

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """A choice of fields for each column, then the rest."""
        offered = choices({name: str(label) for name, label in LABELS.items()})
        columns = tuple(
            FormField(
                f"{_COLUMN}{n}",
                column["titulo"] or _("Coluna %(number)s", number=n + 1),
                "reference",
                optional=True,
                groups=offered,
                width="media",
            )
            for n, column in enumerate(self.row["colunas"])
        )
        fields = {name: FormField.of(spec) for name, spec in specs(Conferencia).items()}
        for name, entity in (("classe_id", "classe"), ("local_id", "local"), ("agente_id", "agente")):
            fields[name] = await pickers.with_choices(ctx, fields[name], entity, values)
        return (
            Section(_("O que é cada coluna (sem escolha, ela fica de fora)"), columns),
            Section("", (fields["existentes"],)),
            Section(_("Para o que a planilha não diz"), tuple(fields[name] for name in DEFAULTS)),
        )

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Check it again."""
        await self.load(ctx)
        values = submission.values
        fields = [FormField.of(spec) for name, spec in specs(Conferencia).items() if name != "colunas"]
        columns = [values.get(f"{_COLUMN}{n}", "") for n in range(len(self.row["colunas"]))]
        await actions.conferir(ctx, self.id, Conferencia.parse({"colunas": columns, **typed(fields, values)}))
        return redirect(self.back)


class Envio(Screen):
    """Send a spreadsheet."""

    title = lazy("Importar uma planilha")
    submit = lazy("Enviar e conferir")
    sends_files = True
    files_as = RawUpload
    back = "/importacoes"
    breadcrumbs = (("/importacoes", lazy("Importações")),)

    async def load(self, ctx: RequestContext) -> None:
        """For those who may."""
        ctx.access.require(rules.IMPORTAR)
        self.subtitle = _("Nada é gravado antes de você ver o que será feito.")

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """The file."""
        del ctx, values
        most = decimal(rules.LINHAS_MAXIMO)
        hint = _(
            "CSV, XLSX ou ODS, com os títulos das colunas na primeira linha e um bem em cada linha; até %(most)s linhas. "
            "As exportações deste sistema e do SISPAT anterior servem como estão.",
            most=most,
        )
        return (Section("", (FormField(FILES, _("Planilha"), "file", hint, accept=_ACCEPTED),)),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Keep it, and look at what comes of it."""
        assert isinstance(submission, RawUpload)
        return redirect(f"/importacoes/{await received(ctx, submission)}")
