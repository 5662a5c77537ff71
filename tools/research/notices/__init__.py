"""Notices: messages to people about a run that waits for them or has ended."""
