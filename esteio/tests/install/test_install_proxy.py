"""nginx, Caddy and nft themselves read what is written for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from esteio.install import Proxied, caddy_site, firewall_nft, firewall_ufw, nginx_site

pytest.importorskip("cryptography")

from esteio.testing.certificates import write_certificate


def site(directory: Path) -> Proxied:
    certificate, key = directory / "cert.pem", directory / "key.pem"
    write_certificate(certificate, key)
    return Proxied("service", "patrimonio.test", 8000, 100 * 2**20, certificate, key, "pt-BR", "Um momento, d'água.")


def test_nginx_takes_its_site(tmp_path: Path, debian_program) -> None:
    nginx = debian_program("nginx")
    text = nginx_site(site(tmp_path))
    assert "client_max_body_size 101m;" in text
    # Debian's own are in /var/lib/nginx, which its package makes.
    places = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {places} {text} }}")
    words = [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_caddy_takes_its_site(tmp_path: Path, debian_program) -> None:
    caddy = debian_program("caddy")
    (tmp_path / "Caddyfile").write_text(caddy_site(site(tmp_path)))
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")],
        env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr


def test_a_proxy_that_gets_its_certificate_by_itself_is_given_none() -> None:
    plain = Proxied("service", "patrimonio.test", 8000, 2**20)
    assert "tls" not in caddy_site(plain)
    assert "ssl_certificate     /etc/letsencrypt/live/patrimonio.test/fullchain.pem;" in nginx_site(plain)


@pytest.mark.skipif(shutil.which("nft") is None or os.geteuid() != 0, reason="nft, for root, is not here")
def test_nft_takes_the_firewall_without_applying_it(tmp_path: Path) -> None:
    rules = tmp_path / "rules.nft"
    rules.write_text(firewall_nft((80, 443)))
    done = subprocess.run(
        ["nft", "--check", "--file", str(rules)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


def test_both_firewalls_let_the_same_ports_in_and_the_one_of_ssh() -> None:
    ports = (80, 443)
    nft = re.search(r"tcp dport { ([\d, ]+) } accept", firewall_nft(ports))
    assert nft
    assert nft[1].split(", ") == re.findall(r"ufw allow (\d+)/tcp", firewall_ufw(ports)) == ["22", "80", "443"]
