"""Other agents call the desk by A2A: with the client of the A2A SDK, and with ADK's agent for remote agents."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from a2a.auth.user import User
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.helpers import get_artifact_text, get_message_text, new_text_message
from a2a.server.context import ServerCallContext
from a2a.server.models import TaskModel
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import TaskNotFoundError
from google.adk.agents.remote_a2a_agent import RemoteA2aAgent
from google.adk.runners import InMemoryRunner
from google.genai import types
from sqlalchemy import inspect

from interactions_emulator import Emulator
from tests.kill.test_kill import researches, until
from tests.serve.conftest import AUDIENCE, Issuer, Serve
from tools.research.database import Database
from tools.server.a2a import Tasks
from tools.server.door import CARD
from tools.server.settings import ServerSettings
from tools.server.turns import LEASE, Turns, conversation
from tools.settings import SettingsError, load_settings

REPORT = "research tides"


@pytest.fixture
def url(serve: Serve, issuer: Issuer, api: Emulator) -> str:
    api.set_speed(math.inf)
    return str(serve(a2a=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE).base_url)


class Caller:
    """An agent somewhere else, with a token."""

    def __init__(self, url: str, token: str = "", streaming: bool = True) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
        self.streaming = streaming

    async def client(self) -> Client:
        card: AgentCard = await A2ACardResolver(self.http, str(self.http.base_url), CARD).get_agent_card()
        return ClientFactory(ClientConfig(streaming=self.streaming, httpx_client=self.http)).create(card)

    async def ask(self, words: str, context: str = "c1", message_id: str = "") -> Task:
        """Sends a message and gives the task as it is in the end."""
        message = new_text_message(words, context_id=context, role=Role.ROLE_USER)
        message.message_id = message_id or message.message_id
        client, task_id = await self.client(), ""
        async for answer in client.send_message(SendMessageRequest(message=message)):
            task_id = answer.task.id or answer.status_update.task_id or answer.artifact_update.task_id
        return await client.get_task(GetTaskRequest(id=task_id))


def said(task: Task) -> str:
    """What a task ended with."""
    return get_artifact_text(task.artifacts[-1]) if task.artifacts else get_message_text(task.status.message)


async def test_the_card_needs_no_token_and_says_where_to_get_one(url: str, issuer: Issuer) -> None:
    card = await A2ACardResolver(httpx.AsyncClient(), url, CARD).get_agent_card()
    assert {skill.id for skill in card.skills} >= {"research", "questions", "weather", "moderation", "pictures"}
    assert {each.url for each in card.supported_interfaces} == {f"{url}/a2a/desk"}
    scheme = card.security_schemes["oidc"].open_id_connect_security_scheme
    assert scheme.open_id_connect_url == f"{issuer.url}/.well-known/openid-configuration"


@pytest.mark.parametrize("streaming", [True, False])
async def test_another_agent_is_answered(url: str, issuer: Issuer, streaming: bool) -> None:
    caller = Caller(url, issuer.token("robot"), streaming)
    task = await caller.ask("weather in Lisbon")
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert "WEATHER Lisbon" in said(task)


async def test_a_research_is_ordered_and_its_report_is_the_answer(url: str, issuer: Issuer, api: Emulator) -> None:
    task = await Caller(url, issuer.token("robot")).ask(REPORT)
    assert "# Tides" in said(task)
    assert len(researches(api)) == 1


async def test_without_a_good_token_there_is_nothing(url: str, issuer: Issuer) -> None:
    for token in ("", issuer.token("robot", exp=1), "nonsense"):
        with pytest.raises(A2AClientError, match="401"):
            await Caller(url, token).ask("Hello!")


async def test_the_task_and_the_conversation_of_another_user_do_not_exist(url: str, issuer: Issuer) -> None:
    ada, bob = Caller(url, issuer.token("ada")), Caller(url, issuer.token("bob"))
    task = await ada.ask("Hello!")
    with pytest.raises(TaskNotFoundError):
        await (await bob.client()).get_task(GetTaskRequest(id=task.id))
    own = "/apps/desk/users/me/sessions/c1"
    assert (await ada.http.get(own)).status_code == 200
    assert (await bob.http.get(own)).status_code == 404


async def test_a_message_that_comes_twice_is_answered_once(url: str, issuer: Issuer, api: Emulator) -> None:
    caller = Caller(url, issuer.token("robot"))
    first = await caller.ask(REPORT, message_id="m1")
    requests = len(api.log()["requests"])
    again = await caller.ask(REPORT, message_id="m1")
    assert said(again) == said(first)
    assert len(api.log()["requests"]) == requests


async def test_a_cancelled_task_frees_its_context_and_its_research_goes_on(
    url: str, issuer: Issuer, api: Emulator
) -> None:
    api.set_speed(0)
    client = await Caller(url, issuer.token("robot")).client()
    message = new_text_message(REPORT, context_id="c1", role=Role.ROLE_USER)
    at_once = SendMessageConfiguration(return_immediately=True)
    answers = client.send_message(SendMessageRequest(message=message, configuration=at_once))
    task_id = (await anext(aiter(answers))).task.id
    await asyncio.to_thread(until, lambda: [each for each in researches(api) if each["status"] == "in_progress"])
    cancelled = await client.cancel_task(CancelTaskRequest(id=task_id))
    assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
    api.set_speed(math.inf)
    await asyncio.to_thread(until, lambda: researches(api)[0]["status"] == "completed")
    assert "# Tides" in said(await Caller(url, issuer.token("robot")).ask(REPORT))
    assert len(researches(api)) == 1


async def test_one_turn_at_a_time_in_a_context(url: str, issuer: Issuer, database: Database) -> None:
    async with Turns(database).one(conversation("robot", "c1")):
        task = await Caller(url, issuer.token("robot")).ask("Hello!")
    assert task.status.state == TaskState.TASK_STATE_REJECTED
    assert "another turn of this conversation is under way" in said(task)


async def test_a_task_whose_replica_died_is_said_to_have_failed(database: Database) -> None:
    now = 1_000_000.0

    async def sleep(seconds: float) -> None:
        return

    turns = Turns(database, clock=lambda: now, sleep=sleep)
    tasks, robot = Tasks(database, turns), ServerCallContext(user=Robot())
    task = Task(id="t1", context_id="c1")
    task.status.state = TaskState.TASK_STATE_WORKING
    task.status.timestamp.FromSeconds(int(now))
    await tasks.save(task, robot)

    async def state() -> Any:
        found = await tasks.get("t1", robot)
        listed = await tasks.list(ListTasksRequest(), robot)
        assert found and found.status.state == listed.tasks[0].status.state
        return found.status.state

    assert await state() == TaskState.TASK_STATE_WORKING  # its turn may not have its lease yet
    async with Turns(database, clock=lambda: now).one(conversation("robot", "c1")):
        now += LEASE - 1
        assert await state() == TaskState.TASK_STATE_WORKING
        now += LEASE + 1  # its process has died: nobody renews the lease
        assert await state() == TaskState.TASK_STATE_FAILED


def test_where_others_find_it_is_known_or_asked_for() -> None:
    assert ServerSettings().public_address("127.0.0.1", 8080) == "http://127.0.0.1:8080"
    assert ServerSettings(public_url="https://desk.example").public_address("0.0.0.0", 8080) == "https://desk.example"
    with pytest.raises(SettingsError, match="DESK_PUBLIC_URL is missing"):
        ServerSettings().public_address("0.0.0.0", 8080)


class Robot(User):
    """Somebody."""

    is_authenticated = True
    user_name = "robot"


async def test_what_is_forgotten_is_forgotten_here_too(url: str, issuer: Issuer) -> None:
    caller = Caller(url, issuer.token("robot"))
    task = await caller.ask("Hello!")
    await caller.ask("forget this conversation")
    receipt = await caller.ask("yes, forget it")
    assert "3 tasks of other agents: deleted" in said(receipt)
    with pytest.raises(TaskNotFoundError):
        await (await caller.client()).get_task(GetTaskRequest(id=task.id))


async def test_the_desk_is_a_specialist_of_an_agent_of_adk(url: str, issuer: Issuer) -> None:
    http = httpx.AsyncClient(headers={"Authorization": f"Bearer {issuer.token('robot')}"}, timeout=60)
    desk = RemoteA2aAgent("research_desk", agent_card=url + CARD, httpx_client=http)
    runner = InMemoryRunner(desk, app_name="elsewhere")
    await runner.session_service.create_session(app_name="elsewhere", user_id="u", session_id="s")
    message = types.UserContent("weather in Lisbon")
    events = [event async for event in runner.run_async(user_id="u", session_id="s", new_message=message)]
    texts = [part.text or "" for event in events if event.content for part in event.content.parts or []]
    assert any("WEATHER Lisbon" in text for text in texts)


async def test_the_table_is_as_the_sdk_wants_it(database: Database) -> None:
    async with database.begin() as connection:
        found = await connection.run_sync(lambda sync: inspect(sync).get_columns("desk_tasks"))
    assert {column["name"] for column in found} == {column.name for column in TaskModel.__table__.columns}


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    found = Database(load_settings().ledger_url)
    yield found
    await found.close()
