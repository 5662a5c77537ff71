"""The base class of the application's own errors."""


class DeskError(Exception):
    """An error that the application raises on purpose.

    The message is for a person: it says what happened, to what, and what to do next. It is shown by
    `tools.cli.console.run` on the command line, by the researcher's tools in a conversation, and by
    `tools.server.error_handlers` over HTTP.
    """
