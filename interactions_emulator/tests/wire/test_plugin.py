"""The fixture that other projects get by installing this one."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def settings(pytester: pytest.Pytester) -> None:
    """Settings without which pytest-asyncio warns in each project."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")


PROJECT = """
    import asyncio
    import pytest
    from google import genai
    from interactions_emulator import Emulator

    def test_a_client_finds_the_emulator_without_configuration(interactions_emulator):
        client = genai.Client()
        client.interactions.create(model="gemini-3.8-flash", input="Hello!")
        assert interactions_emulator.log()["creates"] == 1

    @pytest.mark.emulator(speed=0, faults=[{"on": "create", "status": 429, "retry_after_ms": 1}])
    def test_the_emulator_marker_sets_options(interactions_emulator):
        client = genai.Client()
        client.interactions.create(model="gemini-3.8-flash", input="Hello!")
        assert [r["status"] for r in interactions_emulator.log()["requests"]] == [429, 200]

    def test_the_emulator_works_as_an_async_context_manager():
        async def ask():
            async with Emulator() as api:
                client = genai.Client(api_key="any", http_options={"base_url": api.url}).aio
                return await client.interactions.create(model="gemini-3.8-flash", input="Hello!")
        assert asyncio.run(ask()).output_text
"""


def test_another_project_can_use_the_pytest_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PROJECT)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


PARALLEL = """
    import asyncio
    import json
    import os
    from concurrent.futures import ThreadPoolExecutor
    from urllib.request import Request, urlopen
    import pytest

    def ask(*_):
        address = os.environ["GOOGLE_GEMINI_BASE_URL"] + "/v1beta/interactions"
        body = json.dumps({"model": "gemini-3.8-flash", "input": "Hello!"}).encode()
        return json.load(urlopen(Request(address, body, {"x-goog-api-key": os.environ["GEMINI_API_KEY"]})))["id"]

    @pytest.mark.parametrize("number", range(4))
    def test_each_test_has_an_emulator_of_its_own(interactions_emulator, number):
        for _ in range(number):
            ask()
        interactions_emulator.assert_created(number)

    def test_threads_share_one(interactions_emulator):
        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(ask, range(8)))) == 8
        interactions_emulator.assert_created(8)

    def test_tasks_share_one(interactions_emulator):
        async def ask_all():
            return await asyncio.gather(*[asyncio.to_thread(ask) for _ in range(8)])
        assert len(set(asyncio.run(ask_all()))) == 8
        interactions_emulator.assert_created(8)
"""
"""Requests without the SDK, which each worker would import for seconds; it finds the emulator in the test above."""


def test_the_fixture_works_with_xdist_threads_and_asyncio(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(PARALLEL)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins take most of the time of three processes
    plugins = ("-p", "xdist", "-p", "interactions_emulator.pytest_plugin", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess(*plugins, "-n", "2").assert_outcomes(passed=6)


UNUSED = """
    import pytest
    from google import genai

    FAULTS = [{"on": "create", "status": 429, "retry_after_ms": 1}]
    SCRIPT = [{"match": {"text": "bye"}, "text": "Bye."}]

    def ask(text):
        client = genai.Client()
        return client.interactions.create(model="gemini-3.8-flash", input=text).output_text

    @pytest.mark.emulator(faults=[{"on": "get", "status": 500}])
    def test_fault(interactions_emulator):
        ask("Hello!")

    @pytest.mark.emulator(scenarios=SCRIPT)
    def test_scenario(interactions_emulator):
        ask("Hello!")

    @pytest.mark.emulator(scenarios="script.yaml", allow_unused=False)
    async def test_scenario_of_a_file(interactions_emulator):
        ask("Hello!")

    @pytest.mark.emulator(scenarios="script.yaml", faults=FAULTS)
    def test_file_of_several_tests(interactions_emulator):
        ask("Hello!")

    @pytest.mark.emulator(scenarios=SCRIPT, faults=FAULTS)
    def test_all_used(interactions_emulator):
        assert ask("bye") == "Bye."

    @pytest.mark.emulator(scenarios=SCRIPT, allow_unused=True)
    def test_allowed(interactions_emulator):
        ask("Hello!")

    @pytest.mark.emulator(scenarios=SCRIPT)
    def test_closed(interactions_emulator):
        interactions_emulator.close()

    @pytest.mark.emulator(scenarios=SCRIPT)
    def test_failed_before(interactions_emulator):
        assert ask("Hello!") == "Moin!"
"""


def test_a_test_that_leaves_its_faults_or_scenarios_unused_fails_with_a_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNUSED)
    pytester.makefile(".yaml", script="- match: {text: bye}\n  text: Bye.\n")
    ran = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    ran.assert_outcomes(passed=4, failed=4)
    ran.stdout.fnmatch_lines(
        [
            "*the fault {'on': 'get', 'status': 500} has hit no request: remove it, or mark the test with *",
            "*the scenario at scenarios[[]0] ({'text': 'bye'}) has answered no request: remove it*",
            "*the scenario at script.yaml:1 ({'text': 'bye'}) has answered no request: remove it*",
            "*AssertionError*",
        ]
    )


WRONG = """
    import pytest

    @pytest.mark.emulator(scenarios="nope.yaml")
    def test_a_missing_file(interactions_emulator):
        pass

    @pytest.mark.emulator(sped=1)
    def test_a_misspelled_argument(interactions_emulator):
        pass

    @pytest.mark.emulator("slow")
    def test_an_argument_without_a_name(interactions_emulator):
        pass
"""


def test_a_marker_that_cannot_work_is_told_in_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(WRONG)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.emulator: scenarios nope.yaml: No such file or directory: name a file that can be read",
            "@pytest.mark.emulator: 'sped' is unknown, did you mean speed?; known are brain, *allow_unused",
            "@pytest.mark.emulator: give names, as in speed=0, not 'slow'",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
