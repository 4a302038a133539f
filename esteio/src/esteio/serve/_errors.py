"""What can be wrong before anything is started."""

from __future__ import annotations

from pathlib import Path

from esteio.errors import EsteioError

__all__ = [
    "AddressDenied",
    "AddressInUse",
    "AddressUnusable",
    "ApplicationUnusable",
    "CertificateUnusable",
    "InvalidServeSetting",
    "ProgramMissing",
]


class AddressInUse(EsteioError):
    """Another program listens on this address."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"cannot listen on {host}:{port}: another program already does; "
            f"stop it (find it with: ss -ltnp 'sport = :{port}') or choose another port"
        )


class AddressDenied(EsteioError):
    """The operating system does not let this user listen there."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"cannot listen on {host}:{port}: permission denied; ports below 1024 are for the administrator - "
            f"choose a port from 1024 to 65535, or grant CAP_NET_BIND_SERVICE"
        )


class AddressUnusable(EsteioError):
    """The address is not one of this machine's, or not an address."""

    def __init__(self, host: str, port: int, cause: str) -> None:
        self.host = host
        self.port = port
        self.cause = cause
        super().__init__(
            f"cannot listen on {host}:{port}: {cause}; use 127.0.0.1 (this machine only), 0.0.0.0 (all networks) "
            f"or an address this machine has, and a port from 0 to 65535"
        )


class ApplicationUnusable(EsteioError):
    """The application can't be imported, and no worker has ever served it."""

    def __init__(self, app: str, problem: str) -> None:
        self.app = app
        self.problem = problem
        super().__init__(f'cannot serve {app!r}: {problem}; give "package.module:attribute" of an ASGI application')


class CertificateUnusable(EsteioError):
    """The certificate, or its key, cannot be used."""

    def __init__(self, certificate: Path, key: Path, problem: str) -> None:
        self.certificate = certificate
        self.key = key
        self.problem = problem
        super().__init__(
            f"cannot use the certificate {certificate} with the key {key}: {problem}; give PEM files that belong together, "
            f"the key without a passphrase, both readable for this account"
        )


class InvalidServeSetting(EsteioError):
    """A setting of the supervisor is outside what is allowed."""

    def __init__(self, setting: str, value: object, allowed: str) -> None:
        self.setting = setting
        self.value = value
        self.allowed = allowed
        super().__init__(f"serve setting {setting}={value!r} is not usable: allowed is {allowed}")


class ProgramMissing(EsteioError):
    """What a service should run is not there, or can't be run."""

    def __init__(self, name: str, program: str, cause: str) -> None:
        self.name = name
        self.program = program
        self.cause = cause
        super().__init__(f"service {name}: {program!r} cannot be run: {cause}; give a program of this machine")
