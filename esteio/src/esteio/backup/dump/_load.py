"""A dump loaded into a database made for it, and compared with its manifest.

Promises: the database `name` did not exist before; when anything fails, an interrupt included, it is removed again
and nothing else was changed but roles that were missing. What comes back was compared: every count, every sample.
"""

from __future__ import annotations

from esteio.backup._errors import VerificationFailed
from esteio.backup._folder import Folder
from esteio.backup._manifest import Database
from esteio.backup._progress import Progress, silent
from esteio.backup._session import connect, undisturbed
from esteio.backup.dump._create import create_database, drop_database, furnish
from esteio.backup.dump._digests import compare, digest_tables
from esteio.backup.dump._globals import for_missing_roles
from esteio.backup.dump._pour import pour
from esteio.backup.tools import Toolbox
from esteio.postgres import Dsn

__all__ = ["load"]


def load(
    admin: Dsn,
    folder: Folder,
    name: str,
    toolbox: Toolbox,
    progress: Progress = silent,
    *,
    jobs: int = 1,
    any_collation: bool = False,
) -> int:
    """Restore the dump in `folder` as the new database `name` on the server of `admin`; the number of rows.

    Up to `jobs` archives, then indexes, are restored at the same time.

    RestoreRefused when it cannot be made, ToolFailed, BackupDamaged, or VerificationFailed when what is in it then
    is not what the manifest says.
    """
    like = folder.manifest.database
    assert like is not None, "a dump has a database"
    _make_roles(admin, folder, toolbox)
    made: list[str] = []

    def make() -> None:
        with connect(admin) as conn:
            create_database(conn, name, like, any_collation=any_collation)
        made.append(name)

    try:
        undisturbed(make)
        pour(admin.with_(database=name), folder, toolbox, progress, jobs)
        return _compared(admin.with_(database=name), folder, like, name, progress)
    except BaseException:
        if made:
            drop_database(admin, name)
        raise


def _make_roles(admin: Dsn, folder: Folder, toolbox: Toolbox) -> None:
    with connect(admin) as conn:
        present = {role for (role,) in conn.execute("SELECT rolname::text FROM pg_roles")}
    if present.issuperset(folder.manifest.roles):
        return
    statements = for_missing_roles(folder.text("globals"), present)
    script = f"BEGIN;\n{statements}COMMIT;\n".encode()
    arguments = ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"]
    toolbox.run("psql", arguments, dsn=admin, given=script)


def _compared(target: Dsn, folder: Folder, like: Database, name: str, progress: Progress) -> int:
    manifest = folder.manifest
    with connect(target) as conn:
        furnish(conn, name, like)
        if manifest.major < 18:  # from 18 on the dump brings the planner's statistics
            conn.execute("ANALYZE")
        found = digest_tables(conn, manifest.tables, lambda done, total: progress("compare", done, total, "tables"))
    if problems := compare(manifest.tables, found):
        raise VerificationFailed(manifest.id, tuple(problems))
    return sum(digest.rows for digest in found.values())
