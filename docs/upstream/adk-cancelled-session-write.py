"""Disconnects from streamed answers of ADK's API server at the first events, then creates another user's session."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import threading
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import httpx  # noqa: E402
import uvicorn  # noqa: E402
from google.adk.agents import BaseAgent  # noqa: E402
from google.adk.cli.fast_api import get_fast_api_app  # noqa: E402
from google.adk.cli.utils.base_agent_loader import BaseAgentLoader  # noqa: E402
from google.adk.events import Event  # noqa: E402
from google.genai.types import Content, Part  # noqa: E402

MOST = int(sys.argv[1]) if len(sys.argv) > 1 else 50
"""Maximum number of clients that disconnect."""


class Counting(BaseAgent):
    async def _run_async_impl(self, context: Any) -> Any:
        for number in range(100):
            yield Event(author=self.name, content=Content(role="model", parts=[Part(text=str(number))]))


class Loader(BaseAgentLoader):
    def load_agent(self, agent_name: str) -> BaseAgent:
        return Counting(name="app")

    def list_agents(self) -> list[str]:
        return ["app"]


def leave(url: str, user: str, events: int) -> None:
    message = {"role": "user", "parts": [{"text": "Count!"}]}
    body = {"appName": "app", "userId": user, "sessionId": "s", "newMessage": message}
    with httpx.stream("POST", f"{url}/run_sse", json=body, timeout=60) as answer:
        for line in answer.iter_lines():
            events -= line.startswith("data:")
            if not events:
                return


def first_refused(url: str) -> tuple[int, str]:
    """Return how many clients had disconnected when creating a session first failed, and the error."""
    for left in range(MOST + 1):
        answer = httpx.post(f"{url}/apps/app/users/stays-{left}/sessions/s", json={}, timeout=60)
        if answer.status_code != 200:
            return left, f"{answer.status_code} {json.loads(answer.text)['detail'].splitlines()[0]}"
        httpx.post(f"{url}/apps/app/users/leaves-{left}/sessions/s", json={}, timeout=60)
        leave(url, f"leaves-{left}", left % 5 + 1)
    return MOST, ""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite+aiosqlite:///{Path(folder) / 'sessions.db'}?timeout=0.5"  # seconds that SQLite waits for a lock
        app = get_fast_api_app(
            agents_dir=folder, agent_loader=Loader(), session_service_uri=uri, use_local_storage=False, web=False
        )
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        left, told = first_refused(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
        server.should_exit = True
        thread.join()
    print(f"google-adk {version('google-adk')}, aiosqlite {version('aiosqlite')}:", end=" ")
    print(f"when {left} of {MOST} clients have left, a new session of another user is {told or 'made as before'}")


if __name__ == "__main__":
    main()
