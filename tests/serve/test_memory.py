"""What a server keeps in memory does not grow with what clients have sent."""

from __future__ import annotations

import weakref

import httpx2
import pytest

from tests.kill.test_kill import until
from tests.serve.conftest import Serve, message, said
from tools import memory

SESSIONS = "/apps/desk/users/me/sessions"


def test_memory_is_released_after_a_large_body_a_large_answer_and_a_turn_of_a_large_conversation(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = list[int]()
    monkeypatch.setattr(memory, "RELEASE_DELAY_S", 0)
    monkeypatch.setattr(memory, "release_memory", lambda: released.append(1))
    client = serve()

    def turn(text: str, session: str) -> httpx2.Response:
        return client.post("/run", json=message(text, session=session))

    for session in ("s1", "s2"):
        client.post(f"{SESSIONS}/{session}", json={})
    assert said(turn("Hello", "s2")) == "SMALL TALK"
    assert not released
    for large in (
        lambda: turn("x" * memory.LARGE_BYTES, "s1"),
        lambda: client.get(f"{SESSIONS}/s1"),
        lambda: turn("Hello", "s1"),
    ):
        assert large().status_code == 200
        until(lambda: bool(released))
        released.clear()


def test_releasing_memory_collects_cycles_and_asks_the_c_library_to_give_pages_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Node:
        def __init__(self) -> None:
            self.itself, self.data = self, b"x" * memory.LARGE_BYTES

    calls = list[int]()
    monkeypatch.setattr(memory, "_trim", lambda: calls.append)
    gone = weakref.ref(Node())
    memory.release_memory()
    assert gone() is None
    assert calls == [0]
