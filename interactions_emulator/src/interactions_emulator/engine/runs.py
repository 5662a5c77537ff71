"""Runs interactions: calls the brain for the answer, adds its steps as virtual time passes, and stores the results."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, NamedTuple

from interactions_emulator.brain.protocol import Brain, Ending, Step, TimedStep, Turn
from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.interaction import Cursor, Interaction
from interactions_emulator.engine.notifier import Notifier
from interactions_emulator.engine.state_store import Journal, Record
from interactions_emulator.engine.steps import check_balance
from interactions_emulator.engine.usage import count_tokens, usage
from interactions_emulator.http.errors import Refused, not_found
from interactions_emulator.http.requests import Create

logger = logging.getLogger(__name__)

DAY_S = 86_400.0
NEVER = float("inf")
MAX_TIMELINES = 1_000
"""Maximum number of chains whose timelines are cached."""


class Run:
    """An interaction with the task that answers it, and a notifier for the streams that follow it."""

    def __init__(self, interaction: Interaction, stored: bool = True) -> None:
        self.interaction = interaction
        self.stored = stored
        self.due: float | None = None
        """Virtual time of the next step; None while the brain works."""
        self.task: asyncio.Task[None] | None = None
        self.changed = Notifier()
        self.pending: list[TimedStep | Ending] = []
        """The part of the brain's answer that is not yet in the interaction, in reverse order."""

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


class _Timeline(NamedTuple):
    """All input and output steps of a chain of interactions."""

    until: float
    """When the first interaction of the chain expires, in virtual seconds since 1970."""
    steps: tuple[Step, ...]


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
        self.stored: dict[str, Interaction] = {key: _restored(value) for key, value in journal.read("interaction")}
        """Maps ids to interactions, oldest first."""
        self.creates: dict[str, int] = dict(journal.read("creates"))
        """Maps the fingerprint of each API key to the number of interactions ever accepted."""
        self._hops: dict[str, dict[str, Any]] = dict(journal.read("hop"))
        self._journal = journal
        self._brain = brain
        self._settled = Notifier()
        self._retention = retention_days * DAY_S
        self._max_stored = max_stored
        self._on_ended = on_ended
        self._timelines: dict[str, _Timeline] = {}
        """Maps the id of a chain's last interaction to the chain, as a cache: requests need not read whole chains."""

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
            id="v1_emu_" + base64.urlsafe_b64encode(secrets.token_bytes(18)).decode(),
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
        records: list[Record] = [("creates", key, self.creates[key]), ("clock", "now", now)]
        if run.stored:
            self.stored[interaction.id] = interaction
            records.append(("interaction", interaction.id, interaction))
        self._journal.write(*records)
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
        history = self._history(request.previous)
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
        return turn, 0, _tokens_before(last, history)

    def _history(self, previous: str | None) -> tuple[Step, ...]:
        """Return the timeline of the chain that ends with `previous`. Raises `Refused` if any link is gone."""
        links: list[Interaction] = []
        last, cached = previous, _Timeline(NEVER, ())
        while previous:
            timeline = self._timelines.pop(previous, None)
            if timeline and timeline.until > self.clock.now():
                cached = timeline
                break
            interaction = self._stored(previous)
            if not interaction.finished:
                raise Refused(
                    400,
                    f"Interaction {previous} is still {interaction.status}: continue it when it has ended",
                )
            links.append(interaction)
            previous = interaction.previous
        until = min([cached.until, *(link.created + self._retention for link in links)])
        steps = (*cached.steps, *(step for link in reversed(links) for step in (*link.input, *link.steps)))
        if last:
            self._timelines[last] = _Timeline(until, steps)
            if len(self._timelines) > MAX_TIMELINES:
                del self._timelines[next(iter(self._timelines))]
        return steps

    def _begin(self, run: Run) -> None:
        interaction = run.interaction
        assert interaction.turn is not None
        self.live[interaction.id] = run
        if not interaction.background:  # the client waits: answer without a task if possible
            answer = _immediate_answer(self._brain, interaction.turn)
            if answer is not None:
                run.pending = _pending_part(answer, interaction)
                if self._add_due_steps(run):
                    return
        run.task = asyncio.create_task(self._work(run))

    async def _work(self, run: Run) -> None:
        interaction = run.interaction
        assert interaction.turn is not None
        if not run.pending:
            answer = await asyncio.to_thread(_whole_answer, self._brain, interaction)
            run.pending = _pending_part(answer, interaction)
        while not self._add_due_steps(run):
            self._settled.notify_all()
            await self.clock.until(run.due or 0.0)

    def _add_due_steps(self, run: Run) -> bool:
        """Add the steps that are due. Return whether the interaction has ended.

        Waits add up from the time of creation, so that neither the brain's computing time nor a stopped server
        makes a run longer.
        """
        interaction = run.interaction
        while run.pending:
            entry = run.pending[-1]
            if isinstance(entry, Ending):
                break
            moment = NEVER if interaction.zombie else interaction.updated + entry.wait
            if not self.clock.reaches(moment):
                run.due = moment
                return False
            run.due = None
            run.pending.pop()
            self._update(interaction, moment)
            interaction.steps.append(entry.step)
            if run.stored:
                self._journal.write(("interaction", interaction.id, interaction))
            run.changed.notify_all()
        self._finish(run)
        return True

    def _update(self, interaction: Interaction, moment: float) -> None:
        interaction.updated = moment
        interaction.shown = interaction.shown[0], self.clock.shown(moment)

    def _cancel(self, run: Run) -> None:
        if run.interaction.finished:
            return
        if run.task:
            run.task.cancel()
        self._update(run.interaction, max(run.interaction.updated, self.clock.now()))
        run.pending = [Ending("cancelled")]
        self._finish(run)

    def _finish(self, run: Run) -> None:
        interaction = run.interaction
        assert interaction.turn is not None
        calls = any(step["type"] == "function_call" for step in interaction.steps)
        ending = run.pending.pop() if run.pending else Ending("requires_action" if calls else "completed")
        assert isinstance(ending, Ending)
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
        self._timelines.clear()  # the interaction may be part of any cached chain
        del self.stored[interaction_id]
        self._hops.pop(f"hop_{interaction_id}", None)
        self._journal.write(("interaction", interaction_id, None), ("hop", f"hop_{interaction_id}", None))


