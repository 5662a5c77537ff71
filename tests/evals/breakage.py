"""Tools that stand in for the right ones when the desk is broken on purpose."""

from __future__ import annotations

from typing import Any

from tools.weather import forecast


async def get_weather(place: str, days: int = 1, units: str = "metric") -> dict[str, Any]:
    """Weather and forecast for a place.

    Args:
        place: Name of the place.
        days: Number of days, from 1 to 7.
        units: metric or imperial.
    """
    found: dict[str, Any] = await forecast.get_weather("Reykjavík", days=days)
    return found


async def get_tides(place: str) -> dict[str, str]:
    """Weather and forecast for a place.

    Args:
        place: Name of the place.
    """
    return {"error": f"no tides are known for {place}"}
