"""The desk for other agents, by the A2A protocol: ADK's executor behind the rules that every turn has here.

The card is `agents/desk/agent.json`, where ADK's own servers (`adk web --a2a`) look for it too.
"""

from __future__ import annotations

import json

from a2a.client.card_resolver import parse_agent_card
from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.models import create_task_model
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import DatabaseTaskStore, TaskUpdater
from a2a.types import AgentCard, ListTasksRequest, ListTasksResponse, Task, TaskState
from google.adk.a2a.converters.part_converter import A2APartToGenAIPartConverter
from google.adk.a2a.converters.request_converter import AgentRunRequest, convert_a2a_request_to_agent_run_request
from google.adk.a2a.executor.a2a_agent_executor import A2aAgentExecutor
from google.adk.a2a.executor.config import A2aAgentExecutorConfig
from starlette.routing import BaseRoute

from tools import recent
from tools.research.database import DATABASE_ERRORS, Database
from tools.server.answers import KEY, Answers
from tools.server.door import A2A, CARD, why
from tools.server.rates import Rates, TooMany
from tools.server.turns import LEASE, Busy, Turns, conversation
from tools.settings import ROOT

_TABLE = create_task_model("desk_tasks")  # of its own, since the database is the ledger's
_UNDER_WAY = (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)
_BROKE_OFF = "The server ended in the middle. Send the message again, with its messageId: no research starts twice."


def read_card(url: str, issuer: str) -> AgentCard:
    """The card of a server that others reach at `url`.

    Args:
        issuer: of the tokens that it asks for; empty: it asks for none, or a proxy does.
    """
    data = json.loads((ROOT / "agents" / "desk" / "agent.json").read_text(encoding="utf-8"))
    for interface in data["supportedInterfaces"]:
        interface["url"] = url.rstrip("/") + A2A
    if issuer:
        known = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        data["securitySchemes"] = {"oidc": {"openIdConnectSecurityScheme": {"openIdConnectUrl": known}}}
        data["securityRequirements"] = [{"schemes": {"oidc": {"list": []}}}]
    return parse_agent_card(data)


class A2AServer:
    """What `desk serve --a2a` serves besides."""

    def __init__(self, card: AgentCard, database: Database, turns: Turns, answers: Answers, rates: Rates) -> None:
        self._card = card
        self._handler = DefaultRequestHandler(Turn(turns, answers, rates), Tasks(database, turns), card)

    @property
    def routes(self) -> list[BaseRoute]:
        """The card, and JSON-RPC in the versions 1.0 and 0.3 of the protocol."""
        return [
            *create_agent_card_routes(self._card, card_url=CARD),
            *create_jsonrpc_routes(self._handler, A2A, enable_v0_3_compat=True),
        ]

    async def close(self) -> None:
        """Ends the turns under way; their researches go on."""
        await self._handler.aclose()


class Turn(AgentExecutor):
    """One turn: counted, alone in its conversation, and answered once however often its message comes."""

    def __init__(self, turns: Turns, answers: Answers, rates: Rates) -> None:
        self._turns, self._answers, self._rates = turns, answers, rates
        config = A2aAgentExecutorConfig(request_converter=_request)
        self._adk = A2aAgentExecutor(runner=answers.runner, config=config)

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id and context.context_id and context.message
        user = _user(context.call_context)
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        try:
            with self._rates.one(user):
                async with self._turns.one(conversation(user, context.context_id)):
                    key = context.message.message_id
                    given = await self._answers.given(user, context.context_id, key) if key else None
                    if given is None:
                        with recent.turn():
                            await self._adk.execute(context, event_queue)
                        return
        except (TooMany, Busy, *DATABASE_ERRORS) as error:
            await self._begin(context, event_queue)
            await task.reject(task.new_agent_message([new_text_part(why(error))]))
            return
        await self._begin(context, event_queue)
        texts = [part["text"] for event in given[-1:] for part in event["content"]["parts"] if part.get("text")]
        await task.add_artifact([new_text_part("".join(texts))])
        await task.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await self._adk.cancel(context, event_queue)

    async def _begin(self, context: RequestContext, event_queue: EventQueue) -> None:
        if context.current_task is None and context.message:
            await event_queue.enqueue_event(new_task_from_user_message(context.message))


class Tasks(DatabaseTaskStore):
    """The tasks of all replicas; each user sees their own. One whose replica died is said to have failed."""

    def __init__(self, database: Database, turns: Turns) -> None:
        super().__init__(database.engine, create_table=False, owner_resolver=_user)
        self.task_model = _TABLE
        self._database, self._turns = database, turns

    async def initialize(self) -> None:
        async with self._database.begin():  # makes the table
            await super().initialize()

    async def get(self, task_id: str, context: ServerCallContext) -> Task | None:
        task = await super().get(task_id, context)
        if task is None or not await self._broke_off(task, context):
            return task
        await self._turns.sleep(1)  # a turn that has just ended here is about to be written down
        task = await super().get(task_id, context)
        if task and task.status.state in _UNDER_WAY:
            _fail(task)
        return task

    async def list(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        found = await super().list(params, context)
        if any([await self._broke_off(task, context) for task in found.tasks]):
            await self._turns.sleep(1)
            found = await super().list(params, context)
            for task in found.tasks:
                if await self._broke_off(task, context):
                    _fail(task)
        return found

    async def _broke_off(self, task: Task, context: ServerCallContext) -> bool:
        """Whether nobody works on a task that is under way; what has just begun may not have its lease yet."""
        if task.status.state not in _UNDER_WAY or self._turns.clock() - task.status.timestamp.ToSeconds() < LEASE:
            return False
        return not await self._turns.held(conversation(_user(context), task.context_id))


def _fail(task: Task) -> None:
    task.status.state = TaskState.TASK_STATE_FAILED
    task.status.message.CopyFrom(new_text_message(_BROKE_OFF, task_id=task.id, context_id=task.context_id))


def _user(context: ServerCallContext) -> str:
    return context.user.user_name


def _request(context: RequestContext, part_converter: A2APartToGenAIPartConverter) -> AgentRunRequest:
    """As ADK makes it, with the name of the message on every event."""
    request = convert_a2a_request_to_agent_run_request(context, part_converter)
    assert request.run_config and context.message
    if key := context.message.message_id:
        request.run_config.custom_metadata = {**(request.run_config.custom_metadata or {}), KEY: key}
    return request
