"""The weather of a place: current conditions and a forecast of up to seven days, from Open-Meteo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

from tools.weather.conditions import describe_conditions
from tools.weather.geocoding import Place, ToolError, choose_place, read_coordinates, split_place
from tools.weather.open_meteo import CURRENT, DAILY, OpenMeteo, forecast_query, not_weather

Units = Literal["metric", "imperial"]

MAX_DAYS = 7

UNITS: Mapping[str, dict[str, str]] = {
    "metric": {"temperature": "°C", "precipitation": "mm", "wind_speed": "km/h"},
    "imperial": {"temperature": "°F", "precipitation": "inch", "wind_speed": "mph"},
}


async def get_weather(place: str, days: int = 1, units: Literal["metric", "imperial"] = "metric") -> dict[str, Any]:
    """Gets the current weather of a place and forecasts of up to 7 days: temperature, rain, snow, wind.

    Args:
        place: A city or town, with its region or country where the name alone could mean several places, e.g.
            "Paris", "Springfield, Illinois", "Cambridge, UK". Coordinates work too: "48.85, 2.35".
        days: How many days the forecast covers, 1 to 7. 1 is today only, 2 includes tomorrow, 7 is a week.
        units: "metric" (°C, mm, km/h) or "imperial" (°F, inch, mph).

    Returns:
        "place", "current", "days" (today first), "units", "source", "observed", "retrieved" (ISO times); or
        "error" with a code ("unknown_place", "ambiguous_place", "service_unreachable", "bad_request"), a
        message, the candidates to choose from and a hint what to do next.
    """
    from tools.weather.server_address import weather_urls

    return await Weather(OpenMeteo(*weather_urls())).get_weather(place, days, units)


@dataclass(frozen=True)
class Weather:
    """Gets the weather from a server with Open-Meteo's two calls."""

    server: OpenMeteo
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def get_weather(self, place: str, days: int = 1, units: Units = "metric") -> dict[str, Any]:
        """Does what the function `get_weather` does. Returns errors instead of raising them."""
        try:
            check_arguments(place, days, units)
            async with self.server.new_client() as client:
                where = read_coordinates(place) or choose_place(
                    place, await self.server.search(client, split_place(place)[0])
                )
                answer = await self.server.forecast(client, forecast_query(where, int(days), units))
            return to_result(where, answer, units, self.now())
        except ToolError as error:
            return error.result


def check_arguments(place: str, days: int, units: str) -> None:
    """Checks the arguments before any request, because a model may send anything.

    Raises:
        ToolError: an argument is invalid.
    """
    if not isinstance(place, str) or not place.strip(" ,"):
        raise ToolError("bad_request", "No place was given.", 'Ask which place is meant, e.g. "Oslo, Norway".')
    if days not in range(1, MAX_DAYS + 1):
        raise ToolError(
            "bad_request",
            f"days is {days!r}, but the forecast covers 1 to {MAX_DAYS} days.",
            f"Use days={MAX_DAYS} for the longest forecast and say that it goes no further.",
        )
    if units not in UNITS:
        raise ToolError("bad_request", f"units is {units!r}.", 'Use "metric" or "imperial".')


def to_result(place: Place, answer: Mapping[str, Any], units: Units, retrieved: datetime) -> dict[str, Any]:
    """Converts a forecast answer to the tool's result. A value that the service left out is None.

    Raises:
        ToolError: the answer is not a forecast.
    """
    try:
        current, daily = answer["current"], answer["daily"]
        zone = timezone(timedelta(seconds=answer.get("utc_offset_seconds", 0)))
        observed = datetime.fromisoformat(current["time"]).replace(tzinfo=zone)
        days = [
            {
                "date": date,
                "conditions": describe_conditions(_at(daily, "weather_code", i)),
                **{ours: _at(daily, theirs, i) for ours, theirs in DAILY.items()},
            }
            for i, date in enumerate(daily["time"])
        ]
        result: dict[str, Any] = {
            "place": asdict(place) | {"timezone": answer.get("timezone") or place.timezone},
            "current": {
                "time": current["time"],
                **{ours: current.get(theirs) for ours, theirs in CURRENT.items()},
                "conditions": describe_conditions(current.get("weather_code")),
            },
            "days": days,
            "units": {**UNITS[units], "humidity": "%", "precipitation_chance": "%"},
            "source": "Open-Meteo",
            "observed": observed.isoformat(timespec="minutes"),
            "retrieved": retrieved.isoformat(timespec="seconds"),
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise not_weather("The forecast service") from None
    if answer.get("synthetic") is True:
        result |= {"source": "interactions-emulator (synthetic values, not real weather)", "synthetic": True}
    return result


def _at(daily: Mapping[str, Any], name: str, index: int) -> Any:
    values = daily.get(name) or []
    return values[index] if index < len(values) else None
