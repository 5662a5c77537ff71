"""Errors of the API in research: what an error of the transport means for a run, and what a person should check.

`api_error` and `create_error` convert errors of `tools.interactions.errors`.
"""

from __future__ import annotations

from typing import Any

from tools.errors import DeskError
from tools.interactions.errors import NotSent, is_not_found, retry_after, status_of

NOT_THE_API = "this is not an answer of the API: `desk doctor` checks its address, and whether a proxy answers"


class ApiError(DeskError):
    """A call of the API failed."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        """Seconds that the server asked to wait; None if it named no time."""


class NotCreated(ApiError):
    """The create request failed in a way that proves that nothing was started."""

    def __init__(self, message: str, *, retryable: bool = False, **values: Any) -> None:
        super().__init__(message, **values)
        self.retryable = retryable
        """Whether the same request may succeed later."""


class OutcomeUnknown(ApiError):
    """The create request was sent, but its outcome is not known: a research run may have started."""


class NotFound(ApiError):
    """The API does not have the interaction (or the method). A 404 of a proxy is `Unavailable`."""


class Refused(ApiError):
    """The server refuses the call permanently, for example because of a bad key or a bad request."""


class Unavailable(ApiError):
    """A temporary failure that is worth a retry: no connection, a broken stream, or status 408, 409, 429 or 5xx.

    It is also a 404 without the API's error: a 404 of a proxy or a wrong address says nothing about an interaction.
    """


def api_error(error: Exception) -> ApiError:
    """Converts any exception of a call to an `ApiError`. An unknown exception counts as temporary."""
    status, wait = status_of(error), retry_after(error)
    if is_not_found(error):
        return NotFound(str(error), status=status)
    if status == 404:
        return Unavailable(f"{str(error).rstrip('.')}; {NOT_THE_API}", status=status)
    if status is not None and 400 <= status < 500 and status not in (408, 409, 429):
        return Refused(str(error), status=status)
    return Unavailable(str(error) or type(error).__name__, status=status, retry_after=wait)


_CREDENTIALS = "GEMINI_API_KEY, or the credentials of Vertex AI"
_ADVICE = {401: _CREDENTIALS, 403: _CREDENTIALS, 404: "the `agent` in the researcher's YAML"}
"""Maps the HTTP status of a refused create request to what the person should check."""


def create_error(error: Exception) -> ApiError:
    """Converts an exception raised before an event named the interaction. Not every one proves that nothing started."""
    status, wait, text = status_of(error), retry_after(error), str(error) or type(error).__name__
    if status is not None and 400 <= status < 500 and status not in (408, 409):
        if status == 400 and "webhook" in text:
            text += "; DESK_WEBHOOKS=0 starts research without a webhook"
        if status == 404 and not is_not_found(error):
            return NotCreated(f"{text.rstrip('.')}; {NOT_THE_API}", retryable=True, retry_after=wait)
        if advice := _ADVICE.get(status):
            text = f"{text.rstrip('.')}; check {advice}"
        return NotCreated(text, retryable=status == 429, status=status, retry_after=wait)
    if isinstance(error, NotSent):
        return NotCreated(text, retryable=error.retryable)
    return OutcomeUnknown(text, status=status)
