"""Asks the model within a budget of tokens and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from interactions_emulator.brain.model.chat_client import ChatClient

CHARS_PER_TOKEN = 3
"""Cautious estimate, for texts in any language."""
PROMPT_TOKENS = 400
"""Tokens that instructions and headings need, besides question and sources."""


class BudgetSpent(Exception):
    """The tokens or the time of a research run are used up."""


@dataclass(frozen=True)
class ResearchLimits:
    """Limits of a research run. A server that is started again in the middle of a run counts from zero."""

    context: int = 4096
    """Tokens of the model's context; each request of the run stays below it. The default is Ollama's."""
    minutes: float = 60.0
    tokens: int = 1_000_000
    now: Callable[[], float] = time.monotonic

    @property
    def answer_tokens(self) -> int:
        """Maximum tokens of one answer, which include the reasoning of models that reason."""
        return max(128, min(2_000, self.context // 4))

    @property
    def material_chars(self) -> int:
        """Maximum characters of the question and the sources in one request."""
        return max(600, (self.context - self.answer_tokens - PROMPT_TOKENS) * CHARS_PER_TOKEN)


class Asker:
    """Asks a model, and counts the tokens and the time that this takes."""

    def __init__(self, client: ChatClient, limits: ResearchLimits) -> None:
        self._client = client
        self.limits = limits
        self._tokens = 0
        self._began = limits.now()

    def spent(self) -> float:
        """The share of the budget that is used up: 1 or more if it is spent."""
        minutes = (self.limits.now() - self._began) / 60
        return max(self._tokens / self.limits.tokens, minutes / self.limits.minutes)

    def ask(self, instruction: str, text: str) -> str:
        """The model's whole answer, without its reasoning. Raises `ChatError`, and `BudgetSpent`."""
        return "".join(self.stream(instruction, text)).strip()

    def stream(self, instruction: str, text: str) -> Generator[str]:
        """The pieces of the model's answer. Raises `ChatError`, and `BudgetSpent`."""
        if self.spent() >= 1:
            raise BudgetSpent
        messages = [{"role": "system", "content": instruction}, {"role": "user", "content": text}]
        told, size = 0, len(instruction) + len(text)
        request = {"messages": messages, "max_tokens": self.limits.answer_tokens}
        try:
            with closing(self._client.stream(request)) as deltas:
                for delta in deltas:
                    told = max(told, delta.tokens)
                    size += len(delta.text) + len(delta.reasoning)
                    if delta.text:
                        yield delta.text
        finally:
            self._tokens += told or size // CHARS_PER_TOKEN


def without_heading(pieces: Iterator[str]) -> Iterator[str]:
    """Yields the pieces of a text without a heading in its first line. Many models repeat the section's heading."""
    held: str | None = ""
    for piece in pieces:
        if held is None:
            yield piece
            continue
        held = (held + piece).lstrip()
        if held.startswith("#") and "\n" in held:
            held = held.partition("\n")[2].lstrip()
        if held and not held.startswith("#"):
            yield held
            held = None
    if held:
        yield held.lstrip("# ")
