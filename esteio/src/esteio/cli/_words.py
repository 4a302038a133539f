"""What the commands say, so that another program can say it in its own language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esteio.backup import Decision, Problem

__all__ = ["ENGLISH", "Words"]


@dataclass(frozen=True, slots=True)
class Words:
    """Every text of `backup_commands`; names in braces are filled in."""

    backup: str = "Backups that are verified by restoring them before they are believed."
    init: str = (
        "Prepare new stores, once: write a marker into each. Without it nothing is ever written there, so a disk that is "
        "not mounted is an error and no folder on the system's disk. Make sure that the disks are mounted now."
    )
    init_encrypted: str = (
        "Whether unencrypted backups are refused there for ever, when one is made, tried or restored. Default: yes if "
        "backups are encrypted now."
    )
    init_made: str = "{store} is ready for backups."
    init_there: str = "{store} was ready already."
    init_only_encrypted: str = "Only encrypted backups are made, tried and restored there."
    run: str = "Make a backup, verify it, remove old ones."
    no_verify: str = "Restore it to verify it afterwards; without, nothing old is removed."
    kind: str = "dump: this database; base: the whole cluster; incremental: what changed in it since."
    gentle: str = "Leave room for others: a dump in one stream, at most 100 MB a second of a base."
    if_leader: str = "Only if no other machine backs up this database now (leader lock in it), else exit code 75."
    list: str = "Show the backups, and what can be reached from each base."
    json: str = "For programs."
    verify: str = "Restore a backup on a server of its own and compare it."
    everywhere: str = "Read every file in every store instead, and say which copy differs."
    check_copies: str = (
        "Compare every store's copy of a backup with its manifest, by names and sizes; nothing is restored or mended. Exit "
        "code 1 when a copy differs."
    )
    read_data: str = (
        "Read every byte in every store too: as long as a download of it all takes. Of a base, the log too."
    )
    sync: str = (
        "Bring a backup to the stores that lack files of it, or have them damaged. Each file is checked on its way, so a "
        "damaged one is never spread; nothing is removed."
    )
    copy_id: str = "Its name, newest, or all: every backup and the log."
    read_first: str = "Read every file in every store first, to find changed ones too."
    restore: str = (
        "Bring a backup back. A plan is printed first: what is overwritten, how long it takes, what is lost. What is "
        "replaced is kept beside, until you remove it."
    )
    restore_database: str = (
        "Bring one database back from a dump, as a new one (--as) or in the place of the present one (--replace): the "
        "service is closed meanwhile, its connections are cut off, what was written since the backup is only in the old "
        "database, which is kept beside."
    )
    restore_as: str = "Name of the new database; nothing that exists is touched."
    replace_database: str = "Take the place of the present database and its documents. Asks for its name."
    as_or_replace: str = "say either --as NAME or --replace"
    restore_cluster: str = (
        "Bring all databases of the server back, to any second that the log reaches: into a new data directory, or in the "
        "place of the present one, which is kept beside."
    )
    target_time: str = (
        "A moment with its timezone, such as 2026-03-01T14:30:00-03:00, or last: all that there is; or xid:1234, "
        "lsn:0/3000028, name:RESTORE_POINT, immediate (the end of the base)."
    )
    replace_cluster: str = "Take the place of --data-dir, whose server is stopped, or of our own server, which may run."
    directory_or_replace: str = (
        "say either --directory DIR or --replace, with --data-dir DIR unless the server is our own"
    )
    own_server: str = "our own server"
    restore_documents: str = "Bring the documents of a backup into a new directory, and nothing else."
    documents_directory: str = "The new directory."
    restore_documents_into: str = (
        "The new directory for the documents; without it, a new database or directory gets none."
    )
    restore_no_documents: str = "With --replace: leave the present documents as they are."
    documents_with: str = "--documents DIR goes with a new database or directory, --no-documents with --replace"
    restore_dry_run: str = "Print the plan and do nothing."
    only_shown: str = "Nothing was done (--dry-run)."
    plan: str = "Plan: {id} ({kind}, begun {began}, {size}, {documents} documents)."
    plan_new: str = "It becomes {name}, which is new; nothing is overwritten."
    plan_replace: str = "It takes the place of {name}, which is kept beside: have room for both."
    plan_seconds: str = (
        "It takes about {seconds:.0f} s, as its last verification did, and as long again for documents and checks."
    )
    plan_unknown: str = "How long it takes is not known: it was never tried."
    plan_lost: str = "What was written in the last {age} is not in it."
    plan_lost_after: str = "What was written after that target is not in it."
    plan_passed_over: str = "Newer, and not used, for a verification failed or the date is in the future: {ids}."
    now_say: str = "This command is called `backup {command}` now; the old name goes with the next release."
    drop_slot: str = (
        "Instead, remove the replication slot, so that the server no longer keeps log for us. What was not received by "
        "then is missing for ever: make a base afterwards."
    )
    slot_dropped: str = "The slot is removed."
    no_slot: str = "There was no slot."
    yes_prune: str = "Do not ask."
    sure_prune: str = "Remove {count} backups for ever, and the log and documents that nothing else needs?"
    id: str = "Its name, or latest: the last one that did not fail its verification."
    any_id: str = "Its name, or newest: the last one made."
    into: str = "Name of the new database."
    in_place: str = "Take the place of the present database; with --to, of our own server, which may run."
    yes: str = "Do not ask for the database's name."
    one_of: str = "say either --into NAME or --in-place"
    to: str = (
        "The whole cluster as of a moment with its timezone (2026-03-01T14:30:00-03:00), or last; or xid:1234, "
        "lsn:0/3000028, name:RESTORE_POINT, immediate (the end of the base)."
    )
    timeline: str = "The timeline to follow; without, the newest that had begun by then."
    bad_moment: str = (
        "--target-time (--to of the old command) takes a moment with its timezone, such as 2026-03-01T14:30:00-03:00, "
        "or last, xid:, lsn:, name: or immediate"
    )
    directory: str = "With --to: the new data directory."
    data_dir: str = "With --to: the data directory to replace; its server is stopped, it is kept."
    one_of_directories: str = "with --to, say either --directory DIR or --data-dir DIR; --in-place for our own server"
    cluster: str = "The system identifier of a cluster, where the stores hold several."
    cluster_accepted: str = "Cluster {cluster} is accepted."
    documents_into: str = "The new directory that the documents are brought into: alone, or with --into or --directory."
    no_documents: str = "With --in-place or --data-dir: leave the present documents as they are."
    documents_or_not: str = (
        "--documents DIR goes alone or with --into or --directory, --no-documents with --in-place or --data-dir"
    )
    archive: str = "Receive the log of the cluster as it is written, until interrupted."
    schedule: str = "Show when backups are made, write it for another scheduler, or keep to it until interrupted."
    base_cron: str = "When a base is made, as in crontab; empty for never."
    incremental_cron: str = (
        "When what changed since the last base or incremental is copied, as in crontab; from PostgreSQL 17 on, with "
        "summarize_wal = on. Empty for never."
    )
    dump_cron: str = "When a dump is made, as in crontab; empty for never."
    timezone: str = "The timezone of both, such as America/Sao_Paulo."
    form: str = "Print it for this scheduler."
    windows_untried: str = (
        "These tasks are valid by Microsoft's schema and made for Windows by construction, but were not yet run there."
    )
    write: str = "Write it into this directory instead."
    operate: str = "Do all of it until interrupted: receive the log, keep to the schedule, say how it is."
    with_archive: str = "Receive the log of the cluster as it is written; the role needs REPLICATION."
    install: str = "Give it to that scheduler; what was given to it before is replaced."
    install_for: str = "with --install, say which scheduler: --for systemd, cron or windows"
    keep_to: str = "Keep to it until interrupted; what was missed is made up for."
    prune: str = (
        "Show which old backups would be removed, each with its reason, then ask. A run does it by itself after a good "
        "verification; nothing is removed while fewer than two verified backups exist."
    )
    dry_run: str = "Only show what would be done."
    status: str = (
        "Whether somebody has to get up, in one line. Exit code 0: all is well; 1: something has to be mended, but a fresh "
        "verified backup is there; 2: data may be lost, or nothing is known."
    )
    max_age: str = "Hours after which the newest verified backup is too old."
    show: str = (
        "Show all that is known of one backup: what is in it, its last verification (with the log if it failed), notes."
    )
    show_id: str = "Its name; newest for the last one made, latest for the last one that nothing speaks against."
    show_made: str = "{id}: {kind}, begun {began}, {age} ago"
    show_size: str = "{content} in {seconds:.1f} s, {stored} stored"
    show_server: str = "PostgreSQL {version}, database {database}, encryption {encryption}, whole in {stores}"
    show_note: str = "Note: {note}"
    show_accepted: str = "{code} was accepted at {at}"
    show_trial: str = "Verification at {at}: {state}"
    accept: str = (
        "Accept what status says of one backup, so that it is no longer red: vanished documents, a failed verification, a "
        "kind that is not made any more, a clock that leapt. Retention goes on from there and may remove older backups. "
        "With a system identifier: that new cluster may write where there are backups of another, for it is the right server."
    )
    accept_id: str = "The backup's name, or the system identifier of a cluster."
    accepted: str = "Accepted: {problem}"
    nothing_to_accept: str = "Of {backup} there is nothing that a person can accept; see `backup status`."
    pin: str = "Keep one backup however old it gets, until --undo. Retention and delete leave it alone."
    unpin: str = "Let retention remove it again when it is old enough."
    pinned: str = "{backup} is kept until `backup keep --undo {backup}`."
    unpinned: str = "{backup} is kept as long as every other backup."
    annotate: str = "Write a note beside one backup, shown by show; the note before it is replaced."
    note: str = "At most 1000 characters; an empty one removes the note."
    annotated: str = "The note is beside {backup}."
    delete: str = (
        "Remove one backup from every store, for ever; also what is left of one that cannot be read. Refused while it is "
        "kept, or while an incremental backup needs it."
    )
    delete_id: str = "Its whole name."
    yes_delete: str = "Do not ask."
    unlock: str = (
        "Take the lease of a store away from whoever says to work there, when that machine is gone for good; without this "
        "it runs out in one to two minutes. Whoever still works there ends, and makes no backup and removes nothing."
    )
    lease_held: str = "{store}: process {pid} on {host}, since {since}, until {expires} unless it is renewed"
    no_lease: str = "Nobody is at work in any store."
    yes_unlock: str = "Do not ask."
    sure_unlock: str = "Whoever of them is still at work loses that backup. Take the lease away?"
    unlocked: str = "{store} is free."
    sure_delete: str = "{backup} is removed from every store, and cannot be brought back. Remove it?"
    not_done: str = "Nothing was done: say yes when asked, or pass --yes."
    notify: str = "Deliver the notices that could not be delivered yet; with --test, see that they arrive."
    notify_test: str = "Send a test through each channel: exit code 0 when all took it."
    nobody: str = "Nobody is told: set NOTIFY_URLS or WEBHOOK_URL."
    arrived: str = "{channel} took it."
    not_arrived: str = "{channel} did not take it: {reason}"
    delivered: str = "{sent} delivered, {owed} still to be delivered."
    type_name: str = "Database {name!r} is replaced, and kept beside. Type its name to confirm"
    type_directory: str = "Data directory {name!r} is replaced, and kept beside. Type its name to confirm"
    made: str = "Backup {id}: {content} in {seconds:.1f} s, {stored} stored in {stores}."
    proven: str = "Restored to verify it in {seconds:.1f} s: {rows} rows as they should be ({checked})."
    proven_whole: str = "Restored to verify it in {seconds:.1f} s: {rows} rows read ({checked})."
    not_proven: str = "Not verified; old backups were left alone."
    restored: str = "Restored {id} as {database!r} in {seconds:.1f} s: {rows} rows as they should be."
    left_out_passwords: str = (
        "The backup is not encrypted, so it holds no passwords: these roles were made without one, set it by ALTER ROLE: "
        "{roles}."
    )
    left_out_settings: str = (
        "Nor does it hold settings that may be secrets; set these again by ALTER DATABASE or ALTER ROLE: {names}."
    )
    kept: str = "The database of before is kept as {kept!r}; remove it when it is no longer needed."
    recovered: str = "Restored {id} and the log as {directory} in {seconds:.1f} s; the last commit in it: {last}."
    kept_directory: str = "The data directory of before is kept as {kept}; remove it when it is no longer needed."
    documents_made: str = "With it {files} documents, {size}; {new} of them were new, {new_size}."
    documents_odd: str = (
        "Of the documents {vanished} vanished meanwhile, {changed} were being written to, {unreadable} could not be read; "
        "{special} links and devices were passed over."
    )
    documents_back: str = "Restored {files} documents, {size}, as they should be, into {directory}."
    documents_kept: str = "The documents of before are kept in {kept}; remove them when they are no longer needed."
    archiving: str = "Receiving WAL into {directory}; interrupt to end."
    scheduled: str = "{kind}: {cron}, next {next}"
    keep: str = "keep"
    remove: str = "remove"
    would_remove: str = "would remove"
    nothing: str = "No backups in {where}."
    ok: str = "OK - all is well: {id} is verified and {age} old."
    red: str = "PROBLEM - {problem}"
    copy_whole: str = "{backup} in {store}: every file is as it was written."
    right_in: str = "right in {stores}"
    right_nowhere: str = "right in no store that was read"
    brought: str = "{file} brought to {store}."
    nothing_to_bring: str = "{backup}: no store lacks anything of it."
    reach: str = "{begins} to {ends}"
    columns: tuple[str, ...] = ("Backup", "Kind", "Age", "Content", "Stored", "State", "Restore", "Where", "Reachable")
    verified: str = "verified"
    unverified: str = "not verified"
    failed: str = "FAILED"
    damaged: str = "DAMAGED"
    unfinished: str = "unfinished"
    database: str = "Dumping the database"
    base: str = "Copying the cluster"
    check: str = "Reading every file"
    restoring: str = "Restoring"
    indexes: str = "Building indexes"
    compare: str = "Comparing tables"
    amcheck: str = "Checking indexes"
    tables: str = "Reading every table"
    checksums: str = "Checking every page"
    unpack: str = "Unpacking"
    differences: str = "Comparing the files"
    delta: str = (
        "Rewrite only the files of --data-dir that differ from the base, by size and checksum: fast where little does. "
        "Nothing of the directory of before is kept, and until it is done no server starts on it."
    )
    mapping: str = (
        "OLD=NEW, once for each: the tablespace that was in the directory OLD goes into the new or empty directory NEW. "
        "Without it a tablespace goes into the restored directory, and what lies in OLD is not touched."
    )
    bad_mapping: str = "--tablespace-mapping is OLD=NEW, two absolute directories"
    delta_mapping: str = "--delta rewrites tablespaces where they are: leave out --tablespace-mapping"
    delta_data_dir: str = "--delta goes with --replace and --data-dir, the directory of a stopped server"
    plan_delta: str = "What differs in {name} is overwritten: nothing of it is kept."
    type_delta: str = (
        "What differs in the data directory {name!r} will be overwritten, and not kept. Type its name to confirm"
    )
    log: str = "Fetching the log"
    stop: str = "Stopping the server"
    swap: str = "Swapping the databases"
    wait: str = "Waiting until the prune under way has ended"
    documents: str = "Going through the documents"
    bring: str = "Copying between stores"

    checks: Mapping[str, str] = field(default_factory=dict)
    """What a verification looked at, by the names in `esteio.backup.Verification`; what is not here is said as it is."""

    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a backup is kept or removed, by the names of `esteio.backup.Why`; what is not here is said in English."""

    problems: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by the names of `esteio.backup.ProblemCode`; what is not here is said in English."""

    reason: Callable[[str], str] = str
    """Translates the sentences that are fields of problems, such as what a store answered."""

    def decision(self, made: Decision, *, dry_run: bool = False, between: str = "\t") -> str:
        """One line for what becomes of a backup, with its reason: a row for programs, or `between` blanks for a log."""
        verb = self.keep if made.keep else self.would_remove if dry_run else self.remove
        reason = self.reasons.get(made.why.name, made.why.value).format(about=self.reason(made.about))
        return between.join((verb, made.id, reason))

    def problem(self, found: Problem) -> str:
        """The text for a problem."""
        return found.sentence(self.problems.get(found.code.name, found.code.value), self.reason)

    def step(self, name: str) -> str:
        """The text for a step of `esteio.backup.Progress`."""
        return str(getattr(self, "restoring" if name == "restore" else name, name))


ENGLISH = Words()
