"""TLS by files that are replaced while the service runs: each new connection gets the newest pair that fits."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from house import House

from esteio.serve import CertificateFiles, CertificateUnusable
from esteio.serve._tls import CertificateWatch
from esteio.testing.certificates import write_certificate

CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CLIENT.check_hostname, CLIENT.verify_mode = False, ssl.CERT_NONE


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    found = CertificateFiles(tmp_path / "cert.pem", tmp_path / "key.pem")
    write_certificate(found.certificate, found.key)
    return found


def serial(certificate: bytes | None) -> int:
    from cryptography import x509

    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


def served(context: ssl.SSLContext) -> int:
    """The serial number of what a client is shown in a handshake with `context`, without a network."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = CLIENT.wrap_bio(to_client, to_server, server_hostname="service.test")
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    return serial(client.getpeercert(binary_form=True))


def test_a_replaced_pair_is_served_and_a_look_without_a_change_reads_nothing(files: CertificateFiles) -> None:
    watch = CertificateWatch(files)
    first = served(watch.context)
    assert not watch.look()
    second = write_certificate(files.certificate, files.key)
    assert first != second
    assert served(watch.context) == first
    assert watch.look()
    assert served(watch.context) == second
    assert not watch.look()


def test_a_pair_that_does_not_fit_is_told_once_and_the_one_before_stays(
    files: CertificateFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = CertificateWatch(files)
    first = served(watch.context)
    write_certificate(files.certificate, tmp_path / "of-another.pem")  # half of a renewal
    with caplog.at_level(logging.ERROR, "esteio.serve"):
        assert not watch.look()
        assert not watch.look()
    assert len(caplog.records) == 1
    assert "the certificate of before stays in force" in caplog.text
    assert served(watch.context) == first
    (tmp_path / "of-another.pem").replace(files.key)
    assert watch.look()
    assert served(watch.context) != first


def test_files_that_are_away_for_a_moment_change_nothing(files: CertificateFiles) -> None:
    watch = CertificateWatch(files)
    first = served(watch.context)
    content = files.certificate.read_bytes()
    files.certificate.unlink()
    assert not watch.look()
    files.certificate.write_bytes(content)
    watch.look()
    assert served(watch.context) == first


@pytest.mark.parametrize("what", ["absent", "garbage", "another", "passphrase"])
def test_files_that_cannot_be_used_are_named_before_anything_starts(
    files: CertificateFiles, tmp_path: Path, what: str
) -> None:
    if what == "absent":
        files.key.unlink()
    elif what == "garbage":
        files.certificate.write_text("no certificate")
    elif what == "another":
        write_certificate(tmp_path / "another.pem", files.key)
    else:
        from cryptography.hazmat.primitives import serialization as forms

        key = forms.load_pem_private_key(files.key.read_bytes(), None)
        locked = forms.BestAvailableEncryption(b"secret")
        files.key.write_bytes(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, locked))
    with pytest.raises(CertificateUnusable) as caught:
        files.context()
    assert str(files.certificate) in str(caught.value)
    assert str(files.key) in str(caught.value)
    if what == "passphrase":
        assert "passphrase" in caught.value.problem


def test_an_old_protocol_is_refused(files: CertificateFiles) -> None:
    assert files.context().minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.fault
@pytest.mark.untimed
def test_workers_serve_over_tls_and_get_the_new_certificate_without_being_replaced(
    files: CertificateFiles, tmp_path: Path
) -> None:
    import http.client
    import time

    (tmp_path / "switches").mkdir()
    house = House(tmp_path / "switches", tls=[str(files.certificate), str(files.key)], workers=1)
    try:
        worker = house.wait("WorkerReady")[0]["pid"]

        def asked() -> tuple[int, int]:
            connection = http.client.HTTPSConnection("127.0.0.1", house.port, context=CLIENT, timeout=10)
            connection.request("GET", "/")
            status, found = connection.getresponse().status, connection.sock.getpeercert(binary_form=True)
            connection.close()
            return status, serial(found)

        status, first = asked()
        assert status == 200
        second = write_certificate(files.certificate, files.key)
        end = time.monotonic() + 20
        while asked() != (200, second):
            assert time.monotonic() < end, house.log()
            time.sleep(0.1)
        assert first != second
        assert len(house.seen("WorkerStarted")) == 1
        assert house.seen("WorkerReady")[0]["pid"] == worker
    finally:
        house.close()
