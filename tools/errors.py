"""The base class of the application's own errors."""


class DeskError(Exception):
    """An error that the application raises on purpose.

    The message is for a person: it says what happened, to what, and what to do next. On the command line,
    `tools.cli.console.run` shows it; in a conversation, the researcher's tools; over HTTP,
    `tools.server.error_handlers`.
    """
