"""Replays recorded answers: reads exchanges from a scenario file and finds the one that answers a request.

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

A request gets the answer of the exchange that has the same method, path, query and body. All secrets count as equal,
and JSON is compared by value. Equal requests get their answers in the order of the file; the last answer is repeated.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from interactions_emulator.errors import Refused
from interactions_emulator.recording.redaction import Redactor

Key = tuple[str, str, tuple[tuple[str, str], ...], str | bytes]


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


@dataclass(frozen=True)
class Response:
    """An answer, ready to be sent."""

    status: int
    content_type: str
    body: bytes | list[tuple[float, bytes]]
    """A list is a stream: each entry has the seconds to wait and the bytes of the next frame."""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Whether to cut the connection after the body instead of ending the answer properly."""


class Replay:
    """Recorded answers to requests. It remembers which answers it has sent.

    If `strict`, a request that was not recorded is refused; otherwise the emulator answers it.
    """

    def __init__(self, exchanges: Iterable[Exchange], strict: bool = False) -> None:
        self._redactor = Redactor()
        self._strict = strict
        self._exchanges = list(exchanges)
        self._answers: defaultdict[Key, deque[RecordedResponse]] = defaultdict(deque)
        for exchange in self._exchanges:
            request = exchange.request
            key = self._key(request.method, request.path, request.query, to_bytes(request.body))
            self._answers[key].append(exchange.response)

    def answer(self, method: str, path: str, query: str, body: bytes, secrets: Iterable[str] = ()) -> Response | None:
        """Return the recorded answer to a request, or None if no exchange matches.

        Args:
            path: decoded, with the API's version.
            query: not decoded.
            secrets: the API keys and tokens in the request's headers. They are redacted before the comparison.

        Raises:
            Refused: no exchange matches, and the replay is strict (400).
        """
        for secret in secrets:
            self._redactor.learn(secret)
        key = self._key(method, without_version(path), query, body)
        answers = self._answers.get(key)
        if answers is None and self._strict:
            raise Refused(400, self._explain(key))
        if answers is None:
            return None
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        sent: bytes | list[tuple[float, bytes]] = to_bytes(answer.body)
        if answer.events is not None:
            sent = [(event.after, to_bytes(event.data)) for event in answer.events]
        return Response(answer.status, answer.content_type, sent, dict(answer.headers), answer.cut)

    def _explain(self, asked: Key) -> str:
        """Say which request was not recorded, and how the nearest recorded one differs."""
        differences = []
        for exchange in self._exchanges:
            request = exchange.request
            recorded = self._key(request.method, request.path, request.query, to_bytes(request.body))
            differences.append((_differences(asked, recorded), f"{exchange.where}: {request.method} {request.path}"))
        wrong, nearest = min(differences, key=lambda pair: len(pair[0]))
        return (
            f"No recorded request is equal to this {asked[0]} {asked[1]}. The nearest is {nearest}, which has another "
            f"{' and another '.join(wrong)}. Record again, or set strict: false to let the emulator answer."
        )

    def _key(self, method: str, path: str, query: str, body: bytes) -> Key:
        pairs = tuple(sorted(parse_qsl(self._redactor.query(query), keep_blank_values=True)))
        redacted = self._redactor.data(body)
        compared: str | bytes
        try:
            compared = json.dumps(json.loads(redacted), sort_keys=True)
        except (ValueError, RecursionError):
            compared = redacted
        return method, self._redactor.without_known_secrets(path), pairs, compared


def _differences(asked: Key, recorded: Key) -> list[str]:
    """Name the parts of two requests that differ; of JSON bodies, the fields."""
    names = ("method", "path", "query")
    wrong = [name for name, one, other in zip(names, asked, recorded, strict=False) if one != other]
    if asked[3] == recorded[3]:
        return wrong
    try:
        one, other = json.loads(asked[3]), json.loads(recorded[3])
        fields = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    except (ValueError, AttributeError, RecursionError):
        return [*wrong, "body"]
    return [*wrong, *(f"body.{name}" for name in fields)]


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
