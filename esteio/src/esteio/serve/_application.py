"""Importing the application that a worker serves.

Promises: what it raises says which part of "package.module:attribute" is wrong and, for an error inside the application,
where in its code; the original error is its cause.
"""

from __future__ import annotations

import difflib
import importlib
import traceback
from typing import Any

from esteio.serve._errors import ApplicationUnusable

__all__ = ["load"]


def load(app: str, *, factory: bool = False) -> Any:
    """The object that `app` names, or with `factory` what it returns; ApplicationUnusable when that can't be had."""
    module_name, _, path = app.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            problem = f"there is no module {error.name!r} in the current directory or the Python path"
            raise ApplicationUnusable(app, problem) from None  # its traceback would show only our own call
        raise ApplicationUnusable(app, _raised("importing it", error)) from error
    except (Exception, SystemExit) as error:
        raise ApplicationUnusable(app, _raised("importing it", error)) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise ApplicationUnusable(app, f"{module_name!r} has no {name!r}{_similar(name, found)}")
        found = getattr(found, name)
    if not callable(found):
        raise ApplicationUnusable(
            app, f"it is {type(found).__name__!r} and can't be called, as an ASGI application can"
        )
    if not factory:
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise ApplicationUnusable(app, _raised("calling it", error)) from error


def _raised(doing: str, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{doing} raised {type(error).__name__}: {error}{where}"


def _similar(name: str, found: object) -> str:
    near = difflib.get_close_matches(name, [each for each in dir(found) if not each.startswith("_")], n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
