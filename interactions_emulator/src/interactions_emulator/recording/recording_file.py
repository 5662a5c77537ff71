"""Writes a recording file: turns each exchange into a YAML entry without secrets and appends it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from interactions_emulator.errors import Refused
from interactions_emulator.recording.file_format import (
    Exchange,
    RecordedEvent,
    RecordedRequest,
    RecordedResponse,
    from_bytes,
    without_version,
)
from interactions_emulator.recording.redaction import Redactor

EVENT_STREAM = "text/event-stream"
_FRAME_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]\s*$")
_FOLDS = re.compile("[\x85\u2028\u2029]")
"""Line separators that a YAML block would change."""


@dataclass
class CapturedExchange:
    """One exchange as it was sent and received, with its secrets."""

    method: str
    path: str
    """The decoded path, with the version of the API."""
    query: str
    body: bytes
    secrets: list[str]
    """The request's API keys and tokens."""
    status: int = 0
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    """Seconds since the answer began, and the bytes received then."""
    cut: bool = False

    @property
    def streams(self) -> bool:
        return self.content_type.startswith(EVENT_STREAM)

    def exchange(self, redactor: Redactor) -> Exchange:
        """Return the exchange without secrets, in the form of the file."""
        for secret in self.secrets:
            redactor.learn(secret)
        query = redactor.query(self.query)
        request_body = redactor.data(self.body)
        answered = b"".join(data for _, data in self.chunks)
        response = RecordedResponse(
            status=self.status,
            content_type=self.content_type,
            headers={name: redactor.without_known_secrets(value) for name, value in self.headers.items()},
            cut=self.cut and not (self.streams and _DONE.search(answered)),
        )
        if self.streams:
            response.events = [
                RecordedEvent(after=after, data=_readable(redactor.data(data))) for after, data in frames(self.chunks)
            ]
        else:
            response.body = from_bytes(redactor.data(answered))
        path = redactor.without_known_secrets(without_version(self.path))
        request = RecordedRequest(method=self.method, path=path, query=query, body=_json_or_text(request_body))
        return Exchange(request=request, response=response)


class Recording:
    """The recording file. Each exchange is written completely or not at all. A failed write calls `on_failure`.

    Raises `Refused` if the file cannot be created or is not empty.
    """

    def __init__(self, file: Path, upstream: str, on_failure: Callable[[], object] = lambda: None) -> None:
        try:
            file.touch()
        except OSError as error:
            raise Refused(
                400, f"{file} cannot be written ({error.strerror}): name a file in an existing folder"
            ) from error
        if file.stat().st_size:
            raise Refused(400, f"{file} is not empty: choose another name, or delete the file first")
        self._file = file
        self._head = f"# Recorded from {upstream}; REDACTED replaces secrets.\n"
        self._redactor = Redactor()
        self._on_failure = on_failure
        self._writer = ThreadPoolExecutor(1)  # one thread, so that exchanges keep their order
        self.exchanges = 0
        self.failure: OSError | None = None

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.shutdown()

    def add(self, captured: CapturedExchange) -> Future[None]:
        """Append an exchange; the future is done when it is on disk."""
        return self._writer.submit(self._write, captured)

    def _write(self, captured: CapturedExchange) -> None:
        try:
            self._append((self._head + to_yaml(captured.exchange(self._redactor))).encode())
        except OSError as failure:
            self.failure = failure
            self._on_failure()

    def _append(self, data: bytes) -> None:
        with self._file.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                while data:
                    data = data[file.write(data) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
        self._head = ""
        self.exchanges += 1


def frames(chunks: list[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    """Divide timed chunks into frames, each with the seconds since the previous frame. The last frame may be cut."""
    before, kept = 0.0, b""
    for moment, chunk in chunks:
        begin, looked_at = 0, max(0, len(kept) - 3)
        kept += chunk
        for end in _FRAME_END.finditer(kept, looked_at):
            yield round(moment - before, 3), kept[begin : end.end()]
            begin, before = end.end(), moment
        kept = kept[begin:]
    if kept:
        yield round(chunks[-1][0] - before, 3), kept


def to_yaml(exchange: Exchange) -> str:
    """Return an exchange as a YAML list item from which the same exchange is loaded.

    Texts of several lines are written as blocks if that does not change them.
    """
    entries = [exchange.model_dump(exclude_defaults=True)]
    text = _dump(entries).removesuffix("...\n")
    return text if yaml.load(text, _Loader) == entries else _dump(entries, '"')


def _dump(value: Any, style: str | None = None) -> str:
    return yaml.dump(value, Dumper=_Dumper, default_style=style, sort_keys=False, allow_unicode=True, width=2**30)


class _Dumper(yaml.SafeDumper):
    """Writes YAML with multi-line texts as blocks and without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text and not _FOLDS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _readable(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _json_or_text(body: bytes) -> Any:
    """Return a request's body as JSON or text. The bytes may differ, since replay compares JSON by value."""
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return _readable(body)
    return value if isinstance(value, dict | list) else _readable(body)
