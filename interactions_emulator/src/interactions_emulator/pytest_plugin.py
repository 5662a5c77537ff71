"""A pytest plugin: the fixture `interactions_emulator`, a new emulator for each test.

    @pytest.mark.emulator(speed=0, faults=[{"on": "create", "status": 429, "retry_after_ms": 1}])
    def test_it_tries_again(interactions_emulator):
        client = genai.Client()  # finds the emulator through the environment
        ...
        assert len(interactions_emulator.log()["requests"]) == 2

A test fails if one of its faults has hit no request, or one of its own scenarios has answered none, because it tests
less than it says. The error names the fault or the scenario. Scenarios from a file may belong to other tests, and do
not count. The marker changes this: with `allow_unused=True` nothing needs to be used, with `allow_unused=False` the
scenarios from files count too.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterator
from contextlib import closing
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from interactions_emulator import Emulator

_EMULATOR = pytest.StashKey["Emulator"]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "emulator(allow_unused, **settings): arguments of `Emulator` for the fixture `interactions_emulator`; "
        "allow_unused: whether faults and scenarios may be unused",
    )


@pytest.fixture
def interactions_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A new emulator for this test; clients that are created without a base URL or key use it too."""
    with closing(_started(request.node)) as api:
        request.node.stash[_EMULATOR] = api
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", api.url)
        monkeypatch.setenv("GEMINI_API_KEY", "any")
        monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
        monkeypatch.delenv("GOOGLE_GENAI_USE_VERTEXAI", raising=False)
        monkeypatch.delenv("GOOGLE_GENAI_USE_ENTERPRISE", raising=False)
        yield api


def _started(node: pytest.Item) -> Emulator:
    """An emulator with the arguments of the marker. Fails the test with a sentence if it cannot start with them."""
    from interactions_emulator import Emulator  # not at the top: pytest loads this module for every project
    from interactions_emulator.engine.state_store import JournalError
    from interactions_emulator.errors import Refused

    settings = _marked(node)
    settings.pop("allow_unused", None)
    known = list(inspect.signature(Emulator).parameters)
    if unknown := next((name for name in settings if name not in known), None):
        close = get_close_matches(unknown, known, 1)
        meant = f", did you mean {close[0]}?" if close else ""
        names = ", ".join([*known, "allow_unused"])
        pytest.fail(f"@pytest.mark.emulator: {unknown!r} is unknown{meant}; known are {names}", pytrace=False)
    try:
        api = Emulator(**settings)
        api.start()
    except (Refused, JournalError, OSError, TypeError, ValueError) as error:
        pytest.fail(f"@pytest.mark.emulator: {error}", pytrace=False)
    return api


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test that has passed if its emulator has unused faults or scenarios."""
    yield
    api = item.stash.get(_EMULATOR, None)
    allowed = _marked(item).get("allow_unused")
    if api is None or allowed is True:
        return
    try:
        unused = api.unused()
    except ConnectionError:  # the test has closed or crashed it
        return
    told = [f"the fault {fault} has hit no request" for fault in unused["faults"]]
    told += [
        f"the scenario at {scenario['where']} ({scenario['match']}) has answered no request"
        for scenario in unused["scenarios"]
        if allowed is False or not scenario["file"]
    ]
    if told:
        remedy = "remove it, or mark the test with @pytest.mark.emulator(allow_unused=True)"
        pytest.fail(f"{', and '.join(told)}: {remedy}", pytrace=False)


def _marked(node: pytest.Item) -> dict[str, Any]:
    """The arguments of the marker `emulator`."""
    marker = node.get_closest_marker("emulator")
    if marker and marker.args:
        pytest.fail(f"@pytest.mark.emulator: give names, as in speed=0, not {marker.args[0]!r}", pytrace=False)
    return dict(marker.kwargs) if marker else {}
