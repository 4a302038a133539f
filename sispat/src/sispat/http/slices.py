"""What a slice gives to the whole, and the whole made of it.

Promises: a `Slice` is one folder's routes, menu entry, actions with their roles, sentences for its constraints, and what
else the application has to know of it; `Site` is what pages, limits and errors ask. Two slices that give the same
thing differently fail when the application is made, not later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from starlette.requests import HTTPConnection
from starlette.types import Scope

from sispat.http.errors import Problem
from sispat.http.route import Routes
from sispat.http.service import Service
from sispat.kernel.constraints import Sentences
from sispat.kernel.context import Context
from sispat.kernel.errors import SispatError
from sispat.kernel.fields import Entity
from sispat.kernel.files import Attachable
from sispat.kernel.jobs.work import Job
from sispat.kernel.permissions import Action

__all__ = ["MenuEntry", "Site", "Slice", "site_of"]


class MenuEntry(NamedTuple):
    """A place in the menu, by `position`; seen by those who may do `action`, or by everybody."""

    position: int
    path: str
    label: str
    action: Action | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """One slice. `reports` are the paths that count as reports for the limits; `uncounted` those no limit counts."""

    name: str
    routes: Routes
    menu: Sequence[MenuEntry] = ()
    actions: Sequence[Action] = ()
    constraints: Sentences = field(default_factory=dict)
    entities: Sequence[Entity] = ()
    """What its records are; their tables of fields give labels and the words of the history."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of fields that belong to no entity, such as those of searches."""
    verbs: Mapping[str, str] = field(default_factory=dict)
    """What the audit calls an action -> what people read."""
    attachables: Sequence[Attachable] = ()
    """Which of its records documents can be attached to."""
    names: Callable[[Context, Sequence[UUID]], Awaitable[Mapping[UUID, str]]] | None = None
    """What its records are called; unknown ids are left out."""
    notices: Mapping[str, str] = field(default_factory=dict)
    """What `?feito=key` of an address tells the person."""
    reports: Sequence[str] = ()
    uncounted: Sequence[str] = ()
    frequent: Sequence[str] = ()
    """Ends of addresses that take files many times an hour: the limit of uploads does not count them, that of writes does."""
    streams: Sequence[str] = ()
    """Ends of addresses that answer for as long as somebody looks: shedding counts them as nothing in flight."""
    problems: Mapping[type[SispatError], Callable[[Any], Problem]] = field(default_factory=dict)
    """How errors of its own are shown; those of the kernel are in http.errors."""
    resources: Sequence[Callable[[Service], object | None]] = ()
    """Each makes something that lives as long as the process, closed with it where it has `close`; None: not needed."""
    jobs: Sequence[Job] = ()
    """What it has done later, in a process of its own (`kernel.jobs`)."""
    cleanup: Callable[[AsyncConnection[Any]], Awaitable[object]] | None = None
    """Called about once an hour, in each process."""
    sweep: Callable[[Service], Awaitable[object]] | None = None
    """As `cleanup`, for what lies in files too, and takes its own connections."""


class Site:
    """All slices together."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self.slices = tuple(slices)
        self.menu = sorted(entry for each in slices for entry in each.menu)
        self.actions = _merged(slices, lambda each: {action.name: action for action in each.actions})
        self.constraints = _merged(slices, lambda each: each.constraints)
        self.entities = {entity.name: entity for each in slices for entity in each.entities}
        self.verbs = _merged(slices, lambda each: each.verbs)
        self.jobs = _merged(slices, lambda each: {job.name: job for job in each.jobs})
        self.labels = _labels(slices)
        self.notices = _merged(slices, lambda each: each.notices)
        self.problems = _merged(slices, lambda each: each.problems)
        self.reports = frozenset(path for each in slices for path in each.reports)
        self.uncounted = frozenset(path for each in slices for path in each.uncounted)
        self.public = frozenset(path for each in slices for path in each.routes.public)
        self.attachables = {of.entity.name: of for each in slices for of in each.attachables}
        self._frequent = tuple(end for each in slices for end in each.frequent)
        self.streams = tuple(end for each in slices for end in each.streams)
        self._uploads = [form for each in slices for form in each.routes.uploads]
        self._forms = [form for each in slices for form in each.routes.forms]

    async def names(self, ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
        """What the records with these ids are called; unknown ids are left out."""
        found: dict[UUID, str] = {}
        for each in self.slices:
            if each.names is not None and ids:
                found |= await each.names(ctx, ids)
        return found

    def takes_files(self, scope: Scope) -> bool:
        """Whether a request brings files to a route that takes them."""
        return scope["method"] == "POST" and any(form.match(scope["path"]) for form in self._uploads)

    def counts_as_upload(self, scope: Scope) -> bool:
        """Whether a request is one of those that the limit of uploads is there for."""
        return self.takes_files(scope) and not (self._frequent and scope["path"].endswith(self._frequent))

    def resumable(self, path: str) -> bool:
        """Whether a POST to `path` is a form that can be shown again, filled, after signing in."""
        return any(form.match(path) for form in self._forms)


def _labels(slices: Sequence[Slice]) -> dict[str, str]:
    """The label of a field by its name alone, for what knows no entity; where two slices use a name, the first wins."""
    labels: dict[str, str] = {}
    for each in slices:
        for entity in each.entities:
            labels = {name: spec.ui.label for name, spec in entity.fields.items()} | labels
        labels = {**each.labels, **labels}
    return labels


def _merged(slices: Sequence[Slice], part: Callable[[Slice], Mapping[Any, Any]]) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for each in slices:
        for key, value in part(each).items():
            if merged.setdefault(key, value) != value:
                raise ValueError(f"slice {each.name!r} gives {key!r} a second meaning: {value!r}, not {merged[key]!r}")
    return merged


def site_of(request: HTTPConnection) -> Site:
    """All slices of the application that this request is for."""
    site: Site = request.app.state.site
    return site
