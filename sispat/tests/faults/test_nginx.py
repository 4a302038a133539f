"""SISPAT behind a real nginx, with the site that `sispat install` writes: TLS, HTTP/2, who asked, renewals under load."""

from __future__ import annotations

import http.client
import itertools
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg
import pytest
from cryptography import x509
from processos import SEM_LIMITES, Service

from esteio.install import Proxied, nginx_site
from esteio.postgres import Dsn
from esteio.testing.certificates import write_certificate

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(120)]
NAME = "patrimonio.test"
LOGIN = {"email": "gestor@demo.local", "password": "demo"}
ANYBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANYBODY.check_hostname, ANYBODY.verify_mode = False, ssl.CERT_NONE


@dataclass
class Nginx:
    """In front of the service on `upstream`, with its files below `directory`."""

    program: str
    directory: Path
    upstream: int

    def __post_init__(self) -> None:
        self.http, self.https = _free_port(), _free_port()
        self.certificate, self.key = self.directory / "cert.pem", self.directory / "key.pem"
        self.serial = write_certificate(self.certificate, self.key, NAME)
        site = nginx_site(
            Proxied("sispat", NAME, self.upstream, 2**20, self.certificate, self.key, "pt-BR", "Tente de novo.")
        )
        for port, ours in ((443, self.https), (80, self.http)):
            site = site.replace(f"listen {port}", f"listen 127.0.0.1:{ours}").replace(
                f"listen [::]:{port}", f"listen [::1]:{ours}"
            )
        user = "user root;" if os.geteuid() == 0 else ""
        self.file = self.directory / "nginx.conf"
        self.file.write_text(
            f"{user} daemon off; pid {self.directory}/pid; worker_processes 2; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {self.directory}/body; proxy_temp_path {self.directory}/proxy;\n"
            f"fastcgi_temp_path {self.directory}/f; uwsgi_temp_path {self.directory}/u; scgi_temp_path {self.directory}/s;\n"
            f"{site} }}\n"
        )
        self.words = [
            self.program,
            "-p",
            str(self.directory),
            "-c",
            str(self.file),
            "-e",
            str(self.directory / "error.log"),
        ]
        self.process = subprocess.Popen(self.words)

    def renew(self) -> None:
        """What certbot's hook does."""
        self.serial = write_certificate(self.certificate, self.key, NAME)
        subprocess.run([*self.words, "-s", "reload"], check=True, timeout=20)

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.https, context=ANYBODY, timeout=20)


@pytest.fixture(scope="module")
def city(postgres_server, _modelo_cidade) -> Iterator[Dsn]:
    yield postgres_server.create_database("atras_do_nginx", template=_modelo_cidade)
    postgres_server.drop_database("atras_do_nginx")


@pytest.fixture(scope="module")
def service(city: Dsn) -> Iterator[Service]:
    with Service(DATABASE_URL=city.url, **SEM_LIMITES) as real:
        real.pronto()
        yield real


@pytest.fixture(scope="module")
def nginx(service: Service, tmp_path_factory, debian_program) -> Iterator[Nginx]:
    directory = tmp_path_factory.mktemp("nginx")
    started = Nginx(debian_program("nginx"), directory, int(service.endereco().rsplit(":", 1)[1]))
    try:
        end = time.monotonic() + 20
        while not _listens(started.https):
            assert time.monotonic() < end
            assert started.process.poll() is None, (directory / "error.log").read_text()
            time.sleep(0.05)
        yield started
    finally:
        started.close()


