"""The operation of the service, as the application sees it."""

from __future__ import annotations

from sispat.http.route import Routes
from sispat.http.slices import Slice
from sispat.operacao import rules

__all__ = ["SLICE"]

# Its routes are plain ones (`operacao.measuring`): they have to answer while the database is away.
SLICE = Slice(name="operacao", routes=Routes(), actions=rules.ACTIONS)
