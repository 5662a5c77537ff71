"""A server with the scripted brain, and a bare HTTP client for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google import genai

from interactions_emulator import Emulator
from wire.brains import brain
from wire.strict import check_event, check_interaction

collect_ignore = [] if find_spec("google.adk") else ["test_adk.py", "test_generate_clients.py"]
"""The tests that ADK is needed for."""
AGENT = "deep-research-preview-04-2026"
MODEL = "gemini-3.8-flash"
Events = Generator[dict[str, Any], None, None]
KEY = {"x-goog-api-key": "a key"}


class Wire:
    """Requests as they go over the socket; every good answer is checked strictly."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=f"{url}/v1beta", headers=KEY, timeout=300)

    def create(self, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """POST an interaction that is answered with JSON."""
        return self.good(self.http.post("/interactions", json=body, headers=headers))

    def get(self, interaction_id: str, **query: str) -> dict[str, Any]:
        """GET an interaction as JSON."""
        return self.good(self.http.get(f"/interactions/{interaction_id}", params=query))

    def good(self, response: httpx2.Response) -> dict[str, Any]:
        """The interaction in a 200."""
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        check_interaction(body)
        return body

    def refused(self, response: httpx2.Response, status: int) -> str:
        """The message in an error."""
        assert response.status_code == status, response.text
        error = response.json()["error"]
        assert isinstance(error["code"], str)
        return str(error["message"])

    def stream(self, body: dict[str, Any], fault: dict[str, Any] | None = None) -> Events:
        """POST an interaction and yield its events; see `events`."""
        headers = {"x-emulator-fault": json.dumps(fault)} if fault else {}
        request = self.http.build_request("POST", "/interactions", json={**body, "stream": True}, headers=headers)
        return self.events(request)

    def resume(self, interaction_id: str, after: str | None = None) -> Events:
        """GET the events of an interaction, after a cursor if one is given."""
        query = {"stream": "true"} | ({"last_event_id": after} if after else {})
        return self.events(self.http.build_request("GET", f"/interactions/{interaction_id}", params=query))

    def events(self, request: httpx2.Request) -> Events:
        """Yield each event, strictly checked; the `done` frame must be the last one."""
        response = self.http.send(request, stream=True)
        try:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"].startswith("text/event-stream")
            for line in response.iter_lines():
                if line == "data: [DONE]":
                    return
                if line.startswith("data: "):
                    event = json.loads(line[6:])
                    check_event(event)
                    yield event
            raise EOFError("the stream ended without done")
        finally:
            response.close()


def research(text: str = "tides", **more: Any) -> dict[str, Any]:
    """The body that starts a research."""
    return {"agent": AGENT, "background": True, "input": text, **more}


@pytest.fixture
def api() -> Iterator[Emulator]:
    """A server on which no wait waits."""
    with Emulator(brain=brain) as emulator:
        yield emulator


@pytest.fixture
def held() -> Iterator[Emulator]:
    """A server on which virtual time stands still until it is told to move."""
    with Emulator(brain=brain, speed=0) as emulator:
        yield emulator


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Bare HTTP to `held` if the test has it, else to `api`."""
    emulator = request.getfixturevalue("held" if "held" in request.fixturenames else "api")
    wire = Wire(emulator.url)
    with wire.http:
        yield wire


@pytest.fixture
async def client(api: Emulator) -> AsyncIterator[genai.Client]:
    """The real SDK on `api`, without retries."""
    options = {"base_url": api.url, "retry_options": {"attempts": 1, "http_status_codes": [418]}}
    client = genai.Client(api_key="a key", http_options=options)
    yield client
    await client.aio.aclose()
    client.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a recording goes."""
    return tmp_path / "recorded.yaml"
