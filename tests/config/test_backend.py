"""Which server is used is decided plainly, and never silently the emulator where people rely on Gemini."""

from __future__ import annotations

from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from interactions_emulator import Emulator
from tests.scripts import research_brain
from tools.interactions import backend
from tools.interactions.backend import choose
from tools.interactions.errors import BackendError
from tools.interactions.server_name import normalized_server
from tools.settings import Settings
from tools.weather.forecast import get_weather
from tools.weather.server_address import weather_urls

VERTEX = {"GOOGLE_GENAI_USE_ENTERPRISE": "1", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "global"}


@pytest.mark.parametrize(
    ("wish", "env", "kind"),
    [
        ("auto", {}, "emulator"),
        ("auto", {"GEMINI_API_KEY": "k"}, "gemini"),
        ("auto", {"GOOGLE_API_KEY": "k"}, "gemini"),
        ("auto", VERTEX, "vertex"),
        ("auto", {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_API_KEY": "express"}, "vertex"),
        ("auto", {**VERTEX, "GOOGLE_GENAI_USE_ENTERPRISE": "yes"}, "vertex"),
        ("auto", {**VERTEX, "GOOGLE_GENAI_USE_ENTERPRISE": "ON "}, "vertex"),
        ("auto", {**VERTEX, "GOOGLE_GENAI_USE_ENTERPRISE": "off", "GEMINI_API_KEY": "k"}, "gemini"),
        ("auto", {**VERTEX, "GOOGLE_GENAI_USE_ENTERPRISE": "0", "GEMINI_API_KEY": "k"}, "gemini"),
        ("auto", {"GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1"}, "emulator"),
        ("emulator", {"GEMINI_API_KEY": "k"}, "emulator"),
        ("vertex", VERTEX, "vertex"),
        ("gemini", {**VERTEX, "GEMINI_API_KEY": "k"}, "gemini"),
    ],
)
def test_the_backend_is_chosen_by_setting_then_by_credentials(wish: Any, env: dict[str, str], kind: str) -> None:
    assert choose(Settings(backend=wish), env).kind == kind


@pytest.mark.parametrize(
    ("wish", "env", "message"),
    [
        ("auto", {"K_SERVICE": "desk"}, "set GEMINI_API_KEY"),
        ("emulator", {"K_SERVICE": "desk", "GEMINI_API_KEY": "k"}, "no emulator in a deployed environment"),
        ("auto", {"GOOGLE_CLOUD_AGENT_ENGINE_ID": "7"}, "set GEMINI_API_KEY"),
        ("gemini", {}, "needs GEMINI_API_KEY"),
        (
            "auto",
            {"GEMINI_API_KEY": "…"},
            "^GEMINI_API_KEY is no API key: it has spaces, or characters other than ASCII",
        ),
        ("auto", {"GEMINI_API_KEY": "two\nlines"}, "^GEMINI_API_KEY is no API key: it has spaces"),
        ("auto", {**VERTEX, "GOOGLE_GENAI_USE_ENTERPRISE": "2"}, "^GOOGLE_GENAI_USE_ENTERPRISE='2' is neither"),
        ("auto", {"GOOGLE_GENAI_USE_VERTEXAI": "maybe"}, "^GOOGLE_GENAI_USE_VERTEXAI='maybe' is neither"),
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
        assert weather_urls()[0] == f"{api.url}/weather/v1/search"


async def test_a_place_that_only_the_emulator_does_not_know_is_not_called_unknown(use: Any) -> None:
    with Emulator(brain=research_brain) as api:
        use(api)
        error = (await get_weather("Basel"))["error"]
    assert (error["code"], "emulator has weather for some large cities only" in error["message"]) == (
        "unknown_place",
        True,
    )


async def test_the_api_key_is_sent_to_the_server_and_hidden_in_reprs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "secret-key")
    chosen = choose(Settings(), {"GEMINI_API_KEY": "secret-key"})
    found = backend.endpoint(chosen)
    assert await found.headers() == {"x-goog-api-key": "secret-key"}
    assert "secret-key" not in f"{chosen!r} {chosen} {found!r} {found}"


async def test_vertex_requests_go_to_the_project_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VERTEX.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("the-token"), "p"))
    found = backend.endpoint(choose(Settings(), VERTEX))
    assert found.url == "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global/interactions"
    assert (await found.headers())["authorization"] == "Bearer the-token"


@pytest.mark.parametrize("variable", ["GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://ada:secret@proxy.example.org/v1beta", "ends in /v1beta, which the desk adds itself: leave it out"),
        ("https://proxy.example.org/gemini/v1/", "ends in /v1, which the desk adds itself"),
        ("https://proxy.example.org/v1beta1", "ends in /v1beta1, which"),
        ("proxy.example.org", "is not a web address: write https://HOST or http://HOST:PORT"),
        ("http:// proxy.example.org", "is not a web address"),
        ("127.0.0.1:8900", "is not a web address"),
        ("ftp://proxy.example.org", "is not a web address"),
        ("https://", "is not a web address"),
        ("http://[::1", "is not a web address"),
        ("https://ada:se/cret@proxy.example.org", "is not a web address"),
        ("https://proxy.example.org:99999", "is not a web address"),
    ],
)
def test_an_invalid_base_url_is_refused_with_what_to_write(variable: str, url: str, words: str) -> None:
    env = {**(VERTEX if "VERTEX" in variable else {"GEMINI_API_KEY": "k"}), variable: url}
    with pytest.raises(BackendError, match=f"^{variable} {words}") as refusal:
        choose(Settings(), env)
    assert not {"secret", "cret@proxy.example.org"} & set(str(refusal.value).split("/"))


