"""Traces and metrics by OpenTelemetry, and logs. See docs/operating.md."""

from tools.telemetry.export import TelemetryError, extend_adk_telemetry, setup_telemetry
from tools.telemetry.logs import setup_logging

__all__ = ["TelemetryError", "extend_adk_telemetry", "setup_logging", "setup_telemetry"]
