"""Adds an error to an answer that failed, was cancelled or was cut short."""

from __future__ import annotations

from google.adk.models import LlmResponse

from tools.adk.response_collector import ResponseCollector

FAILURE_TEXTS = {
    "failed": "the model could not finish",
    "cancelled": "the answer was cancelled",
    "incomplete": "the answer is cut short, at `max_output_tokens` perhaps",
    "budget_exceeded": "the answer is cut short, because the budget is spent",
}
"""Maps each status of an answer that ended badly to its meaning."""
CONTINUABLE = ("incomplete", "budget_exceeded")
"""Statuses of `FAILURE_TEXTS` after which the chain can continue."""


def with_ending(whole: LlmResponse, collector: ResponseCollector) -> LlmResponse:
    """Copies the answer, and adds the error if there was one."""
    ending = whole.model_copy(update={"partial": None})  # ADK sets None when not streaming; some code compares events
    if collector.status in FAILURE_TEXTS or whole.error_code:
        reason = "; ".join(dict.fromkeys(collector.errors)) or whole.error_message or ""
        what = FAILURE_TEXTS.get(collector.status, "the model reports an error")
        ending.error_code = collector.status.upper() if collector.status in FAILURE_TEXTS else whole.error_code
        ending.error_message = f"{what}: {reason}" if reason else f"{what}."
        if collector.status not in CONTINUABLE:
            ending.interaction_id = None  # the next turn continues from the last good answer
    return ending
