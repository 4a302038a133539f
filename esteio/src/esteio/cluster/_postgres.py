"""What Patroni and etcd of one node are told. Pure."""

from __future__ import annotations

from typing import Any

from esteio.cluster._client import files_for
from esteio.cluster._plan import Node, Plan

__all__ = ["SLOT", "bootstrap_sql", "etcd", "patroni", "verifying"]

SLOT = "esteio_wal"
"""That of `esteio.backup.archive`."""

_STOP = 2
"""Seconds for a stop in order before Patroni stops the server as it wants; less than `Timings` leaves of a lease."""


def etcd(plan: Plan, node: Node) -> dict[str, Any]:
    """Etcd's own file; it has no password: who may ask it is who has a certificate."""
    ports = plan.ports
    client, peer = f"https://{node.address}:{ports.etcd}", f"https://{node.address}:{ports.etcd_peer}"
    tls = files_for(plan.filled(plan.config_dir, node))
    transport = {
        "cert-file": tls["certificate"],
        "key-file": tls["key"],
        "trusted-ca-file": tls["authority"],
        "client-cert-auth": True,
    }
    return {
        "name": node.name,
        "data-dir": f"{plan.filled(plan.data_dir, node)}/etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": ",".join(f"{each.name}=https://{each.address}:{ports.etcd_peer}" for each in plan.nodes),
        "client-transport-security": transport,
        "peer-transport-security": transport,
        # So that whoever only wants to know whether a node lives needs no certificate, and no handshake ten times a second.
        "listen-metrics-urls": f"http://{node.address}:{ports.etcd_health}",
        "initial-cluster-token": plan.name,
        "initial-cluster-state": "new",
        "heartbeat-interval": 100,  # milliseconds; a vote after ten of them missed
        "election-timeout": 1000,
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1",  # hours of old values; else they are kept for ever
        "enable-grpc-gateway": True,  # what Patroni speaks to; on by default, but not where there is a file (etcd 3.4)
        "log-level": "warn",
    }


def patroni(plan: Plan, node: Node) -> dict[str, Any]:
    """Patroni's file; what stands under bootstrap.dcs holds for all, and is changed by `patronictl edit-config` later."""
    ports, secrets, home = plan.ports, plan.secrets, plan.filled(plan.data_dir, node)
    tls = files_for(plan.filled(plan.config_dir, node))
    certificate = {"certfile": tls["certificate"], "keyfile": tls["key"]}
    programs = plan.filled(plan.programs.postgres, node)
    return {
        "scope": plan.name,
        "name": node.name,
        "restapi": {
            "listen": f"{node.address}:{ports.patroni}",
            "connect_address": f"{node.address}:{ports.patroni}",
            "authentication": {"username": "patroni", "password": secrets.patroni},
            **certificate,
            "cafile": tls["authority"],
            "verify_client": "required",  # whoever changes something needs the password as well
        },
        "ctl": {"insecure": False, **certificate, "cacert": tls["authority"]},
        "etcd3": {
            "hosts": [f"{each.address}:{ports.etcd}" for each in plan.nodes],
            "protocol": "https",
            "cacert": tls["authority"],
            "cert": tls["certificate"],
            "key": tls["key"],
        },
        "bootstrap": {
            "dcs": _shared(plan),
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums", {"auth": "scram-sha-256"}],
            "post_bootstrap": (
                f"{programs}/psql -q -X -v ON_ERROR_STOP=1 -f {plan.filled(plan.config_dir, node)}/bootstrap.sql -d"
            ),
        },
        "postgresql": {
            "listen": f"{node.address}:{ports.postgres}",
            "connect_address": f"{node.address}:{ports.postgres}",
            "bin_dir": programs,
            "data_dir": f"{home}/postgres",
            "pgpass": f"{home}/pgpass",
            # Patroni looks once a second whether a server it stops has ended, and waits a second more for standbys, which have
            # all by then: a server that ends waits for them itself. Who has ended before Patroni looks is not waited for. It
            # is also run before a stop that must not wait, such as without the lease: hence the limit.
            "before_stop": f"{programs}/pg_ctl stop -D {home}/postgres -m fast -s -w -t {_STOP}",
            "parameters": {
                "unix_socket_directories": home,
                "ssl": "on",
                "ssl_ca_file": tls["authority"],
                "ssl_cert_file": tls["certificate"],
                "ssl_key_file": tls["key"],
            },
            "basebackup": [{"checkpoint": "fast"}],  # else a new standby waits for the next checkpoint: minutes
            "pg_hba": _hba(plan),
            "authentication": {
                "superuser": {"username": "postgres", "password": secrets.superuser, **verifying(tls)},
                "replication": {"username": "replicator", "password": secrets.replication, **verifying(tls)},
                "rewind": {"username": "rewinder", "password": secrets.rewind, **verifying(tls)},
            },
        },
        "watchdog": {"mode": plan.watchdog, "device": "/dev/watchdog", "safety_margin": 5},
    }


