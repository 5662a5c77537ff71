"""Helpers for texts: unsafe characters, Unicode forms, secrets, Markdown, times, and names that are misspelt."""
