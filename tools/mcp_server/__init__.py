"""Serves research runs to other agents by the Model Context Protocol (MCP). Imports no ADK."""
