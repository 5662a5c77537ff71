"""A fault: its fields, the requests that it can hit, and its form as JSON."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

STREAM_KINDS = ("create_stream", "resume", "stream", "generate_stream")
REQUEST_KINDS = (
    *("create", "get", "cancel", "delete", *STREAM_KINDS, "generate", "count_tokens", "models"),
    *("files", "file_search_stores", "webhooks", "agents", "triggers", "environments"),
)
MATCHING_KINDS = {
    "create_stream": {"create", "create_stream", "stream"},
    "resume": {"resume", "stream"},
    "generate_stream": {"generate", "generate_stream"},
}
"""Values of `on` that match a kind of request. A kind that is not listed here matches only its own name."""
ZOMBIE_KINDS = ("create", "create_stream", "generate", "generate_stream")
STREAM_EFFECTS = (
    "cut_after",
    "crash_after",
    "cut_inside",
    "end_after",
    "silence_after",
    "garbage_after",
    "unknown_after",
    "repeat_after",
    "swap_after",
    "array_after",
    "error_after",
)


@dataclass(frozen=True)
class Fault:
    """One fault; `help.py` explains the fields."""

    on: str
    times: int = 1
    skip: int = 0
    status: int | None = None
    retry_after_ms: int | None = None
    delay_ms: int = 0
    after_accept: bool = False
    drop: bool = False
    hang: bool = False
    crash: bool = False
    zombie: bool = False
    event_delay_ms: int = 0
    cut_after: int | None = None
    crash_after: int | None = None
    cut_inside: int | None = None
    end_after: int | None = None
    silence_after: int | None = None
    garbage_after: int | None = None
    unknown_after: int | None = None
    repeat_after: int | None = None
    swap_after: int | None = None
    array_after: int | None = None
    error_after: int | None = None
    no_usage: bool = False
    body: str | None = None
    headers: dict[str, str] | None = None
    before: str | None = None
    name: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether an error, a closed connection or silence takes the place of the answer."""
        given = self.status is not None or self.body is not None
        return given or self.drop or self.hang or self.crash or self.after_accept

    @property
    def crashes(self) -> bool:
        """Whether the fault kills the server."""
        return self.crash or self.crash_after is not None

    @property
    def affects_stream(self) -> bool:
        """Whether the fault changes the events of a stream or delays them."""
        return (
            self.no_usage
            or self.before is not None
            or self.event_delay_ms > 0
            or any(getattr(self, name) is not None for name in STREAM_EFFECTS)
        )


def to_json(fault: Fault) -> dict[str, Any]:
    """Return a fault as the JSON object it was parsed from."""
    values = {field.name: getattr(fault, field.name) for field in fields(fault)}
    defaults = {field.name: field.default for field in fields(fault)}
    return {name: value for name, value in values.items() if value != defaults[name]}
