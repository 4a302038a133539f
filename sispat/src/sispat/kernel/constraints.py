"""What a violated constraint means to the person who typed.

Promises: a slice says for each constraint of its tables that people can run into which field is wrong and why (a test
compares with the schema); what no slice explains passes through as the programming error it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import errors

from sispat.kernel.errors import InvalidData

__all__ = ["Sentences", "explained"]

Sentences = Mapping[str, tuple[str, str]]  # constraint name -> (field, sentence)


def explained(error: errors.IntegrityError, sentences: Sentences) -> Exception:
    """The field error that `error` stands for, or `error` itself where no user input can be its cause."""
    found = sentences.get(error.diag.constraint_name or "")
    return error if found is None else InvalidData(dict([found]))
