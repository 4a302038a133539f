"""Public pages, as the application sees them."""

from __future__ import annotations

from sispat.http.service import Service
from sispat.http.slices import Slice
from sispat.kernel.fields import labels_of
from sispat.publico.actions import PublicAnswers
from sispat.publico.routes import ConferenciaDeTermo, route

__all__ = ["SLICE"]


def _answers(service: Service) -> PublicAnswers:
    return PublicAnswers(service.db.connection)


SLICE = Slice(name="publico", routes=route, labels=labels_of(ConferenciaDeTermo), resources=[_answers])
