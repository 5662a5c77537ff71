"""Traces and metrics by OpenTelemetry, and logs. See docs/operating.md."""

from tools.telemetry.export import TelemetryError, follow_environment, setup_telemetry
from tools.telemetry.logs import setup_logging

__all__ = ["TelemetryError", "follow_environment", "setup_logging", "setup_telemetry"]
