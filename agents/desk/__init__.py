"""Research Desk as an ADK application, for `adk web agents`, `adk run agents/desk` and `adk eval agents/desk ...`."""

from . import agent as agent  # `adk eval` looks for the agent here
