"""How a program is told which database to use, without anybody else reading the password.

Promises: everything goes by environment variables, which only the same account can read; nothing of an address is
ever an argument. What libpq takes from no variable is refused when it is a secret, and left out when it is a nicety
such as a keepalive.
"""

from __future__ import annotations

import os

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from esteio.backup._errors import BackupError
from esteio.postgres import Dsn

__all__ = ["environment"]


def environment(dsn: Dsn | None) -> dict[str, str]:
    """Our own environment, in plain English, with the address `dsn` in it; BackupError for what has no variable."""
    variables = {**os.environ, "LC_ALL": "C", "LC_MESSAGES": "C", "PGAPPNAME": "esteio backup"}
    if dsn is None:
        return variables
    known = {option.keyword.decode(): option for option in pq.Conninfo.get_defaults()}
    for keyword, value in conninfo_to_dict(dsn.conninfo).items():
        option = known[keyword]
        if option.envvar:
            variables[option.envvar.decode()] = str(value)
        elif option.dispchar == b"*" or keyword.startswith("scram_"):
            msg = (
                f"database URL: {keyword} cannot be handed to PostgreSQL's programs without showing it to others; "
                "use a key file without a password, readable only by this account"
            )
            raise BackupError(msg)
    return variables
