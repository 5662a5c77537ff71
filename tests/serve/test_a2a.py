"""Other agents call the desk by A2A: with the client of the A2A SDK, and with ADK's agent for remote agents."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from a2a.auth.user import User
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.helpers import get_artifact_text, get_message_text, new_text_artifact, new_text_message
from a2a.server.context import ServerCallContext
from a2a.server.models import PushNotificationConfigModel, TaskModel
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
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
from sqlalchemy import inspect, text
from sqlalchemy.event import listen

from interactions_emulator import Emulator
from tests.kill.test_kill import researches, until
from tests.serve.conftest import AUDIENCE, Issuer, Serve
from tools.research.database import Database
from tools.research.locks import Locks
from tools.research.timeouts import LOCK_LEASE_S
from tools.server.a2a_handler import A2A_INTERNAL_ERROR
from tools.server.a2a_tasks import Tasks
from tools.server.limits import MAX_HISTORY_BYTES, MAX_HISTORY_MESSAGES, MAX_LISTED_WITH_ARTIFACTS
from tools.server.middleware.idempotency import IdempotencyStore
from tools.server.middleware.session_lock import lock_name
from tools.server.paths import CARD_PATH
from tools.server.settings import agent_address
from tools.settings import SettingsError, load_settings

REPORT = "research tides"
YES = "yes, start the research"


@pytest.fixture
def url(serve: Serve, issuer: Issuer, api: Emulator) -> str:
    api.set_speed(math.inf)
    return str(serve(a2a=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE).base_url)


class Caller:
    """Another agent, which calls the desk with a token."""

    def __init__(self, url: str, token: str = "", streaming: bool = True, version: str = "1.0") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(base_url=url, headers=headers, timeout=300)
        self.streaming, self.version = streaming, version

    async def client(self) -> Client:
        card: AgentCard = await A2ACardResolver(self.http, str(self.http.base_url), CARD_PATH).get_agent_card()
        spoken = [each for each in card.supported_interfaces if each.protocol_version == self.version]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(spoken)
        return ClientFactory(ClientConfig(streaming=self.streaming, httpx_client=self.http)).create(card)

    async def ask(self, words: str, context: str = "c1", message_id: str = "", task_id: str = "") -> Task:
        """Sends a message and returns the task in its final state."""
        message = new_text_message(words, context_id=context, task_id=task_id, role=Role.ROLE_USER)
        message.message_id = message_id or message.message_id
        return await self.send(message)

    async def send(self, message: Message, configuration: SendMessageConfiguration | None = None) -> Task:
        client, task_id = await self.client(), ""
        async for answer in client.send_message(SendMessageRequest(message=message, configuration=configuration)):
            task_id = answer.task.id or answer.status_update.task_id or answer.artifact_update.task_id
        return await client.get_task(GetTaskRequest(id=task_id))

    async def call(self, method: str, params: Any, id_: Any = 1) -> dict[str, Any]:
        """Sends JSON-RPC unchanged, with lone surrogates as escapes, and returns the answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        headers = {"content-type": "application/json", "a2a-version": "1.0" if method[0].isupper() else "0.3"}
        answer = await self.http.post("/a2a/desk", content=body, headers=headers)
        assert answer.status_code < 500, answer.text
        for internal in ("SELECT", "INSERT", "sqlalchemy", "sqlite", "asyncpg", "Traceback", "/tools/"):
            assert internal not in answer.text
        if answer.headers["content-type"].startswith("text/event-stream"):
            return dict(json.loads(answer.text.partition("data: ")[2].splitlines()[0]))
        return dict(answer.json())


def said(task: Task) -> str:
    """The text of a task's last artifact, or else of its status."""
    return get_artifact_text(task.artifacts[-1]) if task.artifacts else get_message_text(task.status.message)


async def test_the_agent_card_needs_no_token_and_names_the_token_issuer(url: str, issuer: Issuer) -> None:
    card = await A2ACardResolver(httpx.AsyncClient(), url, CARD_PATH).get_agent_card()
    assert {skill.id for skill in card.skills} >= {"research", "questions", "weather", "moderation", "pictures"}
    assert {each.url for each in card.supported_interfaces} == {f"{url}/a2a/desk"}
    scheme = card.security_schemes["oidc"].open_id_connect_security_scheme
    assert scheme.open_id_connect_url == f"{issuer.url}/.well-known/openid-configuration"


