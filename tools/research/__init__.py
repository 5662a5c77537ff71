"""Durable Deep Research: a paid research run is never lost and never paid for twice.

Callers use `Research` (service.py). No module here imports ADK; the agent is in `tools/researcher`.
"""
