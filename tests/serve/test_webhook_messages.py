"""Webhook messages of the API must be signed, are processed once, and their claim is checked at the API."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.routing import Route

from interactions_emulator import Emulator
from tests.kill.test_kill import researches, until
from tests.ports import free_port
from tests.serve.conftest import Serve
from tools.research.database import Database
from tools.research.factory import close, research
from tools.research.job import new_job
from tools.research.job_errors import UnknownJob
from tools.research.job_states import State
from tools.research.ledger import Ledger
from tools.research.order import Order
from tools.server.limits import MAX_MESSAGE_ID_CHARS
from tools.server.webhook_signatures import WebhookSignatures
from tools.server.webhooks import WebhookReceiver
from tools.settings import SettingsError, load_settings

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
OLD = "whsec_" + base64.b64encode(b"another one of thirty-two bytes.").decode()


@pytest.fixture
def client(serve: Serve) -> httpx2.Client:
    return serve(webhook_secrets=f"{OLD},{SECRET}", attach_seconds="0.2")


def signed(body: str, secret: str = SECRET, message_id: str = "m1", at: float | None = None) -> dict[str, str]:
    sent = datetime.fromtimestamp(at or time.time(), UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, sent, body),
        "content-type": "application/json",
    }


def ended(interaction_id: str) -> str:
    return json.dumps({"type": "interaction.completed", "version": "v1", "data": {"id": interaction_id}})


def test_unsigned_old_and_altered_webhook_messages_are_refused(client: httpx2.Client) -> None:
    body = ended("v1_x")
    for headers in (
        {},
        signed(body, "whsec_" + base64.b64encode(b"not the secret of anybody here..").decode()),
        signed(body, at=time.time() - 3600),
        signed(ended("v1_other")),
    ):
        assert client.post("/webhooks/research", content=body, headers=headers).status_code == 401
    assert client.post("/webhooks/research", content=body, headers=signed(body)).status_code == 204
    assert client.post("/webhooks/research", content=body, headers=signed(body, OLD)).status_code == 204


BODIES = {
    "a list": "[]",
    "nothing in it": "{}",
    "half of it": '{"type": "interaction.completed"}',
    "an id that is a number": '{"type": "x", "data": {"id": 1}}',
    "too deep": '{"type": ' + "[" * 4_000 + "]" * 4_000 + "}",
    "an id that no database keeps": ended("v1_\0\ud800"),
}


def test_a_signed_but_malformed_webhook_message_causes_no_server_error(client: httpx2.Client) -> None:
    for name, body in BODIES.items():
        answer = client.post("/webhooks/research", content=body, headers=signed(body))
        assert answer.status_code in (204, 400), name


async def test_a_webhook_message_is_processed_until_it_succeeds_and_then_never_again(tmp_path: Path) -> None:
    taken: list[str] = []

    async def handle(interaction_id: str, job_id: str) -> str:
        taken.append(interaction_id)
        if len(taken) == 1:
            raise UnknownJob("it was deleted between two queries")
        return "done"

    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    await store_run(tmp_path, "v1_x")
    receiver = WebhookReceiver(WebhookSignatures([SECRET], None), database, handle)
    app = Starlette(routes=[Route("/", receiver.receive, methods=["POST"])])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://desk") as client:
        for message_id, status in (("m1", 503), ("m1", 204), ("m1", 204), ("m2", 204)):
            body = ended("v1_x")
            answer = await client.post("/", content=body, headers=signed(body, message_id=message_id))
            assert answer.status_code == status
    await database.close()
    assert taken == ["v1_x"] * 3


@pytest.mark.parametrize(("run", "limit", "kept"), [("v1_y", 10, 0), ("v1_x", 10, 5), ("v1_x", 3, 3)])
async def test_signed_messages_without_end_keep_only_a_few_ids_and_only_those_about_runs_of_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, limit: int, kept: int
) -> None:
    monkeypatch.setattr("tools.server.webhooks.MAX_MESSAGE_IDS", limit)

    async def handle(interaction_id: str, job_id: str) -> str:
        return "done"

    database, body = Database(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"), ended("v1_x")
    await store_run(tmp_path, run)
    receiver = WebhookReceiver(WebhookSignatures([SECRET], None), database, handle)
    app = Starlette(routes=[Route("/", receiver.receive, methods=["POST"])])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://desk") as client:
        for number in range(5):
            answer = await client.post("/", content=body, headers=signed(body, message_id=f"m{number}"))
            assert answer.status_code == 204
        long = "m" * (MAX_MESSAGE_ID_CHARS + 1)
        assert (await client.post("/", content=body, headers=signed(body, message_id=long))).status_code == 400
    assert len([*await database.execute(text("SELECT id FROM desk_hints"), {})]) == kept
    await database.close()


async def store_run(folder: Path, interaction_id: str) -> None:
    """Writes a run with this interaction to a ledger."""
    ledger = Ledger(f"sqlite+aiosqlite:///{folder / 'ledger.db'}")
    job = new_job(Order("tides", "ada", "s1", "deep-research-preview-04-2026"), time.time())
    await ledger.add(replace(job, interaction_id=interaction_id))
    await ledger.close()


async def abandoned() -> str:
    """Starts a research run, closes the service that follows it, and returns the id of its job."""
    service = research()
    job, _ = await service.start(Order("tides", "ada", "s1", "deep-research-preview-04-2026"))
    while not (await service.job(job.id)).interaction_id:
        await asyncio.sleep(0.02)
    await close()
    return job.id


async def test_a_webhook_message_fetches_a_finished_run_that_no_process_follows(
    api: Emulator, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By itself the server would not look again.
    monkeypatch.setattr("tools.research.background.RECOVERY_INTERVAL_S", 1e6)
    port = free_port()
    hook: dict[str, Any] = {"uri": f"http://127.0.0.1:{port}/webhooks/research"}
    hook["subscribed_events"] = ["interaction.completed"]
    async with httpx2.AsyncClient(headers={"x-goog-api-key": "k"}) as client:
        registered = (await client.post(f"{api.url}/v1beta/webhooks", json=hook)).json()
    serve(port=port, webhook_secrets=registered["new_signing_secret"])
    job_id, ledger = await abandoned(), Ledger(load_settings().ledger_url)
    await asyncio.to_thread(api.advance, 3600)
    while not (job := await ledger.get(job_id)) or job.state is not State.COMPLETED:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(until, lambda: [delivery["status"] for delivery in api.deliveries()] == [204])
    await ledger.close()


async def test_the_claim_of_a_webhook_message_is_checked_at_the_api(client: httpx2.Client, api: Emulator) -> None:
    job_id, ledger = await abandoned(), Ledger(load_settings().ledger_url)
    body = ended(researches(api)[0]["id"])
    answer = await asyncio.to_thread(client.post, "/webhooks/research", content=body, headers=signed(body))
    assert answer.status_code == 204
    job = await ledger.get(job_id)
    assert job and job.state is State.RUNNING
    await ledger.close()


@pytest.mark.parametrize("secret", ["whsec_", "PRIVA", "c2VjcmV0"])
def test_a_server_with_an_invalid_webhook_secret_does_not_start(serve: Serve, secret: str) -> None:
    with pytest.raises(SettingsError, match="DESK_WEBHOOK_SECRETS: number 2") as raised:
        serve(webhook_secrets=f"{SECRET},{secret}")
    assert "PRIVA" not in str(raised.value)


def test_the_webhook_route_gets_404_without_a_webhook_secret(serve: Serve) -> None:
    body = ended("v1_x")
    assert serve().post("/webhooks/research", content=body, headers=signed(body)).status_code == 404
