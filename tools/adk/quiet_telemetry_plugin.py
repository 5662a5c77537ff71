"""Reduces ADK's telemetry when no tracing is set up."""

from __future__ import annotations

from google.adk.agents import InvocationContext
from google.adk.plugins import BasePlugin
from google.adk.telemetry import TelemetryConfig
from google.genai.types import Content
from opentelemetry import trace

SHORT_TELEMETRY = TelemetryConfig(genai_semconv_stability_opt_in="stable")
"""ADK's short telemetry writes a line for each message, not all tools, instructions and messages for each answer."""


_NOBODY = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)
"""Tracer providers that export nothing."""


class QuietTelemetryPlugin(BasePlugin):
    """Selects the short telemetry if no tracing is set up.

    Otherwise ADK 2.13 describes each model call in full for a span that is never exported, which takes a tenth of a
    turn's time (`telemetry/tracing.py:1371`).
    """

    def __init__(self) -> None:
        super().__init__(name="quiet_telemetry")

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> Content | None:
        """Sets the turn's telemetry, unless the caller has set it."""
        config = invocation_context.run_config
        if config and config.telemetry is None and isinstance(trace.get_tracer_provider(), _NOBODY):
            invocation_context.run_config = config.model_copy(update={"telemetry": SHORT_TELEMETRY})
        return None
