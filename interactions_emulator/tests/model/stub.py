"""A strict model server: it speaks the protocol of chat completions over a real socket, with scripted answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from model.strict import Violation, check_request

Event = dict[str, Any] | bytes | Callable[[], object]
"""An event of a stream, raw bytes, or a function that is called between two events."""
MODELS = ["qwen3", "llama"]


@dataclass(frozen=True)
class Reply:
    """An answer: a stream of events if `status` is 200, else an error with `words`."""

    events: Iterable[Event] = ()
    status: int = 200
    words: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    end: str = "done"
    """How the stream ends: "done" with [DONE], "early" without it, "cut" with the connection."""


class QuietServer(ThreadingHTTPServer):
    """A server that prints nothing if a client closes its connection."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave the error to the test, which misses the answer."""


Answer = Callable[[dict[str, Any]], Reply]
"""A function from the body of a request to its answer."""


class ModelServer:
    """Serves on a free port until it is closed. `requests` has the body of each chat completion so far."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.ports: list[int] = []
        """The client's port of each request."""
        self.violations: list[str] = []
        self.left = threading.Event()
        """Set when a client closes its connection before its answer has ended."""
        self._server = QuietServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def prompts(self) -> list[str]:
        """The last message of each request."""
        return [request["messages"][-1]["content"] for request in self.requests]


def scripted(*replies: Reply) -> Answer:
    """The replies in their order, one for each request."""
    left = iter(replies)

    def answer(request: dict[str, Any]) -> Reply:
        return next(left, Reply(status=500, words="the script has no more replies"))

    return answer


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """An event of a completion."""
    return {"id": "c", "object": "chat.completion.chunk", "model": "qwen3",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}  # fmt: skip


def usage(tokens: int) -> dict[str, Any]:
    """The last event of a completion, if the request asks for it."""
    return {"id": "c", "object": "chat.completion.chunk", "model": "qwen3", "choices": [],
            "usage": {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}}  # fmt: skip


def says(*pieces: str, finish: str = "stop", tokens: int = 10) -> Reply:
    """A reply of text in pieces."""
    return Reply(
        [chunk(role="assistant", content=""), *(chunk(content=p) for p in pieces), chunk(finish), usage(tokens)]
    )


def calls(*functions: tuple[str, Any], text: str = "") -> Reply:
    """A reply of complete tool calls: pairs of name and arguments; a string is sent as it is."""
    pieces = [
        call_piece(place, f"call_{place}", name, text if isinstance(text, str) else json.dumps(text))
        for place, (name, text) in enumerate(functions)
    ]
    begin = [chunk(role="assistant", content=text)] if text else []
    return Reply([*begin, *(chunk(tool_calls=[piece]) for piece in pieces), chunk("tool_calls")])


def call_piece(index: int, call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """A part of a tool call, as servers stream it."""
    head = {"id": call_id, "type": "function"} if call_id else {}
    function = ({"name": name} if name else {}) | {"arguments": arguments}
    return {"index": index, **head, "function": function}


def whole(reply: Reply) -> dict[str, Any]:
    """A reply of one text or complete tool calls as an answer that is not streamed."""
    choices = [event["choices"][0] for event in reply.events if isinstance(event, dict) and event["choices"]]
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
    text = "".join(choice["delta"].get("content") or "" for choice in choices) or None
    message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    return {
        "object": "chat.completion",
        "choices": [{"message": message, "finish_reason": choices[-1]["finish_reason"]}],
    }


def error(status: int, words: str, **headers: str) -> Reply:
    """An error answer."""
    return Reply(status=status, words=json.dumps({"error": {"message": words}}), headers=headers)


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, json.dumps({"object": "list", "data": [{"id": name} for name in MODELS]}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server.requests.append(body)
            server.ports.append(self.client_address[1])
            server.keys.append(self.headers["authorization"])
            try:
                check_request(body)
            except Violation as violation:
                server.violations.append(str(violation))
                return self._send(violation.status, json.dumps({"error": {"message": str(violation)}}))
            reply = server.answer(body)
            if reply.status != 200:
                return self._send(reply.status, reply.words, **reply.headers)
            if not body["stream"]:
                return self._send(200, json.dumps(whole(reply)))
            try:
                self._stream(reply)
            except OSError:
                server.left.set()
                self.close_connection = True
            return None

        def _stream(self, reply: Reply) -> None:
            self.send_response(200)
            for name, value in (
                {"content-type": "text/event-stream", "transfer-encoding": "chunked"} | reply.headers
            ).items():
                self.send_header(name, value)
            self.end_headers()
            for data in _frames(reply):
                self._check_client()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            if reply.end != "cut":
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

        def _check_client(self) -> None:
            """Raise OSError if the client has closed the connection."""
            self.connection.setblocking(False)
            try:
                if self.connection.recv(1, socket.MSG_PEEK) == b"":
                    raise ConnectionResetError("the client has left")
            except BlockingIOError:
                pass
            finally:
                self.connection.setblocking(True)

        def _send(self, status: int, words: str | bytes, **headers: str) -> None:
            data = words.encode() if isinstance(words, str) else words
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler


def _frames(reply: Reply) -> Iterator[bytes]:
    for event in reply.events:
        if callable(event):
            event()
        else:
            yield event if isinstance(event, bytes) else b"data: %b\n\n" % json.dumps(event).encode()
    if reply.end == "done":
        yield b"data: [DONE]\n\n"
