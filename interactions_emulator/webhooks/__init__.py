"""Webhooks: who is registered, and how messages are signed and delivered."""
