"""A brain that is a real model, behind any OpenAI-compatible address.

with Emulator(brain=ModelBrain(url="http://localhost:11434/v1", model="qwen3")) as api:
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from interactions_emulator.brain.model.attached_documents import attached_corpus
from interactions_emulator.brain.model.budget import Asker
from interactions_emulator.brain.model.chat import Abilities, Chat
from interactions_emulator.brain.model.chat_client import ChatClient, ChatError, describe_problem
from interactions_emulator.brain.model.deep_research import Research
from interactions_emulator.brain.model.limits import ResearchLimits
from interactions_emulator.brain.model.sources import Library
from interactions_emulator.brain.model.timeouts import SILENCE_TIMEOUT_S
from interactions_emulator.brain.protocol import Ending, Entry, Turn
from interactions_emulator.corpus.index import Corpus

__all__ = ["ModelBrain", "ResearchLimits"]


@dataclass(frozen=True)
class ModelBrain:
    """A model on a server: a brain for `Emulator(brain=...)`."""

    url: str
    """Address before `/chat/completions`, such as http://localhost:11434/v1."""
    model: str
    key: str = field(default="", repr=False)
    """API key of the model server, if it needs one."""
    search_url: str = ""
    """Address that is searched besides the corpus; see `sources.search_http`."""
    limits: ResearchLimits = field(default_factory=ResearchLimits)
    """Limits of Deep Research."""
    timeout_s: float = SILENCE_TIMEOUT_S
    """Longest silence of the server, in seconds."""
    corpus: Corpus | None = None
    """The documents that the tool google_search and Deep Research search; the server sets them."""
    abilities: Abilities = field(default_factory=Abilities, repr=False, compare=False)

    def __call__(self, turn: Turn) -> Iterator[Entry]:
        try:
            corpora = ((self.corpus, turn.documents_url),) if self.corpus else ()
            if turn.is_agent and turn.target.startswith("deep-research"):
                library = Library(((attached_corpus(turn.steps), ""), *corpora), self.search_url)
                yield from Research(turn, Asker(self.client, self.limits), library).entries()
            else:
                yield from Chat(turn, self.client, Library(corpora, self.search_url), self.abilities).answer()
        except ChatError as error:
            yield Ending("failed", ({"code": error.code, "message": error.message},))

    def __str__(self) -> str:
        return f"{self.model} at {self.client.address}"

    @cached_property
    def client(self) -> ChatClient:
        """The client of the model server."""
        return ChatClient(self.url, self.model, self.key, self.timeout_s)

    def with_corpus(self, corpus: Corpus) -> ModelBrain:
        """This brain with documents to search, unless it has some."""
        return self if self.corpus else replace(self, corpus=corpus)

    def problem(self) -> str:
        """A sentence that says why the model cannot answer now; "" if no reason is known."""
        return describe_problem(self.client)