@pytest.mark.parametrize("streaming", [True, False])
async def test_an_a2a_client_gets_an_answer(url: str, issuer: Issuer, streaming: bool) -> None:
    caller = Caller(url, issuer.token("robot"), streaming)
    task = await caller.ask("weather in Lisbon")
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert "WEATHER Lisbon" in said(task)


def message(text: str, version: str, **more: Any) -> dict[str, Any]:
    part = {"text": text} if version == "1.0" else {"kind": "text", "text": text}
    role = "ROLE_USER" if version == "1.0" else "user"
    return {"message": {"messageId": "m1", "contextId": "c1", "role": role, "parts": [part], **more}}


METHODS = {"1.0": ("SendMessage", "SendStreamingMessage"), "0.3": ("message/send", "message/stream")}


@pytest.mark.parametrize("version", METHODS)
async def test_an_answer_is_sent_once_and_stored_once(url: str, issuer: Issuer, version: str) -> None:
    for words, answer in (("weather in Lisbon", "WEATHER Lisbon"), (REPORT, "The moon moves the sea")):
        for method in METHODS[version]:
            caller = Caller(url, issuer.token(f"{method} {words}"))
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": message(words, version)}
            sent = await caller.http.post("/a2a/desk", json=body, headers={"a2a-version": version})
            assert sent.text.count(answer) == 1, (method, words)
            (listed,) = (await (await caller.client()).list_tasks(ListTasksRequest(include_artifacts=True))).tasks
            assert str(listed).count(answer) == 1, (method, words)
            assert listed.status.state == TaskState.TASK_STATE_COMPLETED
            assert answer in get_artifact_text(listed.artifacts[-1])


@pytest.mark.parametrize(
    ("version", "streaming"),
    [
        ("1.0", True),
        ("0.3", False),
        pytest.param("1.0", False, marks=pytest.mark.nightly),
        pytest.param("0.3", True, marks=pytest.mark.nightly),
    ],
)
async def test_a_question_sets_input_required_and_its_answer_completes_the_task(
    asks: None, url: str, issuer: Issuer, api: Emulator, version: str, streaming: bool
) -> None:
    caller = Caller(url, issuer.token("robot"), streaming, version)
    asked = await caller.ask("deep research max on the research of tides")
    assert asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    for fact in ("`deep-research-max-preview-04-2026`", "about $3 to $7", "Nothing was started. Say **yes**"):
        assert fact in said(asked)
    assert not asked.artifacts
    assert researches(api) == []
    done = await caller.ask(YES, task_id=asked.id)
    assert (done.id, done.status.state) == (asked.id, TaskState.TASK_STATE_COMPLETED)
    assert "# Tides" in said(done)
    assert len(researches(api)) == 1
    assert "about $3 to $7" in str(done.history)


async def test_a_yes_in_the_same_context_starts_the_run_without_a_task_id(
    asks: None, url: str, issuer: Issuer, api: Emulator
) -> None:
    caller = Caller(url, issuer.token("robot"))
    asked = await caller.ask(REPORT)
    assert (asked.status.state, researches(api)) == (TaskState.TASK_STATE_INPUT_REQUIRED, [])
    elsewhere = await caller.ask(YES, context="c2")
    assert (elsewhere.context_id, researches(api)) == ("c2", [])
    done = await caller.ask(YES)
    assert (done.context_id, done.status.state) == (asked.context_id, TaskState.TASK_STATE_COMPLETED)
    assert "# Tides" in said(done)
    assert len(researches(api)) == 1


async def test_an_unanswered_question_is_repeated_and_stays_open(
    asks: None, url: str, issuer: Issuer, api: Emulator
) -> None:
    caller = Caller(url, issuer.token("robot"))
    asked = await caller.ask(REPORT)
    still = await caller.ask("what will the research cost?", task_id=asked.id)
    assert (still.id, still.status.state) == (asked.id, TaskState.TASK_STATE_INPUT_REQUIRED)
    assert "waits for your yes: about $1 to $3" in said(still)
    assert researches(api) == []
    done = await caller.ask(YES, task_id=asked.id)
    assert (done.status.state, len(researches(api))) == (TaskState.TASK_STATE_COMPLETED, 1)


async def test_an_order_sent_twice_leaves_its_question_open(asks: None, url: str, issuer: Issuer) -> None:
    caller = Caller(url, issuer.token("robot"))
    first = await caller.ask(REPORT, message_id="m1")
    again = await caller.ask(REPORT, message_id="m1")
    assert again.status.state == first.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    assert said(again) == said(first)


