"""Each kind of probe against the real thing on this machine: well, ill, and why."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from esteio.health import Result, Status
from esteio.watch._config import DnsProbe, HttpProbe, PostgresProbe, Probe, TcpProbe, TlsProbe
from esteio.watch._probes import check_of, fetch


async def ask(probe: Probe) -> Result:
    return await check_of(probe).ask()


@asynccontextmanager
async def web(answer: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answers each request with `answer`, or never when that is empty."""
    waiting: list[asyncio.Task[Any] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.append(asyncio.current_task())
        try:
            await reader.readuntil(b"\r\n\r\n")
            if not answer:
                await asyncio.Event().wait()
            writer.write(answer)
        except asyncio.IncompleteReadError:
            return  # who asked did not like the certificate
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = [task for task in waiting if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def http(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body.encode())}\r\n{headers}\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "options", "status", "reason"),
    [
        (http("well"), {}, Status.PASS, ""),
        (http("", "503 Service Unavailable"), {}, Status.FAIL, "answered 503, not 2xx"),
        (http("", "503 Service Unavailable"), {"status": ("2xx", "503")}, Status.PASS, ""),
        (http("", "302 Found", "location: /x\r\n"), {}, Status.FAIL, "with a redirect, which is not followed"),
        (http("all is wéll"), {"contains": "wéll"}, Status.PASS, ""),
        (http("all is ill"), {"contains": "well"}, Status.FAIL, "lacks the text"),
        (http("Traceback"), {"lacks": "Traceback"}, Status.FAIL, "contains the text"),
        (http('{"status": "warn", "jobs": [{"late": 0}]}'), {"json": {"status": ("pass", "warn"), "jobs.0.late": (0,)}},
         Status.PASS, ""),
        (http('{"status": "fail"}'), {"json": {"status": ("pass",)}}, Status.FAIL, 'status is "fail", not "pass"'),
        (http('{"jobs": []}'), {"json": {"jobs.0.late": (0,)}}, Status.FAIL, "jobs.0.late is missing, not 0"),
        (http('{"late": true}'), {"json": {"late": (1,)}}, Status.FAIL, "late is true, not 1"),
        (http("<html>"), {"json": {"status": ("pass",)}}, Status.FAIL, "the answer is no JSON"),
        (http("well"), {"slow": 0.000001}, Status.WARN, "took more than"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n", {"contains": "well"},
         Status.PASS, ""),
        (b"HTTP/1.1 200 OK\r\n\r\nwell", {"contains": "well"}, Status.PASS, ""),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + http("well"), {"contains": "well"}, Status.PASS, ""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nwe", {}, Status.FAIL, "in the middle of its answer"),
        (b"SSH-2.0-OpenSSH\r\n", {}, Status.FAIL, "it does not speak HTTP"),
    ],
)  # fmt: skip
async def test_http_is_judged_by_status_text_fields_and_time(
    answer: bytes, options: dict[str, Any], status: Status, reason: str
) -> None:
    async with web(answer) as port:
        result = await ask(HttpProbe(name="web", url=f"http://127.0.0.1:{port}/health?x=1", **options))
    assert (result.status, reason in result.reason) == (status, True), result


async def test_who_hangs_or_refuses_or_has_no_name_fails_in_words_without_an_address() -> None:
    async with web(b"") as port:
        hanging = await ask(HttpProbe(name="web", url=f"http://127.0.0.1:{port}/", timeout=0.2))
    refused = await ask(HttpProbe(name="web", url=f"http://127.0.0.1:{port}/"))
    no_port = await ask(TcpProbe(name="tcp", address=("127.0.0.1", port)))
    nameless = await ask(HttpProbe(name="web", url="http://nothing.invalid/"))
    assert [each.reason for each in (hanging, refused, no_port, nameless)] == [
        "no answer within 0.2 s", "the connection was refused", "the connection was refused", "the name cannot be resolved",
    ]  # fmt: skip


