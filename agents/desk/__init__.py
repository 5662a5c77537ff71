"""Research Desk as an ADK application: `adk web agents`, `adk run agents/desk`, `adk eval agents/desk ...`."""

from . import agent as agent  # `adk eval` looks for the agent here
