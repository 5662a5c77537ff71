"""The form of recorded exchanges in a scenario file.

The recorder writes an exchange like this:

    - request:
        method: POST
        path: /interactions             # without the version
        query: stream=true              # if there is one
        body: {model: gemini-3.8-flash} # a mapping or a list is JSON; a string is the text itself
      response:
        status: 200
        content_type: application/json
        headers: {retry-after: '1'}     # only the headers that say when to retry
        body: {id: v1_a}                # sent as JSON without spaces; a string is the text itself, !!binary the bytes
    - request: ...
      response:
        status: 200
        content_type: text/event-stream
        events:
        - after: 0.25                   # seconds since the previous event, or since the answer began; default 0
          data: |+                      # a frame, including the empty line at its end
            event: done
            data: [DONE]

        cut: true                       # the connection broke after the events above
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from interactions_emulator.errors import Refused


def to_bytes(value: Any) -> bytes:
    """Return the bytes of a body in the file: JSON as the emulator writes it, text, or bytes.

    Raises ValueError with the reason for any other value.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict | list):
        raise ValueError("give a mapping or a list for JSON, a string for text, or !!binary")
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except TypeError as error:
        raise ValueError(f"this is not JSON ({error}): put quotes around dates") from error


def _checked(value: Any) -> Any:
    to_bytes(value)
    return value


Body = Annotated[Any, AfterValidator(_checked)]
"""A body in the file: a mapping or list is JSON, a string is text, bytes are bytes."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecordedRequest(_Entry):
    """A recorded request."""

    method: str
    path: str = Field(pattern="^/")
    query: str = ""
    body: Body = ""


class RecordedEvent(_Entry):
    """A frame of a stream."""

    after: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    data: str | bytes = Field(min_length=1)


class RecordedResponse(_Entry):
    """A recorded answer: a body or events."""

    status: int = Field(ge=200, le=599)
    content_type: str = ""
    headers: dict[str, str] = {}
    body: Body = ""
    events: list[RecordedEvent] | None = None
    cut: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> RecordedResponse:
        if self.events is not None and self.body != "":
            raise ValueError("an answer has a body or events, not both")
        return self


class Exchange(_Entry):
    """A request and its answer."""

    request: RecordedRequest
    response: RecordedResponse
    _where: str = PrivateAttr("")

    @property
    def where(self) -> str:
        """The place of the exchange: file and line, or its number."""
        return self._where


def exchanges(entries: list[dict[str, Any]]) -> list[Exchange]:
    """Parse the entries of a scenario file that have a `request`.

    Raises `Refused` (400) with the position of an invalid entry.
    """
    return [_exchange(number, entry) for number, entry in enumerate(entries)]


def without_version(path: str) -> str:
    """Return `/v1beta/interactions` as `/interactions`."""
    return "/" + path[1:].partition("/")[2]


def from_bytes(data: bytes) -> Any:
    """Return the most readable value that `to_bytes` converts back to exactly these bytes."""
    try:
        text = data.decode()
        value = json.loads(text)
    except UnicodeDecodeError:
        return data
    except (ValueError, RecursionError):
        return text
    try:
        return value if isinstance(value, dict | list) and to_bytes(value) == data else text
    except UnicodeEncodeError:  # a lone surrogate, which JSON can escape but UTF-8 cannot encode
        return text


def _exchange(number: int, entry: dict[str, Any]) -> Exchange:
    try:
        return Exchange.model_validate(entry)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in wrong["loc"])
        raise Refused(400, f"exchange number {number}{_request_line(entry)}: {place}: {wrong['msg']}") from error


def _request_line(entry: dict[str, Any]) -> str:
    """Return the method and path of an invalid entry, for the error message; "" if it has no request."""
    request = entry.get("request")
    if not isinstance(request, dict):
        return ""
    return f" ({request.get('method')} {request.get('path')})"
