"""A server on a real socket, an issuer of tokens beside it, and the emulator behind it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain
from interactions_emulator.emulator import bind
from tests.conftest import ROOT
from tests.forks import Fork
from tests.ports import free_port
from tests.routing.test_conversation import brain as conversation
from tools.interactions import backend
from tools.server.app import build_server
from tools.server.settings import load_server_settings
from tools.server.uvicorn_server import timed_protocol
from tools.settings import load_settings

AUDIENCE = "desk-client"


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One key for all tests, because it takes a while to generate one."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """Signs tokens, and publishes its keys over HTTP."""

    url: str = ""
    asked: int = 0
    """Number of requests for the discovery document or the keys."""
    key: Any = field(default_factory=rsa_key)
    elliptic: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def token(self, user: str, *, key: Any = None, kid: str = "k1", algorithm: str = "RS256", **claims: Any) -> str:
        """A token for a user; claims that are None are left out."""
        now = int(time.time())
        given = {"iss": self.url, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + 3600, **claims}
        payload = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(payload, key or self.key, algorithm=algorithm, headers={"kid": kid})

    def service_account(self) -> dict[str, str]:
        """The content of a file that GOOGLE_APPLICATION_CREDENTIALS may name."""
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return {
            "type": "service_account",
            "project_id": "p",
            "client_email": "desk@p.example",
            "private_key": self.key.private_bytes(*form).decode(),
            "token_uri": f"{self.url}/token",
        }

    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        curve = jwt.algorithms.ECAlgorithm.to_jwk(self.elliptic.public_key(), as_dict=True)
        return {"keys": [public | {"kid": "k1", "alg": "RS256"}, curve | {"kid": "e1", "alg": "ES256"}]}


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of an HTTP server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            discovery = self.path == "/.well-known/openid-configuration"
            self.answer({"jwks_uri": f"{found.url}/keys"} if discovery else found.keys())

        def do_POST(self) -> None:  # a service account asks for an access token
            self.answer({"access_token": "an-access-token", "expires_in": 3600, "token_type": "Bearer"})

        def answer(self, data: dict[str, Any]) -> None:
            body = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with listening(Handler) as found.url:
        yield found


@pytest.fixture
def brain() -> Brain:
    return conversation


@pytest.fixture
def api(use: Any, brain: Brain) -> Iterator[Emulator]:
    with Emulator(brain=brain, speed=0) as server:
        use(server)
        yield server


Serve = Callable[..., httpx2.Client]


@pytest.fixture
def serve(api: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts `desk serve` with these settings in a thread, and returns a client of it."""
    # ADK's server sets the tracer of the process, which can be set only once: other tests set their own
    monkeypatch.setattr("google.adk.cli.api_server._setup_telemetry", lambda *arguments, **values: None)
    running: list[Any] = []

    def start(
        host: str = "127.0.0.1", port: int = 0, a2a: bool = False, mcp: bool = False, **settings: object
    ) -> httpx2.Client:
        for name, value in settings.items():
            monkeypatch.setenv(f"DESK_{name.upper()}", str(value))
        server = running_server(host, port, a2a, mcp)
        running.append(server)
        return server.__enter__()

    yield start
    for server in running:
        server.__exit__(None, None, None)
    backend.current.cache_clear()


@contextmanager
def running_server(host: str, port: int, a2a: bool = False, mcp: bool = False) -> Iterator[httpx2.Client]:
    with bind(port) as socket:
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        settings = load_server_settings()
        app = build_server(load_settings(), settings, host, url if a2a else "", mcp)
        protocol = timed_protocol(settings.request_seconds)
        server = uvicorn.Server(uvicorn.Config(app, http=protocol, log_level="error", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        with httpx2.Client(base_url=url, timeout=300) as client:
            end = time.monotonic() + 60
            while not server.started:
                assert thread.is_alive() and time.monotonic() < end, "the server did not start"
                time.sleep(0.01)
            yield client
            server.should_exit = True
            thread.join()


Process = Callable[..., tuple[Fork, httpx2.Client]]


@pytest.fixture
def process(api: Emulator, tmp_path: Path) -> Iterator[Process]:
    """Starts `desk serve`, or another command that is a server, and returns its process with a client of it."""
    started: list[tuple[Fork, httpx2.Client]] = []

    def start(*command: str) -> tuple[Fork, httpx2.Client]:
        port = free_port()
        env = os.environ | {"PYTHONPATH": str(ROOT), "DESK_ATTACH_SECONDS": "60"}
        with (tmp_path / "serve.log").open("ab") as log:
            server = Fork("tools", *(command or ("serve",)), "--port", str(port), env=env, stdout=log, stderr=log)
        client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=300)
        started.append((server, client))
        return server, client

    yield start
    for server, client in started:
        client.close()
        server.kill()
        server.wait()


def ready(client: httpx2.Client) -> bool:
    """Whether a server takes requests."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.HTTPError:
        return False


def message(text: str, user: str = "me", session: str = "s1", **more: Any) -> dict[str, Any]:
    """The body of a turn."""
    content = {"role": "user", "parts": [{"text": text}]}
    return {"appName": "desk", "userId": user, "sessionId": session, "newMessage": content, **more}


def said(answer: httpx2.Response) -> str:
    """The text of the last event of a turn."""
    events = answer.json()
    return "".join(part.get("text", "") for part in events[-1]["content"]["parts"])


def raw(client: httpx2.Client, data: bytes) -> bytes:
    """Sends an incomplete request, and returns what the server sends until it closes the connection."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=300) as connection:
        connection.sendall(data)
        got = b""
        while piece := connection.recv(1000):
            got += piece
        return got
