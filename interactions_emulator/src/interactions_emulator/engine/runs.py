"""Runs interactions: calls the brain for the answer, adds its steps as virtual time passes, and stores the results."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace

from interactions_emulator.brain.protocol import Brain, Ending, Entry, TextDelta, Turn
from interactions_emulator.engine.answer_reader import immediate_answer, read_answer
from interactions_emulator.engine.chains import tokens_before
from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.continuations import Continuations
from interactions_emulator.engine.interaction import Interaction, OpenStep
from interactions_emulator.engine.notifier import Notifier
from interactions_emulator.engine.run import Run
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.engine.stored_interactions import StoredInteractions
from interactions_emulator.engine.usage import usage
from interactions_emulator.errors import Refused
from interactions_emulator.ids import interaction_id
from interactions_emulator.requests.create import Create
from interactions_emulator.requests.input_steps import check_balance

NEVER = float("inf")


class Runs:
    """All interactions, in progress and ended; see `StoredInteractions`. Works within one event loop.

    `on_ended` is called with each interaction that ends.
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
        self._continuations = Continuations(journal, max_stored)
        self.stored = StoredInteractions(journal, clock, self._continuations, retention_days, max_stored)
        self.creates: dict[str, int] = dict(journal.read("creates"))
        """Maps the fingerprint of each API key to the number of interactions ever accepted."""
        self._journal = journal
        self._brain = brain
        self._settled = Notifier()
        self._on_ended = on_ended

    def resume(self) -> None:
        """Continue the interactions that were in progress when the last server with this state file ended."""
        for interaction in list(self.stored.all.values()):
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
            self.stored.enforce_limit()
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
                self.stored.all[interaction.id] = interaction
                self._save(run)
            self._begin(run)
        return run

    def find(self, interaction_id: str) -> Run:
        """Return the run of a stored interaction. Raises `Refused` (404) if it is unknown, deleted or expired."""
        interaction = self.stored.find(interaction_id)
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
        self.stored.remove(interaction_id)

    async def wait_until_settled(self) -> None:
        """Return when each run has added all steps that are due."""
        while any(run.due is None or run.due <= self.clock.now() for run in self.live.values()):
            await self._settled.wait()

    def save_time(self) -> None:
        """Save the virtual time for the next server with this state file."""
        self._journal.write(("clock", "now", self.clock.now()))

    def _turn(self, request: Create, documents_url: str) -> tuple[Turn, int, dict[str, int] | None]:
        """Return the brain's input, the number of earlier hops of its answer, and the tokens before this input."""
        if request.continuation_token is not None:
            turn, hop = self._continuations.find(request.continuation_token, request.previous)
            return turn, hop, None
        history = self.stored.chains.steps_until(request.previous)
        last = self.stored.all[request.previous] if request.previous else None
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
            self.stored.save(run.interaction)

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
        with self._journal:
            self.save_time()
            if ending.status == "requires_continuation":
                interaction.continuation_token = self._continuations.add(interaction, run.stored)
            interaction.turn = None
            self._save(run)
        self.live.pop(interaction.id, None)
        self._settled.notify_all()
        run.changed.notify_all()
        self._on_ended(interaction)
