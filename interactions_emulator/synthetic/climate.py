"""Synthetic weather: plausible for latitude, height and season, always the same for a place and time.

It uses no measurements and no forecasts.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo


@dataclass(frozen=True)
class Spot:
    """A place: degrees north and east, metres above the sea, and the time zone that defines its days."""

    latitude: float
    longitude: float
    elevation: float
    zone: tzinfo


@dataclass(frozen=True)
class Sky:
    """A day's weather."""

    mean: float
    """Mean temperature in °C."""
    swing: float
    """Difference between the warmest and the coldest hour, in °C."""
    cloud: float
    """Share of the sky that is covered, from 0 to 1."""
    rain: float
    """Millimetres that fall from hour `wet_from` on, for `wet_hours` hours."""
    wet_from: int
    wet_hours: int
    chance: int
    """Probability of rain in %."""
    wind: float
    """Mean wind speed in km/h."""


@dataclass(frozen=True)
class Moment:
    """The weather at one time, in °C, %, mm per hour and km/h. `is_day` is 1 by day and 0 by night.

    The names are those of Open-Meteo.
    """

    temperature_2m: float
    apparent_temperature: float
    relative_humidity_2m: int
    precipitation: float
    precipitation_probability: int
    weather_code: int
    wind_speed_10m: float
    is_day: int


def day_sky(spot: Spot, day: date) -> Sky:
    """Return a day's weather.

    The mean temperature falls with latitude and height, and follows the seasons of the hemisphere. A pseudo-random
    number for the place and day adds some degrees, clouds and rain.
    """
    north = abs(spot.latitude)
    yearly = 27 - 0.46 * max(0.0, north - 15) - 0.0065 * spot.elevation
    season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 201) / 365.25)
    season *= 1 if spot.latitude >= 0 else -1
    cloud = _chance(spot, day, "cloud")
    wet = _chance(spot, day, "wet") < 0.15 + 0.4 * cloud
    rain = round(-4 * math.log(1 - 0.98 * _chance(spot, day, "rain")) + 0.2, 1) if wet else 0.0
    likely = _chance(spot, day, "likely")
    return Sky(
        mean=yearly + 0.2 * north * season + 7 * (_chance(spot, day, "warm") - 0.5),
        swing=(11 - 6 * cloud) * (1 if north < 60 else 0.6),
        cloud=cloud,
        rain=rain,
        wet_from=int(_chance(spot, day, "from") * 16),
        wet_hours=3 + int(_chance(spot, day, "hours") * 6),
        chance=round(60 + 40 * likely if wet else 35 * likely),
        wind=4 + 22 * _chance(spot, day, "wind") ** 1.5,
    )


def moment(spot: Spot, when: datetime) -> Moment:
    """Return the weather at `when`, an aware time in the zone of `spot`."""
    day = when.date()
    sky = day_sky(spot, day)
    hour = when.hour + when.minute / 60
    warmth = math.cos(2 * math.pi * (hour - 15) / 24)
    temperature = _mean_at(spot, when) + sky.swing / 2 * warmth
    wet = sky.rain > 0 and sky.wet_from <= hour < sky.wet_from + sky.wet_hours
    humidity = max(20.0, min(100.0, 58 + 30 * sky.cloud - 14 * warmth + (12 if wet else 0)))
    wind = sky.wind * (1 + 0.25 * warmth)
    rise, fall = sun(spot, day)
    return Moment(
        temperature_2m=round(temperature, 1),
        apparent_temperature=round(_apparent(temperature, humidity, wind), 1),
        relative_humidity_2m=round(humidity),
        precipitation=round(sky.rain / sky.wet_hours, 2) if wet else 0.0,
        precipitation_probability=sky.chance if wet else sky.chance // 2,
        weather_code=weather_code(sky, temperature, wet),
        wind_speed_10m=round(wind, 1),
        is_day=int(rise <= when < fall),
    )


def weather_code(sky: Sky, temperature: float, wet: bool) -> int:
    """Return the WMO code: clear to overcast or fog if not `wet`, else rain, snow in frost, or a warm thunderstorm."""
    if not wet:
        if sky.cloud > 0.9 and sky.wind < 8:
            return 45
        return 0 if sky.cloud < 0.25 else 1 if sky.cloud < 0.45 else 2 if sky.cloud < 0.7 else 3
    heaviness = 0 if sky.rain < 2.5 else 1 if sky.rain < 8 else 2
    if temperature < 0.5:
        return (71, 73, 75)[heaviness]
    if heaviness == 2 and temperature > 22:
        return 95
    return (61, 63, 65)[heaviness]


def sun(spot: Spot, day: date) -> tuple[datetime, datetime]:
    """Return sunrise and sunset in the time zone of `spot`, exact to a few minutes.

    If the sun does not set, the result is the first and the last minute of the day; if it does not rise, twice noon.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=spot.zone)
    offset = midnight.replace(hour=12).utcoffset() or timedelta()
    noon = 12 - spot.longitude / 15 + offset.total_seconds() / 3600
    tilt = math.radians(-23.44) * math.cos(2 * math.pi * (day.timetuple().tm_yday + 10) / 365.25)
    north = math.radians(max(-89.9, min(89.9, spot.latitude)))
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


def _mean_at(spot: Spot, when: datetime) -> float:
    """Return the mean temperature in °C, interpolated between the noons of two days."""
    share = (when.hour + when.minute / 60 - 12) / 24
    today = day_sky(spot, when.date()).mean
    other = day_sky(spot, when.date() + timedelta(days=1 if share >= 0 else -1)).mean
    return today + abs(share) * (other - today)


def _apparent(temperature: float, humidity: float, wind: float) -> float:
    """Return Steadman's apparent temperature in the shade, in °C."""
    vapour = humidity / 100 * 6.105 * math.exp(17.27 * temperature / (237.7 + temperature))
    return temperature + 0.33 * vapour - 0.70 * wind / 3.6 - 4


def _chance(spot: Spot, day: date, what: str) -> float:
    """Return a pseudo-random number in [0, 1) that depends only on the place (to 0.1°), the day and `what`."""
    key = f"{spot.latitude:.1f} {spot.longitude:.1f} {day.isoformat()} {what}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6]) / 2**48
