"""What the spans of ADK lack of an interaction."""

from __future__ import annotations

from google.adk.models import LlmResponse
from opentelemetry import trace


def describe_answer(answer: LlmResponse, status: str) -> None:
    """Says on the model's span which interaction answered, how it ended and what it counted; ADK counts in and out.

    Args:
        status: the interaction's last one, as the API says it; empty if it was not heard.
    """
    span = trace.get_current_span()
    if answer.interaction_id:
        span.set_attribute("interaction.id", answer.interaction_id)
    if status:
        span.set_attribute("interaction.status", status)
    if answer.usage_metadata and answer.usage_metadata.total_token_count is not None:
        span.set_attribute("interaction.tokens", answer.usage_metadata.total_token_count)
