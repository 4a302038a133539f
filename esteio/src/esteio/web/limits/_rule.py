"""One rule: which requests, whose allowance, how much of it.

Promises: immutable; what can't work is refused when it is made. CORS preflights (OPTIONS) are counted only by a rule
that names the method; HEAD counts wherever GET does. The functions it is given are the programmer's: what they raise
surfaces.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from starlette.types import Scope

from esteio.errors import EsteioError
from esteio.limit import Limit
from esteio.limit.headers import policy_field
from esteio.web.limits._keys import KeyFunction, by_address

__all__ = ["Rule", "RuleError"]

_PEER = by_address()


class RuleError(EsteioError, ValueError):
    """A rule that can't work."""

    def __init__(self, rule: str, what: str, next_step: str) -> None:
        self.rule, self.what = rule, what
        super().__init__(f'rule "{rule}": {what}; {next_step}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`Rule(limit=Limit(100, 900, name="api"), paths=["/api/*"])`; the limit's name names the rule everywhere.

    `key`: the scope's key, None where the rule does not apply. `cost`: units, or a function of the scope; 0 is free.
    `methods`: None for all but OPTIONS. `paths`: exact, or a prefix that ends in `*`; empty for all. `when`: one more
    condition. `exempt`: whom the rule spares. `shadow`: counts and tells, never denies. `websockets`: counts
    handshakes too.
    """

    limit: Limit
    key: KeyFunction = _PEER
    cost: int | Callable[[Scope], int] = 1
    methods: Collection[str] | None = None
    paths: Collection[str] = ()
    when: Callable[[Scope], bool] | None = None
    exempt: Callable[[Scope], bool] | None = None
    shadow: bool = False
    websockets: bool = False
    policy: str = field(init=False, repr=False, compare=False)
    _exact: frozenset[str] = field(init=False, repr=False, compare=False)
    _prefixes: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        put = object.__setattr__
        if self.methods is not None:
            methods = {method.upper() for method in self.methods}
            put(self, "methods", frozenset(methods | ({"HEAD"} if "GET" in methods else set())))
        put(self, "paths", tuple(self.paths))
        put(self, "_exact", frozenset(path for path in self.paths if not path.endswith("*")))
        put(self, "_prefixes", tuple(path[:-1] for path in self.paths if path.endswith("*")))
        put(self, "policy", policy_field(self.limit))

    @property
    def name(self) -> str:
        """The limit's name: in headers, metrics and events."""
        return self.limit.name

    def matches(self, scope: Scope) -> bool:
        """Whether this request is one the rule is about."""
        if scope["type"] == "websocket":
            if not self.websockets:
                return False
        elif not self._method(scope["method"]):
            return False
        if self.paths and not (scope["path"] in self._exact or scope["path"].startswith(self._prefixes)):
            return False
        if self.when is not None and not self.when(scope):
            return False
        return self.exempt is None or not self.exempt(scope)

    def price(self, scope: Scope) -> int:
        """What this request costs."""
        return self.cost if isinstance(self.cost, int) else self.cost(scope)

    def _method(self, method: str) -> bool:
        return method != "OPTIONS" if self.methods is None else method in self.methods

    def _check(self) -> None:
        if not isinstance(self.limit, Limit):
            raise RuleError("", f"limit={self.limit!r}", 'pass a Limit, as in Limit(100, 900, name="api")')
        name = self.limit.name
        if not name:
            raise RuleError(name, "its limit has no name", 'give it one, as in Limit(100, 900, name="api")')
        if isinstance(self.methods, str) or isinstance(self.paths, str):
            raise RuleError(name, "methods and paths are collections", 'write ["GET"] or ["/api/*"]')
        for path in self.paths:
            if not path.startswith(("/", "*")) or "*" in path[:-1]:
                raise RuleError(name, f'path "{path}"', 'write "/exact/path" or a prefix like "/api/*"')
        if not callable(self.cost) and (type(self.cost) is not int or self.cost < 1):
            raise RuleError(name, f"cost={self.cost!r}", "pass a whole number, 1 or more, or a function of the scope")
        self._check_functions(name)

    def _check_functions(self, name: str) -> None:
        for field_name in ("key", "cost", "when", "exempt"):
            function = getattr(self, field_name)
            if inspect.iscoroutinefunction(function):
                raise RuleError(
                    name, f"{function.__name__} is async", "look things up in a middleware before, read them here"
                )
            if function is not None and field_name != "cost" and not callable(function):
                raise RuleError(name, f"{field_name}={function!r}", "pass a function of the scope")
