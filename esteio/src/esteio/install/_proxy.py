"""A reverse proxy with TLS in front of a service, and the firewall around both, as texts to review.

Promises: the proxy tells the service who asked, and forwards nothing of what the client says of itself; while the service
is being started again, requests get 503 with Retry-After and a page. Pure: nothing is written, applied or asked for here.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Proxied", "caddy_site", "firewall_nft", "firewall_ufw", "nginx_site"]


@dataclass(frozen=True, slots=True)
class Proxied:
    """`domain` in front of the service that listens on `port` of this machine.

    `body_limit`: bytes of the largest request. `certificate` and `key`: None where the proxy gets its own (Caddy), or where
    certbot keeps them (nginx). `language` and `unavailable`: of the page while the service does not answer.
    """

    name: str
    domain: str
    port: int
    body_limit: int
    certificate: Path | None = None
    key: Path | None = None
    language: str = "en"
    unavailable: str = "The service is being started. Please try again in a few seconds."

    @property
    def files(self) -> tuple[Path, Path]:
        """Certificate and key for a proxy that gets none by itself."""
        live = Path("/etc/letsencrypt/live") / self.domain
        return self.certificate or live / "fullchain.pem", self.key or live / "privkey.pem"

    @property
    def megabytes(self) -> int:
        """The largest request, with room for what surrounds the files in it."""
        return -(-self.body_limit // 2**20) + 1


def nginx_site(site: Proxied) -> str:
    """A site of nginx; `nginx -s reload` takes a new certificate without losing a request."""
    certificate, key = site.files
    head = f'<!doctype html><html lang="{site.language}"><meta charset="utf-8"><title>{site.domain}</title>'
    page = f"{head}<p>{site.unavailable}".replace("'", "&#39;")
    return textwrap.dedent(f"""\
        upstream {site.name} {{
            server 127.0.0.1:{site.port};
            keepalive 16;
        }}

        server {{
            listen 80;
            listen [::]:80;
            server_name {site.domain};
            location /.well-known/acme-challenge/ {{ root /var/www/html; }}
            location / {{ return 301 https://$host$request_uri; }}
        }}

        server {{
            listen 443 ssl http2;
            listen [::]:443 ssl http2;
            server_name {site.domain};
            ssl_certificate     {certificate};
            ssl_certificate_key {key};
            ssl_protocols TLSv1.2 TLSv1.3;
            ssl_session_cache shared:{site.name}:1m;
            ssl_session_tickets off;
            server_tokens off;
            client_max_body_size {site.megabytes}m;

            location / {{
                proxy_pass http://{site.name};
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_set_header Host $host;
                # Set and not appended to: what a client says of itself ends here.
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header X-Forwarded-Proto $scheme;
                proxy_connect_timeout 5s;
                proxy_read_timeout 120s;
                proxy_send_timeout 120s;
            }}

            error_page 502 504 = @away;
            location @away {{
                internal;
                default_type text/html;
                add_header Retry-After 5 always;
                add_header Cache-Control no-store always;
                return 503 '{page}';
            }}
        }}
        """)


def caddy_site(site: Proxied) -> str:
    """A site of Caddy, which gets and renews the certificate by itself unless it is given one."""
    unavailable = site.unavailable.replace('"', "'")
    tls = f"    tls {site.certificate} {site.key}\n" if site.certificate and site.key else ""
    return (
        f"{site.domain} {{\n{tls}"
        f"    request_body {{\n        max_size {site.megabytes}MiB\n    }}\n"
        f"    reverse_proxy 127.0.0.1:{site.port} {{\n"
        "        lb_try_duration 5s\n"
        "        header_up X-Forwarded-For {remote_host}\n"
        "    }\n"
        "    handle_errors {\n"
        "        header Retry-After 5\n"
        "        header Cache-Control no-store\n"
        f'        respond "{unavailable}" 503\n'
        "    }\n"
        "}\n"
    )


def firewall_nft(ports: tuple[int, ...]) -> str:
    """A table for nft that lets in SSH and `ports`; to be reviewed before `nft -f`."""
    allowed = ", ".join(map(str, (22, *ports)))
    return textwrap.dedent(f"""\
        table inet filter {{
            chain input {{
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                iif lo accept
                meta l4proto {{ icmp, ipv6-icmp }} accept
                tcp dport {{ {allowed} }} accept
            }}
        }}
        """)


def firewall_ufw(ports: tuple[int, ...]) -> str:
    """The same as commands of ufw."""
    allowed = "".join(f"ufw allow {port}/tcp\n" for port in (22, *ports))
    return f"ufw default deny incoming\n{allowed}ufw enable\n"
