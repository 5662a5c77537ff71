"""Adds data of an interaction to ADK's spans."""

from __future__ import annotations

from google.adk.models import LlmResponse
from opentelemetry import trace


def annotate_span(answer: LlmResponse, status: str) -> None:
    """Adds id, status and total tokens of an interaction to the model's span; ADK adds input and output tokens.

    Args:
        status: the interaction's last status, in the API's spelling; empty if none was received.
    """
    span = trace.get_current_span()
    if answer.interaction_id:
        span.set_attribute("interaction.id", answer.interaction_id)
    if status:
        span.set_attribute("interaction.status", status)
    if answer.usage_metadata and answer.usage_metadata.total_token_count is not None:
        span.set_attribute("interaction.tokens", answer.usage_metadata.total_token_count)
