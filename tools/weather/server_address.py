"""The addresses of the weather service: Open-Meteo, the one of DESK_WEATHER_URL, or the emulator."""

from __future__ import annotations

from tools.interactions.backend import checked_url, current
from tools.settings import load_settings

GEOCODING_URL = "https://geocoding-api.open-meteo.com/v1/search"
FORECAST_URL = "https://api.open-meteo.com/v1/forecast"


def weather_urls() -> tuple[str, str]:
    """Addresses of the geocoding and the forecast service.

    Raises:
        BackendError: DESK_WEATHER_URL is not an address.
    """
    base = checked_url("DESK_WEATHER_URL", load_settings().weather_url)
    if not base and current().kind == "emulator":
        base = f"{current().url}/weather"
    return (f"{base}/v1/search", f"{base}/v1/forecast") if base else (GEOCODING_URL, FORECAST_URL)
