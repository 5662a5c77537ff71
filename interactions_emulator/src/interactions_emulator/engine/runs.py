"""Runs interactions: calls the brain for the answer, adds its steps as virtual time passes, and stores the results."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from interactions_emulator.brain.protocol import Brain, Ending, Entry, TextDelta, Turn
from interactions_emulator.engine.answer_reader import immediate_answer, read_answer
from interactions_emulator.engine.chains import Chains, tokens_before
from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.interaction import Cursor, Interaction, OpenStep
from interactions_emulator.engine.notifier import Notifier
from interactions_emulator.engine.state_store import Journal, Record
from interactions_emulator.engine.usage import usage
from interactions_emulator.errors import Refused, not_found
from interactions_emulator.ids import interaction_id
from interactions_emulator.requests.create import Create
from interactions_emulator.requests.input_steps import check_balance

DAY_S = 86_400.0
NEVER = float("inf")


class Run:
    """An interaction with the task that answers it, and a notifier for the streams that follow it."""

    def __init__(self, interaction: Interaction, stored: bool = True) -> None:
        self.interaction = interaction
        self.stored = stored
        self.due: float | None = None
        """Virtual time of the next step; None while the brain works."""
        self.task: asyncio.Task[None] | None = None
        self.changed = Notifier()
        self.pending: deque[Entry] = deque()
        """The part of the brain's answer that has come and is not yet in the interaction."""
        self.read = False
        """Whether the whole answer of the brain has come."""
        self.arrived = Notifier()
        """Notifies when a part of the brain's answer has come."""

    async def follow(self, cursor: Cursor) -> AsyncIterator[list[bytes]]:
        """Yield the events after the cursor: first the present ones, then each new one."""
        while not cursor.done:
            frames = cursor.read()
            if frames:
                yield frames
            else:  # wait only after an empty read: new events may have come during the yield
                await self.changed.wait()

    async def wait_until_finished(self) -> None:
        """Return when the interaction has ended."""
        while not self.interaction.finished:
            await self.changed.wait()


