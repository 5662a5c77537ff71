"""Promises of the weather tool, kept over real sockets against a server that speaks like Open-Meteo."""

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import uvicorn
from google.adk.tools import FunctionTool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.weather.cities import city
from tools.weather.forecast import Weather, get_weather
from tools.weather.open_meteo import FIRST_WAIT_S, OpenMeteo

PARIS = city("Paris", "Île-de-France", "France", "FR", 2138551)
PARIS_TEXAS = city("Paris", "Texas", "United States", "US", 24839)
MISSOURI = city("Springfield", "Missouri", "United States", "US", 166810)
MASSACHUSETTS = city("Springfield", "Massachusetts", "United States", "US", 154341)
ILLINOIS = city("Springfield", "Illinois", "United States", "US", 116565)
GARDENS = city("Springfield Gardens", "New York", "United States", "US", 9000000)
CITIES = [PARIS, PARIS_TEXAS, MISSOURI, MASSACHUSETTS, ILLINOIS, GARDENS]

EVERYTHING_DAILY = [
    "temperature_2m_max",
    "temperature_2m_min",
    "precipitation_sum",
    "precipitation_probability_max",
    "wind_speed_10m_max",
    "sunrise",
    "sunset",
    "weather_code",
]


def forecast(days: int) -> dict[str, Any]:
    """An answer in the shape that Open-Meteo documents."""
    dates = [f"2026-11-{22 + day}" for day in range(days)]
    daily: dict[str, Any] = {name: list(range(days)) for name in EVERYTHING_DAILY}
    daily |= {
        "time": dates,
        "sunrise": [f"{d}T08:08" for d in dates],
        "sunset": [f"{d}T17:01" for d in dates],
    }
    return {
        "latitude": 10.5,
        "longitude": -20.25,
        "utc_offset_seconds": 3600,
        "timezone": "Europe/Paris",
        "current": {
            "time": "2026-11-22T14:15",
            "temperature_2m": 11.4,
            "apparent_temperature": 9.9,
            "relative_humidity_2m": 71,
            "precipitation": 0.2,
            "wind_speed_10m": 14.8,
            "weather_code": 61,
        },
        "daily": daily,
    }


class Service:
    """The two calls; `script` holds answers that are given before the regular ones."""

    def __init__(self) -> None:
        self.script: list[Response] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.synthetic = False
        routes = [Route("/v1/search", self.search), Route("/v1/forecast", self.forecast)]
        config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error")
        self.server = uvicorn.Server(config)

    async def search(self, request: Request) -> Response:
        def regular() -> dict[str, Any]:
            wanted = request.query_params["name"].casefold()
            found = [c for c in CITIES if c["name"].casefold().startswith(wanted)]
            return {"results": found} if found else {"generationtime_ms": 0.1}

        return self._answer(request, regular)

    async def forecast(self, request: Request) -> Response:
        def regular() -> dict[str, Any]:
            answer = forecast(int(request.query_params["forecast_days"]))
            return answer | {"synthetic": True} if self.synthetic else answer

        return self._answer(request, regular)

    def _answer(self, request: Request, regular: Any) -> Response:
        self.requests.append((request.url.path, dict(request.query_params)))
        return self.script.pop(0) if self.script else JSONResponse(regular())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    up = threading.Event()

    async def startup(sockets: Any = None) -> None:
        await uvicorn.Server.startup(service.server, sockets)
        up.set()

    service.server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=service.server.run)
    thread.start()
    assert up.wait(10)
    yield service
    service.server.should_exit = True
    thread.join(10)


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def weather(service: Service, sleeps: list[float]) -> Weather:
    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)

    return Weather(
        OpenMeteo(f"{service.url}/v1/search", f"{service.url}/v1/forecast", sleep=sleep),
        now=lambda: datetime(2026, 11, 22, 13, 20, tzinfo=UTC),
    )


