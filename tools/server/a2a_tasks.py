"""Stores A2A tasks and their push notification settings in the ledger's database.

Each statement is shielded, so that a client's disconnect does not cancel it.
"""

from __future__ import annotations

from typing import Any

from a2a.helpers import new_text_message
from a2a.server.context import ServerCallContext
from a2a.server.models import Base, create_push_notification_config_model, create_task_model
from a2a.server.tasks import DatabasePushNotificationConfigStore, DatabaseTaskStore
from a2a.types import ListTasksRequest, ListTasksResponse, Task, TaskPushNotificationConfig, TaskState
from a2a.utils.errors import InvalidParamsError
from sqlalchemy.orm.exc import StaleDataError

from tools.databases.shielded import shielded
from tools.research.database import Database
from tools.research.locks import Locks
from tools.research.timeouts import LOCK_LEASE_S
from tools.server.limits import MAX_HISTORY_BYTES, MAX_HISTORY_MESSAGES, MAX_LISTED_WITH_ARTIFACTS, MAX_RECEIVERS
from tools.server.middleware.session_lock import lock_name

_TASKS = create_task_model("desk_tasks")  # own table name: the database is shared with the ledger
_TASK_TABLE: Any = _TASKS.__table__  # type: ignore[attr-defined]
_PUSHES = create_push_notification_config_model("desk_pushes")
_UNDER_WAY = (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)
_BROKE_OFF = "The server ended in the middle. Send the message again, with its messageId: no research starts twice."


class _Head(Base):
    """A task without the columns that may be large."""

    __table__ = _TASK_TABLE
    __mapper_args__ = {"exclude_properties": ["artifacts", "history"]}  # noqa: RUF012
    artifacts = history = None
    task_metadata = _TASK_TABLE.c.metadata


class _Heads(DatabaseTaskStore):
    """Lists tasks without their artifacts and messages."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine, create_table=False, owner_resolver=user_of)
        self.task_model = _Head  # type: ignore[assignment]


class Tasks(DatabaseTaskStore):
    """The tasks of all replicas; each user sees their own. A task whose replica died is shown as failed."""

    def __init__(self, database: Database, locks: Locks) -> None:
        super().__init__(database.engine, create_table=False, owner_resolver=user_of)
        self.task_model = _TASKS
        self._database, self._locks, self._heads = database, locks, _Heads(database)

    async def initialize(self) -> None:
        await self._database.prepare()  # runs the ledger's migrations, which create the table
        await super().initialize()

    @shielded
    async def save(self, task: Task, context: ServerCallContext) -> None:
        _shorten_history(task)
        try:
            await super().save(task, context)
        except StaleDataError:  # it was deleted between two statements, with its conversation
            await super().save(task, context)

    @shielded
    async def delete(self, task_id: str, context: ServerCallContext) -> None:
        await super().delete(task_id, context)

    @shielded
    async def get(self, task_id: str, context: ServerCallContext) -> Task | None:
        task = await super().get(task_id, context)
        if task is None or not await self._broke_off(task, context):
            return task
        await self._locks.sleep(1)  # a turn that has just ended may not be saved yet
        task = await super().get(task_id, context)
        if task and task.status.state in _UNDER_WAY:
            _fail(task)
        return task

    @shielded
    async def list(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        found = await self._listed(params, context)
        if any([await self._broke_off(task, context) for task in found.tasks]):
            await self._locks.sleep(1)
            found = await self._listed(params, context)
            for task in found.tasks:
                if await self._broke_off(task, context):
                    _fail(task)
        return found

    async def _listed(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """Reads a page of tasks without their messages, and with artifacts only if these are asked for."""
        await self.initialize()
        if not params.include_artifacts:
            return await self._heads.list(params, context)
        short = ListTasksRequest()
        short.CopyFrom(params)
        short.page_size = min(params.page_size or MAX_LISTED_WITH_ARTIFACTS, MAX_LISTED_WITH_ARTIFACTS)
        found = await super().list(short, context)
        for task in found.tasks:
            task.ClearField("history")
        return found

    async def _broke_off(self, task: Task, context: ServerCallContext) -> bool:
        """Whether a running task has no turn with a lease. A task younger than `LOCK_LEASE_S` may not have one yet."""
        if (
            task.status.state not in _UNDER_WAY
            or self._locks.clock() - task.status.timestamp.ToSeconds() < LOCK_LEASE_S
        ):
            return False
        return not await self._locks.held(lock_name(user_of(context), task.context_id))


class Pushes(DatabasePushNotificationConfigStore):
    """Push notification settings of the tasks of all replicas; each user sees their own."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine, create_table=False, owner_resolver=user_of)
        self.config_model = _PUSHES
        self._database = database

    async def initialize(self) -> None:
        await self._database.prepare()  # runs the ledger's migrations, which create the table
        await super().initialize()

    @shielded
    async def get_info(self, task_id: str, context: ServerCallContext) -> list[TaskPushNotificationConfig]:
        return await super().get_info(task_id, context)

    @shielded
    async def delete_info(self, task_id: str, context: ServerCallContext, config_id: str | None = None) -> None:
        await super().delete_info(task_id, context, config_id)

    @shielded
    async def set_info(
        self, task_id: str, notification_config: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        known = {each.id for each in await self.get_info(task_id, context)} - {notification_config.id or task_id}
        if len(known) >= MAX_RECEIVERS:
            raise InvalidParamsError(f"A task may have at most {MAX_RECEIVERS} push notifications: delete one of them.")
        return await super().set_info(task_id, notification_config, context)


def user_of(context: ServerCallContext) -> str:
    """The user's id, as set by the gateway."""
    return context.user.user_name


def _shorten_history(task: Task) -> None:
    """Removes the oldest messages, in place: else the SDK would save them again."""
    kept = size = 0
    for message in reversed(task.history[-MAX_HISTORY_MESSAGES:]):
        size += message.ByteSize()
        if size > MAX_HISTORY_BYTES:
            break
        kept += 1
    del task.history[: len(task.history) - kept]


def _fail(task: Task) -> None:
    task.status.state = TaskState.TASK_STATE_FAILED
    task.status.message.CopyFrom(new_text_message(_BROKE_OFF, task_id=task.id, context_id=task.context_id))
