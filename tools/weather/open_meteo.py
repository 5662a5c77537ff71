"""The two calls of Open-Meteo: find places by name, and get a place's forecast (https://open-meteo.com/en/docs)."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2

from tools.load_control.backoff import backoff_s, spread_wait
from tools.weather.geocoding import Place, ToolError
from tools.web_addresses.credentials import without_credentials

MAX_RETRIES = 2
FIRST_WAIT_S = 0.25
"""Average pause in seconds before the first retry."""
TIMEOUT = httpx2.Timeout(10, connect=5)
"""Maximum wait for a connection and for an answer, in seconds."""

IMPERIAL = {"temperature_unit": "fahrenheit", "wind_speed_unit": "mph", "precipitation_unit": "inch"}

CURRENT = {
    "temperature": "temperature_2m",
    "feels_like": "apparent_temperature",
    "humidity": "relative_humidity_2m",
    "precipitation": "precipitation",
    "wind_speed": "wind_speed_10m",
}
DAILY = {
    "high": "temperature_2m_max",
    "low": "temperature_2m_min",
    "precipitation": "precipitation_sum",
    "precipitation_chance": "precipitation_probability_max",
    "wind_max": "wind_speed_10m_max",
    "sunrise": "sunrise",
    "sunset": "sunset",
}
"""Maps our name of each value to Open-Meteo's name (https://open-meteo.com/en/docs)."""


def _new_client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=TIMEOUT, verify=_certificates())


@cache
def _certificates() -> ssl.SSLContext:
    """Cached, because loading them takes ten times as long as a forecast."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True)
class OpenMeteo:
    """A server with Open-Meteo's two calls."""

    geocoding_url: str
    forecast_url: str
    new_client: Callable[[], httpx2.AsyncClient] = _new_client
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def search(self, client: httpx2.AsyncClient, name: str) -> list[dict[str, Any]]:
        """Finds the places with a name.

        Raises:
            ToolError: the server does not answer, its answer cannot be read, or the emulator does not know the name.
        """
        # 100 is the service's maximum; a qualifier may select one of the last results.
        query = {"name": name, "count": 100, "language": "en", "format": "json"}
        answer = await self._get(client, self.geocoding_url, query)
        found = answer.get("results", [])
        if not isinstance(found, list) or not all(map(_is_result, found)):
            raise not_weather(self.geocoding_url)
        if not found and answer.get("synthetic") is True:
            raise ToolError(
                "unknown_place",
                f'No place called "{name}" was found. The local emulator has weather for some large cities only, such'
                " as Berlin, Nairobi and Tokyo.",
                "Say so, and do not guess.",
            )
        return found

    async def forecast(self, client: httpx2.AsyncClient, query: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a forecast query.

        Raises:
            ToolError: the server does not answer, or its answer cannot be read.
        """
        return await self._get(client, self.forecast_url, query)

    async def _get(self, client: httpx2.AsyncClient, url: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Gets the JSON object at `url`. Retries 5xx and broken connections, but not timeouts, which are slow."""
        for attempt in range(MAX_RETRIES + 1):
            try:
                response = await client.get(url, params=query)
            except httpx2.TimeoutException:
                raise _unreachable(url, "did not answer in time") from None
            except httpx2.RequestError as error:
                problem = f"could not be reached ({type(error).__name__})"
            else:
                if response.status_code < 500:
                    return _read(response)
                problem = f"answered HTTP {response.status_code}"
            if attempt < MAX_RETRIES:
                await self.sleep(spread_wait(backoff_s(attempt, FIRST_WAIT_S), 0.0, random.random()))
        raise _unreachable(url, f"{problem}, {MAX_RETRIES + 1} times")


def forecast_query(place: Place, days: int, units: str) -> dict[str, Any]:
    """Builds the parameters of a forecast call; times are in the place's own time zone."""
    return {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "current": ",".join([*CURRENT.values(), "weather_code"]),
        "daily": ",".join([*DAILY.values(), "weather_code"]),
        "timezone": "auto",
        "forecast_days": days,
        **(IMPERIAL if units == "imperial" else {}),
    }


def not_weather(url: str) -> ToolError:
    """Returns the error for an answer that cannot be read."""
    return _unreachable(url, "answered with something that is not weather data")


def _read(response: httpx2.Response) -> dict[str, Any]:
    url = str(response.url.copy_with(query=None))
    if response.status_code == 429:
        raise _unreachable(url, "answered HTTP 429 (too many requests)")
    try:
        answer = response.json()
    except ValueError:
        raise not_weather(url) from None
    if not isinstance(answer, dict):
        raise not_weather(url)
    if response.status_code != 200:
        reason = answer.get("reason") or f"HTTP {response.status_code}"
        raise ToolError(
            "bad_request", f"{without_credentials(url)} refused the request: {reason}", "Name the place in another way."
        )
    return answer


def _unreachable(url: str, problem: str) -> ToolError:
    return ToolError(
        "service_unreachable",
        f"{without_credentials(url)} {problem}.",
        "Say that the weather service cannot be used now and to try again in a minute. Do not guess.",
    )


def _is_result(result: Any) -> bool:
    return (
        isinstance(result, dict)
        and isinstance(result.get("name"), str)
        and all(isinstance(result.get(key), int | float) for key in ("latitude", "longitude"))
    )
