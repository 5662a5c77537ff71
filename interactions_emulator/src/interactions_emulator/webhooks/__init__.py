"""Webhooks: registers endpoints, signs and delivers messages."""
