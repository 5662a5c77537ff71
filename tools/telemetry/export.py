"""Sets up the export of traces and metrics. Imports OpenTelemetry's SDK and the ledger only if they are needed."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

from tools.errors import DeskError
from tools.extras import install_command
from tools.interactions.backend import DEPLOYED_VARIABLES
from tools.research.telemetry import SCOPE_NAME
from tools.web_addresses.credentials import without_credentials

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINTS = tuple(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_", "LOGS_"))
"""Variables that switch telemetry on, as in ADK (`telemetry/setup.py`)."""
CAPTURE_VARIABLE = "ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS"
"""Unless this is "false", ADK 2.13 puts whole prompts and answers on its spans (`telemetry/context.py:138`)."""
CLOUD_TRACES = "https://telemetry.googleapis.com/v1/traces"


class NoTracing(trace.NoOpTracerProvider):
    """A tracer provider that records nothing.

    Without a provider, ADK 2.13's server sets one without exporters, and each turn then records spans for nobody
    (`cli/api_server.py:825`).
    """

    def add_span_processor(self, processor: object) -> None:
        """Does nothing, because ADK adds no processors here; ADK logs a warning if this method is missing."""


class TelemetryError(DeskError):
    """Telemetry is requested and cannot be set up. The message says what is missing, and what to do."""


def setup_telemetry(otlp_endpoint: str | None, cloud_trace: bool) -> None:
    """Sets up the export of traces and metrics by OTLP over HTTP; call it once, before ADK's server is built.

    If `otlp_endpoint` is empty, the standard `OTEL_EXPORTER_OTLP_*` variables apply. If they are not set either and
    `cloud_trace` is false, nothing is exported.

    Args:
        otlp_endpoint: base address of a collector, e.g. "http://127.0.0.1:4318".
        cloud_trace: whether traces go to Google Cloud Trace too, with application default credentials.

    Raises:
        TelemetryError: a package or the credentials are missing, or the address is invalid.
    """
    base = (otlp_endpoint or "").rstrip("/")
    if base and not base.startswith(("http://", "https://")):
        raise TelemetryError(f"{without_credentials(base)!r} is not an address of a collector: write http://HOST:4318")
    traces, meters = _wanted(base, "TRACES_"), _wanted(base, "METRICS_")
    if not (traces or cloud_trace) and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(NoTracing())
    if not (traces or meters or cloud_trace):
        extend_adk_telemetry()
        return
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401
    except ModuleNotFoundError as error:
        raise TelemetryError(f"telemetry needs the package {error.name}: {install_command('otel')}") from error
    os.environ.setdefault(CAPTURE_VARIABLE, "false")
    resource = _resource()
    if traces or cloud_trace:
        _trace(resource, f"{base}/v1/traces" if base else None, otlp=traces, cloud=cloud_trace)
    if meters:
        _measure(resource, f"{base}/v1/metrics" if base else None)
    for name in ENDPOINTS:  # if they were set, ADK's server would add exporters of its own
        os.environ.pop(name, None)


def extend_adk_telemetry() -> None:
    """Extends the telemetry that ADK itself sets up from `OTEL_*` variables, for example in `adk web`.

    Adds the gauge of jobs, and keeps prompts and answers out of exported spans unless the operator has allowed them.
    """
    if any(map(os.environ.get, ENDPOINTS)):
        from tools.telemetry.job_gauge import (
            register_job_gauge,  # imported here, because it loads the ledger
        )

        register_job_gauge()
    if any(map(os.environ.get, (*ENDPOINTS, *DEPLOYED_VARIABLES))):
        os.environ.setdefault(CAPTURE_VARIABLE, "false")


def _wanted(base: str, signal: str) -> bool:
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT")
    return bool(base) or any(map(os.environ.get, names))


def _resource() -> Resource:
    """The OpenTelemetry resource; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override these defaults."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    own = Resource({"service.name": "research-desk", "service.instance.id": secrets.token_hex(8)})
    return own.merge(OTELResourceDetector().detect())


def _trace(resource: Resource, endpoint: str | None, *, otlp: bool, cloud: bool) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider

    from tools.telemetry.exception_text_filter import ExceptionTextFilter

    if cloud:
        session, project = _google()
        resource = resource.merge(type(resource)({"gcp.project_id": project}))
    provider = TracerProvider(resource=resource)
    if otlp:
        _send(provider, ExceptionTextFilter(OTLPSpanExporter(endpoint=endpoint)))
    if cloud:
        headers = {"user-agent": SCOPE_NAME}  # else Google would get OTEL_*_HEADERS with a collector's secrets
        _send(provider, ExceptionTextFilter(OTLPSpanExporter(endpoint=CLOUD_TRACES, session=session, headers=headers)))
    trace.set_tracer_provider(provider)


def _send(provider: TracerProvider, exporter: SpanExporter) -> None:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider.add_span_processor(BatchSpanProcessor(exporter))


def _google() -> tuple[Any, str]:
    """Returns a session with application default credentials, and the id of the project."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError as error:
        raise TelemetryError(
            "Cloud Trace needs application default credentials: `gcloud auth application-default login`,"
            " or a service account on Google Cloud"
        ) from error
    project = os.environ.get("GOOGLE_CLOUD_PROJECT") or project
    if not project:
        raise TelemetryError("Cloud Trace needs a project: set GOOGLE_CLOUD_PROJECT")
    return AuthorizedSession(credentials), project  # type: ignore[no-untyped-call]


def _measure(resource: Resource, endpoint: str | None) -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    from tools.telemetry.job_gauge import register_job_gauge

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint))
    metrics.set_meter_provider(MeterProvider([reader], resource))
    register_job_gauge()
