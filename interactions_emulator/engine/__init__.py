"""Interactions as the server keeps and runs them: steps, events, background runs, virtual time and the state file."""