async def test_a_weather_result_contains_its_place_time_and_source(weather: Weather) -> None:
    result = await weather.get_weather("paris")

    assert result["place"] == {
        "name": "Paris",
        "region": "Île-de-France",
        "country": "France",
        "latitude": 10.5,
        "longitude": -20.25,
        "timezone": "Europe/Paris",
    }
    assert result["current"] == {
        "time": "2026-11-22T14:15",
        "temperature": 11.4,
        "feels_like": 9.9,
        "humidity": 71,
        "precipitation": 0.2,
        "wind_speed": 14.8,
        "conditions": "light rain",
    }
    assert [day["date"] for day in result["days"]] == ["2026-11-22"]
    assert result["observed"] == "2026-11-22T14:15+01:00"
    assert result["retrieved"] == "2026-11-22T13:20:00+00:00"
    assert result["source"] == "Open-Meteo"
    assert "synthetic" not in result
    json.dumps(result)


async def test_a_seven_day_forecast_lists_each_day_in_order_with_its_values(weather: Weather) -> None:
    result = await weather.get_weather("Paris", days=7)

    assert len(result["days"]) == 7
    assert result["days"][3] == {
        "date": "2026-11-25",
        "conditions": "overcast",
        "high": 3,
        "low": 3,
        "precipitation": 3,
        "precipitation_chance": 3,
        "wind_max": 3,
        "sunrise": "2026-11-25T08:08",
        "sunset": "2026-11-25T17:01",
    }


async def test_imperial_units_are_requested_and_named_in_the_result(weather: Weather, service: Service) -> None:
    result = await weather.get_weather("Paris", units="imperial")

    _, query = service.requests[-1]
    assert query["temperature_unit"] == "fahrenheit"
    assert query["wind_speed_unit"] == "mph"
    assert query["precipitation_unit"] == "inch"
    assert result["units"]["temperature"] == "°F"


async def test_synthetic_values_are_never_attributed_to_open_meteo(weather: Weather, service: Service) -> None:
    service.synthetic = True

    result = await weather.get_weather("Paris")

    assert result["synthetic"] is True
    assert result["source"] == "interactions-emulator (synthetic values, not real weather)"


async def test_coordinates_are_used_without_a_geocoding_request(weather: Weather, service: Service) -> None:
    result = await weather.get_weather("48.85, 2.35")

    assert [path for path, _ in service.requests] == ["/v1/forecast"]
    assert (service.requests[0][1]["latitude"], service.requests[0][1]["longitude"]) == ("48.85", "2.35")
    assert result["place"]["timezone"] == "Europe/Paris"


async def test_an_ambiguous_place_returns_candidates_that_can_be_used_as_input(weather: Weather) -> None:
    error = (await weather.get_weather("Springfield"))["error"]

    assert error["code"] == "ambiguous_place"
    assert error["candidates"] == [
        "Springfield, Missouri, United States",
        "Springfield, Massachusetts, United States",
        "Springfield, Illinois, United States",
    ]
    for candidate in error["candidates"]:
        assert (await weather.get_weather(candidate))["place"]["region"] in candidate


@pytest.mark.parametrize(
    "qualified",
    ["Springfield, Illinois", "springfield, IL", "Springfield, Il., USA", "Springfield,Illinois,us"],
)
async def test_a_region_or_state_abbreviation_selects_the_place(weather: Weather, qualified: str) -> None:
    assert (await weather.get_weather(qualified))["place"]["region"] == "Illinois"


async def test_an_unknown_place_is_an_error_that_says_what_to_try(weather: Weather) -> None:
    error = (await weather.get_weather("Xyzzyville"))["error"]
    assert (error["code"], error["candidates"]) == ("unknown_place", [])
    assert "Xyzzyville" in error["message"]

    elsewhere = (await weather.get_weather("Paris, Japan"))["error"]
    assert elsewhere["code"] == "unknown_place"
    assert elsewhere["candidates"][0] == "Paris, Île-de-France, France"


@pytest.mark.parametrize(
    "arguments",
    [
        {"place": " "},
        {"place": None},
        {"place": "Paris", "days": 0},
        {"place": "Paris", "days": 8},
        {"place": "Paris", "days": "2"},
        {"place": "Paris", "units": "kelvin"},
        {"place": "95.1, 2.35"},
    ],
)
async def test_invalid_arguments_are_rejected_without_a_request_to_the_service(
    weather: Weather, service: Service, arguments: dict[str, Any]
) -> None:
    assert (await weather.get_weather(**arguments))["error"]["code"] == "bad_request"
    assert service.requests == []


