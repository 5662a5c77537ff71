"""Which server is used is decided plainly, and never silently the emulator where people rely on Gemini."""

from __future__ import annotations

from typing import Any

import pytest

from interactions_emulator import Emulator
from tests.scripts import research_brain
from tools import backend
from tools.backend import BackendError, choose
from tools.settings import Settings

VERTEX = {"GOOGLE_GENAI_USE_ENTERPRISE": "1", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "global"}


@pytest.mark.parametrize(
    ("wish", "env", "kind"),
    [
        ("auto", {}, "emulator"),
        ("auto", {"GEMINI_API_KEY": "k"}, "gemini"),
        ("auto", {"GOOGLE_API_KEY": "k"}, "gemini"),
        ("auto", VERTEX, "vertex"),
        ("auto", {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_API_KEY": "express"}, "vertex"),
        ("auto", {**VERTEX, "GOOGLE_GENAI_USE_ENTERPRISE": "0", "GEMINI_API_KEY": "k"}, "gemini"),
        ("auto", {"GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1"}, "emulator"),
        ("emulator", {"GEMINI_API_KEY": "k"}, "emulator"),
        ("vertex", VERTEX, "vertex"),
        ("gemini", {**VERTEX, "GEMINI_API_KEY": "k"}, "gemini"),
    ],
)
def test_the_backend_follows_the_wish_then_the_credentials(wish: Any, env: dict[str, str], kind: str) -> None:
    assert choose(Settings(backend=wish), env).kind == kind


@pytest.mark.parametrize(
    ("wish", "env", "message"),
    [
        ("auto", {"K_SERVICE": "desk"}, "set GEMINI_API_KEY"),
        ("emulator", {"K_SERVICE": "desk", "GEMINI_API_KEY": "k"}, "no emulator in a deployed environment"),
        ("auto", {"GOOGLE_CLOUD_AGENT_ENGINE_ID": "7"}, "set GEMINI_API_KEY"),
        ("gemini", {}, "needs GEMINI_API_KEY"),
        ("vertex", {}, "GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION"),
        ("auto", {"GOOGLE_GEMINI_BASE_URL": "https://proxy.example.org"}, "set GEMINI_API_KEY"),
    ],
)
def test_missing_credentials_are_an_error_that_says_what_to_set(wish: Any, env: dict[str, str], message: str) -> None:
    with pytest.raises(BackendError, match=message):
        choose(Settings(backend=wish), env)


def test_an_emulator_behind_a_base_url_is_recognised_even_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(brain=research_brain) as api:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", api.url)
        monkeypatch.setenv("GEMINI_API_KEY", "any")
        assert backend.current().kind == "emulator"
        assert backend.weather_urls()[0] == f"{api.url}/weather/v1/search"


async def test_the_key_reaches_the_server_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "secret-key")
    chosen = choose(Settings(), {"GEMINI_API_KEY": "secret-key"})
    assert "secret-key" not in f"{chosen!r} {chosen}"
    client = backend.new_client(chosen)
    assert client._api_client.api_key == "secret-key"
    await client.aio.aclose()


async def test_vertex_requests_go_to_the_project_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.credentials import AnonymousCredentials

    for name, value in VERTEX.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), "p"))
    client = backend.new_client(choose(Settings(), VERTEX))
    assert client.vertexai
    assert (client._api_client.project, client._api_client.location) == ("p", "global")
    await client.aio.aclose()
