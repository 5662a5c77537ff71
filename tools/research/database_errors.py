"""Errors of the ledger's database: which ones a retry cannot mend, and how they are described to a person."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError, StatementError

from tools.errors import DeskError


class LedgerError(DeskError):
    """The ledger's database cannot be opened. The message says what to do, and shows no password."""


DATABASE_ERRORS = (LedgerError, SQLAlchemyError, OSError)
"""Errors that a statement raises if the database does not answer or refuses a value (`refuses_value`)."""
_REFUSALS = ("22", "23", "42", "54")
"""SQLSTATE classes of errors in the statement: data, constraints, syntax, size (postgresql.org, appendix A)."""
_FORBIDDEN = "42501"
"""SQLSTATE of a missing privilege. It is in class 42, but a retry may work, because a GRANT solves it."""
_SQLITE_REFUSALS = (1, 18, 19, 20)
"""SQLite's codes for errors in the statement: ERROR, TOOBIG, CONSTRAINT, MISMATCH (sqlite.org/rescode.html)."""


def refuses_value(error: BaseException) -> bool:
    """Whether the database refused a statement or its values, so that a retry fails too.

    Args:
        error: the exception of a statement, whether or not SQLAlchemy has wrapped it.
    """
    if isinstance(error, OverflowError | UnicodeEncodeError):  # from SQLite's driver; SQLAlchemy does not wrap them
        return True
    if not isinstance(error, StatementError):
        return False
    if not isinstance(error, DBAPIError):  # a value is missing or could not be converted, so nothing was sent
        return True
    if state := getattr(error.orig, "sqlstate", None):
        return str(state).startswith(_REFUSALS) and state != _FORBIDDEN
    if code := getattr(error.orig, "sqlite_errorcode", None):
        return code & 0xFF in _SQLITE_REFUSALS
    return isinstance(error, ProgrammingError)  # SQLite's driver got an unknown type


def describe_database_error(error: BaseException) -> str:
    """Describes one of `DATABASE_ERRORS` for a person, who may be anybody: without SQL, values and addresses."""
    if isinstance(error, LedgerError):  # its text names the database's host and user
        return "the database cannot be used now; on its machine, `desk doctor` says why"
    return "the database refuses a value" if refuses_value(error) else "the database does not answer now"
