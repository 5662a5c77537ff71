"""The webhook that each run names: whose messages are believed, and what they bring home."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from interactions_emulator import Emulator
from tests.kill.test_kill import researches, until
from tests.notices.conftest import Configure, Receiver, configure, hook, receiver
from tests.ports import free_port
from tests.serve.conftest import Issuer, Process, Serve, message, ready
from tools.interactions.backend import Backend
from tools.interactions.run_webhook import RunWebhook, run_webhook
from tools.research.api_errors import Unavailable
from tools.research.job import Job
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.server.jwks_cache import JwksCache, JwksUnavailable
from tools.server.webhook_signatures import WebhookSignatures
from tools.settings import JWKS_URL, Settings, SettingsError, load_settings

__all__ = ["configure", "receiver"]
BODY = json.dumps({"type": "interaction.completed", "version": "v1", "data": {"id": "v1_x"}})
LOST = {"on": "create", "skip": 2, "after_accept": True}
"""Loses the answer to the create of the research; the root and the researcher make one each before."""


def signed(issuer: Issuer, body: str = BODY, at: float | None = None, **changes: Any) -> dict[str, str]:
    """The headers of a message that the issuer signed."""
    now = int(at or time.time())
    claims = {"jti": "m1", "iat": now, "sha256": hashlib.sha256(body.encode()).hexdigest(), **changes.pop("claims", {})}
    how = {"algorithm": "RS256", "headers": {"kid": "k1"}, **changes}
    token = jwt.encode(
        {name: value for name, value in claims.items() if value is not None}, **{"key": issuer.key, **how}
    )
    return {"webhook-id": "m1", "webhook-timestamp": str(now), "webhook-signature": token}


async def test_a_message_is_believed_only_with_a_current_signature_of_the_right_key_and_body(issuer: Issuer) -> None:
    signatures = WebhookSignatures([], JwksCache(f"{issuer.url}/keys"))
    public = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    right = signed(issuer)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    hour = time.time() - 3600
    for headers in (
        {},
        {**right, "webhook-id": ""},
        {**right, "webhook-id": "m2"},
        {**right, "webhook-timestamp": "nan"},
        {**right, "webhook-timestamp": str(hour)},
        {**right, "webhook-signature": "v1,abc"},
        {**right, "webhook-signature": right["webhook-signature"] + "x"},
        signed(issuer, at=hour),
        signed(issuer, claims={"iat": int(hour)}),
        signed(issuer, claims={"exp": int(hour)}),
        signed(issuer, claims={"sha256": hashlib.sha256(b"another").hexdigest()}),
        signed(issuer, key=stranger),
        signed(issuer, headers={"kid": "e1"}),
        signed(issuer, headers={"kid": "unknown"}),
        signed(issuer, key=hashlib.sha256(public).hexdigest(), algorithm="HS256"),
        signed(issuer, key=None, algorithm="none"),
        signed(issuer, key=issuer.elliptic, algorithm="ES256", headers={"kid": "e1"}),
    ):
        assert not await signatures.verify(headers, BODY.encode()), headers
    assert not await signatures.verify(right, BODY.replace("v1_x", "v1_y").encode())
    assert await signatures.verify(right, BODY.encode())
    # the claims of the real service are unknown
    assert await signatures.verify(signed(issuer, claims={"jti": None, "sha256": None, "iat": None}), BODY.encode())


async def test_forged_messages_cause_one_request_for_the_keys_and_an_outage_asks_for_another_delivery(
    issuer: Issuer,
) -> None:
    signatures = WebhookSignatures([], JwksCache(f"{issuer.url}/keys"))
    forged = [signed(issuer, headers={"kid": f"forged {number}"}) for number in range(50)]
    assert not any(await asyncio.gather(*(signatures.verify(headers, BODY.encode()) for headers in forged)))
    assert await signatures.verify(signed(issuer), BODY.encode())
    assert issuer.asked == 1
    away = WebhookSignatures([], JwksCache(f"http://127.0.0.1:{free_port()}/keys"))
    with pytest.raises(JwksUnavailable):
        await away.verify(signed(issuer), BODY.encode())


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"keys": null}', '{"keys": [1]}', "[" * 100_000])
async def test_an_answer_that_is_no_set_of_keys_asks_for_another_delivery(answer: str, issuer: Issuer) -> None:
    def client() -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, text=answer)))

    with pytest.raises(JwksUnavailable):
        await WebhookSignatures([], JwksCache("https://keys.example", client)).verify(signed(issuer), BODY.encode())


GEMINI, EMULATOR = Backend("gemini", "a key is set"), Backend("emulator", "no key is set", "http://127.0.0.1:1")
PUBLIC = "https://desk.example.com"


@pytest.mark.parametrize(
    ("backend", "settings", "expected"),
    [
        (GEMINI, {}, None),
        (GEMINI, {"public_url": PUBLIC}, RunWebhook(f"{PUBLIC}/webhooks/research", JWKS_URL)),
        (GEMINI, {"public_url": f"{PUBLIC}/"}, RunWebhook(f"{PUBLIC}/webhooks/research", JWKS_URL)),
        (GEMINI, {"public_url": PUBLIC, "webhooks": False}, None),
        (GEMINI, {"public_url": "http://127.0.0.1:8080", "webhooks": False}, None),
        (GEMINI, {"public_url": "http://desk.example.com"}, "DESK_PUBLIC_URL=http://desk.example.com is not a public"),
        (GEMINI, {"public_url": "https://127.0.0.1"}, "DESK_PUBLIC_URL"),
        (GEMINI, {"public_url": f"{PUBLIC}?a=1"}, "DESK_PUBLIC_URL=https://desk.example.com is not"),
        (GEMINI, {"public_url": "https://10.0.0.1"}, "DESK_PUBLIC_URL"),
        (GEMINI, {"public_url": "https://desk.internal"}, "DESK_WEBHOOKS=0"),
        (GEMINI, {"public_url": PUBLIC, "webhook_jwks_url": "http://keys.example"}, "DESK_WEBHOOK_JWKS_URL"),
        (Backend("vertex", "enterprise"), {"public_url": PUBLIC}, None),
        (EMULATOR, {"public_url": PUBLIC}, None),  # the emulator sends messages only to this machine
        (
            EMULATOR,
            {"public_url": "http://127.0.0.1:8080"},
            RunWebhook("http://127.0.0.1:8080/webhooks/research", "http://127.0.0.1:1/.well-known/jwks.json"),
        ),
    ],
)
def test_google_is_told_only_of_public_https_addresses(
    backend: Backend, settings: dict[str, Any], expected: RunWebhook | str | None
) -> None:
    if isinstance(expected, str):
        with pytest.raises(SettingsError, match=expected):
            run_webhook(Settings(**settings), backend)
    else:
        assert run_webhook(Settings(**settings), backend) == expected


async def finished(client: httpx2.Client, api: Emulator) -> tuple[Job, str]:
    """The only job in the ledger and its report, as they are now."""
    ledger = Ledger(load_settings().ledger_url)
    (job,) = await ledger.find()
    report = await ledger.report(job.id) or ""
    await ledger.close()
    return job, report


async def test_a_lost_start_comes_home_by_the_webhook_of_its_run(
    api: Emulator, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By itself the server would not look again.
    monkeypatch.setattr("tools.research.background.RECOVERY_INTERVAL_S", 1e6)
    port = free_port()
    client = serve(port=port, public_url=f"http://127.0.0.1:{port}", attach_seconds="0.2")
    await asyncio.to_thread(client.post, "/apps/desk/users/me/sessions/s1")
    api.faults({**LOST, "status": 503})
    answer = await asyncio.to_thread(client.post, "/run", json=message("research tides"))
    assert "a webhook names it when it ends" in answer.text
    await asyncio.to_thread(api.advance, 3600)
    await asyncio.to_thread(until, lambda: [delivery["status"] for delivery in api.deliveries()] == [204])
    job, report = await finished(client, api)
    assert (job.state, "Tides" in report, len(researches(api))) == (State.COMPLETED, True, 1)


async def test_a_message_is_delivered_again_until_its_result_is_saved(
    api: Emulator, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    async def handle(self: object, interaction_id: str, job_id: str) -> str:
        tries.append(job_id)
        if len(tries) == 1:
            raise Unavailable("not yet")
        return "done"

    monkeypatch.setattr("tools.research.incoming_webhooks.IncomingWebhooks.handle", handle)
    port = free_port()
    serve(port=port, public_url=f"http://127.0.0.1:{port}")
    config = {"uris": [f"http://127.0.0.1:{port}/webhooks/research"], "user_metadata": {"job": "job_22222222"}}
    body = {"model": "gemini-3.8-flash", "input": "hello", "background": True, "webhook_config": config}
    async with httpx2.AsyncClient(headers={"x-goog-api-key": "k"}) as client:
        (await client.post(f"{api.url}/v1beta/interactions", json=body)).raise_for_status()
    await asyncio.to_thread(api.advance, 3600)
    await asyncio.to_thread(until, api.deliveries)
    await asyncio.to_thread(api.advance, 5)
    await asyncio.to_thread(until, lambda: [delivery["status"] for delivery in api.deliveries()] == [503, 204])
    assert tries == ["job_22222222"] * 2


@pytest.mark.parametrize("answered", [True, False], ids=["known id", "lost answer"])
async def test_a_message_that_starts_a_server_saves_the_report_although_nothing_else_runs(
    api: Emulator,
    process: Process,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    configure: Configure,
    receiver: Receiver,
    answered: bool,
) -> None:
    configure("notify:\n" + hook(receiver))
    port = free_port()
    monkeypatch.setattr("tests.serve.conftest.free_port", lambda: port)
    monkeypatch.setenv("DESK_PUBLIC_URL", f"http://127.0.0.1:{port}")
    if not answered:
        api.faults({**LOST, "hang": True})
    server, client = process()
    await asyncio.to_thread(until, lambda: ready(client))
    client.post("/apps/desk/users/me/sessions/s1")
    turn = asyncio.create_task(asyncio.to_thread(client.post, "/run", json=message("research tides")))
    ledger = Ledger(load_settings().ledger_url)
    while not (jobs := await ledger.find()) or not researches(api) or (answered and not jobs[0].interaction_id):
        await asyncio.sleep(0.02)
    server.kill()
    server.wait()
    await asyncio.gather(turn, return_exceptions=True)
    await asyncio.to_thread(api.advance, 3600)  # the run ends while no server runs, and its message arrives nowhere
    await asyncio.to_thread(until, lambda: [delivery["status"] for delivery in api.deliveries()] == [None])
    with sqlite3.connect(load_settings().ledger_file) as connection:
        connection.execute("UPDATE research_jobs SET lease_until = 0")  # the lease of the dead process has expired

    async def no_recovery() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("tools.research.background.run_background", no_recovery)
    serve(port=port)
    await asyncio.to_thread(api.advance, 5)
    await asyncio.to_thread(until, lambda: len(api.deliveries()) == 2)
    job, report = await finished(client, api)
    assert [delivery["status"] for delivery in api.deliveries()] == [None, 204]
    assert (job.state, "Tides" in report, len(researches(api))) == (State.COMPLETED, True, 1)
    assert [body["type"] for _, body in receiver.webhooks] == ["research.completed"]  # before the answer
    await ledger.close()
