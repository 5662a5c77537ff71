"""The conditions of a case: the price above which the desk asks, and whether research runs finish at once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from google.adk.evaluation.eval_case import EvalCase

from evals.emulator_control import clock_stopped
from evals.timeouts import FULL_WATCH_SECONDS, SHORT_WATCH_SECONDS

ASK_VARIABLE, ATTACH_VARIABLE = "DESK_ASK_ABOVE_USD", "DESK_ATTACH_SECONDS"


@dataclass(frozen=True)
class Conditions:
    """The conditions of a case."""

    ask_above_usd: float = 0
    """A run whose highest price is above this many USD is asked about first."""
    unfinished: bool = False
    """Whether runs are still running when the next turn comes."""

    def to_fields(self) -> dict[str, Any]:
        """The conditions as extra fields of ADK's case, without default values."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_case(cls, case: EvalCase) -> Conditions:
        """Reads what `to_fields` wrote."""
        more = case.model_extra or {}
        return cls(float(more.get("ask_above_usd", 0)), bool(more.get("unfinished", False)))

    @asynccontextmanager
    async def apply(self) -> AsyncIterator[None]:
        """Applies the conditions in the block, and restores the previous ones after it."""
        seconds = SHORT_WATCH_SECONDS if self.unfinished else FULL_WATCH_SECONDS
        with _environment({ASK_VARIABLE: f"{self.ask_above_usd:g}", ATTACH_VARIABLE: str(seconds)}):
            async with clock_stopped() if self.unfinished else nullcontext():
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
