"""Every kind of finding. docs/reference/doctor.md lists them (a test compares)."""

from __future__ import annotations

from esteio.doctor._finding import Code
from esteio.health import Status

__all__ = ["FindingCode"]

_FAIL, _WARN, _UNKNOWN, _PASS = Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS


class FindingCode(Code):
    """Sizes and shares in percent, ages in hours or days, as the sentences say."""

    NOT_ANSWERED = _UNKNOWN, "{what}: no answer in time ({reason})", "see whether it hangs; --limit gives it longer"
    NOT_SEEN = _UNKNOWN, "{what} cannot be seen: {reason}", "give the account that runs this what it needs to see it"

    SETTING_MISSPELT = _WARN, "{name} is set, and nobody reads it", "it may be meant to be {near}: rename or remove it"
    SETTING_UNREAD = _WARN, "{name} is set, and nobody reads it", "remove it, or see the list of settings for its name"
    SETTING_INVALID = _FAIL, "{name}: {problem}", "set it to {allowed}"
    ADDRESS_INVALID = _FAIL, "{name}: {part} is {value!r}", "what is allowed: {allowed}"
    SETTINGS_KNOWN = _PASS, "every one of the {count} settings that are set is read"

    DATABASE_NOT_SET = _UNKNOWN, "no database was named", "set DATABASE_URL"
    DATABASE_REFUSED = _FAIL, "the database {database} refuses: {reason}", "start it, or correct its address"
    FSYNC_OFF = _FAIL, "fsync is off: a power failure destroys the database", "set fsync = on and reload the server"
    FULL_PAGE_WRITES_OFF = (
        _FAIL,
        "full_page_writes is off: a power failure can leave half-written pages",
        "set full_page_writes = on and reload the server",
    )
    SYNCHRONOUS_COMMIT_OFF = (
        _FAIL,
        "synchronous_commit is off for {role}: a crash loses what was acknowledged",
        "set synchronous_commit = on for the server, the database and the role",
    )
    CHECKSUMS_OFF = (
        _WARN,
        "data checksums are off: a page that the disk damaged is served as if it were right",
        "stop the server, run pg_checksums --enable, and start it again",
    )
    WAL_LEVEL_MINIMAL = (
        _FAIL,
        "wal_level is minimal: neither base backups nor an archive of the WAL are possible",
        "set wal_level = replica and restart the server",
    )
    AUTOVACUUM_OFF = (
        _FAIL,
        "autovacuum is off: tables grow until the server stops",
        "set autovacuum = on and reload the server",
    )
    ARCHIVE_FAILS = (
        _FAIL,
        "archive_command fails: {failed} times, last for {file}",
        "correct archive_command or its target; until then the disk of the server fills",
    )
    ARCHIVE_NONE = (
        _WARN,
        "the WAL is archived by nobody: a restore loses everything since the newest backup",
        "let `backup agent` receive it, or set archive_command",
    )
    IDLE_IN_TRANSACTION_UNBOUNDED = (
        _WARN,
        "idle_in_transaction_session_timeout is 0: one forgotten session holds locks and keeps autovacuum from its work",
        "set idle_in_transaction_session_timeout = '10min' and reload the server",
    )
    SERVER_WITHOUT_TLS = (
        _WARN,
        "PostgreSQL listens on {addresses} with ssl off: passwords' hashes and data cross the network readable",
        "set ssl = on with a certificate, or listen_addresses = 'localhost'",
    )
    VERSION_ENDED = _FAIL, "PostgreSQL {version} gets no corrections since {end}", "move to a newer major version"
    VERSION_ENDS = (
        _WARN,
        "PostgreSQL {version} gets corrections until {end} only",
        "plan the move to a newer major version",
    )
    POOL_TOO_LARGE = (
        _FAIL,
        "{processes} processes with connection_limit {each} may open {wanted} connections, {admitted} are admitted",
        "set connection_limit of the database's address to {fitting} at most, or raise max_connections",
    )
    ROLE_SUPERUSER = (
        _FAIL,
        "the workers enter the database as {role}, a superuser: one SQL injection owns the server",
        "make a role without SUPERUSER that only reads and writes the tables, and use it in the workers' address",
    )
    ROLE_OWNER = (
        _FAIL,
        "the workers enter the database as {role}, which owns its tables or may become their owner",
        "make a role that only reads and writes the tables for the workers, and keep the owner for migrations",
    )
    CLOCKS_DIFFER = (
        _WARN,
        "the clock of the database is {seconds:.1f} s off from this machine's",
        "let both follow a time server (chrony or systemd-timesyncd)",
    )
    DATABASE_SOUND = _PASS, "PostgreSQL {version}, as {role}, {wanted} of {admitted} connections at most, durable"

    REDIS_REFUSED = _FAIL, "Redis at {address} refuses: {reason}", "start it, or correct REDIS_URL and REDIS_PASSWORD"
    REDIS_HIDDEN = (
        _UNKNOWN,
        "Redis at {address} does not show its settings: {reason}",
        "let the account run INFO and CONFIG GET, or ask whoever runs this Redis",
    )
    REDIS_NODE_AWAY = (
        _WARN,
        "{node}, of {address}, does not answer: {reason}",
        "start it: whether the others stand another loss depends on it",
    )
    REDIS_NO_QUORUM = (
        _FAIL,
        "the Sentinels of {address} could not fail over now: {reason}",
        "start the Sentinels that are away; more than half of them have to agree",
    )
    REDIS_FEW_SENTINELS = (
        _WARN,
        "{count} Sentinels know {service}: with fewer than three, the loss of one machine ends every failover",
        "run three, each on a machine of its own",
    )
    REDIS_NO_REPLICA = (
        _WARN,
        "{node} has no replica that follows it: with it limits begin anew, and are not decided until it is back",
        "add a replica on another machine",
    )
    REDIS_CLUSTER_DOWN = (
        _FAIL,
        "{address}: the state of the cluster is {state}, {slots} of 16384 slots are served",
        "start the nodes that are away, or give their slots to others (redis-cli --cluster fix)",
    )
    REDIS_EVICTS = (
        _WARN,
        "maxmemory-policy is {policy}: when {memory} MB are full, counters vanish and limits are granted anew",
        "set maxmemory-policy noeviction",
    )
    REDIS_NOT_KEPT = (
        _WARN,
        "Redis writes nothing to disk (neither save nor appendonly): after a restart every limit begins anew",
        "set appendonly yes",
    )
    REDIS_NOT_WRITTEN = _FAIL, "Redis failed to write to its disk: {last}", "see its log and its disk; then run BGSAVE"
    REDIS_OPEN = (
        _FAIL,
        "Redis listens on {addresses} without a password: whoever reaches it reads and changes everything",
        "set requirepass and REDIS_PASSWORD, or bind 127.0.0.1",
    )
    REDIS_SOUND = _PASS, "Redis {version} at {address}: {policy}, kept on disk"

    BACKUP_NOT_SET = _FAIL, "nothing says where backups are kept", "set BACKUP_DIR or AWS_S3_BUCKET"
    BACKUP_AT_RISK = _FAIL, "{problem}", "see `backup status` and `backup list`"
    BACKUP_DEFECT = _WARN, "{problem}", "see `backup status`"
    BACKUP_PROVEN = _PASS, "{backup} was proven by a restore and is {hours:.1f} h old"
    BACKUP_ON_ONE_DISK = (
        _FAIL,
        "every backup is on the disk of the database or of this system: {stores}",
        "add a store on another disk and another machine to BACKUP_STORES",
    )
    BACKUP_ON_ONE_MACHINE = (
        _WARN,
        "every backup is in this machine: {stores}; fire, theft or ransomware take it with the database",
        "add a bucket or a mounted share elsewhere to BACKUP_STORES",
    )
    BACKUP_ELSEWHERE = _PASS, "backups are kept away from this machine, too: {stores}"
    BACKUP_READABLE_ELSEWHERE = (
        _WARN,
        "backups leave this machine without encryption: {stores}",
        "set BACKUP_RECIPIENTS or BACKUP_PASSPHRASE, and keep what opens them in a second place",
    )
    BACKUP_SCHEDULED = _PASS, "an agent makes the backups; it reported {minutes:.0f} min ago"
    BACKUP_SCHEDULE_SILENT = _FAIL, "the agent that makes the backups is silent for {minutes:.0f} min", "start it again"
    BACKUP_SCHEDULE_UNSEEN = (
        _UNKNOWN,
        "no agent makes the backups; what cron or systemd do cannot be seen from here",
        "let `backup agent` run, or see that the timer of `backup schedule` is installed",
    )
    NOBODY_TOLD = (
        _WARN,
        "nobody is told when a backup fails",
        "set WEBHOOK_URL or NOTIFY_URLS, and try them with `backup notify --test`",
    )
    SOMEBODY_TOLD = _PASS, "{count} channels are told how backups end"
    OUTSIDE_UNSEEN = (
        _UNKNOWN,
        "whether somebody outside watches this service is not known: nothing here can see it",
        "let another machine (esteio watch, Uptime Kuma, UptimeRobot) ask /api/health; then accept this finding",
    )

    TLS_NOT_ASKED = (
        _UNKNOWN,
        "no public address is known, so no certificate was looked at",
        "set PUBLIC_URL to https://...",
    )
    TLS_ABSENT = _FAIL, "{url} is plain HTTP: passwords and sessions can be read on the way", "serve it by HTTPS"
    TLS_REFUSED = (
        _FAIL,
        "a browser refuses {host}: {reason}",
        "install a certificate for this name with its whole chain",
    )
    TLS_UNREACHABLE = (
        _UNKNOWN,
        "{host}:{port} cannot be reached from here: {reason}",
        "start what serves it; where this machine may not reach its own public address, look from another one",
    )
    TLS_ENDED = _FAIL, "the certificate of {host} is valid for {days:.1f} days more", "renew it today"
    TLS_ENDS = (
        _WARN,
        "the certificate of {host} is valid for {days:.1f} days more",
        "see why it is not renewed by itself",
    )
    TLS_VALID = _PASS, "the certificate of {host} is valid for {days:.0f} days more"
    BOUND_TO_NETWORK = (
        _WARN,
        "the service listens on {host}: others in the network reach it without TLS, beside any proxy",
        "listen on 127.0.0.1 behind a proxy with TLS, or close the port in the firewall for all but the proxy",
    )
    BOUND_TO_THIS = _PASS, "the service listens on {host} alone"
    BOUND_WITH_TLS = _PASS, "the service listens on {host}, and speaks TLS itself"

    PORT_OPEN = (
        _WARN,
        "{process} listens on {addresses}, port {port}: others in the network reach it unless a firewall closes it",
        "let it listen on 127.0.0.1, or close the port in the firewall and accept this finding",
    )
    PORTS_EXPECTED = _PASS, "nothing else listens to the network than what is meant to ({ports})"

    FILE_READABLE = _FAIL, "{path} can be read by every account of this machine (mode {mode})", "chmod o-rwx {path}"
    FILES_CLOSED = _PASS, "no other account reads {count} secrets and directories of data"

    CLOCK_FREE = (
        _WARN,
        "the clock follows no time server",
        "`timedatectl set-ntp true`, or install chrony; backups, sessions and certificates need the right time",
    )
    CLOCK_UNSEEN = (
        _UNKNOWN,
        "this system does not say whether its clock follows a time server",
        "see its settings of time",
    )
    CLOCK_SYNCHRONISED = _PASS, "the kernel says that the clock follows a time server"

    DISK_FULL = _FAIL, "{path}: {free:.1f} % of the disk and {inodes:.1f} % of its inodes are free", "make room now"
    DISK_LOW = (
        _WARN,
        "{path}: {free:.1f} % of the disk and {inodes:.1f} % of its inodes are free",
        "make room, or a larger disk",
    )
    DISK_ROOM = _PASS, "{path}: {free:.0f} % of the disk is free"

    DRIVES_UNSEEN = (
        _UNKNOWN,
        "how the drives are is not known: {reason}",
        "install smartmontools and run this as root; of a virtual machine, ask whoever runs its host",
    )
    DRIVE_FAILING = _FAIL, "{drive} says that it is failing", "make a backup elsewhere now, and replace it"
    DRIVE_DAMAGED = (
        _WARN,
        "{drive} has {count} damaged sectors or media errors",
        "see whether they become more; plan to replace it",
    )
    DRIVE_WORN = _WARN, "{drive} has used {percent:.0f} % of the writes it was made for", "plan to replace it"
    DRIVE_OLD = (
        _WARN,
        "{drive} has run for {years:.1f} years; from the fifth on more of them fail each year",
        "plan to replace it; until then nothing may depend on it alone",
    )
    DRIVES_SOUND = _PASS, "{count} drives say that they are well, the oldest has run for {years:.1f} years"

    UPS_NOT_ANSWERED = (
        _WARN,
        "nobody said whether a UPS carries this machine; in Brazil the grid fails {times} times and {hours} h a year on "
        "average (ANEEL {year}): alone more than the 8.76 h that 99.9 % allow",
        "set HAS_UPS to yes or no; look also at the switch and the line",
    )
    UPS_ABSENT = (
        _WARN,
        "no UPS: in Brazil the grid fails {times} times and {hours} h a year on average (ANEEL {year}): alone more than "
        "the 8.76 h that 99.9 % allow",
        "put the machine, the switch and the line on a UPS that also shuts the machine down in order",
    )
    UPS_PRESENT = _PASS, "a UPS carries this machine, as somebody answered"

    PASSWORD_COMMON = _FAIL, "the password in {name} is one of those that are tried first", "set a long one at random"
    PASSWORDS_UNCOMMON = _PASS, "no password of {names} is one of those that are tried first"

    PYTHON_ENDED = _FAIL, "Python {version} gets no corrections since {end}", "move to a newer one"
    PYTHON_ENDS = _WARN, "Python {version} gets corrections until {end} only", "plan the move to a newer one"
    VERSIONS = _PASS, "{packages}"
