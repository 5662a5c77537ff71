"""Triggers: interactions that begin on a schedule."""
