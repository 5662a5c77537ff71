"""Promises of choosing a place: the one that a person means, or a question which one it is."""

from tests.weather.cities import city
from tools.weather.geocoding import choose_place, read_coordinates


def test_the_best_match_wins_over_a_smaller_place_with_the_exact_name() -> None:
    cologne = city("Cologne", "North Rhine-Westphalia", "Germany", "DE", 963395)
    hamlet = city("Köln", "Saxony", "Germany", "DE", None)

    assert choose_place("Köln", [cologne, hamlet]).name == "Cologne"
    assert choose_place("koln, Saxony", [cologne, hamlet]).region == "Saxony"


def test_a_city_named_like_its_region_is_labelled_once() -> None:
    assert str(choose_place("Berlin", [city("Berlin", "Berlin", "Germany", "DE", 3426354)])) == "Berlin, Germany"


def test_only_two_numbers_are_read_as_coordinates() -> None:
    assert read_coordinates("Paris, 75001") is None
    point = read_coordinates(" -33.9 , 151 ")
    assert point is not None
    assert (point.latitude, point.longitude) == (-33.9, 151.0)
