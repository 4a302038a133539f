"""The certificate with which the service speaks TLS itself, without a proxy.

Promises: what is wrong with it is said before anything is started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings

if TYPE_CHECKING:
    from esteio.serve import CertificateFiles

__all__ = ["HalfCertificate", "UnusableCertificate", "certificate_files"]


class HalfCertificate(SispatError):
    """Of certificate and key, one is given."""

    code = "certificado-incompleto"

    def __init__(self, missing: str) -> None:
        self.missing = missing
        super().__init__(
            _(
                "Falta %(name)s: o certificado e a chave vêm juntos, ou nenhum dos dois (atrás de um proxy).",
                name=missing,
            )
        )


class UnusableCertificate(SispatError):
    """The files cannot be read, or do not belong together."""

    code = "certificado-inutilizavel"

    def __init__(self, files: CertificateFiles, problem: str) -> None:
        self.files, self.problem = files, problem
        super().__init__(
            _(
                "O certificado %(certificate)s com a chave %(key)s não serve: %(problem)s. Dê arquivos PEM que formem um par, "
                "a chave sem senha, e a esta conta permissão de lê-los.",
                certificate=files.certificate,
                key=files.key,
                problem=problem,
            )
        )


def certificate_files(settings: Settings) -> CertificateFiles | None:
    """None behind a proxy; `HalfCertificate`, `UnusableCertificate`."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise HalfCertificate("SISPAT_TLS_CERTIFICATE" if certificate is None else "SISPAT_TLS_KEY")
    from esteio.serve import CertificateFiles, CertificateUnusable

    files = CertificateFiles(certificate, key)
    try:
        files.context()
    except CertificateUnusable as unusable:
        raise UnusableCertificate(files, unusable.problem) from unusable
    return files
