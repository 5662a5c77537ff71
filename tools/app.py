"""Builds the ADK application: the configured agents and their plugins."""

from __future__ import annotations

import os

from google.adk.agents.context_cache_config import ContextCacheConfig
from google.adk.apps import App

from tools.adk.artifact_plugin import ArtifactPlugin
from tools.adk.background_plugin import BackgroundPlugin
from tools.adk.chain_plugin import ChainPlugin
from tools.adk.error_plugin import ErrorPlugin
from tools.adk.quiet_telemetry_plugin import QuietTelemetryPlugin
from tools.adk.sanitize_plugin import SanitizePlugin
from tools.config.loader import load_agent
from tools.interactions import backend
from tools.moderation.gate import build_plugins
from tools.privacy import ErasurePlugin
from tools.settings import load_settings
from tools.telemetry import extend_adk_telemetry

APP_NAME = "desk"


def build_app() -> App:
    """Builds the app from the configuration and the settings.

    Starts nothing: if the settings select the local emulator, the first use of the server starts it.

    Raises:
        ConfigError, SettingsError, BackendError: a YAML file, a setting or the choice of the server is wrong.
    """
    extend_adk_telemetry()
    settings = load_settings()
    backend.choose(settings, os.environ)  # a wrong setting fails here, before the first message
    agent, gate = load_agent(settings.config), build_plugins(settings.config)
    return App(
        name=APP_NAME,
        root_agent=agent,
        plugins=[
            *(SanitizePlugin(), QuietTelemetryPlugin(), *gate, ErasurePlugin()),
            *(ChainPlugin(), ArtifactPlugin(), ErrorPlugin(), BackgroundPlugin()),
        ],
        # Not used with the Interactions API, but ADK 2.13 warns at every start if it is missing (`runners.py:520`).
        context_cache_config=ContextCacheConfig(),
    )
