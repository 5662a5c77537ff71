"""Begins the executions of triggers at their times, follows them, and ends those that take too long."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.engine.runs import Runs
from interactions_emulator.errors import Refused
from interactions_emulator.ids import new_id
from interactions_emulator.triggers.registry import Execution, Trigger, Triggers

Begin = Callable[[Trigger], str]
"""Creates the interaction of a trigger and returns its id. Raises `Refused`."""


class Scheduler:
    """Fires the triggers in virtual time; with infinite speed only by `advance`, since they would fire for ever."""

    def __init__(self, triggers: Triggers, clock: Clock, runs: Runs, begin: Begin) -> None:
        self._triggers = triggers
        self._clock = clock
        self._runs = runs
        self._begin = begin
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._advancing = False

    def resume(self) -> None:
        """Continue with the triggers of the last server with this state file, which may have been killed."""
        for execution in list(self._triggers.running.values()):
            interaction = self._runs.stored.all.get(execution.interaction_id or "")
            if interaction is None:
                self._end(execution, "failed", "The server ended before the interaction began.", self._clock.now())
            elif interaction.finished:
                self.on_ended(interaction)
        if self._triggers.all:
            self.wake()

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """Look at the triggers again, because one of them has changed. The first call begins the work."""
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        self._changed.set()

    async def advance(self, seconds: float) -> None:
        """Advance the clock, and stop on the way at each time at which something is due. Raises ValueError."""
        self._clock.check_step(seconds)
        end = self._clock.now() + seconds
        self._advancing = True
        try:
            while (due := self._next_due()) is not None and due <= end:
                self._clock.advance(max(0.0, due - self._clock.now()))
                await self._runs.wait_until_settled()
                self._do_due()
        finally:
            self._advancing = False
            self._changed.set()
        self._clock.advance(max(0.0, end - self._clock.now()))

    def run_now(self, trigger: Trigger) -> Execution:
        """Execute a trigger now, whatever its schedule."""
        return self._execute(trigger, self._clock.now())

    def on_ended(self, interaction: Interaction) -> None:
        """Record the end of an interaction, if an execution began it."""
        for execution in list(self._triggers.running.values()):
            if execution.interaction_id == interaction.id:
                errors = " ".join(error["message"] for error in interaction.errors)
                status = "completed" if interaction.status == "completed" else "failed"
                self._end(execution, status, errors, interaction.updated)

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            if not self._advancing and not math.isinf(self._clock.speed):
                self._do_due()
            due = None if self._advancing else self._next_due()
            changed = asyncio.ensure_future(self._changed.wait())
            passed = asyncio.ensure_future(self._clock.passes(float("inf") if due is None else due))
            try:
                await asyncio.wait((changed, passed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
                passed.cancel()

    def _next_due(self) -> float | None:
        runs = [one.next_run_time for one in self._triggers.all.values() if one.next_run_time is not None]
        ends = [end for one in self._triggers.running.values() if (end := self._deadline(one)) is not None]
        return min([*runs, *ends], default=None)

    def _deadline(self, execution: Execution) -> float | None:
        seconds = self._triggers.find(execution.trigger_id).execution_timeout_seconds
        return execution.start_time + seconds if seconds else None

    def _do_due(self) -> None:
        now = self._clock.now()
        for execution in list(self._triggers.running.values()):
            deadline = self._deadline(execution)
            if deadline is not None and deadline <= now:
                self._end(execution, "timed_out", "The execution has taken longer than execution_timeout_seconds.", now)
                with suppress(Refused):  # the interaction was deleted
                    self._runs.cancel(execution.interaction_id or "")
        for trigger in list(self._triggers.all.values()):
            if trigger.next_run_time is not None and trigger.next_run_time <= now:
                self._execute(trigger, trigger.next_run_time)

    def _execute(self, trigger: Trigger, scheduled: float) -> Execution:
        now = self._clock.now()
        execution = Execution(new_id(), trigger.id, scheduled, now)
        if trigger.next_run_time is not None:
            trigger.next_run_time = trigger.next_after(now)
        if trigger.id in self._triggers.running:
            execution.status, execution.end_time = "skipped", now
            execution.error = "The previous execution is still in progress."
            self._triggers.save(trigger, execution)
            return execution
        trigger.last_run_time = now
        self._triggers.save(trigger, execution)
        try:
            interaction_id = self._begin(trigger)
        except Refused as refused:
            self._end(execution, "failed", refused.message, now)
            return execution
        execution.interaction_id = trigger.previous_interaction_id = interaction_id
        self._triggers.save(trigger, execution)
        return execution

    def _end(self, execution: Execution, status: str, error: str, moment: float) -> None:
        trigger = self._triggers.find(execution.trigger_id)
        execution.status, execution.end_time, execution.error = status, moment, error or None
        trigger.consecutive_failure_count = 0 if status == "completed" else trigger.consecutive_failure_count + 1
        most = trigger.max_consecutive_failures
        if most and trigger.consecutive_failure_count >= most:
            trigger.status, trigger.next_run_time = "error", None
        self._triggers.save(trigger, execution)
        self.wake()
