"""What nobody receives is not prepared; what somebody set up is left as it is."""

from __future__ import annotations

import pytest
from google.adk.agents import InvocationContext
from google.adk.agents.run_config import RunConfig
from google.adk.plugins import BasePlugin
from google.adk.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from interactions_emulator import Emulator
from interactions_emulator.brain.protocol import TimedStep
from tests.scripts import said
from tests.talk import Talk
from tools.adk.quiet_telemetry_plugin import SHORT_TELEMETRY
from tools.app import build_app
from tools.telemetry.export import NoTracing

OWN = TelemetryConfig(genai_semconv_stability_opt_in="experimental")


class Witness(BasePlugin):
    """Sees what a turn was run with."""

    config: RunConfig | None = None

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> None:
        self.config = invocation_context.run_config


@pytest.mark.parametrize(
    ("provider", "wished", "used"),
    [
        (trace.ProxyTracerProvider(), None, SHORT_TELEMETRY),
        (trace.ProxyTracerProvider(), OWN, OWN),
        (NoTracing(), None, SHORT_TELEMETRY),
        (TracerProvider(), None, None),
    ],
    ids=["nobody", "nobody, but asked for", "nobody in desk serve", "somebody"],
)
async def test_detailed_telemetry_is_recorded_only_with_a_tracer_provider_or_on_request(
    provider: trace.TracerProvider,
    wished: TelemetryConfig | None,
    used: TelemetryConfig | None,
    use: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    with Emulator(brain=lambda turn: [TimedStep(0, said("Hello."))]) as api:
        use(api)  # type: ignore[operator]
        app, witness = build_app(), Witness(name="witness")
        app.plugins.append(witness)
        talk = Talk(app)
        talk.config = talk.config.model_copy(update={"telemetry": wished})
        assert await talk.ask("hello") == "Hello."
    assert witness.config
    assert witness.config.telemetry == used
    assert talk.config.telemetry == wished
