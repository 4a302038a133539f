"""Settings that can't work are refused by name before anything starts."""

from __future__ import annotations

import inspect

import pytest
import uvicorn

from esteio.serve import InvalidServeSetting, Lifecycle, ServerOptions, Supervisor, Timeouts
from esteio.serve._process import WorkerSpec
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


@pytest.mark.parametrize("name", ["keep_alive", "backlog", "limit_concurrency"])
def test_the_server_options_name_theirs(name):
    with pytest.raises(InvalidServeSetting, match=name):
        ServerOptions(**{name: 0})


def test_uvicorn_still_has_every_option_that_is_set():
    config = _config(WorkerSpec("a:b", ServerOptions(limit_concurrency=7, extra={"date_header": False}), Timeouts()))
    assert config.limit_concurrency == 7
    assert config.timeout_graceful_shutdown == 30
    assert config.backlog == 2048
    assert config.timeout_keep_alive == 65
    assert (config.server_header, config.access_log, config.date_header) == (False, False, False)
    assert {"loop", "http", "limit_max_requests"} <= set(inspect.signature(uvicorn.Config).parameters)


def test_draining_or_not_ready_means_no_new_requests():
    assert Lifecycle().accepting
    assert not Lifecycle(ready=False).accepting
    assert not Lifecycle(draining=True).accepting
