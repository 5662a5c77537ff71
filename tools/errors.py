"""The base of the application's own errors."""


class DeskError(Exception):
    """An error that the application raises on purpose.

    Its text is for a person: what happened, to what, and what to do next. `tools.cli.console.run` shows it on the
    command line, the researcher's tools in a conversation, and `tools.server.error_handlers` to a client.
    """