def _tokens_before(last: Interaction | None, history: tuple[Step, ...]) -> dict[str, int]:
    """The tokens of `history`, which ends with `last`. Counts only `last` if the tokens before it are known."""
    if last is None or last.tokens_before is None:
        return count_tokens(history)
    return count_tokens((*last.input, *last.steps), last.tokens_before)


def _immediate_answer(brain: Brain, turn: Turn) -> Iterable[TimedStep | Ending] | None:
    """The brain's answer if it is a list or tuple; None if a thread has to compute it."""
    try:
        answer = brain(turn)
    except Exception:  # the thread calls the brain again and reports the failure
        return None
    return answer if isinstance(answer, (list, tuple)) else None


def _whole_answer(brain: Brain, interaction: Interaction) -> Iterable[TimedStep | Ending]:
    """A copy of the brain's whole answer; an exception in the brain becomes a failed ending."""
    assert interaction.turn is not None
    answer: list[TimedStep | Ending] = []
    try:
        for entry in brain(interaction.turn):
            answer.append(
                entry if isinstance(entry, Ending) else TimedStep(entry.wait, json.loads(json.dumps(entry.step)))
            )
    except Exception as error:
        logger.exception("the brain failed in interaction %s", interaction.id)
        answer.append(_failed(f"The brain failed: {type(error).__name__}: {error}"))
    return answer


def _pending_part(answer: Iterable[TimedStep | Ending], interaction: Interaction) -> list[TimedStep | Ending]:
    """The rest of an answer in reverse order: without earlier hops and the steps that the interaction already has."""
    hops = 0
    present = list(interaction.steps)
    left: list[TimedStep | Ending] = []
    for entry in answer:
        if hops < interaction.hop:
            hops += isinstance(entry, Ending)
        elif isinstance(entry, Ending):
            left.append(entry)
            break
        elif not present:
            left.append(entry)
        elif entry.step != present.pop(0):
            return [_failed("After a restart of the server the brain gave another answer than before.")]
    return left[::-1]


def _failed(message: str) -> Ending:
    return Ending("failed", ({"code": "internal_error", "message": message},))


_FORMER_FIELDS = {"head": "echoed", "read": "tokens_before"}
"""Maps names of fields in older state files to their present names in `Interaction`."""


def _restored(record: dict[str, Any]) -> Interaction:
    shown = tuple(record.get("shown") or (record["created"], record["updated"]))  # older state files have no "shown"
    fields = {_FORMER_FIELDS.get(name, name): value for name, value in record.items()}
    return Interaction(**{**fields, "turn": _turn_of(record["turn"]) if record["turn"] else None, "shown": shown})


def _turn_of(record: dict[str, Any]) -> Turn:
    return Turn(**record | {key: tuple(record[key]) for key in ("steps", "tools", "modalities")})
