"""Checks of host and origin: pages of other sites reach a server only if its owner allows it."""

from __future__ import annotations

import socket

import httpx2
import pytest

from tests.forks import run
from tests.serve.conftest import AUDIENCE, Issuer, Serve, message
from tools.server.settings import ServerSettings
from tools.settings import SettingsError

SESSIONS = "/apps/desk/users/me/sessions"
APP = "https://app.example"


def test_requests_with_a_foreign_host_name_are_refused(serve: Serve) -> None:
    client = serve()
    for host in ("evil.example", "127.0.0.1.evil.example", "127.0.0.1:80.evil.example", "10.0.0.1"):
        for path in (SESSIONS, "/list-apps", "/webhooks/research", "/nothing", "/run"):
            answer = client.request("POST" if path == "/run" else "GET", path, headers={"Host": host})
            refused = (answer.status_code, "DESK_ALLOWED_HOSTS" in answer.json()["detail"])
            assert refused == (403, True), (host, path)


def test_local_and_allowed_host_names_are_accepted(serve: Serve) -> None:
    client = serve(allowed_hosts="other.example, Desk.local")
    for host in ("127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:8080", "desk.local", "desk.local:1"):
        assert client.get(SESSIONS, headers={"Host": host}).status_code == 200, host


def test_the_health_check_answers_under_any_host_name(serve: Serve) -> None:
    client = serve()
    assert client.get("/healthz", headers={"Host": "10.0.0.1:8080"}).status_code == 200


def test_with_authentication_host_names_are_checked_only_if_some_are_set(serve: Serve, issuer: Issuer) -> None:
    settings = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    token = {"Authorization": f"Bearer {issuer.token('ada')}"}
    client = serve(**settings)
    assert client.get("/list-apps", headers={"Host": "any.example", **token}).status_code == 200
    client = serve(**settings, allowed_hosts="desk.example")
    assert client.get("/list-apps", headers={"Host": "any.example", **token}).status_code == 403
    assert client.get("/list-apps", headers={"Host": "desk.example", **token}).status_code == 200


def test_cross_origin_requests_without_a_preflight_are_refused(serve: Serve) -> None:
    client = serve()
    client.post(f"{SESSIONS}/s1", json={})
    content = httpx2.Request("POST", "/", json=message("Hello")).content
    for origin in ("https://evil.example", "null", "http://localhost:1", "http://127.0.0.1.evil.example"):
        headers = {"Origin": origin, "Content-Type": "text/plain"}  # for which a browser sends no preflight
        for path in ("/run", "/run_sse", SESSIONS, f"{SESSIONS}/s2", "/webhooks/research"):
            assert client.post(path, content=content, headers=headers).status_code == 403, (origin, path)
    assert [session["id"] for session in client.get(SESSIONS).json()] == ["s1"]


def test_same_origin_requests_are_accepted(serve: Serve) -> None:
    client = serve()
    assert client.post(f"{SESSIONS}/s1", json={}, headers={"Origin": str(client.base_url)}).status_code == 200


def preflight(client: httpx2.Client, origin: str, path: str = "/run") -> httpx2.Response:
    wish = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    return client.options(path, headers={"Origin": origin, **wish})


def test_a_preflight_is_answered_without_a_token(serve: Serve, issuer: Issuer) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, allowed_origins=f"{APP}, https://other.example")
    answer = preflight(client, APP)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, APP)
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]
    refused = preflight(client, "https://evil.example")
    assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False)


def test_a_page_of_an_allowed_origin_can_read_error_answers(serve: Serve, issuer: Issuer) -> None:
    settings = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "allowed_origins": APP}
    client = serve(**settings, max_body=500, turns_per_minute=1)
    token = {"Authorization": f"Bearer {issuer.token('ada')}", "Origin": APP}
    answers = [
        client.post(f"{SESSIONS}/s1", json={}, headers=token),
        client.post(f"{SESSIONS}/s1", json={}, headers=token),
        client.post("/run", json=message("Hello" * 200), headers=token),
        client.post("/run", json=message("Hello"), headers=token),
        client.post("/run", json=message("Hello"), headers=token),
        client.post("/run", json=message("Hello"), headers={"Origin": APP}),
        client.get("/nothing", headers=token),
    ]
    assert [answer.status_code for answer in answers] == [200, 409, 413, 200, 429, 401, 404]
    assert {answer.headers.get("access-control-allow-origin") for answer in answers} == {APP}
    assert all("Retry-After" in answer.headers["access-control-expose-headers"] for answer in answers)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "abc", "PORT='abc' is not a port: write a number from 1 to 65535"),
        ("PORT", "99999", "PORT='99999' is not a port"),
        ("DESK_PUBLIC_URL", "desk.example", "DESK_PUBLIC_URL='desk.example': not a web address: write https://HOST"),
    ],
)
def test_desk_serve_refuses_an_unusable_address_in_one_line(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    result = run("tools", "serve")  # a process of its own, because its logging and telemetry would outlive this test
    assert result.returncode == 1
    assert words in result.stderr


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_server_whose_port_is_taken_says_so_in_one_line(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run("tools", command, "--port", port)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"port {port} of 127.0.0.1 cannot be used (Address already in use)" in result.stderr


@pytest.mark.parametrize("origins", ["*", "https://app.example/", "app.example", "https://app.example,null"])
def test_an_allowed_origin_that_no_browser_sends_is_refused_at_start(origins: str) -> None:
    with pytest.raises(SettingsError, match="DESK_ALLOWED_ORIGINS"):
        _ = ServerSettings(allowed_origins=origins).origins
