"""Secrets in texts and addresses are shown nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.text.secret_redaction import redact
from tools.web_addresses.credentials import without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://ada:word@db/x failed", "GET https://***@db/x failed"),
        ("postgresql://ada:pa/ss@word@db/desk", "postgresql://***@db/desk"),
        ("postgresql://ada:p@s/s@db:5433/desk is wrong", "postgresql://***@db:5433/desk is wrong"),
        ("write postgresql://USER:PASSWORD@HOST/DATABASE", "write postgresql://USER:PASSWORD@HOST/DATABASE"),
        ("https://token-alone@host/x", "https://***@host/x"),
        ("postgresql://ada:pa%40ss@db/desk", "postgresql://***@db/desk"),
        ("https://host/mcp?api_key=word&x=1", "https://host/mcp?api_key=***&x=1"),
        ("https://host/mcp?x=1&access_token=word", "https://host/mcp?x=1&access_token=***"),
        ("postgresql://db/desk?password=word", "postgresql://db/desk?password=***"),
        ("postgresql://db/desk?sslpassword=word#x", "postgresql://db/desk?sslpassword=***#x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        (
            "write to ada@example.org, see https://example.org/@ada",
            "write to ada@example.org, see https://example.org/@ada",
        ),
    ],
)
def test_text_that_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize("name", ["DESK_DATABASE_URL", "DESK_SESSIONS_URL", "GEMINI_API_KEY", "MY_TOKEN"])
def test_values_of_secret_environment_variables_are_masked_in_any_text(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "postgres://strange @value")
    assert redact("cannot use postgres://strange @value here") == "cannot use *** here"


@pytest.mark.parametrize("value", ["sqlite:", "sqlite+aiosqlite", "sqlite:////FOLDER/FILE"])
def test_an_address_without_credentials_is_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_DATABASE_URL", value)
    text = f"DESK_DATABASE_URL={value} names no file: write sqlite:////FOLDER/FILE"
    assert redact(text) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:word@host:80/x?key=word#word", "https://host:80/x"),
        ("https://ada:w@rd@host/x", "https://host/x"),
        ("https://host/@ada", "https://host/@ada"),
        ("http://ada:word@[nowhere", "http://[nowhere"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@given(st.text(max_size=30))
def test_redaction_handles_any_text(text: str) -> None:
    assert "@" not in without_credentials(f"https://{text.translate(dict.fromkeys(map(ord, '/?#')))}@")
    redact(text)
