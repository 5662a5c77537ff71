"""Old import path of the agent class, for YAML written before version 0.2. Version 0.3 removes it."""

import warnings

from tools.adk.llm_agent import Agent

__all__ = ["Agent"]

warnings.warn("in YAML, write tools.adk.llm_agent.Agent instead of tools.agent.Agent", FutureWarning, stacklevel=2)
