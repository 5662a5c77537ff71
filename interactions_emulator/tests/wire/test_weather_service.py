"""The synthetic weather service: the shape of the real one, plausible values, the same each time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from interactions_emulator import Emulator
from interactions_emulator.synthetic.cities import find_places
from interactions_emulator.synthetic.weather import CURRENT, DAILY, HOURLY, BadQuery, forecast, search
from wire.conftest import Wire

JULY = datetime(2026, 7, 15, 12, tzinfo=UTC).timestamp()
JANUARY = datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()


def forecast_for(city: str, now: float, **more: str) -> dict[str, Any]:
    """The forecast for the largest city of this name."""
    place = find_places(city, 1)[0]
    query = {"latitude": str(place.latitude), "longitude": str(place.longitude), "timezone": "auto"}
    return forecast({**query, "daily": ",".join(DAILY), "current": ",".join(CURRENT), **more}, now)


def test_a_city_search_lists_the_largest_first() -> None:
    found = search({"name": "paris"})["results"]
    assert [(place["country"], place["admin1"]) for place in found[:2]] == [
        ("France", "Île-de-France"),
        ("United States", "Texas"),
    ]
    assert set(found[0]) >= {"id", "name", "latitude", "longitude", "elevation", "feature_code", "timezone"}
    assert len(search({"name": "Springfield"})["results"]) >= 4
    assert len(search({"name": "Springfield", "count": "2"})["results"]) == 2
    assert search({"name": "münchen"})["results"][0]["name"] == "Munich"
    assert search({"name": "sao"})["results"][0]["name"] == "São Paulo"
    ids = [place["id"] for name in ("Paris", "Springfield", "Cambridge") for place in search({"name": name})["results"]]
    assert len(ids) == len(set(ids))


def test_an_unknown_name_has_no_results_key() -> None:
    for name in ("Xyzzy", "Paris, Texas", "P"):
        assert "results" not in search({"name": name})


def test_synthetic_temperatures_are_plausible_for_season_and_latitude() -> None:
    warmest = {
        city: [max(forecast_for(city, now)["daily"]["temperature_2m_max"]) for now in (JANUARY, JULY)]
        for city in CITIES
    }
    assert warmest["Berlin"][1] > warmest["Berlin"][0] + 10
    assert warmest["Sydney"][0] > warmest["Sydney"][1] + 5
    assert abs(warmest["Singapore"][0] - warmest["Singapore"][1]) < 6
    assert warmest["Singapore"][0] > warmest["Berlin"][0] > warmest["Tromsø"][0]
    for city in CITIES:
        for now in (JANUARY, JULY):
            answer = forecast_for(city, now, hourly=",".join(HOURLY), forecast_days="16")
            hours, days = answer["hourly"]["temperature_2m"], answer["daily"]
            assert all(-30 < value < 45 for value in hours)
            assert [max(hours[24 * d : 24 * d + 24]) for d in range(16)] == days["temperature_2m_max"]
            assert [min(hours[24 * d : 24 * d + 24]) for d in range(16)] == days["temperature_2m_min"]
            for d in range(16):
                rain = sum(answer["hourly"]["precipitation"][24 * d : 24 * d + 24])
                assert rain == pytest.approx(days["precipitation_sum"][d], abs=0.1)
            assert min(answer["current"]["relative_humidity_2m"], 100) >= 20


CITIES = ("Berlin", "Sydney", "Singapore", "Tromsø", "Denver", "Delhi")


def test_the_same_place_and_day_have_the_same_weather() -> None:
    today, tomorrow = forecast_for("Berlin", JULY), forecast_for("Berlin", JULY + 86_400)
    assert today == forecast_for("Berlin", JULY)
    assert {name: days[1:] for name, days in today["daily"].items()} == {
        name: days[:-1] for name, days in tomorrow["daily"].items()
    }


def test_sunrise_and_sunset_match_the_place_and_season() -> None:
    berlin = forecast_for("Berlin", JULY)
    assert "2026-07-15T04:55" <= berlin["daily"]["sunrise"][0] <= "2026-07-15T05:10"  # by the almanac at 5:01
    assert berlin["current"]["is_day"] == 1
    assert forecast_for("Tromsø", JULY)["daily"]["sunset"][0].endswith("23:59")
    assert forecast_for("Tromsø", JANUARY)["current"]["is_day"] == 0
    assert (berlin["timezone"], berlin["utc_offset_seconds"]) == ("Europe/Berlin", 7200)


def test_units_are_converted_and_named() -> None:
    metric = forecast_for("Denver", JANUARY)
    imperial = forecast_for(
        "Denver", JANUARY, temperature_unit="fahrenheit", wind_speed_unit="mph", precipitation_unit="inch"
    )
    assert imperial["current_units"]["temperature_2m"] == "°F"
    assert imperial["daily_units"]["precipitation_sum"] == "inch"
    celsius, fahrenheit = metric["current"]["temperature_2m"], imperial["current"]["temperature_2m"]
    assert fahrenheit == pytest.approx(celsius * 1.8 + 32, abs=0.1)
    assert imperial["current"]["wind_speed_10m"] == pytest.approx(metric["current"]["wind_speed_10m"] * 0.621, abs=0.1)


def test_the_open_sea_has_a_time_zone() -> None:
    answer = forecast({"latitude": "0", "longitude": "-150", "timezone": "auto", "current": "is_day"}, JULY)
    assert (answer["timezone"], answer["utc_offset_seconds"]) == ("Etc/GMT+10", -36_000)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({}, "latitude"),
        ({"latitude": "x", "longitude": "2"}, "latitude"),
        ({"latitude": "91", "longitude": "2"}, "range"),
        ({"latitude": "1", "longitude": "2", "current": "mood"}, "'mood'"),
        ({"latitude": "1", "longitude": "2", "daily": "temperature_2m"}, "'temperature_2m'"),
        ({"latitude": "1", "longitude": "2", "forecast_days": "17"}, "forecast_days"),
        ({"latitude": "1", "longitude": "2", "timezone": "Mars/Base"}, "'Mars/Base'"),
        ({"latitude": "1", "longitude": "2", "temperature_unit": "kelvin"}, "kelvin"),
    ],
)
def test_an_invalid_weather_query_is_refused_with_the_reason(query: dict[str, str], why: str) -> None:
    with pytest.raises(BadQuery, match=why):
        forecast(query, JULY)


def test_the_weather_service_declares_its_values_synthetic(api: Emulator, wire: Wire) -> None:
    for query in ("search?name=Paris", "forecast?latitude=48.85&longitude=2.35&current=temperature_2m"):
        answer = wire.http.get(f"{api.url}/weather/v1/{query}").json()
        assert (answer["synthetic"], answer["source"]) == (True, "interactions-emulator")
    bad = wire.http.get(f"{api.url}/weather/v1/search")
    assert (bad.status_code, bad.json()["error"], "name" in bad.json()["reason"]) == (400, True, True)
    assert [line["kind"] for line in api.log()["requests"]] == ["weather"] * 3
