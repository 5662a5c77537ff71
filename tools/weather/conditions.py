"""Words for weather conditions, such as "light rain"."""

from __future__ import annotations

from typing import Any

CONDITIONS = {
    0: "clear sky", 1: "mainly clear", 2: "partly cloudy", 3: "overcast", 45: "fog", 48: "freezing fog",
    51: "light drizzle", 53: "drizzle", 55: "dense drizzle", 56: "light freezing drizzle",
    57: "freezing drizzle", 61: "light rain", 63: "rain", 65: "heavy rain", 66: "light freezing rain",
    67: "freezing rain", 71: "light snow", 73: "snow", 75: "heavy snow", 77: "snow grains",
    80: "light rain showers", 81: "rain showers", 82: "violent rain showers", 85: "snow showers",
    86: "heavy snow showers", 95: "thunderstorm", 96: "thunderstorm with light hail",
    99: "thunderstorm with heavy hail",
}  # fmt: skip
"""Words for the codes of WMO table 4677 that Open-Meteo uses."""


def describe_conditions(code: Any) -> str | None:
    """Returns the words for a WMO weather code; None if there is no code."""
    return None if code is None else CONDITIONS.get(code, f"WMO code {code}")
