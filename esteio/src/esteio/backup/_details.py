"""The sentences inside errors and problems - a reason, what is allowed, what to do - as codes and fields.

Promises: a `Detail` is the English sentence itself, so it can be printed, joined and compared; its `code` and `fields` say
the same to a program that words it in another language, so nobody has to parse a sentence. What PostgreSQL, a store or the
system said in their own words is a plain str. `plain` and `from_plain` carry both through JSON.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

__all__ = ["Detail", "DetailCode", "Value", "detail_of", "filled", "from_plain", "plain", "together"]

Value = str | int | float | tuple[str, ...]
_SENTENCES = ("reason", "reasons")  # fields of these names are joined with semicolons


class Detail(str):
    """The sentence of `code` with `fields` filled in; a field may be a `Detail` itself, or several."""

    code: DetailCode
    fields: Mapping[str, Value]

    def __new__(cls, code: DetailCode, fields: Mapping[str, Value]) -> Detail:
        made = super().__new__(cls, filled(code.value, fields))
        made.code = code
        made.fields = dict(fields)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Detail, (self.code, self.fields)

    def sentence(self, template: str, word: Callable[[str], str] = str) -> str:
        """`template` with the fields filled in; each field that is a `Detail` itself goes through `word`."""
        return filled(template, self.fields, word)


class DetailCode(Enum):
    """Every sentence; called with its fields it is a `Detail`. The names are stable, the words are not."""

    # Manifests, verifications, marks and markers
    NO_SEAL = "it has no seal at its end"
    SEAL_WRONG = "its seal does not fit: it was changed after it was written"
    FORMAT_UNKNOWN = "has format {found}, known is {known}"
    FIELD_GARBLED = "lacks or garbles a field ({error})"
    ROLE_MISSING = "no file with role {role!r}"
    NO_MANIFEST = "there is none"
    NO_VERIFICATION = "it is no verification ({error})"
    NO_MARKS = "it has no marks of a backup ({error})"
    OF_OTHER_BACKUP = "it is of {backup}"
    NO_MARKER_FILE = "it is no marker ({error})"
    MARKER_FORMAT = "it has format {found}, known is {known}"
    NO_DOCUMENT_LINE = "a line of the list is no document ({error})"
    PATH_LEAVES = "path {path!r} could leave its directory"
    USE_OTHER_BACKUP = "use another backup"
    USE_OTHER_COPY = "use another backup, or the copy in another store"
    USE_WRITERS_VERSION = "use the version that wrote it"
    RESTORE_AS_KIND = "restore it as what it is, a {kind}"
    WHOLE_CLUSTER = "it is of kind {kind}: the whole cluster, not a database"
    RESTORE_DATA_DIRECTORY = "restore it into a data directory, or take a dump"
    # Deleting
    PINNED = "somebody said that it is to be kept"
    UNPIN_FIRST = "`backup keep --undo {backup}` first"
    NEEDED = "{backups} cannot be restored without it"
    DELETE_THOSE_FIRST = "delete those first"
    # Files of a backup
    IN_FILE = "{file}: {reason}"
    FILE_MISSING = "it is missing"
    LISTED_MISSING = "is missing"
    SIZE_NOT_MANIFESTS = "{found} bytes, the manifest says {written}"
    SHA256_NOT_MANIFESTS = "its sha256 is not the manifest's"
    SIZE_NOT_LISTED = "{found} bytes, listed are {written}"
    SHA256_NOT_LISTED = "its sha256 is not the listed one"
    NOT_LISTED = "is not in the list of files"
    LIST_CHANGED = "the list of files (backup_manifest) was changed"
    NOT_AS_SENT = "it is not in the stores as it was sent"
    NOT_AS_WRITTEN = "{file} in {store} is not as it was written"
    NO_RIGHT_COPY = "no other store has it as it was written"
    NO_RIGHT_WAL = "no other store has it right"
    CONTENT_NOT_NAMED = "its content is not the one its name says"
    CUT_SHORT = "it ends in the middle"
    EMPTY = "it is empty"
    TRAILING_DATA = "something follows its end"
    NO_TAR = "no whole tar file ({reason})"
    TAR_ENTRY_REFUSED = "{name} is neither a file nor a directory below the data directory"
    TAR_CUT_SHORT = "the stream ends before its end mark"
    TAR_CHECKSUM = "a header's checksum is wrong"
    TAR_NUMBER = "{field} is no number in a header"
    # Verifications
    TABLE_MISSING = "{table} is missing"
    ROWS_DIFFER = "{table} has {found} rows, not {written}"
    CONTENT_DIFFERS = "{table} has as many rows ({rows}), but other content"
    TABLE_UNKNOWN = "{table} is not in the manifest"
    TABLE_UNREADABLE = "{database}: {table}: {reason}"
    REPLAY_TOO_SHORT = "replay ended at {found}, before {wanted}"
    OTHER_CLUSTER = "it is cluster {system}, another one"
    SERVER_NOT_STARTED = "the restored server did not start"
    SERVER_REFUSED = "the restored server refused a statement"
    SERVER_LOST = "the restored server was lost"
    DOCUMENTS_GONE = "{found} documents are in it, where the backup before had {before}"
    MORE_DOCUMENTS = "and {count} more documents"
    # Documents
    OF_DOCUMENT = "document {path!r}: {reason}"
    IN_STORE = "{reason}, in {store}"
    MISSING_IN_STORE = "is missing in {store}"
    DOCUMENT_CHANGED = "its content is another"
    DOCUMENT_CHANGES = "it changes while it is read"
    NO_DOCUMENTS = "the backup has no documents"
    LEAVE_OUT_DOCUMENTS = "leave out --documents"
    DOCUMENTS_HOMELESS = "{backup} has {count} documents, and nobody said where they belong"
    NAME_DOCUMENTS = "set BACKUP_DOCUMENTS, or leave them out with --no-documents"
    NAMES_IMPOSSIBLE = "{count} documents have names that Windows does not allow, such as {path!r}"
    RESTORE_ELSEWHERE = "restore them on another system, rename those, and make a new backup"
    DOCUMENTS_MOUNTED = "a disk is mounted on it, so it cannot be renamed"
    DOCUMENTS_BELOW_MOUNT = "keep the documents in a directory on that disk, or restore beside"
    NOT_WRITABLE = "{directory} is no directory that this account can write to"
    DOCUMENTS_OVERLAP = "documents {directory}: they and the backups in {root} lie within one another; keep them apart"
    DOCUMENTS_UNREADABLE = "documents {directory}: {error}; let this account read that directory"
    MAKE_DOCUMENTS_DIRECTORY = "make it, or name another directory for the documents"
    DOCUMENTS_NEED_SPACE = "the documents need {needed} MiB, {free} are free"
    MAKE_ROOM_DOCUMENTS = "make room: the present ones are kept until you remove them"
    SETTINGS_STAY = (
        "the archive of pg_dump can't be freed of the database's settings, which may be secrets ({reason}); encrypt the "
        "backups (BACKUP_PASSPHRASE or BACKUP_RECIPIENTS), or move those settings elsewhere"
    )
    NO_ARCHIVE = "it is none"
    ARCHIVE_VERSION = "it has version {version}"
    ARCHIVE_HEAD = "its head does not end"
    # Keys
    NO_KEY = "no key was given"
    KEY_FILE_WRONG = "the key file and the passphrase do not fit ({error})"
    KEY_WORK = "Excessive work parameter for passphrase. Decryption would take around {seconds} seconds."
    AT_LEAST_ONE = "at least one"
    PHRASE_LENGTH = "{count} characters or more"
    IDENTITY_LINES = "lines that begin with AGE-SECRET-KEY-"
    IDENTITY_KINDS = "AGE-SECRET-KEY-1... or an OpenSSH private key without a passphrase"
    RECIPIENT_KINDS = "age1..., ssh-ed25519 ... or ssh-rsa ..."
    READABLE_FILE = "a readable file ({error})"
    IDENTITY_FILE = "identity file"
    # Restores
    BACKUP_FAILED = "{backup} failed its verification"
    USE_LATEST = "restore `latest`, restore this one as a new database, or accept it with `backup accept`"
    NO_CREATEDB = "role {role!r} may make no databases"
    USE_CREATEDB = "use a role with CREATEDB or a superuser"
    SERVER_OLDER = "the backup is of PostgreSQL {backup}, the server is the older {server}"
    USE_NEWER_SERVER = "restore on PostgreSQL {major} or newer"
    PROGRAMS_DIFFER = "the backup is of PostgreSQL {backup}, the programs are of {programs}"
    INSTALL_MAJOR = "install PostgreSQL {major}; a dump can change the major"
    SERVER_DIFFERS = "the backup is of PostgreSQL {backup}, the server of {server}"
    RESTORE_DUMP = "restore a dump, which can change the major"
    MOUNT_POINT = "it is a mount point, which can't be renamed"
    USE_BELOW = "use a directory below it"
    USE_BELOW_OR_NEW = "use a directory below it, or restore the cluster into a new directory"
    PARENT_UNUSABLE = "{directory}: {error}"
    MAKE_PARENT = "make that directory, or name another one"
    OTHER_ACCOUNT = "its server belongs to another account"
    RUN_AS_ACCOUNT = "run this as that account, or as root"
    EXTENSIONS_MISSING = "the server lacks the extensions {extensions}"
    INSTALL_EXTENSIONS = "install them on the server's machine"
    SERVER_DISK_FULL = "the server's disk has {free} MB free, {needed} MB are needed"
    MAKE_ROOM_DATABASE = "make room: the old database is kept until you remove it"
    DISK_FULL = "{needed} MiB are needed, {free} are free"
    MAKE_ROOM = "make room"
    CONNECTIONS_KEEP_COMING = "programs connect to it faster than they can be cut off"
    STOP_PROGRAMS = "stop them, then try again"
    NAME_LENGTH = "the name has {length} bytes"
    NAME_LIMIT = "give it 1 to {limit}"
    EXISTS = "it exists"
    CHOOSE_OTHER_NAME = "choose another name, or restore in place"
    NAME_NEW_DIRECTORY = "name a new directory"
    NO_DATA_DIRECTORY = "it is no data directory"
    DELTA_INCREMENTAL = "{backup} is incremental: its files are only known when they are joined"
    DELTA_LINKS = "{links} are symbolic links, which a restore does not follow"
    DELTA_UNFINISHED = "{path} is there too, from a restore that was interrupted"
    REMOVE_ONE_OF_THEM = "remove one of the two"
    LEAVE_OUT_DELTA = "restore without --delta"
    SERVER_RUNS = "a server runs on it"
    STOP_SERVICE = "stop the service first"
    CANNOT_CREATE = "the server cannot make such a database ({reason})"
    SEE_ITS_REASON = "see its reason"
    TABLE_LOCKED = "a table stayed locked for {seconds}; pg_locks and pg_blocking_pids() tell by whom"
    NOT_LOCKED = "the tables of {database} cannot be locked against writing: {error}"
    END_WRITERS = "end what holds them (pg_locks, pg_prepared_xacts), or name a moment to restore"
    WAL_NOT_ARRIVED = "segment {segment}, with what was written last, did not arrive in the archive within {seconds} s"
    RECEIVE_OR_NAME_MOMENT = "see why WAL is not received (`backup status`), or name a moment and lose what is after it"
    # Base backups, WAL and targets
    NO_BASE = "there is no base backup"
    MAKE_BASE = "make one with `backup run --kind base`"
    CHAIN_BROKEN = "{backup} needs {missing}, which is gone"
    RESTORE_OLDER = "restore an older moment from another base backup"
    UNREACHABLE = "{target} can't be reached"
    UNREACHABLE_GAP = "{target} can't be reached; segment {segment} is missing"
    UNREACHABLE_WAL_ENDS = "{target} can't be reached, the log ends before it"
    REACHABLE = "what can be reached is {window}"
    REACHABLE_FROM_TO = "what can be reached is {begins} to {ends}"
    NO_BASE_ON_TIMELINE = "no base leads to timeline {timeline}"
    CHOOSE_TIMELINE = "choose another timeline, or none"
    SEVERAL_CLUSTERS = "the stores hold {count} clusters: {clusters}"
    CLUSTER_WITHOUT_BASE = "cluster {cluster} has no base; {reason}"
    CLUSTER_REACHABLE = "{cluster} (reachable: {window})"
    WAL_OTHER_TIMELINE = "the log went on to timeline {timeline} after {backup}"
    WAL_GAP_AFTER = "log missing from {first} to {last} after {backup}"
    NAME_CLUSTER = "say which with --cluster"
    NO_DIRECTORY_STORE = "the log is received into a directory, and no store is one"
    SET_BACKUP_DIR = "set BACKUP_DIR"
    TABLESPACES = "the cluster has {count} tablespaces of its own, which only a base holds, from PostgreSQL {major} on"
    TABLESPACE_UNKNOWN = "no tablespace of {backup} was at {location}; they were at {known}"
    NAME_TABLESPACE = "map the directory where it was"
    TABLESPACE_PLACE_USED = (
        "{place} cannot take a tablespace: it has content, is named twice, or is in the data directory"
    )
    NAME_EMPTY_DIRECTORY = "name a new or empty directory"
    BASE_STREAM_UNKNOWN = "the server streams a base in a way that is not known ({kind!r})"
    MAKE_DUMPS = "make backups of kind dump, or move their tables to pg_default"
    NO_INCREMENTALS = "PostgreSQL {major} knows none before 17"
    MAKE_BASES = "make backups of kind base"
    SUMMARIZE_WAL_OFF = "summarize_wal is off"
    SET_SUMMARIZE_WAL = "set summarize_wal = on, then make a backup of kind base"
    BASE_OF_OTHER_CLUSTER = "{backup} is of another cluster"
    MAKE_KIND_BASE = "make a backup of kind base"
    CHAIN_TOO_LONG = "{limit} incrementals were made on one base, which is the most"
    NOTHING_RECEIVED = "nothing came within {seconds:g} s"
    NOT_RUNNING = "pg_receivewal does not run"
    WAL_OF_OTHER_CLUSTER = (
        "{file} is of cluster {found}, not of {system}: it is not shipped; start the archive anew, and see which server its "
        "address leads to"
    )
    # Stores
    DIRECTORY_ABSENT = "the directory does not exist"
    NO_FILE = "there is no such file"
    NO_OBJECT = "there is no such object"
    NO_BUCKET = "there is no such bucket"
    RETAINED = "it is retained by the store"
    NOT_MARKED = "it has no marker"
    OTHER_REPOSITORY = "it belongs to another set of backups"
    MARKER_UNREADABLE = "its marker cannot be read: {reason}"
    BYTES_LOST = "{sent} bytes were sent, it has {kept}"
    LEASE_CHANGES = "who has its lease changes all the time"
    SEE_REASON = "see the reason"
    TRY_AGAIN = "try again when it answers; what others have is not lost"
    MOUNT_OR_INIT = "mount the disk it is on, or correct the address; `backup init` makes it where its parent exists"
    MOUNT_OR_INIT_ONCE = (
        "mount the disk that belongs there, or correct the address; for a new place, type `backup init` once "
        "(`sispat backup init`)"
    )
    CHECK_CREDENTIALS = "check the credentials and the permissions (list, read, write, delete)"
    CHECK_OPTIONS = (
        "see the reason: the region or another option of its address is wrong, or it does not know a header we send"
    )
    MAKE_ROOM_OR_PRUNE = "make room or prune; nothing that is complete was removed"
    CHECK_BUCKET = "look at what `list` shows, and check the bucket's name"
    KEPT_UNTIL_RETENTION = "it is kept until its retention ends, and removed by a later prune"
    CHECK_CONNECTION = "it was removed again where that was possible; check what is between us and the store"
    STORE_FAILED = "backup store {store}: {reason}; {advice}"
    OBJECT_FAILED = "backup store {store}: object {key!r}: {reason}; {advice}"
    SEVERAL = "{reasons}"
    # Addresses of stores
    SCHEME = "the scheme"
    SCHEMES = "a path, file, s3, gs, az"
    HOST = "the host"
    NO_CREDENTIALS = "no credentials in the address"
    BUCKET = "the bucket"
    CONTAINER = "the container"
    ADDRESS = "the address"
    OPTION = "an option of {scheme}"
    NUMBER_BETWEEN = "a number from {low} to {high}"
    # Schedules
    TIMEZONE = "timezone"
    TIMEZONES = "a name such as America/Sao_Paulo, or UTC"
    EXPRESSION = "expression"
    EXPRESSION_WINDOWS = "expression for Windows"
    FIVE_FIELDS = "five fields: minute hour day month weekday"
    CRONTAB_FIELDS = "crontab's fields ({error})"
    EVERY_DAY_AND_MONTH = "every day and month, as in 0 2 * * 1-5"
    TIMES_A_DAY = "at most {limit} times a day"
    PLAIN_DAYS = "plain days here; L and # only in the built-in scheduler"
    EXIT_CODE = "it ended with exit code {code}"
    NOT_INSTALLED = "it is not installed here"
    # PostgreSQL's programs
    THE_PROGRAMS = "the programs"
    PROGRAM_NOT_RUNNING = "does not run in {directory} ({error})"
    PROGRAM_VERSION = "the one in {directory} is {version}"
    PROGRAM_VERSION_UNKNOWN = "the one in {directory} is of unknown version"
    PROGRAM_KILLED = "{program} was killed by signal {signal}"
    PROGRAM_FAILED = "{program} failed with exit code {code}"
    PROGRAM_KILLED_SAID = "{program} was killed by signal {signal}: {said}"
    PROGRAM_FAILED_SAID = "{program} failed with exit code {code}: {said}"
    HIDDEN_PARAMETER = (
        "database URL: {keyword} cannot be handed to PostgreSQL's programs without showing it to others; use a key file "
        "without a password, readable only by this account"
    )
    SAID_NOTHING = "it said nothing"
    ENDED_EARLY = "it ended before it had read everything"
    WROTE_NOTHING = "it wrote nothing"
    # Settings
    NOT_SET = "is not set"
    SET_WITH_RECIPIENTS = "is set together with BACKUP_RECIPIENTS"
    SETTING_IS = "is {value!r}"
    SETTING_HAS = "has {value!r}"
    ONE_OF_THE_TWO = "one of the two"
    STOP_OR_RELEASE = "stop or release"
    LEVELS = "a number from 1 to 19, or from -1 to -20"
    DIRECTORY_SETTING = "a directory (or AWS_S3_BUCKET or BACKUP_STORES)"
    PREFIX_CHARACTERS = "1 to 100 letters, digits, _ . and -"
    KEEP_COUNTS = (
        "daily=, weekly=, monthly=, yearly= or verified= with a number to 9999 (verified at least 1), separated by "
        "blanks"
    )

    def __call__(self, **fields: Value) -> Detail:
        """The sentence with `fields`; KeyError when one of its fields is not given."""
        return Detail(self, fields)


def detail_of(error: BaseException) -> str:
    """The sentence that `error` was made of, with its code where it has one; else what it says."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, Detail) else str(error)


