"""The fixture that other projects get by installing this one."""

from __future__ import annotations

import pytest

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
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


PARALLEL = """
    import asyncio
    import threading
    import pytest
    from google import genai

    @pytest.mark.parametrize("number", range(4))
    def test_each_test_has_an_emulator_of_its_own(interactions_emulator, number):
        with genai.Client() as client:
            for asked in range(number):
                client.interactions.create(model="gemini-3.8-flash", input=f"Hello {asked}!")
        interactions_emulator.assert_created(number)

    def test_threads_share_one(interactions_emulator):
        def ask():
            with genai.Client() as client:
                client.interactions.create(model="gemini-3.8-flash", input="Hello!")
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        interactions_emulator.assert_created(8)

    def test_tasks_share_one(interactions_emulator):
        async def ask():
            client = genai.Client().aio
            create = client.interactions.create
            return await asyncio.gather(*[create(model="gemini-3.8-flash", input="Hello!") for _ in range(8)])
        assert len({answer.id for answer in asyncio.run(ask())}) == 8
        interactions_emulator.assert_created(8)
"""


def test_the_fixture_works_with_xdist_threads_and_asyncio(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(PARALLEL)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2").assert_outcomes(passed=6)
