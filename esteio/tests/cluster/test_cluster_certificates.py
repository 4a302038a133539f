"""The cluster's authority signs for its nodes what they need, once, and its key goes nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from esteio.cli._certificates import exit_code_of
from esteio.cluster import CertificateMissing, Node, Plan, read_plan, write_files
from esteio.cluster._authority import AuthorityMissing, write_certificates
from esteio.cluster._client import context_of
from esteio.cluster.certificates import Shown
from esteio.cluster.operate import status

TRIO = "a=10.0.0.1,b=10.0.0.2,c=10.0.0.3"
PLAN = Plan.of(TRIO, virtual_ip="10.0.0.9/24")


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def serials(output: Path) -> dict[str, int]:
    return {str(path.parent.relative_to(output)): read(path).serial_number for path in output.rglob("tls.crt")}


def test_each_node_has_a_certificate_of_its_addresses_and_no_node_has_the_key_that_signs(tmp_path: Path) -> None:
    write_files(PLAN, tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("ca.key")} == {"ca.key"}
    keys = [*tmp_path.rglob("*.key")]
    assert (len(keys), {path.stat().st_mode & 0o777 for path in keys}) == (8, {0o600})
    signed_by = read(tmp_path / "ca.crt")
    for place in (tmp_path / "b", tmp_path / "service.d/b"):
        assert (place / "ca.crt").read_bytes() == (tmp_path / "ca.crt").read_bytes()
        found = read(place / "tls.crt")
        found.verify_directly_issued_by(signed_by)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["b", "localhost"]
        assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == [
            "10.0.0.2",
            "127.0.0.1",
            "10.0.0.9",
        ]
        left = found.not_valid_after_utc - datetime.now(UTC)
        assert timedelta(days=729) < left <= timedelta(days=730)


def test_certificates_that_fit_stay_and_only_what_changed_is_signed_anew(tmp_path: Path) -> None:
    write_files(PLAN, tmp_path)
    first = serials(tmp_path)
    write_files(PLAN, tmp_path)
    assert serials(tmp_path) == first
    write_files(Plan.of(TRIO.replace("10.0.0.3", "10.0.0.4"), virtual_ip="10.0.0.9/24"), tmp_path)
    moved = serials(tmp_path)
    assert {name for name in first if moved[name] != first[name]} == {"c", "service.d/c"}
    assert write_certificates(PLAN, tmp_path, renew=True) == 7
    assert not {*serials(tmp_path).values()} & {*moved.values()}


def test_a_key_of_the_authority_that_was_moved_away_is_missed_only_where_something_is_signed(tmp_path: Path) -> None:
    write_files(PLAN, tmp_path)
    first = serials(tmp_path)
    (tmp_path / "ca.key").unlink()
    write_files(PLAN, tmp_path)
    with pytest.raises(AuthorityMissing, match="put it back from where you keep it"):
        write_certificates(PLAN, tmp_path, renew=True)
    assert serials(tmp_path) == first


def test_who_has_no_certificate_is_told_so_before_anybody_is_asked(tmp_path: Path) -> None:
    write_files(PLAN, tmp_path)
    plan = read_plan(tmp_path / "cluster.toml")
    assert context_of(plan).cert_store_stats()["x509_ca"] == 1, "the cluster's authority, and none of the system's"
    (tmp_path / "tls.key").unlink()
    with pytest.raises(CertificateMissing, match=r"tls\.key: No such file"):
        status(plan)
    (tmp_path / "tls.key").write_bytes((tmp_path / "a/tls.key").read_bytes())
    with pytest.raises(CertificateMissing, match="not usable with its key"):
        status(plan)


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ([Shown(Node("a", "10.0.0.1"), "etcd", 100.0)], 0),
        ([Shown(Node("a", "10.0.0.1"), "etcd", 100.0), Shown(Node("b", "10.0.0.2"), "etcd", 20.0)], 1),
        ([Shown(Node("a", "10.0.0.1"), "etcd", problem="Connection refused")], 1),
        ([Shown(Node("a", "10.0.0.1"), "etcd", 2.0)], 2),
        ([Shown(Node("a", "10.0.0.1"), "etcd", problem="certificate has expired")], 2),
    ],
)
def test_the_exit_code_says_how_soon_a_certificate_ends(shown: list[Shown], code: int) -> None:
    assert exit_code_of(tuple(shown)) == code
