"""The systemd units of one node. Pure.

Promises: a program that ends is started again without end, after a second. Programs that rewrite their configuration get a
copy of their own, so that what was generated stays as it is.
"""

from __future__ import annotations

from esteio.cluster._front import LEAVES, LEAVING
from esteio.cluster._plan import Node, Plan

__all__ = ["units"]

_UNIT = """[Unit]
Description={title} of the cluster {name}
After=network-online.target{after}
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type={kind}
{account}{before}ExecStart={command}
Restart=always
RestartSec=1
{more}LimitNOFILE=65536
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


def units(plan: Plan, node: Node) -> dict[str, str]:
    """Name and text of each unit that this node needs."""
    where, data, programs = plan.filled(plan.config_dir, node), plan.filled(plan.data_dir, node), plan.programs
    sentinel_copy, redis_copy = f"{data}/sentinel.conf", f"{data}/redis.conf"
    found = {
        "etcd": _unit(plan, "etcd", f"{programs.etcd} --config-file {where}/etcd.yml", kind="notify"),
        "sentinel": _unit(
            plan, "Redis Sentinel", f"{programs.redis} {sentinel_copy} --sentinel",
            before=f"ExecStartPre=/bin/cp --no-clobber {where}/sentinel.conf {sentinel_copy}\n",
        ),
    }  # fmt: skip
    if not node.witness:
        found |= {
            # Patroni looks after the server: it is ended with it, by Patroni alone, and never for want of memory of others.
            "patroni": _unit(
                plan, "PostgreSQL under Patroni", f"{programs.patroni} {where}/patroni.yml", after="esteio-etcd.service",
                before="" if plan.watchdog == "off" else _WATCHDOG.format(account=plan.account),
                more="KillMode=process\nTimeoutSec=60\nOOMScoreAdjust=-800\nOOMPolicy=continue\n",
            ),
            "redis": _unit(
                plan, "Redis", f"{programs.redis} {redis_copy}",
                before=f"ExecStartPre=/bin/cp --no-clobber {where}/redis.conf {redis_copy}\n",
            ),
            "haproxy": _unit(
                plan, "HAProxy", f"{programs.haproxy} -W -f {where}/haproxy.cfg",
                more="ExecReload=/bin/kill -USR2 $MAINPID\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nKillMode=mixed\n"
                "KillSignal=SIGUSR1\nTimeoutStopSec=20\n",
            ),
        }  # fmt: skip
        if plan.virtual_ip:
            found["keepalived"] = _unit(
                plan,
                "the shared address",
                f"{programs.keepalived} --dont-fork --log-console --use-file {where}/keepalived.conf "
                f"--pid {data}/keepalived.pid --vrrp_pid {data}/vrrp.pid",
                account="",
                # So it stops before HAProxy does. HAProxy asks browsers for new connections; those are kept away then; it
                # ends what is idle, answers what is under way, and ends; only then does the address leave. A download that
                # takes longer is broken, as those who were kept away ask again after 1 and 3 s, and wait no longer than 5.
                after="esteio-haproxy.service",
                before=f"ExecStartPre=-/usr/sbin/nft {_STAY}\n",
                more=f"ExecStop=-/bin/bash -c '(echo GET {LEAVES} HTTP/1.0; echo) >/dev/tcp/127.0.0.1/{plan.ports.front}'\n"
                f"ExecStop=-/bin/sleep {LEAVING}\n"
                f"ExecStop=-/usr/sbin/nft --file {where}/leaving.nft\n"
                f"ExecStop=-/usr/bin/pkill -USR1 --pidfile {data}/haproxy.pid\n"
                f"ExecStop=-/usr/bin/timeout {_UNDER_WAY} /usr/bin/pidwait --pidfile {data}/haproxy.pid\n"
                f"ExecStopPost=-/usr/sbin/nft {_STAY}\n",
            )
    return {f"esteio-{name}.service": text for name, text in found.items()}


_UNDER_WAY = 2
"""Seconds that requests under way may still take, after new connections are kept away and what is idle was ended."""
_STAY = "delete table inet esteio_leaving"
_WATCHDOG = "ExecStartPre=-+/sbin/modprobe softdog\nExecStartPre=-+/bin/chown {account} /dev/watchdog\n"


def _unit(
    plan: Plan,
    title: str,
    command: str,
    *,
    kind: str = "exec",
    after: str = "",
    before: str = "",
    more: str = "",
    account: str | None = None,
) -> str:
    runs_as = f"User={plan.account}\n" if account is None else account
    return _UNIT.format(
        title=title,
        name=plan.name,
        after=f" {after}" if after else "",
        kind=kind,
        account=runs_as,
        before=before,
        command=command,
        more=more,
    )