class Runs:
    """All interactions, in progress and ended. Works within one event loop.

    At most `max_stored` interactions are stored; a further one replaces the oldest that has ended. `on_ended` is called
    with each interaction that ends.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        brain: Brain,
        *,
        retention_days: float,
        max_stored: int,
        on_ended: Callable[[Interaction], None],
    ) -> None:
        self.clock = clock
        self.live: dict[str, Run] = {}
        self.stored = OrderedDict((key, _restored(value)) for key, value in journal.read("interaction"))
        """Maps ids to interactions, oldest first. A dict would take long to find its first item after deletions."""
        self.creates: dict[str, int] = dict(journal.read("creates"))
        """Maps the fingerprint of each API key to the number of interactions ever accepted."""
        self._hops: dict[str, dict[str, Any]] = dict(journal.read("hop"))
        self._journal = journal
        self._brain = brain
        self._settled = Notifier()
        self._retention = retention_days * DAY_S
        self._max_stored = max_stored
        self._on_ended = on_ended
        self._chains = Chains(self._stored, self._retention, clock.now)

    def resume(self) -> None:
        """Continue the interactions that were in progress when the last server with this state file ended."""
        for interaction in list(self.stored.values()):
            if not interaction.finished:
                self._begin(Run(interaction))

    async def stop(self) -> None:
        """Stop the tasks, not the interactions: the next server with this state file continues them."""
        tasks = [run.task for run in self.live.values() if run.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def create(self, request: Create, documents_url: str, key: str, zombie: bool = False) -> Run:
        """Accept a request and begin its run. Raises `Refused` if the chain before it cannot be continued.

        A foreground run is already complete on return if the brain returns a list and no step has to wait.
        """
        turn, hop, tokens_before = self._turn(request, documents_url)
        if request.store:
            self._enforce_limit()
        now = self.clock.now()
        interaction = Interaction(
            id=interaction_id(),
            background=request.background,
            echoed=request.echoed,
            input=list(request.input),
            turn=turn,
            created=now,
            updated=now,
            shown=(self.clock.shown(now),) * 2,
            previous=request.previous,
            tokens_before=tokens_before,
            hop=hop,
            zombie=zombie,
        )
        run = Run(interaction, stored=request.store)
        self.creates[key] = self.creates.get(key, 0) + 1
        with self._journal:
            self._journal.write(("creates", key, self.creates[key]), ("clock", "now", now))
            if run.stored:
                self.stored[interaction.id] = interaction
                self._save(run)
            self._begin(run)
        return run

    def find(self, interaction_id: str) -> Run:
        """Return the run of a stored interaction. Raises `Refused` (404) if it is unknown, deleted or expired."""
        interaction = self._stored(interaction_id)
        return self.live.get(interaction_id) or Run(interaction)

    def cancel(self, interaction_id: str) -> Run:
        """Cancel a background run; a run that has ended stays unchanged. Raises `Refused` (404, 400)."""
        run = self.find(interaction_id)
        if not run.interaction.background:
            raise Refused(400, f"Interaction {interaction_id} does not run in the background and cannot be cancelled")
        self._cancel(run)
        return run

    def delete(self, interaction_id: str) -> None:
        """Cancel an interaction and delete it. Raises `Refused` (404)."""
        self._cancel(self.find(interaction_id))
        self._remove(interaction_id)

    async def wait_until_settled(self) -> None:
        """Return when each run has added all steps that are due."""
        while any(run.due is None or run.due <= self.clock.now() for run in self.live.values()):
            await self._settled.wait()

    def save_time(self) -> None:
        """Save the virtual time for the next server with this state file."""
        self._journal.write(("clock", "now", self.clock.now()))

    def _stored(self, interaction_id: str) -> Interaction:
        interaction = self.stored.get(interaction_id)
        if interaction is None:
            raise not_found(interaction_id)
        if interaction.created + self._retention <= self.clock.now():
            if interaction.finished:
                self._remove(interaction_id)
            raise not_found(interaction_id)
        return interaction

    def _turn(self, request: Create, documents_url: str) -> tuple[Turn, int, dict[str, int] | None]:
        """Return the brain's input, the number of earlier hops of its answer, and the tokens before this input."""
        if request.continuation_token is not None:
            hop = self._hops.get(request.continuation_token)
            if hop is None or request.previous not in (None, hop["id"]):
                raise Refused(
                    400,
                    f"continuation_token {request.continuation_token!r} is not one that this server gave"
                    f" for {request.previous or 'this request'}: send the request without it, from the start",
                )
            return _turn_of(hop["turn"]), hop["hop"], None
        history = self._chains.steps_until(request.previous)
        last = self.stored[request.previous] if request.previous else None
        check_balance(tuple(last.steps) if last else (), request.input)
        echoed = request.echoed
        turn = Turn(
            target=request.target,
            is_agent=request.is_agent,
            steps=(*history, *request.input),
            fresh=len(request.input),
            tools=tuple(echoed.get("tools", ())),
            system_instruction=echoed.get("system_instruction", ""),
            response_schema=request.response_schema,
            modalities=request.modalities,
            generation_config=request.generation_config,
            agent_config=echoed.get("agent_config", {}),
            documents_url=documents_url,
        )
        return turn, 0, tokens_before(last, history)

    def _begin(self, run: Run) -> None:
        interaction = run.interaction
        assert interaction.turn is not None
        self.live[interaction.id] = run
        if interaction.zombie:
            run.due = NEVER
            return
        if not interaction.background:  # the client waits: answer without a task if possible
            answer = immediate_answer(self._brain, interaction.turn, interaction.hop)
            if answer is not None:
                run.pending, run.read = deque(answer), True
                if self._advance(run):
                    return
        run.task = asyncio.create_task(self._work(run))

    async def _work(self, run: Run) -> None:
        if not run.read:
            assert run.interaction.turn is not None
            turn = replace(run.interaction.turn, answered=tuple(run.interaction.steps))
            arguments = run, turn, asyncio.get_running_loop()
            threading.Thread(target=self._read, args=arguments, name="brain", daemon=True).start()
        while not self._advance(run):
            self._settled.notify_all()
            await (run.arrived.wait() if run.due is None else self.clock.until(run.due))

    def _read(self, run: Run, turn: Turn, loop: asyncio.AbstractEventLoop) -> None:
        """Read the brain's answer in a thread, until its end or the end of the interaction."""
        interaction = run.interaction

        def add(*entries: Entry) -> None:
            run.pending.extend(entries)
            run.read = not entries
            run.arrived.notify_all()

        with suppress(RuntimeError), closing(read_answer(self._brain, turn, interaction.hop, interaction.id)) as answer:
            for entry in answer:
                loop.call_soon_threadsafe(add, entry)  # RuntimeError: the server has stopped
                if interaction.finished:
                    return
            loop.call_soon_threadsafe(add)

    def _advance(self, run: Run) -> bool:
        """Do all due work, in one transaction of the state file. Return whether the interaction has ended."""
        with self._journal:
            return self._add_due_entries(run)

    def _add_due_entries(self, run: Run) -> bool:
        """Add the steps and texts that are due. Return whether the interaction has ended.

        Waits add up from the time of creation, so that neither the brain's computing time nor a stopped server
        makes a run longer.
        """
        interaction = run.interaction
        run.due = None
        while run.pending:
            entry = run.pending[0]
            if isinstance(entry, Ending):
                break
            if isinstance(entry, TextDelta):
                self._write(run, entry)
            else:
                moment = interaction.updated + entry.wait
                if not self.clock.reaches(moment):
                    run.due = moment
                    return False
                self._update(interaction, moment)
                self._close_step(run)
                interaction.steps.append(entry.step)
                self._save(run)
            run.pending.popleft()
            run.changed.notify_all()
        if not run.pending and not run.read:
            return False
        self._finish(run)
        return True

    def _write(self, run: Run, delta: TextDelta) -> None:
        """Add a piece to the step that is being written; open it if necessary."""
        interaction = run.interaction
        if interaction.open is None or interaction.open.kind != delta.kind:
            self._close_step(run)
            interaction.open = OpenStep(delta.kind)
        if delta.text:
            interaction.open.pieces.append(delta.text)
        interaction.open.annotations += delta.annotations
        self._update(interaction, interaction.updated)

    def _close_step(self, run: Run) -> None:
        if run.interaction.open:
            run.interaction.close_step()
            self._save(run)

    def _save(self, run: Run) -> None:
        if run.stored:
            self._journal.write(("interaction", run.interaction.id, run.interaction))

    def _update(self, interaction: Interaction, moment: float) -> None:
        interaction.updated = moment
        interaction.shown = interaction.shown[0], self.clock.shown(moment)

    def _cancel(self, run: Run) -> None:
        if run.interaction.finished:
            return
        if run.task:
            run.task.cancel()
        self._update(run.interaction, max(run.interaction.updated, self.clock.now()))
        run.pending = deque([Ending("cancelled")])
        self._finish(run)

    def _finish(self, run: Run) -> None:
        interaction = run.interaction
        assert interaction.turn is not None
        interaction.close_step()
        if run.pending:
            ending = run.pending.popleft()
            assert isinstance(ending, Ending)
        else:
            calls = [step for step in interaction.steps if step["type"] == "function_call"]
            ending = Ending("requires_action" if calls else "completed")
        interaction.usage = usage(interaction.turn, interaction.steps, interaction.tokens_before)
        interaction.status = ending.status
        interaction.errors = list(ending.errors)
        records: list[Record] = [("clock", "now", self.clock.now())]
        if ending.status == "requires_continuation":
            token = f"hop_{interaction.id}"
            hop = {"id": interaction.id if run.stored else None, "turn": interaction.turn, "hop": interaction.hop + 1}
            interaction.continuation_token = token
            self._hops[token] = {**hop, "turn": vars(interaction.turn)}
            records.append(("hop", token, hop))
            if len(self._hops) > self._max_stored:
                oldest = next(iter(self._hops))
                del self._hops[oldest]
                records.append(("hop", oldest, None))
        interaction.turn = None
        if run.stored:
            records.append(("interaction", interaction.id, interaction))
        self._journal.write(*records)
        self.live.pop(interaction.id, None)
        self._settled.notify_all()
        run.changed.notify_all()
        self._on_ended(interaction)

    def _enforce_limit(self) -> None:
        """Delete the oldest ended interaction if the limit is reached. Raises `Refused` (429) if none has ended."""
        if len(self.stored) < self._max_stored:
            return None
        for key, interaction in self.stored.items():
            if interaction.finished:
                return self._remove(key)
        raise Refused(429, f"{self._max_stored} interactions are in progress already: cancel or delete some")

    def _remove(self, interaction_id: str) -> None:
        self._chains.clear()
        del self.stored[interaction_id]
        self._hops.pop(f"hop_{interaction_id}", None)
        self._journal.write(("interaction", interaction_id, None), ("hop", f"hop_{interaction_id}", None))


_FORMER_FIELDS = {"head": "echoed", "read": "tokens_before"}
"""Maps names of fields in older state files to their present names in `Interaction`."""


def _restored(record: dict[str, Any]) -> Interaction:
    shown = tuple(record.get("shown") or (record["created"], record["updated"]))  # older state files have no "shown"
    fields = {_FORMER_FIELDS.get(name, name): value for name, value in record.items()}
    # A step that was being written is lost: the brain writes it again.
    fields |= {"open": None, "pieces": {int(key): value for key, value in record.get("pieces", {}).items()}}
    return Interaction(**{**fields, "turn": _turn_of(record["turn"]) if record["turn"] else None, "shown": shown})


def _turn_of(record: dict[str, Any]) -> Turn:
    return Turn(**record | {key: tuple(record.get(key, ())) for key in ("steps", "tools", "modalities", "answered")})
