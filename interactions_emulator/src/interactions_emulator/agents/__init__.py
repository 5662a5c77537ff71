"""Agents that clients define."""
