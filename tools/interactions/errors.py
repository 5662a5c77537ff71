"""Errors of calls of the API: what the transport and the client raise, their HTTP status, and how long to wait.

`WireError` and its kinds say what a request got instead of an answer. `ApiError` and its kinds say what that means for
research. `api_error` and `create_error` convert the first kind into the second.
"""

from __future__ import annotations

import email.utils
import math
import time
from typing import TYPE_CHECKING, Any

from tools.errors import DeskError

if TYPE_CHECKING:
    import httpx2

NOT_THE_API = "this is not an answer of the API: `desk doctor` checks its address, and whether a proxy answers"


class BackendError(DeskError):
    """No server can be used with the current settings. The message says what to set."""


class WireError(DeskError):
    """A call got no usable answer. The message says what came instead, without secrets."""


class NotSent(WireError):
    """The request did not leave this machine.

    Args:
        retryable: whether the same request may get through later.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class Interrupted(WireError):
    """The request was sent, but the connection broke before the answer was complete."""


class BadStatus(WireError):
    """The server answered with a status other than success, such as an error or a redirect.

    Args:
        message: the reason that the answer gives; empty if it gives none.
        from_api: whether the body is an error of the API. That of a proxy may be a page or a text.
    """

    def __init__(self, message: str, response: httpx2.Response, *, from_api: bool) -> None:
        super().__init__(f"HTTP {response.status_code}: {message}" if message else f"HTTP {response.status_code}")
        self.message, self.status_code, self.response = message, response.status_code, response
        self.from_api = from_api


class BadAnswer(WireError):
    """The server answered with success, but the body is neither an interaction nor its events."""

    def __init__(self, message: str, response: httpx2.Response) -> None:
        super().__init__(message)
        self.response = response


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


def status_of(error: BaseException) -> int | None:
    """Returns the HTTP status of an error from the transport, the client or the SDK; None if it has none.

    The SDK's errors share no base class (google-genai 2.34), so this function looks for either attribute.
    """
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    return status if isinstance(status, int) and status >= 300 else None


def is_not_found(error: BaseException) -> bool:
    """Whether the API says that it does not have something. A 404 of a proxy says nothing of the API."""
    return status_of(error) == 404 and getattr(error, "from_api", True)


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


def retry_after(error: BaseException) -> float | None:
    """Returns the seconds that the server asked to wait, from `retry-after-ms` or `Retry-After` (seconds or a date)."""
    if isinstance(error, ApiError):
        return error.retry_after
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        elif (value := headers.get("retry-after", "")).strip().replace(".", "", 1).isdigit():
            seconds = float(value)
        else:
            seconds = max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
