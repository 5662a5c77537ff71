"""A list of cities with their real coordinates; several cities share a name."""

# ruff: noqa: E501

from __future__ import annotations

import math
import unicodedata
from typing import NamedTuple


class Place(NamedTuple):
    """A city: degrees north and east, metres above the sea, ISO country code, IANA time zone."""

    name: str
    latitude: float
    longitude: float
    elevation: float
    feature_code: str
    country_code: str
    country: str
    admin1: str
    timezone: str
    population: int
    also: str = ""
    """The name in another language."""


_US = ("US", "United States")
_GB = ("GB", "United Kingdom")

PLACES = (
    Place("Paris", 48.85341, 2.3488, 42, "PPLC", "FR", "France", "Île-de-France", "Europe/Paris", 2138551),
    Place("Paris", 33.66094, -95.55551, 183, "PPLA2", *_US, "Texas", "America/Chicago", 24782),
    Place("Paris", 36.302, -88.32671, 156, "PPLA2", *_US, "Tennessee", "America/Chicago", 10184),
    Place("London", 51.50853, -0.12574, 25, "PPLC", *_GB, "England", "Europe/London", 8961989, "Londres"),
    Place("London", 42.98339, -81.23304, 252, "PPL", "CA", "Canada", "Ontario", "America/Toronto", 422324),
    Place("Berlin", 52.52437, 13.41053, 74, "PPLC", "DE", "Germany", "State of Berlin", "Europe/Berlin", 3426354),
    Place("Munich", 48.13743, 11.57549, 524, "PPLA", "DE", "Germany", "Bavaria", "Europe/Berlin", 1260391, "München"),
    Place("Hamburg", 53.57532, 10.01534, 6, "PPLA", "DE", "Germany", "Hamburg", "Europe/Berlin", 1845229),
    Place("Cologne", 50.93333, 6.95, 58, "PPLA2", "DE", "Germany", "North Rhine-Westphalia", "Europe/Berlin", 963395, "Köln"),
    Place("Frankfurt am Main", 50.11552, 8.68417, 113, "PPL", "DE", "Germany", "Hesse", "Europe/Berlin", 650000),
    Place("Vienna", 48.20849, 16.37208, 171, "PPLC", "AT", "Austria", "Vienna", "Europe/Vienna", 1691468, "Wien"),
    Place("Zurich", 47.36667, 8.55, 429, "PPLA", "CH", "Switzerland", "Zurich", "Europe/Zurich", 341730, "Zürich"),
    Place("Rome", 41.89193, 12.51133, 20, "PPLC", "IT", "Italy", "Lazio", "Europe/Rome", 2318895, "Roma"),
    Place("Milan", 45.46427, 9.18951, 120, "PPLA", "IT", "Italy", "Lombardy", "Europe/Rome", 1236837, "Milano"),
    Place("Madrid", 40.4165, -3.70256, 665, "PPLC", "ES", "Spain", "Madrid", "Europe/Madrid", 3255944),
    Place("Barcelona", 41.38879, 2.15899, 47, "PPLA", "ES", "Spain", "Catalonia", "Europe/Madrid", 1620343),
    Place("Lisbon", 38.71667, -9.13333, 15, "PPLC", "PT", "Portugal", "Lisbon", "Europe/Lisbon", 517802, "Lisboa"),
    Place("Amsterdam", 52.37403, 4.88969, 13, "PPLC", "NL", "Netherlands", "North Holland", "Europe/Amsterdam", 741636),
    Place("Brussels", 50.85045, 4.34878, 28, "PPLC", "BE", "Belgium", "Brussels Capital", "Europe/Brussels", 1019022, "Bruxelles"),
    Place("Copenhagen", 55.67594, 12.56553, 14, "PPLC", "DK", "Denmark", "Capital Region", "Europe/Copenhagen", 1153615, "København"),
    Place("Stockholm", 59.32938, 18.06871, 17, "PPLC", "SE", "Sweden", "Stockholm", "Europe/Stockholm", 1515017),
    Place("Oslo", 59.91273, 10.74609, 26, "PPLC", "NO", "Norway", "Oslo", "Europe/Oslo", 580000),
    Place("Tromsø", 69.6489, 18.95508, 10, "PPLA", "NO", "Norway", "Troms", "Europe/Oslo", 52436, "Tromso"),
    Place("Helsinki", 60.16952, 24.93545, 26, "PPLC", "FI", "Finland", "Uusimaa", "Europe/Helsinki", 558457),
    Place("Reykjavik", 64.13548, -21.89541, 37, "PPLC", "IS", "Iceland", "Capital Region", "Atlantic/Reykjavik", 118918, "Reykjavík"),
    Place("Dublin", 53.33306, -6.24889, 17, "PPLC", "IE", "Ireland", "Leinster", "Europe/Dublin", 1024027),
    Place("Dublin", 40.09923, -83.11408, 252, "PPL", *_US, "Ohio", "America/New_York", 45098),
    Place("Edinburgh", 55.95206, -3.19648, 65, "PPLA", *_GB, "Scotland", "Europe/London", 464990),
    Place("Manchester", 53.48095, -2.23743, 51, "PPLA2", *_GB, "England", "Europe/London", 395515),
    Place("Manchester", 42.99564, -71.45479, 80, "PPL", *_US, "New Hampshire", "America/New_York", 110229),
    Place("Birmingham", 52.48142, -1.89983, 149, "PPLA2", *_GB, "England", "Europe/London", 984333),
    Place("Birmingham", 33.52066, -86.80249, 187, "PPLA2", *_US, "Alabama", "America/Chicago", 212461),
    Place("Cambridge", 52.2, 0.11667, 12, "PPLA2", *_GB, "England", "Europe/London", 128488),
    Place("Cambridge", 42.3751, -71.10561, 9, "PPL", *_US, "Massachusetts", "America/New_York", 110402),
    Place("Cambridge", 43.3601, -80.31269, 289, "PPL", "CA", "Canada", "Ontario", "America/Toronto", 120372),
    Place("Prague", 50.08804, 14.42076, 202, "PPLC", "CZ", "Czechia", "Prague", "Europe/Prague", 1165581, "Praha"),
    Place("Warsaw", 52.22977, 21.01178, 113, "PPLC", "PL", "Poland", "Mazovia", "Europe/Warsaw", 1702139, "Warszawa"),
    Place("Budapest", 47.49835, 19.04045, 104, "PPLC", "HU", "Hungary", "Budapest", "Europe/Budapest", 1741041),
    Place("Athens", 37.98376, 23.72784, 70, "PPLC", "GR", "Greece", "Attica", "Europe/Athens", 664046, "Athen"),
    Place("Athens", 33.96095, -83.37794, 194, "PPLA2", *_US, "Georgia", "America/New_York", 116714),
    Place("Istanbul", 41.01384, 28.94966, 39, "PPLA", "TR", "Türkiye", "Istanbul", "Europe/Istanbul", 14804116),
    Place("Kyiv", 50.45466, 30.5238, 187, "PPLC", "UA", "Ukraine", "Kyiv City", "Europe/Kyiv", 2797553, "Kiev"),
    Place("New York", 40.71427, -74.00597, 10, "PPL", *_US, "New York", "America/New_York", 8804190, "New York City"),
    Place("Los Angeles", 34.05223, -118.24368, 89, "PPLA2", *_US, "California", "America/Los_Angeles", 3898747),
    Place("San Francisco", 37.77493, -122.41942, 16, "PPLA2", *_US, "California", "America/Los_Angeles", 873965),
    Place("Chicago", 41.85003, -87.65005, 179, "PPLA2", *_US, "Illinois", "America/Chicago", 2746388),
    Place("Seattle", 47.60621, -122.33207, 56, "PPLA2", *_US, "Washington", "America/Los_Angeles", 737015),
    Place("Boston", 42.35843, -71.05977, 14, "PPLA", *_US, "Massachusetts", "America/New_York", 675647),
    Place("Denver", 39.73915, -104.9847, 1609, "PPLA", *_US, "Colorado", "America/Denver", 715522),
    Place("Miami", 25.77427, -80.19366, 25, "PPLA2", *_US, "Florida", "America/New_York", 442241),
    Place("Portland", 45.52345, -122.67621, 15, "PPLA2", *_US, "Oregon", "America/Los_Angeles", 652503),
    Place("Portland", 43.65737, -70.2589, 14, "PPLA2", *_US, "Maine", "America/New_York", 68408),
    Place("Springfield", 37.21533, -93.29824, 396, "PPLA2", *_US, "Missouri", "America/Chicago", 169176),
    Place("Springfield", 42.10148, -72.58981, 21, "PPLA2", *_US, "Massachusetts", "America/New_York", 155929),
    Place("Springfield", 39.80172, -89.64371, 182, "PPLA", *_US, "Illinois", "America/Chicago", 114394),
    Place("Springfield", 44.04624, -123.02203, 139, "PPL", *_US, "Oregon", "America/Los_Angeles", 61893),
    Place("Springfield", 39.92423, -83.80882, 298, "PPLA2", *_US, "Ohio", "America/New_York", 58662),
    Place("Toronto", 43.70011, -79.4163, 175, "PPLA", "CA", "Canada", "Ontario", "America/Toronto", 2731571),
    Place("Vancouver", 49.24966, -123.11934, 70, "PPL", "CA", "Canada", "British Columbia", "America/Vancouver", 662248),
    Place("Vancouver", 45.63873, -122.66149, 51, "PPLA2", *_US, "Washington", "America/Los_Angeles", 190915),
    Place("Mexico City", 19.42847, -99.12766, 2240, "PPLC", "MX", "Mexico", "Mexico City", "America/Mexico_City", 12294193, "Ciudad de México"),
    Place("São Paulo", -23.5475, -46.63611, 769, "PPLA", "BR", "Brazil", "São Paulo", "America/Sao_Paulo", 12400232),
    Place("Buenos Aires", -34.61315, -58.37723, 31, "PPLC", "AR", "Argentina", "Buenos Aires F.D.", "America/Argentina/Buenos_Aires", 13076300),
    Place("Santiago", -33.45694, -70.64827, 556, "PPLC", "CL", "Chile", "Santiago Metropolitan", "America/Santiago", 4837295),
    Place("Lima", -12.04318, -77.02824, 154, "PPLC", "PE", "Peru", "Lima region", "America/Lima", 7737002),
    Place("Cairo", 30.06263, 31.24967, 23, "PPLC", "EG", "Egypt", "Cairo", "Africa/Cairo", 9606916),
    Place("Nairobi", -1.28333, 36.81667, 1684, "PPLC", "KE", "Kenya", "Nairobi County", "Africa/Nairobi", 2750547),
    Place("Lagos", 6.45407, 3.39467, 11, "PPLA2", "NG", "Nigeria", "Lagos", "Africa/Lagos", 15388000),
    Place("Cape Town", -33.92584, 18.42322, 25, "PPLA", "ZA", "South Africa", "Western Cape", "Africa/Johannesburg", 3433441),
    Place("Dubai", 25.07725, 55.30927, 24, "PPLA", "AE", "United Arab Emirates", "Dubai", "Asia/Dubai", 2956587),
    Place("Mumbai", 19.07283, 72.88261, 14, "PPLA", "IN", "India", "Maharashtra", "Asia/Kolkata", 12691836, "Bombay"),
    Place("Delhi", 28.65195, 77.23149, 227, "PPLA", "IN", "India", "Delhi", "Asia/Kolkata", 10927986),
    Place("Singapore", 1.28967, 103.85007, 23, "PPLC", "SG", "Singapore", "", "Asia/Singapore", 3547809),
    Place("Bangkok", 13.75398, 100.50144, 12, "PPLC", "TH", "Thailand", "Bangkok", "Asia/Bangkok", 5104476),
    Place("Beijing", 39.9075, 116.39723, 49, "PPLC", "CN", "China", "Beijing", "Asia/Shanghai", 18960744, "北京"),
    Place("Shanghai", 31.22222, 121.45806, 12, "PPLA", "CN", "China", "Shanghai", "Asia/Shanghai", 24874500, "上海"),
    Place("Tokyo", 35.6895, 139.69171, 44, "PPLC", "JP", "Japan", "Tokyo", "Asia/Tokyo", 9733276, "東京"),
    Place("Seoul", 37.566, 126.9784, 38, "PPLC", "KR", "South Korea", "Seoul", "Asia/Seoul", 10349312, "서울"),
    Place("Sydney", -33.86785, 151.20732, 58, "PPLA", "AU", "Australia", "New South Wales", "Australia/Sydney", 4627345),
    Place("Melbourne", -37.814, 144.96332, 25, "PPLA", "AU", "Australia", "Victoria", "Australia/Melbourne", 4529500),
    Place("Auckland", -36.84853, 174.76349, 26, "PPLA2", "NZ", "New Zealand", "Auckland", "Pacific/Auckland", 417910),
    Place("Honolulu", 21.30694, -157.85833, 18, "PPLA", *_US, "Hawaii", "Pacific/Honolulu", 350964),
)  # fmt: skip