def verifying(tls: dict[str, str]) -> dict[str, str]:
    """For libpq: the server has to be a node, under the address it was asked at, and is shown who asks."""
    return {
        "sslmode": "verify-full",
        "sslrootcert": tls["authority"],
        "sslcert": tls["certificate"],
        "sslkey": tls["key"],
    }


def _shared(plan: Plan) -> dict[str, Any]:
    times = plan.timings
    return {
        "ttl": times.ttl,
        "loop_wait": times.loop_wait,
        "retry_timeout": times.retry_timeout,
        # A COMMIT is on the disk of a second node before it is acknowledged: of any, so that losing one delays nothing.
        "synchronous_mode": "quorum",
        # With no standby left the primary goes on alone; strict would stop writes with the second machine.
        "synchronous_mode_strict": False,
        # Without etcd the primary goes on as long as it reaches all members: an outage of etcd is none of the database.
        "failsafe_mode": True,
        "maximum_lag_on_failover": 1 << 20,
        # A server that died is not started again where it is, but another one leads: it has all that was acknowledged, and
        # needs no recovery, however much log there is since the last checkpoint.
        "primary_start_timeout": 0,
        # On each node, moved on with that of the primary: the archive goes on behind a failover where it was. One that Patroni
        # does not know it removes whenever nobody receives.
        "slots": {SLOT: {"type": "physical"}} if plan.archive else {},
        "postgresql": {
            "use_pg_rewind": True,  # an old primary comes back as a standby by itself
            "use_slots": True,
            "parameters": {
                "hot_standby": "on",
                "max_connections": 200,
                "max_wal_senders": 10,
                "max_replication_slots": 10,
                "wal_level": "replica",
                "wal_log_hints": "on",
                "wal_keep_size": "256MB",
                "max_slot_wal_keep_size": "8GB",  # a standby that stays away must not fill the primary's disk
                "wal_sender_timeout": f"{times.replication}s",
                "wal_receiver_timeout": f"{times.replication}s",
                "wal_receiver_status_interval": "1s",
                "wal_retrieve_retry_interval": "500ms",  # a COMMIT waits until a standby has found the restarted primary
                "tcp_keepalives_idle": 10,
                "tcp_keepalives_interval": 3,
                "tcp_keepalives_count": 3,
                "password_encryption": "scram-sha-256",
            },
        },
    }


def _hba(plan: Plan) -> list[str]:
    nodes = [f"{each.address}/32" for each in plan.nodes]
    data = [f"{each.address}/32" for each in plan.data_nodes]
    # From a node with a certificate and the password; from elsewhere with the password, and never without TLS.
    both = "scram-sha-256 clientcert=verify-ca"
    return [
        "local all all scram-sha-256",
        *(f"hostssl replication replicator {each} {both}" for each in data),
        *(f"hostssl replication,{plan.name} backup {each} {both}" for each in data if plan.archive),
        *(["host all backup all reject"] if plan.archive else []),  # from nowhere else, and to nothing else
        *(f"hostssl all all {each} {both}" for each in nodes),
        *(f"hostssl all all {each} scram-sha-256" for each in plan.client_networks),
    ]


def bootstrap_sql(plan: Plan) -> str:
    """Run once, when the first node makes the cluster: the service's role and database, and the role of its backups."""
    # Names and secrets are of letters, digits, - and _ alone. It may make roles for its own migrations, and no superuser.
    backup = f"CREATE ROLE backup LOGIN REPLICATION PASSWORD '{plan.secrets.backup}';\n"
    return (
        f"CREATE ROLE \"{plan.name}\" LOGIN CREATEROLE PASSWORD '{plan.secrets.service}';\n"
        f'CREATE DATABASE "{plan.name}" OWNER "{plan.name}";\n'
        f"{backup if plan.archive else ''}"
    )
