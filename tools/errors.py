"""The base class of the application's own errors, and texts about errors of the operating system and SQLite."""


class DeskError(Exception):
    """An error that the application raises on purpose.

    The message is for a person: it says what happened, to what, and what to do next. It is shown by
    `tools.cli.command_run.run` on the command line, by the researcher's tools in a conversation, by
    `tools.server.error_handlers` over HTTP, by `tools.board.errors` on the page, and by `tools.mcp_server.errors` over
    MCP.
    """


class BadArgument(DeskError):
    """A tool got an argument that it cannot use. The message names the argument."""


def words_of(error: OSError) -> str:
    """Returns the reason of an error of the operating system, after the name of its file if it has one."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def advice_if_damaged(error: BaseException) -> str:
    """Returns advice about a damaged SQLite file, to append to the error's message; empty for any other error."""
    damaged = getattr(error, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT")
    return ": restore a copy of the file, or move it away to start with an empty one" if damaged else ""
