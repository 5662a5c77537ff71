"""What a conversation says when the server answers in an unexpected form: an error event with the next step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode

from tests.malformed_answers.server import (
    EVENT_STREAM,
    JSON,
    NAME,
    FormServer,
    Reply,
    form_server,
    sent_as_events,
    sent_as_json,
)
from tests.talk import Talk, words
from tools.app import build_app

HTML = ("content-type", "text/html")
PAGE = Reply(headers=(HTML,), body=b"<html><body>Sign in</body></html>")
KEY = "AIza-the-key-of-2026-aaaaaaaaaaaaaaaaaa"


def chat(*parts: dict[str, Any], status: str = "completed") -> Reply:
    """The events of an answer."""
    interaction = {"id": NAME, "model": "gemini-3.8-flash"}
    return sent_as_events(
        {"event_type": "interaction.created", "interaction": {**interaction, "status": "in_progress"}},
        {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
        *parts,
        {"event_type": "step.stop", "index": 0},
        {"event_type": "interaction.completed", "interaction": {**interaction, "status": status}},
        b"data: [DONE]\n\n",
    )


def text(value: Any) -> dict[str, Any]:
    return {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": value}}


@pytest.fixture
async def server() -> AsyncIterator[FormServer]:
    async with form_server() as found:
        yield found


@pytest.fixture(params=list(StreamingMode)[:2], ids=lambda mode: mode.name)
async def talk(
    server: FormServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Talk:
    file = tmp_path / "solo.yaml"
    file.write_text(
        "agent_class: tools.adk.llm_agent.Agent\nname: solo\ninstruction: Talk.\nmodel: interactions:gemini-3.8-flash\n"
    )
    monkeypatch.setenv("DESK_CONFIG", str(file))
    monkeypatch.setenv("DESK_BACKEND", "gemini")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url.replace("http://", "http://bob:a-password@"))
    # Building the app calls the server, which runs on this event loop.
    return Talk(await asyncio.to_thread(build_app), mode=request.param)


@pytest.mark.parametrize(
    "reply, code, step",
    [
        (PAGE, "BAD_ANSWER", "GOOGLE_GEMINI_BASE_URL"),
        (Reply("204 No Content"), "BAD_ANSWER", "GOOGLE_GEMINI_BASE_URL"),
        (Reply(headers=(JSON,), body=b"{}"), "BAD_ANSWER", "GOOGLE_GEMINI_BASE_URL"),
        (Reply("307 Temporary Redirect", (("location", "http://127.0.0.1:9/"),)), "HTTP_307", "GOOGLE_GEMINI_BASE_URL"),
        (Reply(headers=(EVENT_STREAM, ("content-length", "999")), body=b"data: "), "UNREACHABLE", "Check the network"),
        (sent_as_json({"error": {"message": f"no key {KEY}"}}, "400 Bad Request"), "HTTP_400", "no key ***"),
        (sent_as_json({"id": NAME, "status": "in_progress"}), "STREAM_CUT", "ended before it was whole"),
        (sent_as_json({"id": NAME, "status": "completed", "steps": []}), "EMPTY_ANSWER", "ask again"),
        (chat({"event_type": "step.delta", "index": "x", "delta": 3}, status="dreaming"), "EMPTY_ANSWER", "ask again"),
    ],
)
async def test_a_malformed_answer_becomes_an_error_event_with_the_next_step(
    server: FormServer, talk: Talk, reply: Reply, code: str, step: str
) -> None:
    server.play(create=[reply])
    events = [event async for event in talk.events("Hello")]
    assert events
    last = events[-1]
    assert last.error_code == code
    assert step in words(last)
    assert KEY not in words(last) and "a-password" not in words(last)
    server.play(create=[chat(text("All right."))])
    assert await talk.ask("And now?") == "All right."


async def test_an_answer_sent_as_json_instead_of_a_stream_is_shown(server: FormServer, talk: Talk) -> None:
    part = {"type": "text", "text": "All right."}
    whole = {"id": NAME, "status": "completed", "steps": [{"type": "model_output", "content": [part]}]}
    server.play(create=[sent_as_json(whole)])
    assert await talk.ask("Hello") == "All right."


async def test_malformed_events_of_an_answer_are_skipped(server: FormServer, talk: Talk) -> None:
    odd = (b"data: ping\n\n", [], {"event_type": "step.delta"}, {"event_type": "step.delta", "delta": "x"}, {})
    server.play(create=[chat(*odd, text("All "), *odd, text("right."), *odd)])
    assert await talk.ask("Hello") == "All right."


async def test_unsafe_characters_from_a_model_are_replaced(server: FormServer, talk: Talk) -> None:
    server.play(create=[chat(text("A\0ll \ud800right\x1b[2J."))])
    assert await talk.ask("Hello") == "A?ll \ufffdright?[2J."


async def test_unsafe_characters_of_a_message_are_replaced_before_it_is_sent_and_stored(
    server: FormServer, talk: Talk
) -> None:
    server.play(create=[chat(text("All right."))])
    assert await talk.ask("Hel\0lo \udc00") == "All right."
    stored = (await talk.session()).events[0]
    assert words(stored) == "Hel?lo \ufffd"
