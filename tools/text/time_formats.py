"""Formats times, given in seconds since the epoch, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def to_minute(seconds: float) -> str:
    """Formats a time for people: 2026-11-29 15:04 UTC."""
    return _utc(seconds, "%Y-%m-%d %H:%M UTC")


def to_second(seconds: float) -> str:
    """Formats a time for tables: 2026-11-29 15:04:05Z."""
    return _utc(seconds, "%Y-%m-%d %H:%M:%SZ")


def iso(seconds: float) -> str:
    """Formats a time for JSON: 2026-11-29T15:04:05Z."""
    return _utc(seconds, "%Y-%m-%dT%H:%M:%SZ")


def _utc(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(form)
