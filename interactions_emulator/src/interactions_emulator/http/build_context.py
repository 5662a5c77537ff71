"""Builds the parts of a server from its settings: state, clock, documents and brain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from interactions_emulator.agents.registry import Agents
from interactions_emulator.brain.protocol import Brain, Entry, Turn
from interactions_emulator.engine.clock import Clock
from interactions_emulator.engine.interaction import Interaction
from interactions_emulator.engine.runs import Runs
from interactions_emulator.engine.state_store import Journal
from interactions_emulator.faults.matching import Faults
from interactions_emulator.file_search.stores import Stores
from interactions_emulator.files.blobs import Blobs
from interactions_emulator.files.references import with_files
from interactions_emulator.files.registry import Files
from interactions_emulator.files.uploads import Uploads
from interactions_emulator.http.context import AppContext, Documents
from interactions_emulator.http.settings import Settings
from interactions_emulator.http.trigger_routes import begin_execution
from interactions_emulator.recording.replay import Replay
from interactions_emulator.scenarios import ScenarioFile, Script, load_scenarios
from interactions_emulator.triggers.registry import Triggers
from interactions_emulator.triggers.scheduler import Scheduler
from interactions_emulator.webhooks.delivery import Deliveries
from interactions_emulator.webhooks.registry import Webhooks

if TYPE_CHECKING:
    from interactions_emulator.corpus.index import Corpus


@runtime_checkable
class SearchingBrain(Protocol):
    """A brain that searches the server's corpus, such as `brain.model.ModelBrain`."""

    def with_corpus(self, corpus: Corpus) -> Brain: ...


def build_context(
    settings: Settings,
    journal: Journal,
    documents: Documents | None,
    brain: Brain,
    closing: asyncio.Event,
    crash: Callable[[], None] | None = None,
    on_corpus: Callable[[Corpus], Brain] | None = None,
) -> AppContext:
    """Build the parts of the application. Setting `closing` stops the server.

    `on_corpus` makes a brain that searches other documents; None: `brain` itself handles the tool `file_search`.
    """
    loaded = ScenarioFile() if settings.scenarios is None else load_scenarios(settings.scenarios)
    clock = _clock(settings.speed, journal)
    blobs = Blobs(settings.state and settings.state.with_name(settings.state.name + ".files"))
    files = Files(journal, clock, blobs, settings.limits.files)
    stores = Stores(journal, clock, blobs, settings.limits.files)
    agents = Agents(journal, play_all=settings.brain is not None or bool(loaded.scenarios))
    if settings.brain is None:
        brain = agents.only_research(brain)
    if on_corpus:
        brain = _with_file_search(brain, on_corpus, stores)
    script = Script(loaded.scenarios, brain, loaded.strict)
    webhooks = Webhooks(journal, clock, settings.webhook_hosts)
    deliveries = Deliveries(journal, clock, webhooks)
    triggers = Triggers(journal, clock)

    def on_ended(interaction: Interaction) -> None:
        deliveries.deliver(interaction)
        scheduler.on_ended(interaction)

    runs = Runs(
        journal,
        clock,
        with_files(agents.with_definitions(script), files),
        retention_days=settings.retention_days,
        max_stored=settings.limits.max_stored,
        on_ended=on_ended,
    )
    scheduler = Scheduler(triggers, clock, runs, lambda trigger: begin_execution(context, trigger))
    context = AppContext(
        runs=runs,
        faults=Faults(settings.faults),
        webhooks=webhooks,
        deliveries=deliveries,
        files=files,
        stores=stores,
        agents=agents,
        triggers=triggers,
        scheduler=scheduler,
        uploads=Uploads(journal, blobs, settings.limits.files),
        documents=documents,
        replay=Replay(loaded.exchanges, loaded.strict and not loaded.scenarios) if loaded.exchanges else None,
        script=script,
        crash=crash or closing.set,
        token=settings.token,
        limits=settings.limits,
        closing=closing,
    )
    return context


def _clock(speed: float, journal: Journal) -> Clock:
    """A clock. With speed 0 it starts at the stored time, otherwise at the later of the stored and the real time."""
    stored = next((value for _, value in journal.read("clock")), None)
    if stored is None:
        return Clock(speed)
    return Clock(speed, start=stored if speed == 0 else max(stored, time.time()))


def corpus_and_brain(settings: Settings) -> tuple[Documents | None, Brain, Callable[[Corpus], Brain] | None]:
    """The documents, the brain that searches them, and a function that makes the same brain for other documents."""
    documents: Corpus | None = None
    brain = settings.brain
    if brain is None or isinstance(brain, SearchingBrain) or settings.corpus is not None:
        from interactions_emulator.corpus.index import Corpus

        if settings.corpus and settings.corpus.is_file():
            raise NotADirectoryError(f"the corpus {settings.corpus} is a file: name the folder of your documents")
        if settings.index and settings.index.is_dir():
            raise IsADirectoryError(f"the index {settings.index} is a folder: name a file, which may not exist yet")
        documents = Corpus.open(settings.corpus, settings.index)
        if isinstance(brain, SearchingBrain):
            return documents, brain.with_corpus(documents), brain.with_corpus
        if brain is None:
            return documents, _quoting_brain(documents), _quoting_brain
    return documents, brain, None


def _quoting_brain(corpus: Corpus) -> Brain:
    """The built-in brain, which quotes the corpus. Its module is imported on the first turn."""

    @cache
    def brain() -> Brain:
        from interactions_emulator.brain import make_brain

        return make_brain(corpus)

    def answer(turn: Turn) -> Iterator[Entry]:
        yield from brain()(turn)

    return answer


def _with_file_search(brain: Brain, on_corpus: Callable[[Corpus], Brain], stores: Stores) -> Brain:
    """A brain that searches stores for turns with the tool `file_search`, whose modules are imported then."""

    @cache
    def searching() -> Brain:
        from interactions_emulator.file_search.search import FileSearch

        return FileSearch(brain, on_corpus, stores)

    def answer(turn: Turn) -> Iterable[Entry]:
        return (searching() if any(tool["type"] == "file_search" for tool in turn.tools) else brain)(turn)

    return answer
