"""The application: the agents of the configuration with the plugins that they need."""

from __future__ import annotations

from google.adk.agents.context_cache_config import ContextCacheConfig
from google.adk.apps import App

from tools import backend
from tools.chains import ChainKeeper
from tools.config import load_agent
from tools.errors import ErrorReporter
from tools.forget import Forgetter
from tools.moderation.gate import gates
from tools.pictures import PictureKeeper
from tools.research.keeper import ResearchKeeper
from tools.sanitize_plugin import SanitizePlugin
from tools.settings import load_settings
from tools.telemetry import follow_environment
from tools.telemetry.quiet import Quiet

NAME = "desk"


def build_app() -> App:
    """Reads configuration and settings, and makes sure that there is a server to talk to.

    Raises:
        tools.yamls.ConfigError, tools.settings.SettingsError, tools.backend.BackendError: as they say.
    """
    follow_environment()
    config = load_settings().config
    agent, gate = load_agent(config), gates(config)
    backend.current()
    return App(
        name=NAME,
        root_agent=agent,
        plugins=[
            *(SanitizePlugin(), Quiet(), *gate, Forgetter()),
            *(ChainKeeper(), PictureKeeper(), ErrorReporter(), ResearchKeeper()),
        ],
        # Not used on the Interactions path; without it ADK 2.13 warns at every start (`runners.py:520`).
        context_cache_config=ContextCacheConfig(),
    )
