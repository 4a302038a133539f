"""The check of Redis knows each form of its address: one that it does not know would end all checks of the machine."""

from __future__ import annotations

import pytest

from esteio.health import Status
from esteio.testing.redis import RedisServer
from esteio.testing.redis._server import free_port
from sispat.operacao.monitor import redis_check


@pytest.mark.parametrize("scheme", ["redis+sentinel", "redis+cluster", "unix", "redis"])
async def test_one_node_that_answers_is_enough_and_none_is_a_failure(scheme: str) -> None:
    with RedisServer() as server:
        nodes = f"127.0.0.1:{free_port()},127.0.0.1:{server.port}"
        address = {
            "redis+sentinel": f"redis+sentinel://{nodes}/limits",
            "redis+cluster": f"redis+cluster://{nodes}",
            "unix": server.unix_url,
            "redis": server.url,
        }[scheme]
        check = redis_check(address, None)
        check.timeout, check.cache = 10.0, 0.0
        assert (await check.ask()).status is Status.PASS
        server.kill()
        assert (await check.ask()).status is Status.FAIL
