"""Results of a geocoder, as Open-Meteo gives them."""

from typing import Any


def city(name: str, region: str, country: str, code: str, population: int | None) -> dict[str, Any]:
    """A result; the service leaves out a population that it does not know."""
    place = {"name": name, "admin1": region, "country": country, "country_code": code}
    point = {"latitude": 10.5, "longitude": -20.25, "timezone": "Europe/Paris"}
    return place | point | ({} if population is None else {"population": population})
