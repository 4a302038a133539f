"""Forms: shown, received, shown again.

Promises: whatever goes wrong with a submission, the form comes back with everything that was typed: fields that
cannot be accepted (422), a record that somebody else changed meanwhile (409, merged with it, and where the two differ
side by side), a record in use (409). A form that is sent twice is done once.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.idempotency import once
from sispat.http.route import Reply, Routes
from sispat.http.service import Service, service_of
from sispat.http.session import RequestContext
from sispat.http.slices import site_of
from sispat.http.submission import Submission
from sispat.http.upload import Upload
from sispat.kernel import formats, tokens
from sispat.kernel.dates import far_ahead
from sispat.kernel.errors import InUse, InvalidData, KeyReused, SispatError, VersionConflict
from sispat.kernel.files import InspectionBusy, NoRoom
from sispat.kernel.i18n import _, lazy
from sispat.ui.fields import Choice, ChoiceGroup, FormField, Section, by_name
from sispat.ui.merge import Difference, merge
from sispat.ui.pages import page, render

__all__ = ["Done", "Form", "Screen", "Unconfirmed", "ask_about_dates", "form", "receive", "show", "version_of"]

_ALREADY_SENT = lazy(
    "Este formulário já foi enviado antes, com outros dados, e aqueles dados foram gravados. "
    "Para gravar também estes, confira-os e salve de novo."
)


class Done(NamedTuple):
    """What was done, and where to look at it."""

    text: str
    path: str
    label: str


class Unconfirmed(InvalidData):
    """Values that are possible and improbable: the form asks, and takes them where the box `label` is ticked.

    `asked` is what the box stands for, so that ticking it says nothing of another value.
    """

    def __init__(self, fields: Mapping[str, str], *, asked: str, label: str) -> None:
        super().__init__(fields)
        self.asked, self.label = asked, label


class Screen(ABC):
    """A form's screen: subclasses say what it asks, what it starts with and what it does."""

    template = "ui/form.html"
    title = ""
    subtitle = ""
    breadcrumbs: Sequence[tuple[str, str]] = ()
    submit = lazy("Salvar")
    back = "/"
    versioned = False
    sends_files = False
    """Whether files may come along: then `save` gets an `Upload`, and has a field of kind `file` (`documentos.screens`)."""
    files_as: type[Upload] = Upload
    """What `save` gets of them: `RawUpload` where they are of any type."""
    again = ""
    """The label of a second button, which saves and goes on with another record (`Submission.wants_another`)."""
    hidden: Mapping[str, str] = MappingProxyType({})
    """What the form carries along unseen."""
    done: Done | None = None
    """What was just done, told above the form."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Of its page, such as leave to use the camera."""

    @abstractmethod
    async def load(self, ctx: RequestContext) -> None:
        """Load what the screen shows; raises what keeps the person from seeing it."""

    @abstractmethod
    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """The fields, their choices loaded."""

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What the fields hold at first; with `version` where the screen uses it."""
        del ctx
        return {}

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """A stored record (as in `VersionConflict.current`) as texts of the fields."""
        del stored
        return {}

    async def history(self, ctx: RequestContext) -> list[dict[str, Any]]:
        """The records of the audit about what the form changes, newest first."""
        del ctx
        return []

    async def complete(self, service: Service, action: str, form: Form) -> None:
        """Do what the button `action` of a field promises; called without a connection, it may take its time."""
        del service, action, form

    @abstractmethod
    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Do it; the answer."""


@dataclass(slots=True)
class Form:
    """What a template needs of a form."""

    sections: Sequence[Section]
    values: dict[str, str]
    key: str
    errors: dict[str, str] = field(default_factory=dict)
    notice: str = ""
    differences: list[Difference] = field(default_factory=list)
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    confirm: tuple[str, str] | None = None
    """What a box at the end of the form stands for, and its label."""

    def value(self, field: FormField) -> str:
        """What the input holds."""
        return self.values.get(field.name, "") if field.chosen is None else field.chosen

    @property
    def has_buttons(self) -> bool:
        """Whether a button other than the one that saves comes first in the form."""
        return any(field.button or field.search for field in by_name(self.sections).values())

    @property
    def summary(self) -> list[tuple[str, str, str]]:
        """Every error as (field name, or empty where this form has no such field; label; sentence)."""
        fields = by_name(self.sections)
        rows = []
        for name, message in self.errors.items():
            field = fields.get(name)
            rows.append((name if field else "", field.label if field else self.labels.get(name, ""), message))
        return rows


def form(route: Routes, path: str, screen: Callable[..., Screen]) -> None:
    """Add the page of a form and what receives it; `screen` is made for each request, from the parts of the path."""

    @route("GET", path)
    async def show_form(ctx: RequestContext) -> Reply:
        return await show(ctx, screen(**ctx.request.path_params))

    async def receive_form(ctx: RequestContext, submission: Submission) -> Reply | Response:
        return await receive(ctx, submission, screen(**ctx.request.path_params))

    if getattr(screen, "sends_files", False):
        receive_form.__annotations__["submission"] = getattr(screen, "files_as", Upload)
    route("POST", path)(receive_form)
    route.resumable(path)