def together(reasons: Sequence[str]) -> str:
    """One sentence of several; empty of none."""
    return reasons[0] if len(reasons) == 1 else DetailCode.SEVERAL(reasons=tuple(reasons)) if reasons else ""


def filled(template: str, fields: Mapping[str, Value], word: Callable[[str], str] = str) -> str:
    """`template` with `fields` filled in: names are joined with commas, sentences go through `word` first."""
    return template.format(**{name: _worded(name, value, word) for name, value in fields.items()})


def _worded(name: str, value: Value, word: Callable[[str], str]) -> str | int | float:
    if isinstance(value, tuple):
        sentences = name in _SENTENCES or any(isinstance(each, Detail) for each in value)
        return "; ".join(map(word, value)) if sentences else ", ".join(value)
    if isinstance(value, str) and (isinstance(value, Detail) or name in _SENTENCES):
        return word(value)
    return value


def plain(value: Value) -> Any:
    """For JSON; `from_plain` is its reverse."""
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, Detail):
        about = {name: plain(each) for name, each in value.fields.items()}
        return {"code": value.code.name, "text": str(value), "about": about}
    return value


def from_plain(given: Any) -> Value:
    """Read what `plain` made; of a code that a later version wrote, the text. KeyError or TypeError for anything else."""
    if isinstance(given, list):
        return tuple(str(from_plain(each)) if not isinstance(each, dict) else _read(each) for each in given)
    if isinstance(given, dict):
        return _read(given)
    if isinstance(given, str | int | float):
        return given
    msg = f"{given!r} is no field"
    raise TypeError(msg)


def _read(given: Mapping[str, Any]) -> str:
    code = DetailCode.__members__.get(given["code"])
    fields = {name: from_plain(each) for name, each in given["about"].items()}
    if code is None or _names(code.value) - fields.keys():
        return str(given["text"])
    return Detail(code, fields)


def _names(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}
