"""Errors of calls of the API: what a request got instead of an answer, its HTTP status, and how long to wait."""

from __future__ import annotations

import email.utils
import math
import time
from typing import TYPE_CHECKING

from tools.errors import DeskError

if TYPE_CHECKING:
    import httpx2


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


def status_of(error: BaseException) -> int | None:
    """Returns the HTTP status of an error from the transport, the client or the SDK; None if it has none.

    The SDK's errors share no base class (google-genai 2.34), so this function looks for either attribute.
    """
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    return status if isinstance(status, int) and status >= 300 else None


def is_not_found(error: BaseException) -> bool:
    """Whether the API says that it does not have something. A 404 of a proxy says nothing of the API."""
    return status_of(error) == 404 and getattr(error, "from_api", True)


def retry_after(error: BaseException) -> float | None:
    """Returns the seconds that the server asked to wait, from `retry-after-ms` or `Retry-After` (seconds or a date)."""
    if (asked := getattr(error, "retry_after", None)) is not None:
        return float(asked)
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