async def test_headers_are_sent_and_a_body_that_never_ends_is_cut_off() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except ConnectionError:
            writer.close()
            gone.set()

    seen: list[bytes] = []
    gone = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    answer = await fetch(url, headers={"Authorization": "Bearer x"}, limit=100_000)
    await asyncio.wait_for(gone.wait(), 30)
    server.close()
    assert len(answer.body) == 100_000
    assert b"\r\nAuthorization: Bearer x\r\n" in seen[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """Of `watched.example`, for ten days: who serves with it, and the file of who trusts it."""
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += [
        "-keyout",
        str(folder / "key"),
        "-out",
        str(folder / "cert"),
        "-days",
        "10",
        "-subj",
        "/CN=watched.example",
    ]
    command += ["-addext", "subjectAltName=DNS:watched.example"]
    subprocess.run(command, check=True, capture_output=True)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "cert", folder / "key")
    return serving, folder / "cert"


async def test_tls_says_for_how_long_for_whom_and_what_a_client_would_refuse(
    certificate: tuple[ssl.SSLContext, Path],
) -> None:
    serving, file = certificate
    async with web(http("well"), serving) as port:
        common: dict[str, Any] = {"name": "tls", "address": ("127.0.0.1", port)}
        named = {"server_name": "watched.example", "authority": str(file)}
        warned = await ask(TlsProbe(**common, **named))
        failed = await ask(TlsProbe(**common, **named, fail=11))
        enough = await ask(TlsProbe(**common, **named, warn=5))
        other = await ask(TlsProbe(**common, authority=str(file)))
        unknown = await ask(TlsProbe(**common, server_name="watched.example"))
        https = await ask(HttpProbe(name="web", url=f"https://127.0.0.1:{port}/"))
        trusted = await ask(HttpProbe(name="web", url=f"https://127.0.0.1:{port}/", authority=str(file)))
    assert [each.status for each in (warned, failed, enough)] == [Status.WARN, Status.FAIL, Status.PASS]
    assert warned.reason.startswith(("valid for 9.", "valid for 10.0"))
    assert "IP address mismatch" in other.reason
    assert "self-signed" in unknown.reason
    assert "the certificate is refused: self-signed" in https.reason
    assert "the certificate is refused: IP address mismatch" in trusted.reason


class NameServer(asyncio.DatagramProtocol):
    """Knows `known.example`, and answers nothing for `hang.example`."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        asked = dns.message.from_wire(data)
        name = asked.question[0].name.to_text()
        if name.startswith("hang"):
            return
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.AA | dns.flags.RA
        if name == "known.example.":
            if asked.question[0].rdtype == dns.rdatatype.A:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.1", "192.0.2.2"))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN if name == "none.example." else dns.rcode.SERVFAIL)
        self.transport.sendto(answer.to_wire(), address)


async def test_dns_is_judged_by_what_the_server_answers() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    server = transport.get_extra_info("sockname")

    async def asked(query: str, **options: Any) -> str:
        result = await ask(DnsProbe(name="dns", query=query, server=server, timeout=0.3, **options))
        assert (result.status is Status.PASS) is not bool(result.reason)
        return result.reason

    assert await asked("known.example") == ""
    assert await asked("known.example", expect=("192.0.2.2",)) == ""
    assert await asked("known.example", expect=("192.0.2.2", "192.0.2.9")) == "1 of the 2 expected answers are missing"
    assert await asked("known.example", type="MX") == "the name has no MX record"
    assert await asked("none.example") == "the name does not exist"
    assert await asked("broken.example") == "no name server could answer"
    assert await asked("hang.example") == "no answer within 0.3 s"
    transport.close()
    await asyncio.sleep(0)  # it is closed by the loop


async def test_postgres_is_judged_by_its_role_and_by_what_a_query_finds(postgres_database: str) -> None:
    async def asked(**options: Any) -> str:
        return (await ask(PostgresProbe(name="db", **{"url": postgres_database, **options}))).reason

    assert await asked() == ""
    assert await asked(role="primary", query="select 40 + 2", expect="42") == ""
    assert await asked(role="standby") == "it is a primary, not a standby"
    assert await asked(query="select 41", expect="42") == "the query found something else than expected"
    assert await asked(query="select 1 where false") == "the query found no row"
    assert await asked(query="select nothing") == "the query failed: UndefinedColumn"
    assert await asked(query="create table x ()") == "the query failed: ReadOnlySqlTransaction"
    assert await asked(slow=0.000001) == "took more than 1e-06 s"
    assert await asked(query="select pg_sleep(30)", timeout=0.5) == "no answer within 0.5 s"
    base = postgres_database.rpartition("/")[0]
    assert await asked(url=f"{base}/nothing_here") == "no connection"
    assert await asked(url="postgresql://127.0.0.1:1/x") == "no connection"