def find_places(name: str, count: int) -> list[Place]:
    """Return up to `count` cities with this name, largest first.

    If there are none and `name` has at least 3 letters, cities whose names begin with it are returned. Case and accents
    do not matter. As in the real service, only names are compared: "Paris, Texas" finds nothing.
    """
    wanted = _normalized_name(name)
    if len(wanted) < 2:
        return []
    names = {place: {_normalized_name(place.name), _normalized_name(place.also)} for place in PLACES}
    found = [place for place in PLACES if wanted in names[place]]
    if not found and len(wanted) >= 3:
        found = [place for place in PLACES if any(known.startswith(wanted) for known in names[place])]
    return sorted(found, key=lambda place: -place.population)[:count]


def nearest(latitude: float, longitude: float) -> tuple[Place, float]:
    """Return the city nearest to a point, and its distance in degrees of a great circle."""
    return min(((place, _distance(place, latitude, longitude)) for place in PLACES), key=lambda pair: pair[1])


def _normalized_name(text: str) -> str:
    split = unicodedata.normalize("NFKD", text.strip().casefold().replace("ø", "o"))
    return "".join(character for character in split if not unicodedata.combining(character))


def _distance(place: Place, latitude: float, longitude: float) -> float:
    here, there = math.radians(latitude), math.radians(place.latitude)
    turn = math.radians(longitude - place.longitude)
    cosine = math.sin(here) * math.sin(there) + math.cos(here) * math.cos(there) * math.cos(turn)
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
