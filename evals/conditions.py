"""What a case is played under: from which price on the desk asks, and whether runs are over at once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from google.adk.evaluation.eval_case import EvalCase

from evals.server import still

ASK, ATTACH = "DESK_ASK_ABOVE_USD", "DESK_ATTACH_SECONDS"
GLANCE_SECONDS = 0.2
"""How long a turn watches a run that is to be under way when the next turn comes."""
LONGEST_SECONDS = 3_900
"""How long it watches any other, which is to be over then. The longest run takes 60 minutes."""


@dataclass(frozen=True)
class Conditions:
    """Of a case."""

    ask_above_usd: float = 0
    """A run whose upper price is at most this many USD starts without a question."""
    unfinished: bool = False
    """Whether runs are under way when the next turn comes."""

    def as_fields(self) -> dict[str, Any]:
        """As further fields of ADK's case, without those that are as usual."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of(cls, case: EvalCase) -> Conditions:
        """Reads what `as_fields` wrote."""
        more = case.model_extra or {}
        return cls(float(more.get("ask_above_usd", 0)), bool(more.get("unfinished", False)))

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Holds within it, and what was before holds again after it."""
        seconds = GLANCE_SECONDS if self.unfinished else LONGEST_SECONDS
        with _environment({ASK: f"{self.ask_above_usd:g}", ATTACH: str(seconds)}):
            async with still() if self.unfinished else nullcontext():
                yield


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
