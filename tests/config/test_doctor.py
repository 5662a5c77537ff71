"""What `desk doctor` tells apart: a good server, a wrong key, a wrong address, a page, a server in trouble."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from interactions_emulator import Emulator
from tools.cli import doctor_checks
from tools.interactions import backend, connection_check
from tools.research.job import new_job
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.settings import load_settings

PAGE = "<!doctype html><title>Welcome</title>"


def said(message: str, code: Any = None) -> str:
    return json.dumps({"error": {"code": code, "message": message}})


@contextmanager
def server(status: int, body: str, kind: str, asked: list[dict[str, str]]) -> Iterator[str]:
    """A server that says the same to everybody; it keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({"method": self.command, "path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body.encode())))
            if status == 302:
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


async def finding(monkeypatch: pytest.MonkeyPatch, url: str) -> doctor_checks.Finding:
    """The doctor's line about a server with a key."""
    monkeypatch.setenv("GEMINI_API_KEY", "very-secret-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
    backend.current.cache_clear()
    return next(found for found in await doctor_checks.findings() if found.what == "server")


@pytest.mark.parametrize(
    ("url", "good", "words"),
    [
        ("", True, "none"),
        ("https://desk.example.com", True, "research runs name https://desk.example.com/webhooks/research"),
        ("https://10.0.0.1", False, "DESK_PUBLIC_URL=https://10.0.0.1 is not a public https address"),
    ],
)
async def test_doctor_shows_the_webhook_of_research_runs(
    monkeypatch: pytest.MonkeyPatch, url: str, good: bool, words: str
) -> None:
    monkeypatch.setenv("DESK_PUBLIC_URL", url)
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    with server(404, said("no such interaction", "not_found"), "application/json", []) as place:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"http://{place}")
        backend.current.cache_clear()
        found = next(found for found in await doctor_checks.findings() if found.what == "webhook")
    assert (found.good, found.value.startswith(words)) == (good, True)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (404, said("no such interaction", "not_found"), "application/json", ""),
        (400, said("malformed id", 400), "application/json", ""),
        (
            401,
            said("who are you", 401),
            "application/json",
            "does not accept the key (HTTP 401: who are you): check GEMINI_",
        ),
        (
            403,
            said("not you", 403),
            "application/json",
            "does not accept the key (HTTP 403: not you): check GEMINI_API_KEY",
        ),
        (
            400,
            said("API key not valid.", 400),
            "application/json",
            "does not accept the key (HTTP 400: API key not valid.)",
        ),
        (404, "404 page not found", "text/plain", "is not the Interactions API (HTTP 404): check GOOGLE_GEMINI_BASE"),
        (404, '{"detail": "Not Found"}', "application/json", "is not the Interactions API (HTTP 404): check GOOGLE_"),
        (
            200,
            '{"hello": "world"}',
            "application/json",
            "is not the Interactions API (HTTP 200): check GOOGLE_GEMINI",
        ),
        (200, "{{{", "application/json", "is not the Interactions API (HTTP 200)"),
        (
            200,
            PAGE,
            "text/html",
            "answers with a web page and not as an API (HTTP 200): check GOOGLE_GEMINI_BASE_URL",
        ),
        (
            404,
            PAGE,
            "text/html",
            "answers with a web page and not as an API (HTTP 404): check GOOGLE_GEMINI_BASE_URL",
        ),
        (500, "oops", "text/plain", "is in trouble (HTTP 500): try again later"),
        (503, said("very-secret-key is busy"), "application/json", "is in trouble (HTTP 503: *** is busy): try again"),
        (429, said("slow down", 429), "application/json", "has no quota left for the key (HTTP 429: slow down): try"),
        (
            302,
            "",
            "text/html",
            "redirects requests (HTTP 302): set GOOGLE_GEMINI_BASE_URL to the address that it redirects to",
        ),
    ],
)
async def test_doctor_distinguishes_wrong_keys_wrong_addresses_web_pages_and_failing_servers(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, kind: str, words: str
) -> None:
    asked: list[dict[str, str]] = []
    with server(status, body, kind, asked) as place:
        found = await finding(monkeypatch, f"http://ada:hidden-word@{place}")
    assert found.good is not bool(words)
    assert found.value.startswith(f"http://{place} {words.split(' (')[0]}" if words else f"http://{place} is the")
    assert (words or "is the Interactions API and accepts the key") in found.value
    assert len(found.value.splitlines()) == 1
    assert not {"very-secret-key", "hidden-word"} & {*found.value.split(), *found.value.split("@")}
    assert "hidden-word" not in found.value
    request = asked[-1]  # before it, whether the place is an emulator was asked without a key
    assert (request["method"], request["path"].partition("?")[0]) == (
        "GET",
        f"/v1beta/interactions/{connection_check.MISSING_ID}",
    )
    assert request["x-goog-api-key"] == "very-secret-key"
    assert [each["method"] for each in asked] == ["GET"] * len(asked)  # nothing that could cost