def test_who_asked_is_known_cookies_are_for_tls_and_the_browser_is_told_to_stay_there(
    nginx: Nginx, service: Service, city: Dsn
) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "Host": NAME}

    def signed_in(address: str, url: str) -> httpx2.Response:
        transport = httpx2.HTTPTransport(verify=ANYBODY, local_address=address)
        with httpx2.Client(transport=transport, headers=forged, timeout=20) as client:
            return client.post(f"{url}/api/auth/login", json=LOGIN)

    answer = signed_in("127.0.0.2", f"https://127.0.0.1:{nginx.https}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    assert all("; secure" in each.lower() for each in cookies), cookies
    direct = signed_in("127.0.0.3", service.endereco())
    assert direct.status_code == 200
    assert "strict-transport-security" not in direct.headers
    with psycopg.connect(city.conninfo) as conn:
        rows = conn.execute("select endereco from sessao order by criada_em desc limit 2").fetchall()
    assert [str(row[0]) for row in rows] == ["127.0.0.3", "127.0.0.2"], "nobody is believed what a proxy did not see"


def test_browsers_speak_http_2_and_plain_http_leads_to_tls(nginx: Nginx) -> None:
    url = f"https://{NAME}:{nginx.https}/entrar"
    curl = ["curl", "-sk", "--http2", "--resolve", f"{NAME}:{nginx.https}:127.0.0.1", "-o", "/dev/null"]
    done = subprocess.run(
        [*curl, "-w", "%{http_version} %{http_code}", url], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "2 200"
    plain = http.client.HTTPConnection("127.0.0.1", nginx.http, timeout=20)
    plain.request("GET", "/patrimonios?q=mesa", headers={"Host": NAME})
    answer = plain.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, f"https://{NAME}/patrimonios?q=mesa")
    plain.close()


@dataclass
class Load:
    """Clients that ask over a new connection each time, and over one that is kept as long as nginx keeps it."""

    nginx: Nginx
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    serials: set[int] = field(default_factory=set)
    ended: bool = False

    def fresh(self) -> None:
        while not self.ended:
            connection = self.nginx.connection()
            try:
                connection.connect()
                shown = x509.load_der_x509_certificate(connection.sock.getpeercert(binary_form=True) or b"")
                self.serials.add(shown.serial_number)
                self._ask(connection)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.lost.append(repr(error))
            finally:
                connection.close()

    def kept(self) -> None:
        connection = self.nginx.connection()
        for number in itertools.count():
            if self.ended:
                break
            try:
                self._ask(connection)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # An idle connection may be closed as a request is on its way; a client asks again over a new one.
                connection.close()
                try:
                    self._ask(connection)
                except (OSError, http.client.HTTPException, AssertionError) as error:
                    self.lost.append(f"{number}: {error!r}")
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.lost.append(f"{number}: {error!r}")
        connection.close()

    def _ask(self, connection: http.client.HTTPSConnection) -> None:
        connection.request("GET", "/api/health/live", headers={"Host": NAME})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:200]
        self.answered += 1


def test_a_certificate_is_renewed_under_load_without_a_lost_request(nginx: Nginx, capsys) -> None:
    load = Load(nginx)
    threads = [threading.Thread(target=work) for work in (load.fresh, load.fresh, load.kept, load.kept)]
    for thread in threads:
        thread.start()
    serials = [nginx.serial]
    try:
        for _ in range(3):
            nginx.renew()
            serials.append(nginx.serial)
            end = time.monotonic() + 20
            while nginx.serial not in load.serials:
                assert time.monotonic() < end, "the new certificate is not served"
                time.sleep(0.02)
    finally:
        load.ended = True
        for thread in threads:
            thread.join(30)
    assert load.lost == []
    assert set(serials) <= load.serials | {serials[0]}
    with capsys.disabled():
        print(f"\n    nginx -s reload with a new certificate, 3 times: lost 0 of {load.answered}")


def test_while_the_service_is_away_people_read_a_page_and_programs_know_when_to_ask_again(
    nginx: Nginx, service: Service
) -> None:
    service.encerrar()
    connection = nginx.connection()
    connection.request("GET", "/patrimonios", headers={"Host": NAME})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    assert (answer.status, answer.getheader("Retry-After")) == (503, "5")
    assert "Tente de novo." in body
    assert 'lang="pt-BR"' in body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
