"""Synthetic weather: plausible for latitude, height and season, always the same for a place and time.

It uses no measurements and no forecasts.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo


@dataclass(frozen=True)
class Location:
    """A place: degrees north and east, metres above the sea, and the time zone that defines its days."""

    latitude: float
    longitude: float
    elevation: float
    zone: tzinfo


@dataclass(frozen=True)
class DayWeather:
    """A day's weather."""

    mean: float
    """Mean temperature in °C."""
    temperature_range: float
    """Difference between the warmest and the coldest hour, in °C."""
    cloud: float
    """Share of the sky that is covered, from 0 to 1."""
    rain_mm: float
    """Millimetres that fall from hour `rain_start_hour` on, for `rain_hours` hours."""
    rain_start_hour: int
    rain_hours: int
    rain_probability: int
    """Probability of rain in %."""
    wind: float
    """Mean wind speed in km/h."""


@dataclass(frozen=True)
class Conditions:
    """The weather at one time, in °C, %, mm per hour and km/h. `is_day` is 1 by day and 0 by night.

    The names are Open-Meteo's.
    """

    temperature_2m: float
    apparent_temperature: float
    relative_humidity_2m: int
    precipitation: float
    precipitation_probability: int
    weather_code: int
    wind_speed_10m: float
    is_day: int


def day_weather(location: Location, day: date) -> DayWeather:
    """Return a day's weather.

    The mean temperature falls with latitude and height, and follows the seasons of the hemisphere. A pseudo-random
    number for the place and day adds some degrees, clouds and rain.
    """
    north = abs(location.latitude)
    yearly = 27 - 0.46 * max(0.0, north - 15) - 0.0065 * location.elevation
    season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 201) / 365.25)
    season *= 1 if location.latitude >= 0 else -1
    cloud = _pseudo_random(location, day, "cloud")
    wet = _pseudo_random(location, day, "wet") < 0.15 + 0.4 * cloud
    rain_mm = round(-4 * math.log(1 - 0.98 * _pseudo_random(location, day, "rain")) + 0.2, 1) if wet else 0.0
    likely = _pseudo_random(location, day, "likely")
    return DayWeather(
        mean=yearly + 0.2 * north * season + 7 * (_pseudo_random(location, day, "warm") - 0.5),
        temperature_range=(11 - 6 * cloud) * (1 if north < 60 else 0.6),
        cloud=cloud,
        rain_mm=rain_mm,
        rain_start_hour=int(_pseudo_random(location, day, "from") * 16),
        rain_hours=3 + int(_pseudo_random(location, day, "hours") * 6),
        rain_probability=round(60 + 40 * likely if wet else 35 * likely),
        wind=4 + 22 * _pseudo_random(location, day, "wind") ** 1.5,
    )


def conditions_at(location: Location, when: datetime) -> Conditions:
    """Return the weather at `when`, an aware time in the zone of `location`."""
    day = when.date()
    weather = day_weather(location, day)
    hour = when.hour + when.minute / 60
    warmth = math.cos(2 * math.pi * (hour - 15) / 24)
    temperature = _mean_at(location, when) + weather.temperature_range / 2 * warmth
    wet = weather.rain_mm > 0 and weather.rain_start_hour <= hour < weather.rain_start_hour + weather.rain_hours
    humidity = max(20.0, min(100.0, 58 + 30 * weather.cloud - 14 * warmth + (12 if wet else 0)))
    wind = weather.wind * (1 + 0.25 * warmth)
    rise, fall = sunrise_and_sunset(location, day)
    return Conditions(
        temperature_2m=round(temperature, 1),
        apparent_temperature=round(_apparent(temperature, humidity, wind), 1),
        relative_humidity_2m=round(humidity),
        precipitation=round(weather.rain_mm / weather.rain_hours, 2) if wet else 0.0,
        precipitation_probability=weather.rain_probability if wet else weather.rain_probability // 2,
        weather_code=weather_code(weather, temperature, wet),
        wind_speed_10m=round(wind, 1),
        is_day=int(rise <= when < fall),
    )


def weather_code(weather: DayWeather, temperature: float, wet: bool) -> int:
    """Return the WMO code.

    If `wet`, it means rain, snow (in frost) or a thunderstorm (in heat); otherwise a clear sky, clouds or fog.
    """
    if not wet:
        if weather.cloud > 0.9 and weather.wind < 8:
            return 45
        return 0 if weather.cloud < 0.25 else 1 if weather.cloud < 0.45 else 2 if weather.cloud < 0.7 else 3
    heaviness = 0 if weather.rain_mm < 2.5 else 1 if weather.rain_mm < 8 else 2
    if temperature < 0.5:
        return (71, 73, 75)[heaviness]
    if heaviness == 2 and temperature > 22:
        return 95
    return (61, 63, 65)[heaviness]


def sunrise_and_sunset(location: Location, day: date) -> tuple[datetime, datetime]:
    """Return sunrise and sunset in the time zone of `location`, exact to a few minutes.

    If the sun does not set, the result is the first and the last minute of the day; if it does not rise, both are noon.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=location.zone)
    offset = midnight.replace(hour=12).utcoffset() or timedelta()
    noon = 12 - location.longitude / 15 + offset.total_seconds() / 3600
    tilt = math.radians(-23.44) * math.cos(2 * math.pi * (day.timetuple().tm_yday + 10) / 365.25)
    north = math.radians(max(-89.9, min(89.9, location.latitude)))
    level = math.sin(math.radians(-0.83)) - math.sin(north) * math.sin(tilt)
    cosine = level / (math.cos(north) * math.cos(tilt))
    if cosine <= -1:
        return midnight, midnight.replace(hour=23, minute=59)
    if cosine >= 1:
        return midnight.replace(hour=12), midnight.replace(hour=12)
    half = math.degrees(math.acos(cosine)) / 15
    return _at(midnight, noon - half), _at(midnight, noon + half)


def _at(midnight: datetime, hours: float) -> datetime:
    minutes = max(0, min(24 * 60 - 1, round(hours * 60)))
    return midnight.replace(hour=minutes // 60, minute=minutes % 60)


def _mean_at(location: Location, when: datetime) -> float:
    """Return the mean temperature in °C, interpolated between the noons of two days."""
    share = (when.hour + when.minute / 60 - 12) / 24
    today = day_weather(location, when.date()).mean
    other = day_weather(location, when.date() + timedelta(days=1 if share >= 0 else -1)).mean
    return today + abs(share) * (other - today)


def _apparent(temperature: float, humidity: float, wind: float) -> float:
    """Return Steadman's apparent temperature in the shade, in °C."""
    vapour = humidity / 100 * 6.105 * math.exp(17.27 * temperature / (237.7 + temperature))
    return temperature + 0.33 * vapour - 0.70 * wind / 3.6 - 4


def _pseudo_random(location: Location, day: date, what: str) -> float:
    """Return a pseudo-random number in [0, 1) that depends only on the place (to 0.1°), the day and `what`."""
    key = f"{location.latitude:.1f} {location.longitude:.1f} {day.isoformat()} {what}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6]) / 2**48
