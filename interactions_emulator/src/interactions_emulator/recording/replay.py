"""Replays recorded answers: finds the exchange that answers a request.

A request gets the answer of the exchange that has the same method, path, query and body. All secrets count as equal,
and JSON is compared by value. Equal requests get their answers in the order of the file; the last answer is repeated.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from interactions_emulator.errors import Refused
from interactions_emulator.recording.file_format import Exchange, RecordedResponse, to_bytes, without_version
from interactions_emulator.recording.redaction import Redactor

Key = tuple[str, str, tuple[tuple[str, str], ...], str | bytes]


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
