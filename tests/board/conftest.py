"""The page of `desk board` on a real socket, with the emulator behind it and a clock that the test moves."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, TypeVar

import httpx2
import pytest
import uvicorn

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import Brain
from tools.board.app import board_app
from tools.board.base import Board
from tools.board.local_server import LocalAccess, background_research, listen
from tools.research.factory import research
from tools.research.job import Job
from tools.research.screening import TextScreener
from tools.research.service import Research

T = TypeVar("T")
_LOCAL_PATH = re.compile(r"^/[\w-]{22}(?=/)")
"""The path below which `desk board` has its page. Tests leave it out, since `Site.client` adds it."""
BRIEF = "Why are there tides?"
SCHEDULES_PATH = "/research/schedules"
"""The path of the list of schedules, with its form."""
SCHEDULE_FORM = {"brief": BRIEF, "every": "monday", "at": "09:00", "zone": "Europe/Berlin", "max_usd": "15"}
"""The fields of that form."""


class Page(HTMLParser):
    """What a browser would see: tags with attributes, and forms with their fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}
        self._area = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: _LOCAL_PATH.sub("", value or "") for name, value in attrs}
        self.tags.append((tag, given))
        if tag == "form":
            self._form = self.forms[given["action"]] = {}
        elif tag == "input" and (given.get("type") not in ("radio", "checkbox") or "checked" in given):
            self._form[given.get("name", "")] = given.get("value", "")
        elif tag == "textarea":
            self._area = given.get("name", "")
            self._form[self._area] = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._form[self._area] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


@dataclass
class Site:
    """The page, a browser that was opened at its start address, and the emulator."""

    api: Emulator
    access: LocalAccess
    loop: asyncio.AbstractEventLoop
    client: httpx2.Client
    moved: list[float] = field(default_factory=list)

    def page(self, path: str) -> Page:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def send(self, page: Page, action: str, **fields: str) -> httpx2.Response:
        """Sends a form as a browser does, without following the redirect."""
        [path] = [path for path in page.forms if path.endswith(f"/{action}")]
        return self.client.post(path, data=page.forms[path] | fields)

    def order(self, brief: str = BRIEF, **fields: str) -> str:
        """Orders a run by the form; returns the path of its page, which shows the price."""
        answer = self.send(self.page("/research/new"), "new", brief=brief, **fields)
        assert answer.status_code == 303, answer.text
        return location(answer)

    def start(self, brief: str = BRIEF) -> str:
        """Orders a run and agrees to its price."""
        path = self.order(brief)
        assert self.send(self.page(path), "approve").status_code == 303
        until(lambda: self.job(path).interaction_id)
        return path

    def finish(self, path: str) -> None:
        """Lets the run's virtual time pass to its end."""
        self.advance(path, lambda job: job.finished)

    def advance(self, path: str, reached: Callable[[Job], object]) -> None:
        """Lets virtual time pass until the job fulfils a condition."""
        until(lambda: self.api.advance(300) or reached(self.job(path)))

    def job(self, path: str) -> Job:
        return self.on_loop(lambda service: service.job(path.rpartition("/")[2]))

    def jobs(self) -> list[Job]:
        return self.on_loop(lambda service: service.ledger.find())

    def on_loop(self, work: Callable[[Research], Coroutine[Any, Any, T]]) -> T:
        """Runs something on the server's event loop."""

        async def run() -> T:
            return await work(research())

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(60)

    @property
    def creates(self) -> int:
        return int(self.api.log()["creates"])


def location(answer: httpx2.Response) -> str:
    """The path to which an answer leads, without the query."""
    return _LOCAL_PATH.sub("", answer.headers["location"].partition("?")[0])


def link_in(text: str) -> str:
    """The share link that a page shows."""
    [found] = re.findall(r'id="link"[^>]* value="([^"]+)"', text)
    return str(found)


def propose(site: Site, **fields: str) -> str:
    """Fills in the form of a schedule; returns the path of the page that asks for the yes."""
    answer = site.send(site.page(SCHEDULES_PATH), "schedules", **SCHEDULE_FORM | fields)
    assert answer.status_code == 303, answer.text
    return location(answer)


def until(true: Callable[[], object]) -> None:
    """Waits until a condition holds that the server has to fulfil."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "the server took too long"
        time.sleep(0.02)


@pytest.fixture
def speed() -> float:
    """Virtual seconds per second."""
    return 0


@pytest.fixture
def screen() -> TextScreener | None:
    """What checks texts."""
    return None


@pytest.fixture
def site(
    use: Any, brain: Brain, speed: float, screen: TextScreener | None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    with Emulator(brain=brain, speed=speed) as api, listen(0) as socket:
        use(api)
        moved = list[float]()
        access = LocalAccess(board_app(Board(screen, clock=lambda: time.time() + sum(moved))), *socket.getsockname())
        monkeypatch.setenv("NO_PROXY", f"127.0.0.1,localhost,{access.host}")
        server = uvicorn.Server(uvicorn.Config(access, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        loops = list[asyncio.AbstractEventLoop]()

        async def serve() -> None:
            loops.append(asyncio.get_running_loop())
            async with background_research():
                await server.serve([socket])

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        until(lambda: server.started)
        with httpx2.Client(base_url=f"http://{access.host}:{access.port}{access.path}", timeout=60) as client:
            assert client.get(access.start_address).status_code == 303
            yield Site(api, access, loops[0], client, moved)
        server.should_exit = True
        thread.join()