async def test_doctor_reports_an_unreachable_server(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await finding(monkeypatch, "http://ada:hidden-word@127.0.0.1:1")
    assert (found.good, "hidden-word" in found.value) == (False, False)
    assert found.value.startswith("http://127.0.0.1:1 cannot be reached (")
    assert found.value.endswith("): check the network and GOOGLE_GEMINI_BASE_URL")


async def test_doctor_times_out_on_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object) -> None:
        await asyncio.Event().wait()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    chosen = backend.Backend("gemini", "a test", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    with monkeypatch.context() as patched:
        patched.setattr(backend, "current", lambda: chosen)
        patched.setattr(connection_check, "TIMEOUT_S", 0.01)
        good, words = await connection_check.check_connection(chosen)
    assert (good, "does not answer" in words, "GOOGLE_GEMINI_BASE_URL" in words) == (False, True, True)
    listening.close()


async def test_doctor_probes_the_emulator_without_creating_an_interaction(use: Any) -> None:
    with Emulator(speed=math.inf) as api:
        use(api)
        found = {each.what: each for each in await doctor_checks.findings()}
        assert found["server"].value == f"{api.url} is the Interactions API and accepts the key"
        assert all(each.good for each in found.values())
        assert api.log()["creates"] == 0


@pytest.mark.parametrize("name", ["GOOGLE_GEMINI_BASE_URL", "DESK_WEATHER_URL"])
async def test_doctor_reports_an_invalid_address(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(name, "http://ada:hid/den-word@[nowhere")
    backend.current.cache_clear()
    found = await doctor_checks.findings()
    [about] = [each for each in found if name in each.value]
    assert not about.good
    assert not any("den-word" in each.value for each in found)


async def test_doctor_names_unreadable_jobs_and_the_reason(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(load_settings().ledger_url)
    jobs = [new_job(Order(f"brief {n}", "ada", "s", "deep-research"), n) for n in range(13)]
    for job in jobs:
        await ledger.add(job)
    await ledger.close()
    with sqlite3.connect(load_settings().ledger_file) as connection:
        connection.execute("UPDATE research_jobs SET state = 'paused' WHERE created > 0")
    with Emulator(speed=math.inf) as api:
        use(api)
        good, bad = [each for each in await doctor_checks.findings() if each.what == "ledger"]
    assert (good.good, "(1 unfinished)" in good.value) == (True, True)
    assert not bad.good
    assert sum(job.id in bad.value for job in jobs[1:]) == 10
    assert "(`state` is 'paused', which is not known here)" in bad.value
    assert "; and 2 more. Repair or delete their rows in research_jobs" in bad.value


async def test_doctor_shows_no_database_password(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("asyncpg")
    with Emulator(speed=math.inf) as api:
        use(api)
        for url in (
            "postgres://ada:hidden-word@127.0.0.1:1/desk?sslpassword=hidden-word",
            "mysql://ada:hidden-word@db/desk",
            "postgres://ada:hid@den-word@db/desk",
        ):
            monkeypatch.setenv("DESK_DATABASE_URL", url)
            found = {each.what: each for each in await doctor_checks.findings()}
            assert not found["ledger"].good
            assert not any("hidden-word" in each.value or "den-word" in each.value for each in found.values())
