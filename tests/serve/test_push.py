"""Push notifications of A2A: who may receive them, and what they contain."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest
from a2a.client import Client
from a2a.helpers import new_text_message
from a2a.types import (
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
    Role,
    SendMessageConfiguration,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from sqlalchemy import text

from interactions_emulator import Emulator
from tests.serve.conftest import AUDIENCE, Issuer, Serve, listening
from tests.serve.test_a2a import Caller, message
from tools.research.database import Database
from tools.server.a2a_push_addresses import PushAddresses
from tools.settings import load_settings

PUBLIC = "8.8.4.4"


@dataclass
class Receiver:
    """Takes notifications over HTTP."""

    url: str = ""
    status: int = 200
    got: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    """Path, body and headers of each."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found.got.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(found.status)
            self.send_header("location", f"{found.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with listening(Handler) as found.url:
        yield found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly)])
def open_url(request: pytest.FixtureRequest, serve: Serve, api: Emulator) -> str:
    """The URL of a server without authentication on this machine."""
    api.set_speed(math.inf)
    url = request.getfixturevalue("postgres").create_database() if request.param == "postgresql" else ""
    return str(serve(a2a=True, database_url=url).base_url)


@pytest.fixture
def url(serve: Serve, issuer: Issuer, api: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a server with authentication that resolves every host name to a public address."""

    async def look_up(host: str) -> list[str]:
        return [PUBLIC]

    monkeypatch.setattr("tools.server.a2a.PushAddresses", lambda this_machine: PushAddresses(this_machine, look_up))
    api.set_speed(math.inf)
    return str(serve(a2a=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE).base_url)


async def ask(caller: Caller, words: str, config: TaskPushNotificationConfig, task_id: str = "") -> Task:
    said = new_text_message(words, context_id="c1", task_id=task_id, role=Role.ROLE_USER)
    return await caller.send(said, SendMessageConfiguration(task_push_notification_config=config))


async def refused(client: Client, config: TaskPushNotificationConfig) -> str:
    with pytest.raises(InvalidParamsError) as caught:
        await client.create_task_push_notification_config(config)
    return str(caught.value)


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_a_push_notification_reports_how_a_task_ends(open_url: str, receiver: Receiver, version: str) -> None:
    caller = Caller(open_url, streaming=False, version=version)
    config = TaskPushNotificationConfig(url=f"{receiver.url}/hook?a=b", token="t0ken")
    task = await ask(caller, "research tides", config)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert {path for path, *_ in receiver.got} == {"/hook?a=b"}
    assert {headers["x-a2a-notification-token"] for *_, headers in receiver.got} == {"t0ken"}
    assert {headers["host"] for *_, headers in receiver.got} == {receiver.url.removeprefix("http://")}
    bodies = [body for _, body, _ in receiver.got]
    assert bodies[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert json.dumps(bodies).count("The moon moves the sea") == 1


async def test_push_notifications_report_a_question_and_the_end_after_its_answer(
    open_url: str, receiver: Receiver
) -> None:
    caller = Caller(open_url)
    asked = await ask(caller, "forget this conversation", TaskPushNotificationConfig(url=receiver.url))
    states = [body["statusUpdate"]["status"]["state"] for _, body, _ in receiver.got if "statusUpdate" in body]
    assert states[-1] == "TASK_STATE_INPUT_REQUIRED"
    await caller.ask("no thanks", task_id=asked.id)
    states = [body["statusUpdate"]["status"]["state"] for _, body, _ in receiver.got if "statusUpdate" in body]
    assert states[-1] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize("open_url", ["sqlite", "postgresql"], indirect=True)
async def test_forgetting_a_conversation_deletes_its_push_notification_configs(
    open_url: str, receiver: Receiver
) -> None:
    database = Database(load_settings().ledger_url)
    caller = Caller(open_url)
    asked = await ask(caller, "forget this conversation", TaskPushNotificationConfig(url=receiver.url))
    receivers = text("SELECT task_id FROM desk_pushes")
    assert [*map(tuple, await database.execute(receivers, {}))] == [(asked.id,)]
    await caller.ask("yes, forget it", task_id=asked.id)
    assert not await database.execute(receivers, {})
    await database.close()


async def test_only_its_own_user_can_set_read_and_delete_a_push_notification_config(url: str, issuer: Issuer) -> None:
    ada, bob = Caller(url, issuer.token("ada")), Caller(url, issuer.token("bob"))
    task = await ada.ask("forget this conversation")
    client, other = await ada.client(), await bob.client()
    config = TaskPushNotificationConfig(task_id=task.id, id="p1", url="https://a.example/hook")
    assert (await client.create_task_push_notification_config(config)).url == config.url
    one = GetTaskPushNotificationConfigRequest(task_id=task.id, id="p1")
    assert (await client.get_task_push_notification_config(one)).url == config.url
    every = ListTaskPushNotificationConfigsRequest(task_id=task.id)
    for call in (
        other.create_task_push_notification_config(config),
        other.get_task_push_notification_config(one),
        other.list_task_push_notification_configs(every),
    ):
        with pytest.raises(TaskNotFoundError):
            await call
    for number in range(2, 9):
        config.id = f"p{number}"
        await client.create_task_push_notification_config(config)
    config.id = "p9"
    assert "A task may have at most 8 push notifications" in await refused(client, config)
    await client.delete_task_push_notification_config(DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="p1"))
    assert len((await client.list_task_push_notification_configs(every)).configs) == 7


async def test_a_receiver_without_a_public_https_address_is_refused_with_an_explanation(
    url: str, issuer: Issuer, receiver: Receiver
) -> None:
    caller = Caller(url, issuer.token("robot"))
    task = await caller.ask("forget this conversation")
    client = await caller.client()
    for address in (receiver.url, "http://example.com/", "https://127.0.0.1/", "https://[::1]/", "ftp://example.com/"):
        said = await refused(client, TaskPushNotificationConfig(task_id=task.id, url=address))
        assert "A push notification goes to a public https:// address only." in said
    with pytest.raises(InvalidParamsError, match="public https://"):
        await ask(caller, "hello", TaskPushNotificationConfig(url=receiver.url))
    for version, send in (("1.0", "SendMessage"), ("0.3", "message/send")):
        name = "taskPushNotificationConfig" if version == "1.0" else "pushNotificationConfig"
        params = {**message("hello", version), "configuration": {name: {"url": "https://10.0.0.1/"}}}
        answer = await caller.call(send, params)
        assert answer["error"]["code"] == -32602
    assert receiver.got == []


@pytest.mark.parametrize(
    ("address", "found", "why"),
    [
        ("https://a.example/", [PUBLIC, "10.0.0.1"], "The host a.example of the push notification is in a private"),
        ("https://a.example/", ["169.254.169.254"], "private network"),
        ("https://a.example/", ["::ffff:127.0.0.1"], "private network"),
        ("https://a.example/", ["fe80::1%eth0"], "private network"),
        ("https://a.example/", OSError("no"), "The host a.example of the push notification has no address"),
        ("https://0x7f.1/", [PUBLIC], "public https://"),
        ("https://127.1/", [PUBLIC], "public https://"),
        ("https://metadata.google.internal/", [PUBLIC], "public https://"),
        ("https://", [PUBLIC], "public https://"),
        ("https://a.example:port/", [PUBLIC], "is not a valid URL"),
        ("http://127.0.0.1.a.example/", ["127.0.0.1"], "public https://"),
    ],
)
async def test_a_receiver_is_refused_if_any_address_of_its_host_is_not_public(
    address: str, found: Any, why: str
) -> None:
    async def look_up(host: str) -> list[str]:
        if isinstance(found, OSError):
            raise found
        return list(found)

    with pytest.raises(InvalidParamsError, match=why):
        await PushAddresses(this_machine=True, look_up=look_up).validate(address)


async def test_the_address_of_a_receiver_is_checked_again_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    leads_to = [[PUBLIC], ["10.0.0.1"], [PUBLIC]]
    sent: list[httpx.Request] = []

    async def look_up(host: str) -> list[str]:
        return leads_to.pop(0)

    async def send(self: object, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", send)
    receivers = PushAddresses(look_up=look_up)
    assert await receivers.validate("https://a.example/hook")
    async with receivers.client() as client:
        with pytest.raises(InvalidParamsError, match="private network"):
            await client.post("https://a.example/hook")
        assert sent == []
        await client.post("https://a.example/hook")
    (request,) = sent
    assert request.url == f"https://{PUBLIC}/hook", "the address that was checked, and no second look-up"
    assert (request.headers["host"], request.extensions["sni_hostname"]) == ("a.example", "a.example")


async def test_a_redirect_of_a_receiver_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 307
    async with PushAddresses(this_machine=True).client() as client:
        assert (await client.post(f"{receiver.url}/hook", json={})).status_code == 307
    assert [path for path, *_ in receiver.got] == ["/hook"]