async def show(ctx: RequestContext, screen: Screen) -> Reply:
    """The form as it is at first."""
    await screen.load(ctx)
    values = await screen.initial(ctx)
    sections = await screen.sections(ctx, values)
    form = Form(sections, values, tokens.new_token(), version=values.get("versao", ""))
    return page(screen.template, headers=screen.headers, screen=screen, f=form)


async def receive(ctx: RequestContext, submission: Submission, screen: Screen) -> Reply | Response:
    """A submission: done, or the form again."""
    status = 200
    failure: SispatError | None = None
    if not submission.review:
        try:
            return await _perform(ctx, submission, lambda: screen.save(ctx, submission))
        except (InvalidData, KeyReused) as error:
            status, failure = 422, error
        except (VersionConflict, InUse) as error:
            status, failure = 409, error
        except (NoRoom, InspectionBusy) as error:
            status, failure = 503, error
    await screen.load(ctx)
    sections = await screen.sections(ctx, submission.typed())
    if isinstance(failure, VersionConflict):
        sections = await _naming(ctx, sections, screen.texts_of(failure.current))
    form = _again(screen, sections, submission, failure, await _since(ctx, screen, submission, failure))
    form.labels = site_of(ctx.request).labels
    if submission.action:
        return _Completed(screen, form, submission.action)
    return page(screen.template, status, screen.headers, screen=screen, f=form)


@dataclass(frozen=True, slots=True)
class _Completed:
    """The form again, after a button of it did what it promises: that may take its time, and holds no connection."""

    screen: Screen
    form: Form
    action: str

    async def response(self, request: Request) -> Response:
        await self.screen.complete(service_of(request), self.action, self.form)
        status = 422 if self.form.errors else 200
        return render(request, self.screen.template, status, screen=self.screen, f=self.form)


async def _perform(ctx: RequestContext, submission: Submission, do: Callable[[], Awaitable[Response]]) -> Response:
    """`do`, once however often the same form is sent."""
    digest = submission.digest(ctx.request.url.path)
    try:
        return await once(ctx, submission.key, digest, do)
    except KeyReused:
        raise
    except SispatError as error:
        cause = error

    async def give_up() -> Response:
        raise cause

    # A double click that lost the race fails because of its own twin: then the twin's answer counts.
    return await once(ctx, submission.key, digest, give_up)


async def _since(
    ctx: RequestContext, screen: Screen, submission: Submission, failure: SispatError | None
) -> list[dict[str, Any]] | None:
    """What was done since the form was made, newest first; None where the audit cannot tell: each version is one record."""
    if not isinstance(failure, VersionConflict):
        return None
    versions = failure.current["versao"] - version_of(submission)
    events = (await screen.history(ctx))[: max(0, versions)]
    return events if len(events) == versions else None


def _again(
    screen: Screen,
    sections: Sequence[Section],
    submission: Submission,
    failure: SispatError | None,
    since: Sequence[Mapping[str, Any]] | None,
) -> Form:
    values = submission.typed()
    form = Form(sections, values, submission.key or tokens.new_token(), version=values.get("versao", ""))
    if failure is None:
        form.notice = _("Confira o que você tinha digitado e salve. Nada foi gravado ainda.")
    elif isinstance(failure, InvalidData):
        fields = by_name(sections)
        form.errors = {n: fields[n].error(m) if n in fields else m for n, m in failure.fields.items()}
        if isinstance(failure, Unconfirmed):
            form.confirm = failure.asked, failure.label
    elif isinstance(failure, VersionConflict):
        form.notice = failure.message
        form.version = str(failure.current["versao"])
        form.values, form.differences = merge(by_name(sections), screen.texts_of(failure.current), values, since)
    elif isinstance(failure, KeyReused):
        form.notice, form.key = _ALREADY_SENT, tokens.new_token()
    else:
        form.notice = failure.message
    return form


async def _naming(ctx: RequestContext, sections: Sequence[Section], stored: Mapping[str, str]) -> Sequence[Section]:
    """`sections`, offering also what is `stored`, so that the comparison can name it."""
    missing = {
        name: UUID(stored[name])
        for name, field in by_name(sections).items()
        if field.kind == "reference" and stored.get(name) and not field.choice(stored[name])
    }
    names = await site_of(ctx.request).names(ctx, list(missing.values()))

    def named(field: FormField) -> FormField:
        label = names.get(missing[field.name]) if field.name in missing else None
        if label is None:
            return field
        return replace(field, groups=(*field.groups, ChoiceGroup("", (Choice(stored[field.name], label),))))

    return [Section(section.title, tuple(map(named, section.fields))) for section in sections]


def ask_about_dates(ctx: RequestContext, submission: Submission, dates: Mapping[str, dt.date | None]) -> None:
    """Raise `Unconfirmed` for dates far ahead, field -> date, that nobody has said to be right."""
    far = {name: date for name, date in dates.items() if date is not None and far_ahead(date, ctx.today)}
    asked = " ".join(str(date) for date in far.values())
    if far and submission.confirmed != asked:
        told = {
            name: _("%(date)s está no futuro. É isso mesmo?", date=formats.date(date)) for name, date in far.items()
        }
        raise Unconfirmed(told, asked=asked, label=_("Sim, a data no futuro está certa."))


def version_of(submission: Submission) -> int:
    """The version the form was made from; raises `InvalidData`."""
    version = submission.values.get("versao", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise InvalidData({"versao": _("Falta a versão do registro. Recarregue a página de edição e tente de novo.")})
    return int(version)
