"""The proxy with TLS before the service, and who visits it: a certificate of an authority of our own, good or expired.

Promises: a certificate that is put in place of another counts for the next connection, without a restart, as `nginx -s
reload` does it. The authority is known to the drilled service and to `visit` only.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sispat.drill.service import free_port

__all__ = ["Front"]

_HOST = "localhost"
_DAYS = 60.0  # more than the alerts want
_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


class Front:
    """`async with Front(folder) as front:` - `https://localhost:port`; `forward_to` says where what comes goes."""

    def __init__(self, folder: Path) -> None:
        self.authority, self._file = folder / "autoridade.pem", folder / "certificado.pem"
        self.port = free_port()
        self._key, self._of_authority = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self._to = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://{_HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        own = _certificate("SISPAT drill", self._of_authority, self._of_authority, _DAYS, authority=True)
        self.authority.write_bytes(own.public_bytes(serialization.Encoding.PEM))
        self._trusting = ssl.create_default_context(cafile=str(self.authority))
        self._served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.renew()
        self._open: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._served)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def forward_to(self, port: int) -> None:
        """Where the service listens, on loopback."""
        self._to = port

    def renew(self) -> None:
        """Put a certificate in place that is valid."""
        self._put(_DAYS)

    def expire(self) -> None:
        """Put one in place that ended a minute ago, as if nobody had renewed it."""
        self._put(-1 / 1440)

    async def visit(self, path: str) -> int:
        """The status of a GET, by a new connection of somebody who looks at the certificate; `OSError` where it is refused."""
        reader, writer = await asyncio.open_connection(_HOST, self.port, ssl=self._trusting)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {_HOST}\r\nConnection: close\r\n\r\n".encode())
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()

    def _put(self, days: float) -> None:
        made = _certificate(_HOST, self._key, self._of_authority, days)
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._file.touch(mode=0o600)
        self._file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        self._served.load_cert_chain(self._file)  # of a context that is in use: new connections get it

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with contextlib.suppress(OSError):
                back, forth = await asyncio.open_connection("127.0.0.1", self._to)
                try:
                    await asyncio.gather(_pump(reader, forth), _pump(back, writer))
                finally:
                    forth.close()
        finally:
            self._open.discard(task)
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():  # TLS cannot say that half of it is over
        sink.write_eof()
    else:
        sink.close()


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signed_by: ec.EllipticCurvePrivateKey,
    days: float,
    *,
    authority: bool = False,
) -> x509.Certificate:
    """Of `name`, valid until in so many days, or until so many days ago."""
    end = datetime.now(UTC) + timedelta(days=days)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SISPAT drill")])
    about: x509.ExtensionType = (
        x509.BasicConstraints(ca=True, path_length=None)
        if authority
        else x509.SubjectAlternativeName([x509.DNSName(name)])
    )
    signer = x509.SubjectKeyIdentifier.from_public_key(signed_by.public_key())
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(end - timedelta(days=90)).not_valid_after(end)
        .add_extension(about, critical=authority)
        # Strict clients (Python 3.13) want these two.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
    )  # fmt: skip
    if authority:
        made = made.add_extension(_SIGNS, critical=True)
    return made.sign(signed_by, hashes.SHA256())
