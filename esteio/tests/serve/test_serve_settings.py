"""Settings that can't work are refused by name before anything starts."""

from __future__ import annotations

import inspect

import pytest
import uvicorn

from esteio.serve import ConnectionLimits, InvalidServeSetting, Lifecycle, ServerOptions, Supervisor, Timeouts
from esteio.serve._settings import WorkerSpec
from esteio.serve._worker import _config


@pytest.mark.parametrize("value", [-1.0, 0.0, float("inf"), float("nan")])
def test_no_wait_is_without_a_ceiling(value):
    with pytest.raises(InvalidServeSetting, match="graceful_shutdown"):
        Timeouts(graceful_shutdown=value)


def test_a_grace_may_be_nothing():
    assert Timeouts(keep_alive_grace=0.0, drain_delay=0.0).stop_budget == 40.0


@pytest.mark.parametrize(("name", "value"), [("app", "module"), ("app", ":app"), ("workers", 0)])
def test_the_supervisor_names_the_argument(name, value):
    with pytest.raises(InvalidServeSetting, match=name):
        Supervisor(**{"app": "a:b", "workers": 1, name: value})


@pytest.mark.parametrize("name", ["keep_alive", "backlog", "limit_max_requests"])
def test_the_server_options_name_theirs(name):
    with pytest.raises(InvalidServeSetting, match=name):
        ServerOptions(**{name: 0})


def test_uvicorn_still_has_every_option_that_is_set():
    config = _config(object(), WorkerSpec("a:b", ServerOptions(extra={"date_header": False}), Timeouts()))
    assert config.limit_concurrency is None  # it counts idle connections; ConnectionLimits does not
    assert config.timeout_graceful_shutdown == 30
    assert config.backlog == 2048
    assert config.timeout_keep_alive == 65
    assert (config.server_header, config.access_log, config.date_header) == (False, False, False)
    assert {"loop", "http", "limit_max_requests"} <= set(inspect.signature(uvicorn.Config).parameters)


def test_draining_or_not_ready_means_no_new_requests():
    assert Lifecycle().accepting
    assert not Lifecycle(ready=False).accepting
    assert not Lifecycle(draining=True).accepting


@pytest.mark.parametrize(
    "given",
    [
        {"connections": 9}, {"per_address": 0}, {"requests": 0}, {"head_bytes": 100}, {"head_timeout": 0.5},
        {"body_timeout": float("inf")}, {"body_rate": 0}, {"send_timeout": float("nan")},
    ],
)  # fmt: skip
def test_the_limits_of_connections_name_theirs(given):
    with pytest.raises(InvalidServeSetting, match=next(iter(given))):
        ConnectionLimits(**given)