async def test_a_server_error_is_retried(weather: Weather, service: Service, sleeps: list[float]) -> None:
    service.script = [Response(status_code=503), Response(status_code=502)]

    assert (await weather.get_weather("Paris"))["source"] == "Open-Meteo"
    first, second = sleeps
    assert FIRST_WAIT_S / 2 <= first <= 1.5 * FIRST_WAIT_S
    assert FIRST_WAIT_S <= second <= 3 * FIRST_WAIT_S


async def test_three_server_errors_are_reported_as_service_unreachable(weather: Weather, service: Service) -> None:
    service.script = [Response(status_code=503) for _ in range(9)]

    error = (await weather.get_weather("Paris"))["error"]

    assert error["code"] == "service_unreachable"
    assert "503" in error["message"]
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>", media_type="text/html"),
        Response("[1]", media_type="application/json"),
        JSONResponse({"results": [{"name": "Paris"}]}),
        JSONResponse({"results": "Paris"}),
        Response(status_code=429),
    ],
    ids=["html", "list", "no coordinates", "no list", "429"],
)
async def test_an_invalid_answer_is_service_unreachable_and_not_retried(
    weather: Weather, service: Service, answer: Response
) -> None:
    service.script = [answer]

    assert (await weather.get_weather("Paris"))["error"]["code"] == "service_unreachable"
    assert len(service.requests) == 1


async def test_an_invalid_forecast_is_reported_as_service_unreachable(weather: Weather, service: Service) -> None:
    for garbage in (
        {},
        {"current": {"time": "soon"}, "daily": {"time": []}},
        {"current": None, "daily": None},
    ):
        service.script = [JSONResponse({"results": [PARIS]}), JSONResponse(garbage)]
        assert (await weather.get_weather("Paris"))["error"]["code"] == "service_unreachable"


async def test_a_value_missing_from_the_answer_is_none(weather: Weather, service: Service) -> None:
    answer = forecast(1)
    del answer["daily"]["precipitation_probability_max"], answer["current"]["weather_code"]
    service.script = [JSONResponse({"results": [PARIS]}), JSONResponse(answer)]

    result = await weather.get_weather("Paris")

    assert result["days"][0]["precipitation_chance"] is None
    assert result["current"]["conditions"] is None


async def test_the_reason_of_a_refused_request_is_passed_on(weather: Weather, service: Service) -> None:
    service.script = [JSONResponse({"error": True, "reason": "Parameter count is odd"}, status_code=400)]

    error = (await weather.get_weather("Paris"))["error"]

    assert error["code"] == "bad_request"
    assert "Parameter count is odd" in error["message"]


async def test_a_refused_connection_is_retried_and_a_timeout_is_not() -> None:
    for failure, attempts in ((httpx2.ConnectError("refused"), 3), (httpx2.ReadTimeout("slow"), 1)):
        asked: list[str] = []

        def fail(request: httpx2.Request, failure: Exception = failure, asked: list[str] = asked) -> httpx2.Response:
            asked.append(request.url.path)
            raise failure

        async def sleep(seconds: float) -> None: ...

        server = OpenMeteo(
            "http://weather.test/search",
            "http://weather.test/forecast",
            new_client=lambda fail=fail: httpx2.AsyncClient(transport=httpx2.MockTransport(fail)),
            sleep=sleep,
        )
        weather = Weather(server)
        assert (await weather.get_weather("Paris"))["error"]["code"] == "service_unreachable"
        assert len(asked) == attempts


async def test_the_weather_tool_uses_the_urls_of_the_backend(
    weather: Weather, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = (weather.server.geocoding_url, weather.server.forecast_url)
    monkeypatch.setitem(sys.modules, "tools.weather.server_address", SimpleNamespace(weather_urls=lambda: urls))

    assert (await get_weather("Paris", 2))["days"][1]["date"] == "2026-11-23"
    assert service.requests


def test_adk_declares_the_tool_with_types_defaults_and_choices() -> None:
    declaration = FunctionTool(get_weather)._get_declaration()

    assert declaration is not None
    schema = declaration.parameters_json_schema
    assert schema["required"] == ["place"]
    assert schema["properties"]["days"]["type"] == "integer"
    assert schema["properties"]["units"]["enum"] == ["metric", "imperial"]
    assert "up to 7 days" in (declaration.description or "")
