"""Refused requests, and their error bodies as the API sends them."""

from __future__ import annotations

from typing import Any

CODES = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    408: "deadline_exceeded",
    409: "conflict",
    413: "request_too_large",
    429: "resource_exhausted",
    500: "internal_error",
    503: "unavailable",
    504: "deadline_exceeded",
}


STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""The names of HTTP statuses in the errors of models, files and file-search stores."""


class Refused(Exception):
    """An error answer to a request: an HTTP status, and a message that says why and what to do.

    `code` is the code in the body, where the status does not decide it; see `error_body`.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return `{"error": {"code": <string>, "message": ...}}`, the error body of interactions and newer resources."""
    return {"error": {"code": CODES.get(status, f"http_{status}"), "message": message}}


def google_error_body(status: int, message: str) -> dict[str, Any]:
    """Return `{"error": {"code": <number>, "message": ..., "status": ...}}`, the error body of the older resources."""
    return {"error": {"code": status, "message": message, "status": STATUSES.get(status, "INVALID_ARGUMENT")}}


def not_found(interaction_id: str) -> Refused:
    """Return the refusal (404) for an interaction that is unknown, deleted, expired or unstored."""
    return Refused(
        404,
        f"Interaction {interaction_id} was not found: it never existed, was deleted, has expired, or was "
        "created with store=false. Start a new chain and send the earlier steps as input.",
    )