@pytest.mark.parametrize("url", ["https://proxy.example.org/v1beta-proxy", "http://127.0.0.1:8900/", "http://[::1]:80"])
def test_a_valid_base_url_is_accepted(url: str) -> None:
    assert choose(Settings(), {"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url}).url == url


def test_a_password_in_the_base_url_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://ada:hidden-word@proxy.example.org/gemini?key=hidden-word"
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
    with pytest.raises(BackendError, match=r"https://proxy\.example\.org/gemini is not on this machine") as refusal:
        choose(Settings(), {"GOOGLE_GEMINI_BASE_URL": url})
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    chosen = backend.current()
    assert chosen.url == url  # the client needs it
    assert backend.server_name() == "gemini https://proxy.example.org/gemini"
    assert str(chosen).startswith("Gemini API at https://proxy.example.org/gemini: ")
    assert "hidden-word" not in f"{chosen!r} {chosen} {refusal.value} {backend.server_name()}"


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9", True),
        ("http://localhost", True),
        ("http://[::1]:5", True),
        ("http://127.0.0.1.example.org", False),
        ("http://127.example.org", False),
        ("http://0.0.0.0", False),
        ("https://example.org", False),
    ],
)
def test_only_loopback_addresses_count_as_local(url: str, here: bool) -> None:
    assert backend.is_loopback(url) is here


PROXY = "gemini https://proxy.example.org/gemini"


@pytest.mark.parametrize(
    "address",
    [
        "https://proxy.example.org/gemini",
        "https://proxy.example.org/gemini/",
        "HTTPS://Proxy.Example.ORG/gemini",
        "https://proxy.example.org:443/gemini",
        "https://ada:hidden-word@proxy.example.org/gemini",
        "https://hidden-word@Proxy.example.org:443/gemini//",
        "https://proxy.example.org/gemini?key=hidden-word",
    ],
)
def test_equivalent_addresses_name_the_same_server(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", address)
    assert backend.server_name() == PROXY
    assert normalized_server(f"gemini {address}") == PROXY  # as an older program wrote it


@pytest.mark.parametrize(
    "other",
    [
        "gemini",
        "vertex https://proxy.example.org/gemini",
        "gemini http://proxy.example.org/gemini",
        "gemini https://proxy.example.org",
        "gemini https://proxy.example.org/Gemini",
        "gemini https://proxy.example.org/gemini/eu",
        "gemini https://proxy.example.org:80/gemini",
        "gemini https://proxy.example.org:8443/gemini",
        "gemini https://example.org/gemini",
    ],
)
def test_different_servers_keep_different_names(other: str) -> None:
    assert normalized_server(other) == other != PROXY


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("", ""),
        ("emulator", "emulator"),
        ("gemini", "gemini"),
        ("vertex our-project/europe-west1", "vertex our-project/europe-west1"),
        ("vertex Our_Project/", "vertex Our_Project/"),
        ("gemini http://LOCALHOST:80/", "gemini http://localhost"),
        ("gemini http://[::1]:8900/", "gemini http://[::1]:8900"),
        ("gemini http://[FE80::1]:80", "gemini http://[fe80::1]"),
        ("gemini https://ada:hidden-word@example.org:99999/", "gemini https://example.org:99999/"),
        ("gemini https://ada:hidden-word@[::1/", "gemini https://[::1/"),
    ],
)
def test_normalizing_a_server_name_removes_passwords_and_is_idempotent(name: str, plain: str) -> None:
    assert normalized_server(name) == plain
    assert normalized_server(plain) == plain
