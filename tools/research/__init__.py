"""Durable Deep Research: a research that was paid for is never lost and never paid for twice.

`Research` (service.py) is what everybody calls. Its core knows nothing of ADK; `agent.py` is the ADK side.
"""
