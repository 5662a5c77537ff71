"""Stores and runs interactions: steps, events, background runs, virtual time and the state file."""
