"""What each SQLSTATE means to a caller: one table over the whole of PostgreSQL's list.

Promises: every class of the list (appendix "PostgreSQL Error Codes" of the manual) has a row; a code that
means something else than its class has one of its own. A code outside of the list, as `RAISE ... USING
ERRCODE` may invent, is the caller's: somebody chose it.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["CLASSES", "CODES", "Category", "category_of"]


class Category(Enum):
    """What can be done about an error."""

    NOTICE = "notice"
    """No error: success, a warning, no data."""
    CONFLICT = "conflict"
    """Rolled back because of another transaction; the whole transaction may run again."""
    FAILOVER = "failover"
    """The server goes, is gone or is no longer the primary: connect anew, perhaps to another host."""
    CONFIGURATION = "configuration"
    """Address, account or certificate are wrong; trying again does not help."""
    RESOURCES = "resources"
    """The server is short of disk, memory or connections."""
    TIMEOUT = "timeout"
    """The server ended what took longer than its session allows."""
    CANCELLED = "cancelled"
    """Somebody asked the server to stop the statement."""
    CALLER = "caller"
    """The statement or its values; the driver's own error passes unchanged."""
    INTERNAL = "internal"
    """A fault of the server, its disk or an extension."""


CLASSES: dict[str, tuple[str, Category]] = {
    "00": ("successful completion", Category.NOTICE),
    "01": ("warning", Category.NOTICE),
    "02": ("no data", Category.NOTICE),
    "03": ("SQL statement not yet complete", Category.CALLER),
    "08": ("connection exception", Category.FAILOVER),
    "09": ("triggered action exception", Category.CALLER),
    "0A": ("feature not supported", Category.CALLER),
    "0B": ("invalid transaction initiation", Category.CALLER),
    "0F": ("locator exception", Category.CALLER),
    "0L": ("invalid grantor", Category.CALLER),
    "0P": ("invalid role specification", Category.CALLER),
    "0Z": ("diagnostics exception", Category.CALLER),
    "10": ("XQuery error", Category.CALLER),
    "20": ("case not found", Category.CALLER),
    "21": ("cardinality violation", Category.CALLER),
    "22": ("data exception", Category.CALLER),
    "23": ("integrity constraint violation", Category.CALLER),
    "24": ("invalid cursor state", Category.CALLER),
    "25": ("invalid transaction state", Category.CALLER),
    "26": ("invalid SQL statement name", Category.CALLER),
    "27": ("triggered data change violation", Category.CALLER),
    "28": ("invalid authorization specification", Category.CONFIGURATION),
    "2B": ("dependent privilege descriptors still exist", Category.CALLER),
    "2D": ("invalid transaction termination", Category.CALLER),
    "2F": ("SQL routine exception", Category.CALLER),
    "34": ("invalid cursor name", Category.CALLER),
    "38": ("external routine exception", Category.CALLER),
    "39": ("external routine invocation exception", Category.CALLER),
    "3B": ("savepoint exception", Category.CALLER),
    "3D": ("invalid catalog name", Category.CONFIGURATION),
    "3F": ("invalid schema name", Category.CALLER),
    "40": ("transaction rollback", Category.CONFLICT),
    "42": ("syntax error or access rule violation", Category.CALLER),
    "44": ("WITH CHECK OPTION violation", Category.CALLER),
    "53": ("insufficient resources", Category.RESOURCES),
    "54": ("program limit exceeded", Category.CALLER),
    "55": ("object not in prerequisite state", Category.CALLER),
    "57": ("operator intervention", Category.CANCELLED),
    "58": ("system error", Category.INTERNAL),
    "72": ("snapshot failure", Category.CONFLICT),
    "F0": ("configuration file error", Category.CONFIGURATION),
    "HV": ("foreign data wrapper error", Category.INTERNAL),
    "P0": ("PL/pgSQL error", Category.CALLER),
    "XX": ("internal error", Category.INTERNAL),
}
"""Title and meaning of each class."""

CODES: dict[str, Category] = {
    "25006": Category.FAILOVER,  # read-only: a standby, or a primary that was demoted
    "25P03": Category.TIMEOUT,  # idle in transaction
    "25P04": Category.TIMEOUT,  # transaction timeout
    "40002": Category.CALLER,  # a deferred constraint
    "40003": Category.FAILOVER,  # whether the statement was completed is unknown
    "55P03": Category.TIMEOUT,  # lock not available
    "57P01": Category.FAILOVER,  # shutdown by an administrator
    "57P02": Category.FAILOVER,  # another backend crashed
    "57P03": Category.FAILOVER,  # starting or stopping
    "57P04": Category.CONFIGURATION,  # the database was dropped
    "57P05": Category.FAILOVER,  # the session idled too long for the server: nothing was under way
}
"""Codes that mean something else than their class."""


def category_of(sqlstate: str) -> Category:
    """What `sqlstate` means; QUERY_CANCELED (57014) is CANCELLED, its text tells a timeout apart."""
    known = CODES.get(sqlstate)
    if known is not None:
        return known
    row = CLASSES.get(sqlstate[:2])
    return Category.CALLER if row is None else row[1]
