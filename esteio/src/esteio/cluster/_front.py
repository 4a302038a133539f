"""What HAProxy, keepalived, Redis, its Sentinels and the firewall of one node are told. Pure."""

from __future__ import annotations

from esteio.cluster._client import files_for
from esteio.cluster._plan import Node, Plan

__all__ = ["LEAVES", "LEAVING", "connected", "firewall", "haproxy", "keepalived", "leaving", "redis", "sentinel"]

LEAVING = 2
"""Seconds for which a node that is about to stop asks browsers for new connections before it takes no more of them."""
LEAVES = "/haproxy-leaves"
"""Who asks HAProxy for this, on its machine, makes it do so."""
_CONNECT = 2
"""Seconds until a service that takes the connection and shows no certificate is left for another one; nothing was sent yet."""
_LOOK, _PAUSE = 0.3, 0.33
"""Seconds that a neighbour has to take a connection, and between two such looks: three fill keepalived's second."""


def haproxy(plan: Plan, node: Node) -> str:
    """HTTP to the services of all nodes; the database needs none, as its pool follows the primary by itself.

    Requests carry passwords and sessions from node to node: so each service is asked by TLS, and only where it shows the
    certificate of its node, signed by the cluster's authority.
    """
    times, ports = plan.timings, plan.ports
    authority = files_for(plan.filled(plan.config_dir, node))["authority"]
    check = f"{times.check * 1000:g}ms"
    tls = (
        f"\n    bind :443 ssl crt {plan.certificate} alpn h2,http/1.1"
        "\n    http-request redirect scheme https unless { ssl_fc }"
    )
    servers = "\n".join(
        f"    server {each.name} {each.address}:{ports.service} check tcp-ut {times.silence}s verifyhost {each.name}"
        for each in plan.data_nodes
    )
    return f"""global
    log stdout format raw local0 notice
    maxconn 8000
    stats socket {plan.filled(plan.data_dir, node)}/haproxy.sock mode 600 level admin
    pidfile {plan.filled(plan.data_dir, node)}/haproxy.pid
    hard-stop-after 15s

defaults
    mode http
    log global
    option httplog
    # With the handshake, which waits for a process that is busy. A machine that is gone is known sooner: tcp-ut.
    timeout connect {_CONNECT}s
    timeout client 60s
    timeout server 60s
    timeout queue 10s
    timeout http-request 15s
    timeout http-keep-alive 60s

frontend front
    bind :{ports.front}{tls if plan.certificate else ""}
    option forwardfor
    # Asked by its own machine, before it is told to end (USR1): with `grace` it would not end what is idle.
    acl leaves path {LEAVES}
    acl from_here src 127.0.0.1
    http-request set-var(proc.leaving) bool(true) if leaves from_here
    http-request return status 200 if leaves from_here
    http-after-response set-header Connection close if {{ var(proc.leaving) -m bool }}
    # The service is always asked by TLS: what the browser spoke, it has to be told. Whoever stands before us may have.
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }} or {{ req.hdr(X-Forwarded-Proto) -m found }}
    monitor-uri /haproxy-lives
    default_backend service

backend service
    balance leastconn
    # A new connection for each request: one that was kept leads to a machine that vanished, and nobody says so.
    http-reuse never
    option redispatch 1
    retries 3
    # What was not sent goes to another node. What was sent is sent again only where it changes nothing.
    retry-on conn-failure empty-response response-timeout
    http-request disable-l7-retry unless {{ method GET HEAD OPTIONS }}
    option httpchk
    http-check send meth GET uri {plan.health} ver HTTP/1.1 hdr Host {plan.name} hdr Connection close
    http-check expect status 200
    default-server inter {check} downinter {check} fastinter {check} fall 2 rise 2 maxconn 1000
    default-server ssl verify required ca-file {authority} ssl-min-ver TLSv1.2
{servers}
"""


def keepalived(plan: Plan, node: Node) -> str:
    """The shared address on one of the data nodes, as long as its HAProxy takes connections and it reaches another node."""
    names = [each.name for each in plan.data_nodes]
    others = "\n".join(f"        {each.address}" for each in plan.data_nodes if each != node)
    return f"""global_defs {{
    router_id {node.name}
    script_user root
    enable_script_security
    # Who still asks a holder of before hears within 5 s which one it is now.
    vrrp_garp_master_refresh 5
}}

vrrp_script front {{
    script "/bin/bash -c '</dev/tcp/127.0.0.1/{plan.ports.front}'"
    interval 1
    timeout 1
    fall 2
    rise 2
}}

# A node that is cut off hears nobody else have the address and would take it too. It knows before it would.
vrrp_script connected {{
    script "/bin/bash {plan.filled(plan.config_dir, node)}/connected.sh"
    interval 1
    timeout 4
    fall 1
    rise 2
}}

vrrp_instance {plan.name} {{
    state BACKUP
    interface {plan.interface}
    virtual_router_id 51
    version 3
    priority {150 - 10 * names.index(node.name)}
    advert_int {plan.timings.advertisement:g}
    # Who has it keeps it: an address that goes back costs connections a second time.
    nopreempt
    unicast_src_ip {node.address}
    unicast_peer {{
{others}
    }}
    virtual_ipaddress {{
        {plan.virtual_ip}
    }}
    track_script {{
        front
        connected
    }}
}}
"""


