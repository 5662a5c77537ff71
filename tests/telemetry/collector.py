"""A small OTLP/HTTP collector on a real socket: what was exported, as messages of the protocol and as bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Collector(ThreadingHTTPServer):
    """Keeps every body that is posted, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Any]:
        """Every span that arrived."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as Request

        requests = [Request.FromString(body) for path, body in list(self.bodies) if path == "/v1/traces"]
        return [
            s for r in requests for resource in r.resource_spans for scope in resource.scope_spans for s in scope.spans
        ]

    @property
    def metrics(self) -> list[Any]:
        """Every metric that arrived, oldest first."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest as Request

        requests = [Request.FromString(body) for path, body in list(self.bodies) if path == "/v1/metrics"]
        return [
            m for r in requests for resource in r.resource_metrics for s in resource.scope_metrics for m in s.metrics
        ]

    @property
    def everything(self) -> str:
        """All bytes that arrived, as text."""
        return b"\n".join(body for _, body in list(self.bodies)).decode("utf-8", "replace")

    def named(self, name: str) -> list[Any]:
        """The spans of that name."""
        return [span for span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append((self.path, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector()
    thread = Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield collector
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()


def attributes(thing: Any) -> dict[str, Any]:
    """Attributes of a message of the protocol as a dictionary."""
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in thing.attributes}
