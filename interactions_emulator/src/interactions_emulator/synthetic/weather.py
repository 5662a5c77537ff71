"""A weather service with the interface of Open-Meteo: geocoding and forecast, with synthetic values.

Cities and coordinates are real (`cities.py`); the weather is made up (`climate.py`), and each answer says so with
`"synthetic": true`. Parameters, units, answers and errors have the form of the real service. Only what a weather tool
uses is implemented: other parameters are ignored, and other weather variables get an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from interactions_emulator.synthetic.cities import PLACES, Place, find_places, nearest
from interactions_emulator.synthetic.climate import (
    Conditions,
    Location,
    conditions_at,
    day_weather,
    sunrise_and_sunset,
    weather_code,
)

Answer = dict[str, Any]

SYNTHETIC_MARK = {"synthetic": True, "source": "interactions-emulator"}
HOURLY = (*Conditions.__dataclass_fields__,)
CURRENT = tuple(name for name in HOURLY if name != "precipitation_probability")
DAILY = (
    "weather_code",
    "temperature_2m_max",
    "temperature_2m_min",
    "precipitation_sum",
    "precipitation_probability_max",
    "wind_speed_10m_max",
    "sunrise",
    "sunset",
)
_TEMPERATURE = {"celsius": ("°C", 1.0, 0.0), "fahrenheit": ("°F", 1.8, 32.0)}
_WIND = {"kmh": ("km/h", 1.0), "ms": ("m/s", 1 / 3.6), "mph": ("mp/h", 0.621371), "kn": ("kn", 0.539957)}
_PRECIPITATION = {"mm": ("mm", 1.0), "inch": ("inch", 1 / 25.4)}
_NEAR_DEGREES = 3.0
"""A point gets the time zone and height of a city if their distance is less than this, in degrees of a great circle."""


class BadQuery(Exception):
    """An invalid query. The answer has status 400 and the reason."""


async def geocode(request: Request) -> Response:
    """Answer `GET /weather/v1/search`."""
    return _answer(lambda: search(request.query_params))


async def predict(request: Request) -> Response:
    """Answer `GET /weather/v1/forecast` with a forecast that begins at the current real time."""
    return _answer(lambda: forecast(request.query_params, time.time()))


def search(query: Mapping[str, str]) -> Answer:
    """Answer a geocoding query (`name`, `count`). Raises `BadQuery` with the reason.

    The answer to an unknown name has no `results`.
    """
    if not query.get("name"):
        raise BadQuery("Parameter 'name' is required.")
    count = _number(query, "count", 10, 1, 100)
    places = find_places(query["name"], int(count))
    found = {"results": [_result(place) for place in places]} if places else {}
    return found | {"generationtime_ms": 0.1} | SYNTHETIC_MARK


def forecast(query: Mapping[str, str], now: float) -> Answer:
    """Answer a forecast query at the time `now`, in seconds since 1970. Raises `BadQuery` with the reason."""
    location, zone_name = _location(query)
    days = int(_number(query, "forecast_days", 7, 0, 16))
    convert, units = _units(query)
    today = datetime.fromtimestamp(now, location.zone)
    answer: Answer = {
        "latitude": location.latitude,
        "longitude": location.longitude,
        "generationtime_ms": 0.1,
        "utc_offset_seconds": int((today.utcoffset() or timedelta()).total_seconds()),
        "timezone": zone_name,
        "timezone_abbreviation": today.tzname(),
        "elevation": location.elevation,
    }
    if names := _names(query, "current", CURRENT):
        when = today.replace(minute=today.minute // 15 * 15, second=0, microsecond=0)
        values = asdict(conditions_at(location, when))
        values["precipitation"] /= 4
        answer["current_units"] = {"time": "iso8601", "interval": "seconds"} | {n: units[n] for n in names}
        answer["current"] = {"time": _to_minute(when), "interval": 900} | {
            name: convert(name, values[name]) for name in names
        }
    if names := _names(query, "hourly", HOURLY):
        whens = [when for day in range(days) for when in _hours(location, today.date() + timedelta(days=day))]
        moments = [asdict(conditions_at(location, when)) for when in whens]
        answer["hourly_units"] = {"time": "iso8601"} | {name: units[name] for name in names}
        answer["hourly"] = {"time": [_to_minute(when) for when in whens]} | {
            name: [convert(name, values[name]) for values in moments] for name in names
        }
    if names := _names(query, "daily", DAILY):
        dates = [today.date() + timedelta(days=day) for day in range(days)]
        summaries = [_day(location, day) for day in dates]
        answer["daily_units"] = {"time": "iso8601"} | {name: units[name] for name in names}
        answer["daily"] = {"time": [day.isoformat() for day in dates]} | {
            name: [convert(name, summary[name]) for summary in summaries] for name in names
        }
    return answer | SYNTHETIC_MARK


def _answer(ask: Callable[[], Answer]) -> Response:
    try:
        return JSONResponse(ask())
    except BadQuery as error:
        return JSONResponse({"error": True, "reason": str(error)}, status_code=400)


def _result(place: Place) -> Answer:
    # The ids are larger than all GeoNames ids, which the real service returns.
    named = {key: value for key, value in place._asdict().items() if key != "also"}
    return {"id": 900_000_000 + PLACES.index(place)} | named


def _location(query: Mapping[str, str]) -> tuple[Location, str]:
    latitude = _number(query, "latitude", None, -90, 90)
    longitude = _number(query, "longitude", None, -180, 180)
    place, distance = nearest(latitude, longitude)
    near = distance < _NEAR_DEGREES
    name = query.get("timezone", "GMT")
    if name == "auto" and not near:
        hours = round(longitude / 15)
        zone = timezone(timedelta(hours=hours))
        return Location(latitude, longitude, 0.0, zone), f"Etc/GMT{-hours:+d}" if hours else "GMT"
    if name == "auto":
        name = place.timezone
    elevation = float(place.elevation) if near else 0.0
    if name in ("GMT", "UTC"):
        return Location(latitude, longitude, elevation, UTC), name
    try:
        return Location(latitude, longitude, elevation, ZoneInfo(name)), name
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadQuery(f"Invalid timezone '{name}'.") from error


def _day(location: Location, day: date) -> Answer:
    moments = [conditions_at(location, when) for when in _hours(location, day)]
    temperatures = [at.temperature_2m for at in moments]
    weather = day_weather(location, day)
    sunrise, sunset = sunrise_and_sunset(location, day)
    return {
        "weather_code": weather_code(weather, sum(temperatures) / 24, weather.rain_mm > 0),
        "temperature_2m_max": max(temperatures),
        "temperature_2m_min": min(temperatures),
        "precipitation_sum": weather.rain_mm,
        "precipitation_probability_max": weather.rain_probability,
        "wind_speed_10m_max": max(at.wind_speed_10m for at in moments),
        "sunrise": _to_minute(sunrise),
        "sunset": _to_minute(sunset),
    }


def _hours(location: Location, day: date) -> list[datetime]:
    return [datetime(day.year, day.month, day.day, hour, tzinfo=location.zone) for hour in range(24)]


def _units(query: Mapping[str, str]) -> tuple[Callable[[str, Any], Any], dict[str, str]]:
    """Return a function that converts a variable's value to the requested unit, and the unit of each variable."""
    temperature, per_degree, zero = _TEMPERATURE[_choice(query, "temperature_unit", "celsius", _TEMPERATURE)]
    wind, per_kmh = _WIND[_choice(query, "wind_speed_unit", "kmh", _WIND)]
    depth, per_mm = _PRECIPITATION[_choice(query, "precipitation_unit", "mm", _PRECIPITATION)]

    def unit(name: str) -> str:
        if "temperature" in name:
            return temperature
        if "wind" in name:
            return wind
        if name in ("precipitation", "precipitation_sum"):
            return depth
        return {"weather_code": "wmo code", "is_day": "", "sunrise": "iso8601", "sunset": "iso8601"}.get(name, "%")

    def convert(name: str, value: Any) -> Any:
        if "temperature" in name:
            return round(value * per_degree + zero, 1)
        if "wind" in name:
            return round(value * per_kmh, 1)
        if unit(name) == depth:
            return round(value * per_mm, 3 if depth == "inch" else 2)
        return value

    return convert, {name: unit(name) for name in (*HOURLY, *DAILY)}


def _names(query: Mapping[str, str], key: str, known: tuple[str, ...]) -> list[str]:
    names = [name.strip() for name in query.get(key, "").split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise BadQuery(f"Unknown variable '{name}' in '{key}'. Known here: {', '.join(known)}.")
    return names


def _choice(query: Mapping[str, str], key: str, default: str, known: Mapping[str, Any]) -> str:
    value = query.get(key, default)
    if value not in known:
        raise BadQuery(f"Invalid {key} '{value}'. One of: {', '.join(known)}.")
    return value


def _number(query: Mapping[str, str], key: str, default: float | None, low: float, high: float) -> float:
    text = query.get(key)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError as error:
        raise BadQuery(f"Parameter '{key}' must be a number. Given: {text!r}.") from error
    if not low <= value <= high:
        raise BadQuery(f"Parameter '{key}' must be in the range {low} to {high}. Given: {text}.")
    return value


def _to_minute(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M")