def connected(plan: Plan, node: Node) -> str:
    """Bash: 0 while any other node takes a connection, be it HAProxy or etcd, where it says how it is; 1 soon after none does.

    keepalived looks once a second at the most, and takes the address after 1.2 s without a word of who has it: so each run
    looks three times. Who has the address must be surer that it is cut off, as giving it up breaks connections.
    """
    others = [each for each in plan.nodes if each != node]
    # Not a port with TLS: it would log a handshake that was broken off, each second.
    places = [f"{each.address}/{plan.ports.etcd_health}" for each in others]
    places += [f"{each.address}/{plan.ports.front}" for each in others if not each.witness]
    asked = " ".join(f"(</dev/tcp/{place}) &" for place in places)
    answers = " || ".join(["wait -n"] * len(places))
    jobs = " ".join(f"%{number}" for number in range(1, len(places) + 1))
    virtual = plan.virtual_ip.partition("/")[0]
    return f"""#!/bin/bash
# Whether this node reaches any other one. Run by keepalived.
exec 2>/dev/null
look() {{ timeout {_LOOK} /bin/bash -c '{asked} {answers}; found=$?; kill {jobs}; exit $found'; }}
holds() {{ [[ $(ip -4 -o addr show to {virtual}) ]]; }}
reaches() {{ look || look || {{ holds && {{ look || look || look; }}; }}; }}
reaches && sleep {_PAUSE} && reaches && sleep {_PAUSE} && reaches
"""


def redis(plan: Plan, node: Node) -> str:
    """Counters of limits: in memory alone, copied to the other data nodes."""
    first, ports, secrets = plan.data_nodes[0], plan.ports, plan.secrets
    follows = "" if node == first else f"replicaof {first.address} {ports.redis}\n"
    return f"""bind {node.address}
port 0
tls-port {ports.redis}
{_redis_tls(plan, node)}dir {plan.filled(plan.data_dir, node)}
requirepass {secrets.redis}
masterauth {secrets.redis}
replica-announce-ip {node.address}
save ""
appendonly no
maxmemory 256mb
maxmemory-policy volatile-ttl
# An old primary that is cut off counts nothing that its successor counts too.
min-replicas-to-write 1
min-replicas-max-lag 3
repl-diskless-sync-delay 0
{follows}"""


def _redis_tls(plan: Plan, node: Node) -> str:
    """For Redis and for Sentinel, which has no password: who asks shows a certificate, as they do to each other."""
    tls = files_for(plan.filled(plan.config_dir, node))
    return f"""tls-cert-file {tls["certificate"]}
tls-key-file {tls["key"]}
tls-ca-cert-file {tls["authority"]}
tls-auth-clients yes
tls-replication yes
"""


def sentinel(plan: Plan, node: Node) -> str:
    """Who of them is the primary, decided by more than half of the nodes; Sentinel writes what it learns into its copy."""
    times, ports = plan.timings, plan.ports
    return f"""bind {node.address}
port 0
tls-port {ports.sentinel}
{_redis_tls(plan, node)}protected-mode no
dir {plan.filled(plan.data_dir, node)}
sentinel announce-ip {node.address}
sentinel monitor {plan.name} {plan.data_nodes[0].address} {ports.redis} {len(plan.nodes) // 2 + 1}
sentinel auth-pass {plan.name} {plan.secrets.redis}
sentinel down-after-milliseconds {plan.name} {times.sentinel_down * 1000}
sentinel failover-timeout {plan.name} 10000
sentinel parallel-syncs {plan.name} 1
"""


def leaving(plan: Plan) -> str:
    """A rule of nftables while the shared address is about to leave: who comes then asks again a second later, elsewhere."""
    front = ", ".join(map(str, (plan.ports.front, *((443,) if plan.certificate else ()))))
    return f"""table inet esteio_leaving {{
    chain input {{
        type filter hook input priority filter; policy accept;
        iif lo accept
        tcp dport {{ {front} }} tcp flags & (syn | ack) == syn drop
    }}
}}
"""


def firewall(plan: Plan) -> str:
    """Rules for nftables, to be reviewed: the cluster's inner ports are for the nodes alone."""
    ports = plan.ports
    nodes = ", ".join(each.address for each in plan.nodes)
    inner = (
        *(ports.etcd, ports.etcd_peer, ports.etcd_health),
        *(ports.patroni, ports.redis, ports.sentinel, ports.service),
    )
    clients = "".join(f", {each}" for each in plan.client_networks)
    return f"""table inet esteio_cluster {{
    chain input {{
        type filter hook input priority filter; policy accept;
        iif lo accept
        tcp dport {{ {", ".join(map(str, inner))} }} ip saddr != {{ {nodes} }} drop
        tcp dport {ports.postgres} ip saddr != {{ {nodes}{clients} }} drop
    }}
}}
"""
