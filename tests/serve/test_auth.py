"""Authentication: without a valid token of the right user, the server returns and changes nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from interactions_emulator import Emulator
from tests.serve.conftest import AUDIENCE, Issuer, Serve, message, said
from tools.server.jwks_cache import JwksCache, JwksUnavailable
from tools.server.middleware.authentication import IAP_ISSUER, TokenVerifier, Unauthorized, build_authenticator
from tools.server.settings import ServerSettings, load_server_settings
from tools.server.timeouts import KEY_TTL_S
from tools.settings import SettingsError

STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ROUTES = (
    ("GET", "/list-apps"),
    ("GET", "/apps/desk/app-info"),
    ("GET", "/apps/desk/users/ada/sessions"),
    ("GET", "/apps/desk/users/ada/sessions/s1"),
    ("POST", "/apps/desk/users/ada/sessions"),
    ("DELETE", "/apps/desk/users/ada/sessions/s1"),
    ("PATCH", "/apps/desk/users/ada/sessions/s1"),
    ("GET", "/apps/desk/users/ada/sessions/s1/artifacts"),
    ("GET", "/apps/desk/users/ada/sessions/s1/artifacts/report.md"),
    ("POST", "/run"),
    ("POST", "/run_sse"),
)


@pytest.fixture
def client(serve: Serve, issuer: Issuer) -> httpx2.Client:
    return serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def lower(token: str) -> dict[str, str]:
    """Headers with lower-case names, as the server sees them."""
    return {"authorization": f"Bearer {token}"}


def ask(client: httpx2.Client, method: str, path: str, headers: Mapping[str, str | bytes]) -> httpx2.Response:
    body = message("Hello", user="ada") if path.startswith("/run") else {}
    sent = httpx2.Headers(headers)  # type: ignore[arg-type]
    return client.request(method, path, json=None if method in ("GET", "DELETE") else body, headers=sent)


@pytest.fixture
def conversation(client: httpx2.Client, issuer: Issuer) -> httpx2.Client:
    """A client of a server where Ada has a conversation."""
    ada = bearer(issuer.token("ada"))
    assert client.post("/apps/desk/users/me/sessions/s1", json={}, headers=ada).status_code == 200
    assert said(client.post("/run", json=message("Hello"), headers=ada))
    return client


def bad_tokens(issuer: Issuer) -> dict[str, str]:
    past = int(time.time()) - 3600
    none = jwt.encode({"iss": issuer.url, "aud": AUDIENCE, "sub": "ada"}, None, algorithm="none", headers={"kid": "k1"})
    public = issuer.key.public_key().public_numbers().n.to_bytes(256, "big")
    return {
        "none at all": "",
        "expired": issuer.token("ada", iat=past - 3600, exp=past),
        "without an end": issuer.token("ada", exp=None),
        "for another audience": issuer.token("ada", aud="somebody-else"),
        "of another issuer": issuer.token("ada", iss="https://elsewhere.example"),
        "signed by a stranger": issuer.token("ada", key=STRANGER),
        "signed with an unknown key": issuer.token("ada", kid="k9"),
        "without a subject": issuer.token("ada", sub=None),
        "for nobody": issuer.token(" "),
        "for somebody with too long a name": issuer.token("ada" * 100),
        "unsigned": none,
        "signed with the public key": jwt.encode({"sub": "ada"}, public, algorithm="HS256", headers={"kid": "k1"}),
        "no token": "abc.def.ghi",
        "for half a character": issuer.token("ada\ud800"),
        "for a character that no database keeps": issuer.token("ada\0"),
        "for a number": written(issuer, '{"sub": 7, REST}'),
        "with a number without end": written(issuer, '{"sub": "ada", REST, "exp": 1e999}'),
        "with a number of many digits": written(issuer, f'{{"sub": "ada", REST, "exp": {"9" * 5000}}}'),
        "for half an audience": written(issuer, '{"sub": "ada", REST, "aud": "\\ud800"}'),
        "for half an address": written(issuer, '{"sub": "\\ud800", REST, "email": "\\ud800@x"}'),
        "too deep": written(issuer, "[" * 10_000 + "]" * 10_000),
        "a list": written(issuer, "[1]"),
        "a header that is a list": f"{encoded('[]')}.{encoded('{}')}.AAAA",
        "a header too deep": f"{encoded('[' * 20_000)}.{encoded('{}')}.AAAA",
        "signed by a method that its key does not know": issuer.token("ada", key=issuer.elliptic, algorithm="ES256"),
        "bytes that are no text": "\xff.\xff.\xff",
        "nothing between dots": "..",
    }


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def written(issuer: Issuer, claims: str) -> str:
    """A token that the issuer has signed, with this text as its claims. REST stands for the usual claims."""
    now = int(time.time())
    rest = json.dumps({"iss": issuer.url, "aud": AUDIENCE, "iat": now, "exp": now + 3600})[1:-1]
    head = f"{encoded(json.dumps({'alg': 'RS256', 'kid': 'k1'}))}.{encoded(claims.replace('REST', rest))}"
    signature = issuer.key.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_no_route_answers_or_acts_without_a_valid_token(
    conversation: httpx2.Client, issuer: Issuer, api: Emulator
) -> None:
    creates, ada = api.log()["creates"], bearer(issuer.token("ada"))
    for kind, token in bad_tokens(issuer).items():
        for method, path in ROUTES:
            answer = ask(
                conversation, method, path, {"Authorization": f"Bearer {token}".encode("latin-1")} if token else {}
            )
            assert answer.status_code == 401, (kind, method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "s1" not in answer.text
        assert api.log()["creates"] == creates, kind
        kept = conversation.get("/apps/desk/users/me/sessions/s1", headers=ada).json()
        assert len(kept["events"]) > 1, kind


def test_no_cache_keeps_an_answer_and_no_browser_guesses_its_type(conversation: httpx2.Client, issuer: Issuer) -> None:
    for headers in (bearer(issuer.token("ada")), {}):
        for method, path in ROUTES:
            answer = ask(conversation, method, path, headers)
            cached = answer.headers["cache-control"]
            stream = answer.headers.get("content-type", "").startswith("text/event-stream")
            assert cached == ("no-cache" if stream else "no-store"), (method, path)
            assert answer.headers["x-content-type-options"] == "nosniff", (method, path)


def test_a_token_gives_no_access_to_data_of_another_user(
    conversation: httpx2.Client, issuer: Issuer, api: Emulator
) -> None:
    creates = api.log()["creates"]
    mallory = bearer(issuer.token("mallory"))
    for method, path in ROUTES[2:]:
        assert ask(conversation, method, path, mallory).status_code == 403, (method, path)
    assert conversation.get("/apps/desk/users/me/sessions", headers=mallory).json() == []
    assert conversation.get("/apps/desk/users/me/sessions/s1", headers=mallory).status_code == 404
    assert conversation.post("/run", json=message("Hello"), headers=mallory).status_code == 404
    assert api.log()["creates"] == creates


def test_a_request_body_cannot_name_another_user(conversation: httpx2.Client, issuer: Issuer) -> None:
    for fields in (
        {"userId": "ada"},
        {"user_id": "ada"},
        {"userId": "mallory", "user_id": "ada"},
        {"userId": "me", "user_id": "ada"},
    ):
        body = {name: value for name, value in message("Hello").items() if name != "userId"} | fields
        answer = conversation.post("/run", json=body, headers=bearer(issuer.token("mallory")))
        assert answer.status_code in (400, 403), fields


def test_no_spelling_of_a_path_leads_to_another_users_data(conversation: httpx2.Client, issuer: Issuer) -> None:
    for path in ("/apps/desk/users/ad%61/sessions", "/apps/desk/users/mallory/../ada/sessions"):
        answer = conversation.get(path, headers=bearer(issuer.token("mallory")))
        assert answer.status_code in (403, 404), path


def test_a_user_with_an_unusual_subject_has_separate_data(conversation: httpx2.Client, issuer: Issuer) -> None:
    sessions, ada = "/apps/desk/users/me/sessions", bearer(issuer.token("ada"))
    saved = {"filename": "sessions", "artifact": {"text": "a secret of Ada's"}}
    assert conversation.post(f"{sessions}/s1/artifacts", json=saved, headers=ada).status_code == 200
    for subject in ("ada/sessions/s1/artifacts", "repo:a/b:ref:refs/heads/main", "..", "a%2Fb", "me"):
        other = bearer(issuer.token(subject))
        assert conversation.get(sessions, headers=other).json() == [], subject
        assert conversation.post(f"{sessions}/s2", json={}, headers=other).status_code == 200, subject
        assert said(conversation.post("/run", json=message("Hello", session="s2"), headers=other)) == "SMALL TALK"
        assert [s["id"] for s in conversation.get(sessions, headers=other).json()] == ["s2"], subject
        assert [s["id"] for s in conversation.get(sessions, headers=ada).json()] == ["s1"], subject


def test_a_client_cannot_write_state_that_all_users_share(conversation: httpx2.Client, issuer: Issuer) -> None:
    sessions, shared = "/apps/desk/users/me/sessions", {"app:x": "for all to see"}
    ada, bob = bearer(issuer.token("ada")), bearer(issuer.token("bob"))
    conversation.post(f"{sessions}/b1", json={}, headers=bob)
    for method, path, body in (
        ("POST", sessions, {"state": shared}),
        ("POST", f"{sessions}/s2", shared),
        ("PATCH", f"{sessions}/s1", {"stateDelta": shared}),
        ("POST", "/run", message("Hello", stateDelta=shared)),
    ):
        answer = conversation.request(method, path, json=body, headers=ada)
        assert (answer.status_code, "app:x" in answer.text) == (400, True), (method, path)
        assert conversation.get(f"{sessions}/b1", headers=bob).json()["state"] == {}, (method, path)


def test_an_imported_conversation_does_not_continue_an_interaction_of_another_user(
    conversation: httpx2.Client, issuer: Issuer, api: Emulator
) -> None:
    ada, mallory = bearer(issuer.token("ada")), bearer(issuer.token("mallory"))
    events = conversation.get("/apps/desk/users/me/sessions/s1", headers=ada).json()["events"]
    assert events[-1]["interactionId"]
    brought = {"sessionId": "s2", "events": [{name: e[name] for name in e if name != "actions"} for e in events]}
    assert conversation.post("/apps/desk/users/me/sessions", json=brought, headers=mallory).status_code == 200
    assert said(conversation.post("/run", json=message("Hello", session="s2"), headers=mallory)) == "SMALL TALK"
    interaction = httpx2.get(f"{api.url}/v1beta/interactions/{api.log()['requests'][-1]['interaction_id']}").json()
    assert "previous_interaction_id" not in interaction


def test_other_applications_path_spellings_and_development_routes_get_404(
    client: httpx2.Client, issuer: Issuer
) -> None:
    spellings = ("/apps/other/users/me/sessions", "/apps/desk/users/me/sessions/s1/")
    development = ("/dev/apps/desk/eval_sets", "/docs", "/openapi.json", "/dev-ui/", "/debug/trace/x", "/run_live")
    for path in (*spellings, *development):
        assert client.get(path, headers=bearer(issuer.token("ada"))).status_code == 404, path


def test_a_conversation_cannot_be_copied_into_memory(conversation: httpx2.Client, issuer: Issuer) -> None:
    ada = bearer(issuer.token("ada"))
    answer = conversation.patch("/apps/desk/users/me/memory", json={"sessionId": "s1"}, headers=ada)
    assert answer.status_code == 404


def test_only_allowed_and_verified_email_addresses_are_admitted(serve: Serve, issuer: Issuer) -> None:
    client = serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, allowed_emails="ada@other.example, @desk.example")
    for claims, status in (
        ({"email": "bob@desk.example", "email_verified": True}, 200),
        ({"email": "bob@desk.example"}, 401),
        ({"email": "Ada@Other.example", "email_verified": True}, 200),
        ({"email": "bob@desk.example", "email_verified": False}, 401),
        ({"email": "bob@evil-desk.example", "email_verified": True}, 401),
        ({"email": "desk.example", "email_verified": True}, 401),
        ({}, 401),
    ):
        assert client.get("/list-apps", headers=bearer(issuer.token("u", **claims))).status_code == status, claims


def test_tokens_with_unknown_keys_do_not_fetch_the_keys_again_and_again(client: httpx2.Client, issuer: Issuer) -> None:
    for number in range(20):
        assert client.get("/list-apps", headers=bearer(issuer.token("ada", kid=f"k{number + 2}"))).status_code == 401
    assert issuer.asked <= 2  # the discovery document and the keys


async def test_a_withdrawn_key_is_refused_after_an_hour(issuer: Issuer) -> None:
    now = [0.0]
    keys = JwksCache(f"{issuer.url}/keys", clock=lambda: now[0])
    who = TokenVerifier(issuer.url, AUDIENCE, keys)
    token = issuer.token("ada")
    now[0] = 1e6  # the first fetch may happen at any time
    assert await who(lower(token)) == "ada"
    issuer.key = STRANGER  # the issuer replaces the stolen key under the same id
    now[0] += KEY_TTL_S - 1
    assert await who(lower(token)) == "ada"
    now[0] += 1
    with pytest.raises(Unauthorized):
        await who(lower(token))
    assert (await who(lower(issuer.token("bob"))), issuer.asked) == ("bob", 2)


async def test_expired_keys_that_cannot_be_fetched_again_admit_nobody(issuer: Issuer) -> None:
    now = [0.0]
    keys = JwksCache(f"{issuer.url}/keys", clock=lambda: now[0])
    assert await keys.find("k1")
    now[0], keys.url = KEY_TTL_S, "http://127.0.0.1:9"
    with pytest.raises(JwksUnavailable):
        await keys.find("k1")


async def test_behind_identity_aware_proxy_only_its_assertion_is_accepted(issuer: Issuer) -> None:
    who = TokenVerifier(
        IAP_ISSUER, "/projects/1/apps/desk", JwksCache(f"{issuer.url}/keys"), "x-goog-iap-jwt-assertion", ("ES256",)
    )
    claims: dict[str, Any] = {"iss": IAP_ISSUER, "aud": "/projects/1/apps/desk"}
    right = issuer.token("accounts.google.com:7", key=issuer.elliptic, kid="e1", algorithm="ES256", **claims)
    assert await who({"x-goog-iap-jwt-assertion": right}) == "accounts.google.com:7"
    for headers in (
        {"authorization": f"Bearer {right}"},
        {"x-goog-iap-jwt-assertion": issuer.token("ada", **claims)},  # RS256
        {"x-goog-authenticated-user-id": "accounts.google.com:7"},  # a header that anybody can send
    ):
        with pytest.raises(Unauthorized):
            await who(headers)


def test_a_server_on_a_public_address_does_not_start_without_authentication() -> None:
    for host in ("0.0.0.0", "192.0.2.1", "::", "desk.example"):
        with pytest.raises(SettingsError, match="DESK_OIDC_ISSUER"):
            build_authenticator(ServerSettings(), host)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert build_authenticator(ServerSettings(), host) is None
    for field, name in (("oidc_audience", "DESK_OIDC_AUDIENCE"), ("allowed_emails", "DESK_ALLOWED_EMAILS")):
        with pytest.raises(SettingsError, match=f"{name} has no effect without DESK_OIDC_ISSUER"):
            build_authenticator(ServerSettings(**{field: "@desk.example"}), "127.0.0.1")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="DESK_OIDC_AUDIENCE"):
        build_authenticator(ServerSettings(oidc_issuer="https://issuer.example"), "0.0.0.0")


def test_two_ways_to_authenticate_exclude_each_other() -> None:
    for field in ("oidc_issuer", "oidc_audience"):
        both = ServerSettings(iap_audience="a", **{field: "https://issuer.example"})  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match="DESK_IAP_AUDIENCE and DESK_OIDC_… cannot be set together"):
            build_authenticator(both, "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("DESK_OIDC_ISSUER", "accounts.example", "not a web address: write https://HOST"),
        ("DESK_ALLOWED_EMAILS", "ada@a.example, b.example", "write NAME@b.example for a person or @b.example"),
        ("DESK_ALLOWED_HOSTS", "a.example,https://b.example", "https://b.example is not the name of a host"),
    ],
)
def test_a_setting_that_would_lock_everybody_out_is_refused_at_the_start(
    name: str, value: str, finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}='{value}': .*{finding}"):
        load_server_settings()


@pytest.mark.parametrize("place", ["http://127.0.0.1:9", "{issuer}/without/a/discovery/document"])
def test_requests_get_503_while_the_keys_of_the_issuer_cannot_be_fetched(
    serve: Serve, issuer: Issuer, place: str
) -> None:
    client = serve(oidc_issuer=place.format(issuer=issuer.url), oidc_audience=AUDIENCE)
    answer = client.get("/list-apps", headers=bearer(issuer.token("ada")))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert client.get("/healthz").status_code == 200


async def test_concurrent_requests_share_one_failed_fetch_of_keys() -> None:
    asked: list[httpx2.Request] = []

    async def fail(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        await asyncio.sleep(0)  # lets the other callers arrive
        raise httpx2.ReadTimeout("")

    keys = JwksCache("https://issuer.example/keys", lambda: httpx2.AsyncClient(transport=httpx2.MockTransport(fail)))
    found = await asyncio.gather(*(keys.find(f"k{number}") for number in range(20)), return_exceptions=True)
    assert {type(each) for each in found} == {JwksUnavailable}
    assert len(asked) == 1
