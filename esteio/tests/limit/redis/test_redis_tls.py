"""Redis over TLS: in front of the real server, because its binary may have been built without."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis")
pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from esteio.limit import Limit, RateLimiter
from esteio.limit.redis import RedisAddressError
from esteio.limit.redis._address import parse
from esteio.testing.redis import RedisServer


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a key and its own certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "esteio test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def tls_port(redis_server: RedisServer, certificate: Path) -> AsyncIterator[int]:
    """A port that speaks TLS and passes on to the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    pumps: set[asyncio.Task[Any]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        finally:
            writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection("127.0.0.1", redis_server.port)
        pumps.add(asyncio.create_task(pump(reader, downstream)))
        pumps.add(asyncio.create_task(pump(upstream, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    await asyncio.sleep(0)  # the transports end in the next turn


async def test_a_trusted_certificate_is_talked_to_and_an_unknown_one_is_not(
    make: Any, redis_url: str, tls_port: int, certificate: Path
) -> None:
    limit = Limit(10, 60)
    trusting = ssl.create_default_context(cafile=str(certificate))
    limiter = RateLimiter(store := make(f"rediss://127.0.0.1:{tls_port}", tls=trusting))
    assert not (await limiter.hit("ana", limit)).degraded
    stranger = await RateLimiter(other := make(f"rediss://127.0.0.1:{tls_port}")).hit("ana", limit)
    assert stranger.reason == "refused"
    assert (await limiter.peek("ana", limit)).remaining == 9
    await store.close()
    await other.close()


async def test_the_address_names_whom_to_believe_and_a_file_that_is_gone_is_a_reason_and_no_crash(
    make: Any, tls_port: int, certificate: Path
) -> None:
    limit = Limit(10, 60)
    store = make(f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs={certificate}")
    assert not (await RateLimiter(store).hit("ana", limit)).degraded
    other = make(f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs=/none/ca.crt")
    assert (await RateLimiter(other).hit("ana", limit)).reason == "refused"
    await store.close()
    await other.close()


def test_an_option_of_tls_that_would_not_count_is_refused() -> None:
    with pytest.raises(RedisAddressError, match=r"ssl_cert_reqs.*ssl_ca_certs"):
        parse("rediss://h:6379?ssl_cert_reqs=none")
    assert parse("rediss://h?ssl_certfile=/c&ssl_keyfile=/k").certificate == "/c"
