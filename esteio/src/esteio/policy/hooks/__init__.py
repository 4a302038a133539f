"""Where events of policies go. Each vendor is one module, imported only by who uses it.

`hooks.logs` needs nothing; `hooks.prometheus`, `hooks.opentelemetry` (`otel`) and `hooks.sentry` need the extra of
the same name. Each has one function that starts telling and returns a function that ends it.
"""

from __future__ import annotations

__all__: list[str] = []