async def test_a_yes_sent_twice_starts_one_run(asks: None, url: str, issuer: Issuer, api: Emulator) -> None:
    caller = Caller(url, issuer.token("robot"))
    await caller.ask(REPORT)
    first = await caller.ask(YES, message_id="m1")
    again = await caller.ask(YES, message_id="m1")
    assert said(again) == said(first)
    assert len(researches(api)) == 1


async def test_an_answer_during_another_turn_leaves_the_question_open(
    url: str, issuer: Issuer, database: Database
) -> None:
    caller = Caller(url, issuer.token("robot"))
    asked = await caller.ask("forget this conversation")
    async with Locks(database).hold(lock_name("robot", "c1")):
        early = await caller.ask("yes, forget it", task_id=asked.id)
    assert early.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    assert "another turn of this conversation is under way" in said(early)
    done = await caller.ask("yes, forget it", task_id=asked.id)
    assert (done.id, done.status.state) == (asked.id, TaskState.TASK_STATE_COMPLETED)


async def test_an_open_question_can_be_answered_at_another_replica(
    url: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    """The other replica reads the question from the database."""
    asked = await Caller(url, issuer.token("robot")).ask("forget this conversation")
    other = str(serve(a2a=True).base_url)
    done = await Caller(other, issuer.token("robot")).ask("yes, forget it", task_id=asked.id)
    assert (done.id, done.status.state) == (asked.id, TaskState.TASK_STATE_COMPLETED)


async def test_research_ordered_by_a2a_returns_its_report(url: str, issuer: Issuer, api: Emulator) -> None:
    task = await Caller(url, issuer.token("robot")).ask(REPORT)
    assert "# Tides" in said(task)
    assert len(researches(api)) == 1


async def test_a2a_requests_without_a_valid_token_get_401(url: str, issuer: Issuer) -> None:
    for token in ("", issuer.token("robot", exp=1), "nonsense"):
        with pytest.raises(A2AClientError, match="401"):
            await Caller(url, token).ask("Hello!")


async def test_tasks_and_conversations_of_another_user_are_not_found(url: str, issuer: Issuer) -> None:
    ada, bob = Caller(url, issuer.token("ada")), Caller(url, issuer.token("bob"))
    task = await ada.ask("Hello!")
    with pytest.raises(TaskNotFoundError):
        await (await bob.client()).get_task(GetTaskRequest(id=task.id))
    own = "/apps/desk/users/me/sessions/c1"
    assert (await ada.http.get(own)).status_code == 200
    assert (await bob.http.get(own)).status_code == 404


async def test_a_message_sent_twice_is_answered_once(url: str, issuer: Issuer, api: Emulator) -> None:
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


async def test_a_second_turn_in_the_same_context_is_rejected(url: str, issuer: Issuer, database: Database) -> None:
    async with Locks(database).hold(lock_name("robot", "c1")):
        task = await Caller(url, issuer.token("robot")).ask("Hello!")
    assert task.status.state == TaskState.TASK_STATE_REJECTED
    assert "another turn of this conversation is under way" in said(task)


async def test_a_task_whose_replica_died_is_reported_as_failed(database: Database) -> None:
    now = 1_000_000.0

    async def sleep(seconds: float) -> None:
        return

    turns = Locks(database, clock=lambda: now, sleep=sleep)
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

    assert await state() == TaskState.TASK_STATE_WORKING  # its turn may not have a lease yet
    async with Locks(database, clock=lambda: now).hold(lock_name("robot", "c1")):
        now += LOCK_LEASE_S - 1
        assert await state() == TaskState.TASK_STATE_WORKING
        now += LOCK_LEASE_S + 1  # its process has died: no process renews the lease
        assert await state() == TaskState.TASK_STATE_FAILED


async def test_a_task_keeps_its_newest_messages_and_a_list_reads_no_large_columns(database: Database) -> None:
    tasks, robot = Tasks(database, Locks(database)), ServerCallContext(user=Robot())
    for number in range(MAX_LISTED_WITH_ARTIFACTS + 1):
        task = Task(id=f"t{number}", context_id="c1", artifacts=[new_text_artifact("answer", "a report")])
        task.status.state = TaskState.TASK_STATE_COMPLETED
        task.history.append(new_text_message("x" * MAX_HISTORY_BYTES))
        task.history.extend(new_text_message(f"message {each}") for each in range(MAX_HISTORY_MESSAGES + number))
        await tasks.save(task, robot)
        stored = await tasks.get(task.id, robot)
        assert stored and len(stored.history) == MAX_HISTORY_MESSAGES
        assert get_message_text(stored.history[-1]) == f"message {MAX_HISTORY_MESSAGES + number - 1}"
    large = new_text_message("x" * MAX_HISTORY_BYTES)
    task.history.append(large)
    await tasks.save(task, robot)
    assert not task.history
    read = list[str]()
    listen(database.engine.sync_engine, "before_cursor_execute", lambda *given: read.append(given[2]))
    listed = await tasks.list(ListTasksRequest(), robot)
    assert not any(name in statement for statement in read for name in ("artifacts", "history"))
    assert len(listed.tasks) == MAX_LISTED_WITH_ARTIFACTS + 1
    assert not any(each.artifacts or each.history for each in listed.tasks)
    listed = await tasks.list(ListTasksRequest(include_artifacts=True, page_size=50), robot)
    assert [(len(each.artifacts), len(each.history)) for each in listed.tasks] == [(1, 0)] * MAX_LISTED_WITH_ARTIFACTS
    assert listed.next_page_token


def test_the_public_address_is_taken_from_the_local_host_or_must_be_set() -> None:
    assert agent_address("", "127.0.0.1", 8080) == "http://127.0.0.1:8080"
    assert agent_address("https://desk.example", "0.0.0.0", 8080) == "https://desk.example"
    with pytest.raises(SettingsError, match="DESK_PUBLIC_URL is missing"):
        agent_address("", "0.0.0.0", 8080)


class Robot(User):
    """The user "robot"."""

    is_authenticated = True
    user_name = "robot"


async def test_forgetting_a_conversation_deletes_its_a2a_tasks(asks: None, url: str, issuer: Issuer) -> None:
    caller = Caller(url, issuer.token("robot"))
    task = await caller.ask("Hello!")
    question = await caller.ask(REPORT)
    asked = await caller.ask("forget this conversation", task_id=question.id)
    assert "It cannot be undone" in said(asked)
    receipt = await caller.ask("yes, forget it", task_id=asked.id)
    assert "2 tasks of other agents: deleted" in said(receipt)
    assert "tides" not in str(receipt), "the task that continues must not restore its old history"
    with pytest.raises(TaskNotFoundError):
        await (await caller.client()).get_task(GetTaskRequest(id=task.id))


LONG = "x" * 200
ASKED: dict[str, tuple[str, Any]] = {
    "context": ("SendMessage", message("hello", "1.0", contextId=LONG)),
    "message": ("SendMessage", message("hello", "1.0", messageId="m" * 2000)),
    "task": ("SendMessage", message("hello", "1.0", taskId=LONG)),
    "referred task": ("SendMessage", message("hello", "1.0", referenceTaskIds=["t1", LONG])),
    "streamed": ("SendStreamingMessage", message("hello", "1.0", contextId=LONG)),
    "control characters": ("SendMessage", message("hello", "1.0", contextId="a\nb")),
    "white space": ("SendMessage", message("hello", "1.0", contextId=" c1 ")),
    "get": ("GetTask", {"id": LONG}),
    "cancel": ("CancelTask", {"id": LONG}),
    "subscribe": ("SubscribeToTask", {"id": LONG}),
    "list": ("ListTasks", {"contextId": LONG}),
    "push": ("CreateTaskPushNotificationConfig", {"taskId": LONG, "url": "https://a.example/"}),
    "push id": ("CreateTaskPushNotificationConfig", {"taskId": "t1", "id": "p" * 300, "url": "https://a.example/"}),
    "push get": ("GetTaskPushNotificationConfig", {"taskId": "t1", "id": "p" * 300}),
    "push list": ("ListTaskPushNotificationConfigs", {"taskId": LONG}),
    "push delete": ("DeleteTaskPushNotificationConfig", {"taskId": LONG, "id": "p"}),
    "0.3 context": ("message/send", message("hello", "0.3", contextId=LONG)),
    "0.3 message": ("message/send", message("hello", "0.3", messageId=LONG)),
    "0.3 streamed": ("message/stream", message("hello", "0.3", taskId=LONG)),
    "0.3 get": ("tasks/get", {"id": LONG}),
    "0.3 cancel": ("tasks/cancel", {"id": LONG}),
    "0.3 resubscribe": ("tasks/resubscribe", {"id": LONG}),
    "0.3 push": (
        "tasks/pushNotificationConfig/set",
        {"taskId": LONG, "pushNotificationConfig": {"url": "https://a.example/"}},
    ),
}


async def test_an_invalid_id_is_refused_before_anything_is_stored(url: str, issuer: Issuer, database: Database) -> None:
    caller = Caller(url, issuer.token("robot"))
    says = r"`\w+` must have at most \d+ printable characters, without spaces at either end\."
    for name, (method, params) in ASKED.items():
        error = (await caller.call(method, params))["error"]
        assert (error["code"], bool(re.fullmatch(says, error["message"]))) == (-32602, True), (name, error)
        assert await rows(database) == [], name


async def rows(database: Database) -> list[str]:
    return [history for (history,) in await database.execute(text("SELECT history FROM desk_tasks"), {})]


@pytest.mark.parametrize("version", METHODS)
async def test_unsafe_characters_do_not_break_a_request(
    url: str, issuer: Issuer, database: Database, version: str
) -> None:
    send = METHODS[version][0]
    for number, bad in enumerate(("\0", "\ud800", "\x1b")):
        caller = Caller(url, issuer.token(f"robot{number}"))
        before = len(await rows(database))
        answer = await caller.call(send, message(f"weather{bad} in Lisbon", version, metadata={f"k{bad}": [bad]}))
        assert "result" in answer, repr(bad)
        stored = await rows(database)
        assert len(stored) == before + 1 and all(stored), repr(bad)
        data = {"data": {f"k{bad}": bad}} if version == "1.0" else {"kind": "data", "data": {f"k{bad}": bad}}
        assert "result" in await caller.call(send, message("", version, messageId="m2", parts=[data])), repr(bad)
        for params in (message("hello", version, contextId=f"c{bad}"), message("hello", version, messageId=f"m{bad}")):
            await caller.call(send, params)
        await caller.call(f"{send}{bad}", {})
        await caller.call(send, message("hello", version, messageId="m3"), id_=f"1{bad}")


async def test_a_database_error_is_reported_without_its_text(url: str, issuer: Issuer, database: Database) -> None:
    caller = Caller(url, issuer.token("robot"))
    task = await caller.ask("Hello!")
    await database.execute(text("ALTER TABLE desk_tasks RENAME TO elsewhere"), {})
    for method, params in (("GetTask", {"id": task.id}), ("SendMessage", message("hello", "1.0")), ("ListTasks", {})):
        error = (await caller.call(method, params))["error"]
        # A missing table counts as a refused value.
        assert error["message"].startswith("the database refuses a value of this request")


async def test_an_unexpected_error_is_reported_without_its_text(
    url: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def given(*arguments: Any) -> Any:
        raise RuntimeError("SELECT of /tools/secret")

    monkeypatch.setattr(IdempotencyStore, "replay", given)
    caller = Caller(url, issuer.token("robot"))
    answer = await caller.call("SendMessage", message("hello", "1.0"))
    status = answer["result"]["task"]["status"]
    assert (status["state"], status["message"]["parts"]) == ("TASK_STATE_FAILED", [{"text": A2A_INTERNAL_ERROR}])


async def test_a_message_id_that_was_used_for_another_message_is_refused(url: str, issuer: Issuer) -> None:
    caller = Caller(url, issuer.token("robot"))
    await caller.ask("Hello!", message_id="m1")
    other = await caller.ask("weather in Lisbon", message_id="m1")
    assert other.status.state == TaskState.TASK_STATE_REJECTED
    assert "another message" in said(other)


async def test_an_adk_agent_can_call_the_desk_as_a_remote_agent(url: str, issuer: Issuer) -> None:
    http = httpx.AsyncClient(headers={"Authorization": f"Bearer {issuer.token('robot')}"}, timeout=300)
    desk = RemoteA2aAgent("research_desk", agent_card=url + CARD_PATH, httpx_client=http)
    runner = InMemoryRunner(desk, app_name="elsewhere")
    await runner.session_service.create_session(app_name="elsewhere", user_id="u", session_id="s")
    message = types.UserContent("weather in Lisbon")
    events = [event async for event in runner.run_async(user_id="u", session_id="s", new_message=message)]
    texts = [part.text or "" for event in events if event.content for part in event.content.parts or []]
    assert any("WEATHER Lisbon" in text for text in texts)


async def test_the_a2a_tables_have_the_columns_that_the_sdk_expects(database: Database) -> None:
    tables = await database.read(lambda connection: inspect(connection).get_multi_columns())
    for table, model in (("desk_tasks", TaskModel), ("desk_pushes", PushNotificationConfigModel)):
        names = {column["name"] for column in tables[None, table]}
        assert names == {column.name for column in model.__table__.columns}


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    found = Database(load_settings().ledger_url)
    yield found
    await found.close()
