"""Runs: interactions being answered by the brain, whether or not anybody listens."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

from interactions_emulator import events
from interactions_emulator.clock import Clock
from interactions_emulator.errors import Refused, not_found
from interactions_emulator.pulse import Pulse
from interactions_emulator.request import Create
from interactions_emulator.state import Interaction, State
from interactions_emulator.steps import check_balance
from interactions_emulator.turn import Beat, Brain, Step, Turn
from interactions_emulator.usage import usage

logger = logging.getLogger(__name__)

DAY = 86_400.0


class Ending(Exception):
    """Raised by a brain that ends an interaction otherwise than by completing it.

    `status` is `failed`, `incomplete`, `budget_exceeded` or `cancelled`; `errors` is what the resource's
    `errors` and the stream's `error` events say, each `{"code": ..., "message": ...}`.
    """

    def __init__(self, status: str, errors: list[dict[str, str]]) -> None:
        super().__init__(status)
        self.status = status
        self.errors = errors


class Run:
    """An interaction and those who wait for it."""

    def __init__(self, interaction: Interaction, stored: bool = True) -> None:
        self.interaction = interaction
        self.stored = stored
        self.due: float | None = None
        """The virtual time it waits for; None while the brain works."""
        self.task: asyncio.Task[None] | None = None
        self.changed = Pulse()

    async def follow(self, position: int = 0) -> AsyncIterator[str]:
        """Yield the events after the first `position`: those that are there, then those to come."""
        interaction = self.interaction
        while True:
            while position < len(interaction.events):
                yield interaction.events[position]
                position += 1
            if interaction.finished:
                return
            await self.changed.wait()

    async def finished(self) -> None:
        """Return when the interaction has ended."""
        while not self.interaction.finished:
            await self.changed.wait()


class Runs:
    """All interactions, in progress and past. Lives on one event loop; the brain works in threads."""

    def __init__(self, state: State, clock: Clock, brain: Brain, retention_days: float) -> None:
        self.state = state
        self.clock = clock
        self.live: dict[str, Run] = {}
        self._brain = brain
        self._rested = Pulse()
        self._retention = retention_days * DAY

    def resume(self) -> None:
        """Go on with what was in progress when the last server on this state ended."""
        for interaction in self.state.unfinished():
            self._begin(Run(interaction))

    async def stop(self) -> None:
        """End the work, not the interactions: the next server on this state goes on with them."""
        tasks = [run.task for run in self.live.values() if run.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def create(self, request: Create, documents_url: str) -> Run:
        """Accept a request and begin its run. Raises `Refused` if the chain before it cannot be continued."""
        history = self._history(request.previous)
        check_balance(history, request.input)
        turn = Turn(
            target=request.target,
            is_agent=request.is_agent,
            steps=(*history, *request.input),
            fresh=len(request.input),
            tools=tuple(request.head.get("tools", ())),
            system_instruction=request.head.get("system_instruction", ""),
            response_schema=request.response_schema,
            generation_config=request.head.get("generation_config", {}),
            agent_config=request.head.get("agent_config", {}),
            documents_url=documents_url,
        )
        now = self.clock.now()
        interaction = Interaction(
            id="v1_emu_" + base64.urlsafe_b64encode(secrets.token_bytes(18)).decode(),
            background=request.background,
            head=request.head,
            input=list(request.input),
            turn=turn,
            created=now,
            updated=now,
            previous=request.previous,
        )
        run = Run(interaction, stored=request.store)
        self._append(run, events.opening(_summary(interaction)))
        if run.stored:
            self.state.add(interaction)
        else:
            self.state.count_create(interaction.id)
        self._begin(run)
        return run

    def find(self, interaction_id: str) -> Run:
        """Return a stored interaction. Raises `Refused` (404) if there is none, or no longer."""
        run = self.live.get(interaction_id)
        if run is None or not run.stored:
            stored = self.state.get(interaction_id)
            if stored is None:
                raise not_found(interaction_id)
            run = Run(stored)
        if run.interaction.created + self._retention <= self.clock.now():
            raise not_found(interaction_id)
        return run

    def cancel(self, interaction_id: str) -> Run:
        """Cancel a background run; one that has ended stays as it ended. Raises `Refused` (404, 400)."""
        run = self.find(interaction_id)
        if not run.interaction.background:
            raise Refused(400, f"Interaction {interaction_id} does not run in the background: only those are cancelled")
        self._cancel(run)
        return run

    def delete(self, interaction_id: str) -> None:
        """Forget an interaction, cancelling it first. Raises `Refused` (404)."""
        self._cancel(self.find(interaction_id))
        self.state.delete(interaction_id)

    async def settle(self) -> None:
        """Return when each run has gone as far as virtual time lets it."""
        while any(run.due is None or run.due <= self.clock.now() for run in self.live.values()):
            await self._rested.wait()

    def _history(self, previous: str | None) -> tuple[Step, ...]:
        """Return the timeline of the chain that ends with `previous`; each link has to be there still."""
        links: list[Interaction] = []
        while previous:
            interaction = self.find(previous).interaction
            if not interaction.finished:
                raise Refused(
                    400,
                    f"Interaction {previous} is still {interaction.status}: continue it when it has ended",
                )
            links.append(interaction)
            previous = interaction.previous
        return tuple(step for link in reversed(links) for step in (*link.input, *link.steps))

    def _begin(self, run: Run) -> None:
        self.live[run.interaction.id] = run
        run.task = asyncio.create_task(self._work(run))

    async def _work(self, run: Run) -> None:
        interaction = run.interaction
        assert interaction.turn is not None
        told = len(interaction.steps)
        try:
            beats = await asyncio.to_thread(self._beats, interaction.turn)
            position = 0
            while (beat := await asyncio.to_thread(next, beats, None)) is not None:
                if position < told:
                    _check_same(beat.step, interaction.steps[position])
                else:
                    await self._tell(run, beat)
                position += 1
            calls = any(step["type"] == "function_call" for step in interaction.steps)
            self._finish(run, "requires_action" if calls else "completed")
        except Ending as ending:
            self._finish(run, ending.status, ending.errors)
        except Exception as error:
            logger.exception("the brain failed in interaction %s", interaction.id)
            message = f"The brain failed: {type(error).__name__}: {error}"
            self._finish(run, "failed", [{"code": "internal_error", "message": message}])

    def _beats(self, turn: Turn) -> Iterator[Beat]:
        return iter(self._brain(turn))

    async def _tell(self, run: Run, beat: Beat) -> None:
        """Wait for the moment of a step, then add it and its events.

        Waits add up from the moment of creation, so that neither the brain's thinking nor a server that was
        down for a while makes a run longer.
        """
        interaction = run.interaction
        step = json.loads(json.dumps(beat.step))
        new = events.step_events(step, len(interaction.steps))
        moment = interaction.updated + beat.wait
        run.due = moment
        self._rested.beat()
        await self.clock.until(moment)
        run.due = None
        interaction.updated = moment
        interaction.steps.append(step)
        added = self._append(run, new)
        if run.stored:
            self.state.add_step(interaction, added)
        run.changed.beat()

    def _cancel(self, run: Run) -> None:
        if run.interaction.finished:
            return
        if run.task:
            run.task.cancel()
        run.interaction.updated = max(run.interaction.updated, self.clock.now())
        self._finish(run, "cancelled")

    def _finish(self, run: Run, status: str, errors: list[dict[str, str]] | None = None) -> None:
        interaction = run.interaction
        assert interaction.turn is not None
        interaction.usage = usage(interaction.turn, interaction.steps)
        interaction.status = status
        interaction.errors = errors or []
        interaction.turn = None
        end = _summary(interaction) | {"usage": interaction.usage}
        added = self._append(run, events.closing(end, interaction.errors))
        if run.stored:
            self.state.finish(interaction, added)
        self.live.pop(interaction.id, None)
        self._rested.beat()
        run.changed.beat()

    def _append(self, run: Run, new: list[events.Event]) -> int:
        lines = run.interaction.events
        for event in new:
            lines.append(events.numbered(event, run.interaction.id, len(lines) + 1))
        return len(new)


def resource(interaction: Interaction, include_input: bool = False) -> dict[str, Any]:
    """Return the resource as POST and GET answer it.

    `steps` is what the interaction put out. With `include_input` the steps of its own input stand before
    them. The documentation is not clear about whether GET shows them without being asked; here it does not.
    """
    body = _summary(interaction) | interaction.head
    body["steps"] = [*(interaction.input if include_input else ()), *interaction.steps]
    if interaction.usage is not None:
        body["usage"] = interaction.usage
    if interaction.errors:
        body["errors"] = interaction.errors
    return body


def _summary(interaction: Interaction) -> dict[str, Any]:
    """Return the fields that the lifecycle events carry too."""
    named = ("model", "agent", "service_tier")
    return {
        "id": interaction.id,
        "status": interaction.status,
        "object": "interaction",
        "created": events.timestamp(interaction.created),
        "updated": events.timestamp(interaction.updated),
        **{key: interaction.head[key] for key in named if key in interaction.head},
    }


def _check_same(now: Step, before: Step) -> None:
    if json.loads(json.dumps(now)) != before:
        raise RuntimeError("after a restart of the server the brain gave another answer than before")
