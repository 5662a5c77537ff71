"""A strict MCP server over streamable HTTP with one search tool."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from model.stub import QuietServer

SESSION = "session-1"
TOOLS = [
    {"name": "delete_all", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "web_search", "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}},
                                           "required": ["query"]}},
]  # fmt: skip


class McpStub:
    """Serves until it is closed. `searched` has the queries so far."""

    def __init__(self, results: list[dict[str, str]], *, streams: bool) -> None:
        self.results = results
        self.searched: list[str] = []
        self.methods: list[str] = []
        self._server = QuietServer(("127.0.0.1", 0), _handler(self, streams))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/mcp"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def result(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if method == "initialize":
            return {"protocolVersion": parameters["protocolVersion"], "capabilities": {}, "serverInfo": {"name": "s"}}
        if method == "tools/list":
            return {"tools": TOOLS}
        assert method == "tools/call"
        assert parameters["name"] == "web_search"
        self.searched.append(parameters["arguments"]["query"])
        return {"content": [{"type": "text", "text": json.dumps(self.results)}]}


def _handler(stub: McpStub, streams: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            method = body["method"]
            stub.methods.append(method)
            good = self.headers["authorization"] == "Bearer token" and "text/event-stream" in self.headers["accept"]
            if method != "initialize":
                good = good and self.headers["mcp-session-id"] == SESSION and len(stub.methods) > 1
            if not good or body["jsonrpc"] != "2.0":
                return self._send(400, b"")
            if "id" not in body:
                return self._send(202, b"")
            answer = {"jsonrpc": "2.0", "id": body["id"], "result": stub.result(method, body["params"])}
            data = json.dumps(answer).encode()
            return self._send(200, b"event: message\ndata: %b\n\n" % data if streams else data)

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "text/event-stream" if streams else "application/json")
            self.send_header("content-length", str(len(data)))
            self.send_header("mcp-session-id", SESSION)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
