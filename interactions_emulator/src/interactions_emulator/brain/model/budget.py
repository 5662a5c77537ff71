"""Asks the model within a budget of tokens and time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from interactions_emulator.brain.model.chat_client import ChatClient
from interactions_emulator.brain.model.limits import CHARS_PER_TOKEN, ResearchLimits


class BudgetSpent(Exception):
    """The tokens or the time of a research run are used up."""


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
