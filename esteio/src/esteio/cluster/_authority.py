"""The cluster's own small authority, and what it signs: for each node, for the service on it, and for who operates it.

Promises: the authority's key stays in the directory that `init` wrote, of this account alone (0600), and is never among the
files of a node. What is there and fits is kept, so that files may be written again; `renew` makes new keys and certificates
in any case, from the same authority, so that old and new ones are believed side by side. Needs `cryptography`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from esteio.cluster._client import AUTHORITY, CERTIFICATE, KEY
from esteio.cluster._plan import Node, Plan
from esteio.errors import EsteioError
from esteio.extras import needs
from esteio.system import atomic_write

with needs("cluster"):
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["AUTHORITY_KEY", "SERVICES", "VALID", "AuthorityMissing", "write_certificates"]

AUTHORITY_KEY = "ca.key"
SERVICES = "service.d"
"""In the output directory: a directory for the service of each data node. No node can have this name."""
VALID = timedelta(days=730)
"""For how long a certificate of a node is valid."""
_AUTHORITY_VALID = timedelta(days=3650)
_BEFORE = timedelta(days=1)
"""Clocks of nodes differ."""


class AuthorityMissing(EsteioError):
    """A certificate has to be signed, and `path`, the authority's key, is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is not there, and signs the nodes' certificates: put it back from where you keep it. If it is lost, "
            f"remove {path.with_name(AUTHORITY)}: another authority is made, and every node needs its files anew at once"
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A certificate in `place` for `name`, by which it is found under `names` and `addresses`."""

    place: Path
    name: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None


def write_certificates(plan: Plan, output: Path, *, renew: bool = False, valid: timedelta = VALID) -> int:
    """Make what is missing below `output`, or, to `renew`, all but the authority; how many were made.

    They are `valid` for so long from now on; a test makes some that have ended already. AuthorityMissing where something has
    to be signed and the authority's key was moved away.
    """
    authority, made = _authority(plan, output), 0
    public = authority.certificate.public_bytes(serialization.Encoding.PEM)
    for wanted in _wanted(plan, output):
        wanted.place.mkdir(mode=0o755, parents=True, exist_ok=True)
        _put(wanted.place / AUTHORITY, public, public=True)
        if renew or not _fits(wanted, authority.certificate):
            if authority.key is None:
                raise AuthorityMissing(output / AUTHORITY_KEY)
            key = ec.generate_private_key(ec.SECP256R1())
            made_now = _signed(wanted, key, authority.certificate, authority.key, valid)
            _put(wanted.place / KEY, _pem(key), public=False)
            _put(wanted.place / CERTIFICATE, made_now.public_bytes(serialization.Encoding.PEM), public=True)
            made += 1
    return made


def _wanted(plan: Plan, output: Path) -> Iterator[_Wanted]:
    yield _Wanted(output, "operator")
    for node in plan.nodes:
        names, addresses = _found_as(plan, node)
        yield _Wanted(output / node.name, node.name, names, addresses)
        if not node.witness:
            yield _Wanted(output / SERVICES / node.name, f"{plan.name} on {node.name}", names, addresses)


def _found_as(plan: Plan, node: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
    virtual = (plan.virtual_ip.partition("/")[0],) if plan.virtual_ip and not node.witness else ()
    return (node.name, "localhost"), (node.address, "127.0.0.1", *virtual)


def _authority(plan: Plan, output: Path) -> _Authority:
    path, secret = output / AUTHORITY, output / AUTHORITY_KEY
    if path.exists():
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        return _Authority(certificate, _read_key(secret) if secret.exists() else None)
    key, name = ec.generate_private_key(ec.SECP256R1()), _name(f"{plan.name} cluster authority")
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _begun(name, name, key, datetime.now(UTC) + _AUTHORITY_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _put(secret, _pem(key), public=False)  # first: a certificate whose key is lost signs nothing
    _put(path, certificate.public_bytes(serialization.Encoding.PEM), public=True)
    return _Authority(certificate, key)


def _signed(
    wanted: _Wanted,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    valid: timedelta,
) -> x509.Certificate:
    ends = min(datetime.now(UTC) + valid, authority.not_valid_after_utc)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    # A node asks others with what it answers with: etcd uses one certificate for both.
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if wanted.names else [])]
    made = (
        _begun(_name(wanted.name), authority.subject, key, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if wanted.names:
        made = made.add_extension(x509.SubjectAlternativeName(_alternatives(wanted)), critical=False)
    return made.sign(signer, hashes.SHA256())


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - _BEFORE)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternatives(wanted: _Wanted) -> list[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in wanted.addresses]
    return [*(x509.DNSName(each) for each in wanted.names), *addresses]


def _fits(wanted: _Wanted, authority: x509.Certificate) -> bool:
    """Whether what is there is of this authority, for these names, and not over."""
    try:
        there = x509.load_pem_x509_certificate((wanted.place / CERTIFICATE).read_bytes())
        there.verify_directly_issued_by(authority)
        ours = _read_key(wanted.place / KEY).public_key() == there.public_key()
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return ours and datetime.now(UTC) < there.not_valid_after_utc and _told(there) == _alternatives(wanted)


def _told(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} is no key of an elliptic curve")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _put(path: Path, content: bytes, *, public: bool) -> None:
    atomic_write(path, content)  # of this account alone
    if public:
        path.chmod(0o644)
