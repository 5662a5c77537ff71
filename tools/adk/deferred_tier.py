"""Polls for answers of the `deferred` service tier, which take hours and are never streamed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from google.adk.models import LlmResponse, interactions_utils
from google.genai.interactions import Interaction

from tools.adk.response_collector import ResponseCollector
from tools.interactions import backend
from tools.interactions.errors import Interrupted, WireError
from tools.load_control.backoff import backoff_s

log = logging.getLogger(__name__)

DEFERRED_TIER = "deferred"
"""Service tier of deferred answers."""
UNFINISHED_STATUSES = ("queued", "in_progress")
"""Statuses of an unfinished answer."""
FIRST_POLL_S, MAX_POLL_S = 5.0, 30.0
"""First and longest pause between two polls, in seconds."""
MAX_FAILED_POLLS = 5
"""A deferred answer counts as failed after this many failed polls in a row."""


async def poll_deferred(
    collector: ResponseCollector, body: Mapping[str, Any], headers: Mapping[str, str]
) -> AsyncGenerator[LlmResponse, None]:
    """Sends a create request, polls its answer until it is finished, and yields ADK's response for it.

    Raises:
        WireError: the create request failed, or the answer cannot be read any more. The request is not sent again.
    """
    transport, polls, failed = backend.transport(), 0, 0
    resource = await transport.answer(body, headers)
    interaction_id = resource["id"]
    while resource["status"] in UNFINISHED_STATUSES:
        await asyncio.sleep(backoff_s(polls, FIRST_POLL_S, MAX_POLL_S))
        polls += 1
        try:
            resource, failed = await transport.get(interaction_id), 0
        except WireError as error:
            failed += 1
            if failed == MAX_FAILED_POLLS:  # `Interrupted` has no status, so the create request is not sent again
                raise Interrupted(f"the answer {interaction_id} cannot be read: {error}") from error
            log.warning("%s cannot be read now: %s", interaction_id, error)
    interaction = Interaction.model_validate(resource)
    collector.add_interaction(interaction)
    yield interactions_utils.convert_interaction_to_llm_response(interaction)
