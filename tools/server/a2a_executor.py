"""Runs the turns that other agents ask for by the A2A protocol.

It replaces ADK's `A2aAgentExecutor` (2.13): that sends each answer twice, its newer form accepts no plain-text answer
to a question (`handle_user_input`), and both forms show clients the text of any exception.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from a2a.helpers import new_task, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Part, TaskState
from google.adk.a2a.converters.long_running_functions import LongRunningFunctions
from google.adk.a2a.converters.part_converter import convert_genai_part_to_a2a_part
from google.adk.a2a.converters.request_converter import AgentRunRequest, convert_a2a_request_to_agent_run_request
from google.adk.errors.input_validation_error import InputValidationError
from google.adk.events import Event
from google.adk.sessions.base_session_service import GetSessionConfig

from tools.adk.contents import parts_of
from tools.privacy.plugin import FORGOTTEN_KEY
from tools.research.locks import Locked, Locks
from tools.researcher.confirmation import AWAITS_INPUT_KEY
from tools.server.a2a_handler import a2a_error_text
from tools.server.a2a_tasks import user_of
from tools.server.error_handlers import KeyReused
from tools.server.middleware.idempotency import DIGEST_KEY, MESSAGE_KEY, IdempotencyStore
from tools.server.middleware.rate_limit import RateLimited, RateLimiter
from tools.server.middleware.session_lock import Turn, lock_name
from tools.server.protected_fields import FUNCTION_PARTS_REFUSED


class TurnExecutor(AgentExecutor):
    """Runs one turn, with rate limit and session lock. A message id that was answered before is not run again."""

    def __init__(
        self,
        locks: Locks,
        idempotency: IdempotencyStore,
        rate_limiter: RateLimiter,
        turn: Turn,
    ) -> None:
        self._locks, self._idempotency, self._rate_limiter, self._turn = locks, idempotency, rate_limiter, turn

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id and context.context_id and context.message
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        before = context.current_task.status.state if context.current_task else None
        if before is None:
            history = [context.message]
            begun = new_task(task.task_id, task.context_id, TaskState.TASK_STATE_SUBMITTED, history=history)
            await event_queue.enqueue_event(begun)
        user = user_of(context.call_context)
        try:
            with self._rate_limiter.limit(user):
                async with (
                    self._locks.hold(lock_name(user, context.context_id)),
                    self._turn(user, context.context_id, context.message.ByteSize()),
                ):
                    state, parts = await self._answer(context, task)
        except Exception as error:  # a task that waited for an answer keeps that state
            refused = isinstance(error, RateLimited | Locked | KeyReused)
            state = before or (TaskState.TASK_STATE_REJECTED if refused else TaskState.TASK_STATE_FAILED)
            parts = [new_text_part(a2a_error_text(error))]
        await task.update_status(state, task.new_agent_message(parts) if parts else None)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id and context.context_id
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()

    async def _answer(self, context: RequestContext, task: TaskUpdater) -> tuple[TaskState, list[Part]]:
        """Sends progress and artifacts; returns the task's final state and the parts of its status message."""
        ending: tuple[TaskState, list[Part]] = (TaskState.TASK_STATE_COMPLETED, [])
        forms = LongRunningFunctions()
        events = await self._events(context)
        await task.start_work()
        async with aclosing(events):
            async for event in events:
                if _has_forgotten(event) and context.current_task:  # else the SDK would save the deleted contents again
                    del context.current_task.history[:], context.current_task.artifacts[:]
                parts = _parts(forms.process_event(event))
                if event.error_code:
                    parts = parts or [new_text_part(event.error_message or event.error_code)]
                    ending = (TaskState.TASK_STATE_FAILED, parts)
                elif parts and event.partial:
                    await task.start_work(task.new_agent_message(parts))
                elif parts and _asks(event):
                    ending = (TaskState.TASK_STATE_INPUT_REQUIRED, parts)
                elif parts:
                    ending = (TaskState.TASK_STATE_COMPLETED, [])
                    await task.add_artifact(parts, last_chunk=True)
        if form := forms.create_long_running_function_call_event(task.task_id, task.context_id):
            return form.status.state, list(form.status.message.parts)
        return ending

    async def _events(self, context: RequestContext) -> AsyncGenerator[Event, None]:
        """Returns the turn's events: the stored ones if the message was answered before, else a new turn's."""
        request, runner = _request(context), self._idempotency.runner
        assert request.user_id and request.session_id and request.run_config and request.new_message
        if any(part.function_call or part.function_response for part in request.new_message.parts or ()):
            raise InputValidationError(FUNCTION_PARTS_REFUSED)
        metadata = request.run_config.custom_metadata or {}
        if key := metadata.get(MESSAGE_KEY):
            given = await self._idempotency.replay(request.user_id, request.session_id, key, metadata[DIGEST_KEY])
            if given is not None:
                return _replayed(given)
        app, user, session, sessions = runner.app_name, request.user_id, request.session_id, runner.session_service
        no_events = GetSessionConfig(num_recent_events=0)
        if not await sessions.get_session(app_name=app, user_id=user, session_id=session, config=no_events):
            await sessions.create_session(app_name=app, user_id=user, session_id=session)
        return runner.run_async(**vars(request))


async def _replayed(given: list[dict[str, Any]]) -> AsyncGenerator[Event, None]:
    for event in given:
        yield Event.model_validate(event)


def _parts(event: Event) -> list[Part]:
    """The texts and files of an event. Thoughts are sent only as progress; tool calls are never sent."""
    parts = parts_of(event.content)
    shown = [p for p in parts if (p.text or p.inline_data or p.file_data) and (event.partial or not p.thought)]
    found = [convert_genai_part_to_a2a_part(part) for part in shown]
    return [part for part in found if part is not None]


def _asks(event: Event) -> bool:
    return bool((event.custom_metadata or {}).get(AWAITS_INPUT_KEY))


def _has_forgotten(event: Event) -> bool:
    """Whether an event confirms that this turn deleted the conversation."""
    return bool((event.custom_metadata or {}).get(FORGOTTEN_KEY))


def _request(context: RequestContext) -> AgentRunRequest:
    """ADK's run request, with the message's id and digest in the metadata of every event."""
    request = convert_a2a_request_to_agent_run_request(context)
    assert request.run_config and request.new_message and context.message
    if key := context.message.message_id:
        digest = hashlib.sha256(request.new_message.model_dump_json().encode()).hexdigest()[:32]
        request.run_config.custom_metadata = {
            **(request.run_config.custom_metadata or {}),
            MESSAGE_KEY: key,
            DIGEST_KEY: digest,
        }
    return request
