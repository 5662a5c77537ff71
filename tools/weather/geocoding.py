"""Finds the place that a text means: coordinates, or one of the results of Open-Meteo's geocoder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.errors import DeskError
from tools.text.unicode_normalization import normalize

DECISIVE_POPULATION_RATIO = 3
"""A place is chosen without a question if it has this many times the population of every namesake."""
MAX_CANDIDATES = 8

COUNTRIES = {"usa": "US", "uk": "GB", "uae": "AE", "america": "US", "great britain": "GB"}
US_STATES = {
    "al": "Alabama", "ak": "Alaska", "az": "Arizona", "ar": "Arkansas", "ca": "California", "co": "Colorado",
    "ct": "Connecticut", "de": "Delaware", "dc": "District of Columbia", "fl": "Florida", "ga": "Georgia",
    "hi": "Hawaii", "id": "Idaho", "il": "Illinois", "in": "Indiana", "ia": "Iowa", "ks": "Kansas",
    "ky": "Kentucky", "la": "Louisiana", "me": "Maine", "md": "Maryland", "ma": "Massachusetts",
    "mi": "Michigan", "mn": "Minnesota", "ms": "Mississippi", "mo": "Missouri", "mt": "Montana",
    "ne": "Nebraska", "nv": "Nevada", "nh": "New Hampshire", "nj": "New Jersey", "nm": "New Mexico",
    "ny": "New York", "nc": "North Carolina", "nd": "North Dakota", "oh": "Ohio", "ok": "Oklahoma",
    "or": "Oregon", "pa": "Pennsylvania", "ri": "Rhode Island", "sc": "South Carolina", "sd": "South Dakota",
    "tn": "Tennessee", "tx": "Texas", "ut": "Utah", "vt": "Vermont", "va": "Virginia", "wa": "Washington",
    "wv": "West Virginia", "wi": "Wisconsin", "wy": "Wyoming",
}  # fmt: skip


class ToolError(DeskError):
    """A tool has no result; `result` is the error that the model gets instead."""

    def __init__(self, code: str, message: str, hint: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.result: dict[str, Any] = {
            "error": {"code": code, "message": message, "candidates": list(candidates), "hint": hint}
        }


@dataclass(frozen=True)
class Place:
    """A point on the map: degrees north and east, and its names as far as they are known."""

    name: str
    region: str | None
    country: str | None
    latitude: float
    longitude: float
    timezone: str | None = None

    def __str__(self) -> str:
        return ", ".join(part for part in (self.name, self.region, self.country) if part)


def read_coordinates(text: str) -> Place | None:
    """Returns the place of coordinates such as "48.85, 2.35"; None if the text is not coordinates.

    Raises:
        ToolError: the text has two numbers that are not a latitude and a longitude.
    """
    match = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)\s*(?:°\s*)?[,;]\s*([+-]?\d+(?:\.\d+)?)\s*°?", text.strip())
    if not match:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ToolError(
            "bad_request",
            f"{text.strip()} is not on the map.",
            "Give latitude (-90 to 90) first, then longitude (-180 to 180), in degrees.",
        )
    return Place(f"{latitude}, {longitude}", None, None, latitude, longitude)


def split_place(text: str) -> tuple[str, list[str]]:
    """Splits a text into a name and its qualifiers: "Paris, TX, USA" -> ("Paris", ["TX", "USA"])."""
    name, *qualifiers = [part.strip() for part in text.split(",") if part.strip()]
    return name, qualifiers


def choose_place(text: str, results: Sequence[Mapping[str, Any]]) -> Place:
    """Chooses the geocoder's result that the text means.

    The service matches loosely and puts its best match first, with a translated name ("Köln" gives "Cologne"). Only
    results in the named region or country fit. Of these, the first counts, and all with exactly the requested name.

    Raises:
        ToolError: no result fits, or several places of that name fit and none is by far the largest.
    """
    name, qualifiers = split_place(text)
    meant = _named(name, [r for r in results if _fits(r, qualifiers)])
    if not meant:
        raise ToolError(
            "unknown_place",
            f'No place called "{text.strip()}" was found.',
            'Check the spelling; write "City, Region" or "City, Country".',
            _labels(_named(name, results)),
        )
    largest = meant[0]
    namesakes = [r for r in meant if str(_place(r)) != str(_place(largest))]
    if namesakes and _population(largest) < DECISIVE_POPULATION_RATIO * max(_population(namesakes[0]), 1):
        raise ToolError(
            "ambiguous_place",
            f'"{text.strip()}" may mean several places.',
            "Ask which one is meant, then call again with one of the candidates as the place.",
            _labels(meant),
        )
    return _place(largest)


def _place(result: Mapping[str, Any]) -> Place:
    region, country = result.get("admin1") or None, result.get("country") or None
    if region == result["name"]:
        region = None  # "Berlin, Germany" instead of "Berlin, Berlin, Germany"
    return Place(result["name"], region, country, result["latitude"], result["longitude"], result.get("timezone"))


def _fits(result: Mapping[str, Any], qualifiers: Sequence[str]) -> bool:
    """Whether each qualifier is the result's region, country, country code or US state."""
    country_code = str(result.get("country_code") or "")
    names = {_fold(str(result.get(key) or "")) for key in ("admin1", "admin2", "admin3", "country", "country_code")}
    for qualifier in map(_fold, qualifiers):
        state = country_code == "US" and _fold(US_STATES.get(qualifier, "-")) in names
        if qualifier not in names and not state and COUNTRIES.get(qualifier) != country_code:
            return False
    return True


def _fold(text: str) -> str:
    """Text for comparing: without case, accents and dots ("São Paulo" = "sao paulo", "D.C." = "dc")."""
    plain = "".join(c for c in normalize("NFKD", text) if not unicodedata.combining(c))
    return plain.replace(".", "").casefold().strip()


def _population(result: Mapping[str, Any]) -> int:
    population = result.get("population")
    return population if isinstance(population, int) else 0


def _named(name: str, results: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the first result and all results of exactly this name, the largest population first."""
    named = [r for i, r in enumerate(results) if i == 0 or _fold(r["name"]) == _fold(name)]
    return sorted(named, key=_population, reverse=True)


def _labels(results: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(_place(r)) for r in results))[:MAX_CANDIDATES]
