"""The first turn of a server takes as long as any other: one is played beforehand, whose answer nobody sends.

Without it whoever comes first waits half a second for what ADK, the SDK and pydantic put together at their first use.
"""

from __future__ import annotations

import json
import logging

import httpx
from google.adk.apps import App
from google.adk.runners import Runner
from google.auth.exceptions import GoogleAuthError
from google.genai import types
from opentelemetry import trace

from tools import backend, recent
from tools.backend import BackendError
from tools.chains import ChainKeeper
from tools.recent import RecentInMemorySessions
from tools.wire import rehearsal

log = logging.getLogger(__name__)

_UNSAMPLED = trace.SpanContext(1, 1, is_remote=False)
"""Of a trace that is not recorded, so that spans inside it are not either."""

_INTERACTION = {"id": "v1_rehearsal", "object": "interaction", "model": "none"}
_USAGE = {"total_input_tokens": 0, "total_output_tokens": 0, "total_tokens": 0}
_EVENTS = (
    {"event_type": "interaction.created", "interaction": {**_INTERACTION, "status": "in_progress"}},
    {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Ready."}},
    {"event_type": "step.stop", "index": 0},
    {"event_type": "interaction.completed", "interaction": {**_INTERACTION, "status": "completed", "usage": _USAGE}},
)
_ANSWER = "".join(f"data: {json.dumps(event)}\n\n" for event in _EVENTS) + "data: [DONE]\n\n"


async def warm(app: App) -> None:
    """Plays a turn of the application's agents; its requests go nowhere, and it leaves no trace."""
    try:
        backend.client(retries=False)
    except (BackendError, GoogleAuthError):
        return  # whoever asks is told
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=_ANSWER.encode())
    quiet = app.model_copy(update={"plugins": [ChainKeeper()]})
    runner = Runner(app=quiet, session_service=RecentInMemorySessions(), auto_create_session=True)
    message = types.Content(role="user", parts=[types.Part(text="Hello!")])
    with rehearsal(answer), trace.use_span(trace.NonRecordingSpan(_UNSAMPLED)), recent.turn():
        try:
            async for _ in runner.run_async(user_id="nobody", session_id="rehearsal", new_message=message):
                pass
        except Exception as error:  # credentials, perhaps, which /readyz and the first turn are told too
            log.warning("no turn could be rehearsed: %s", type(error).__name__)
