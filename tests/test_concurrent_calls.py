"""Calls for many items, some of them at the same time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import count

import pytest

from tools.load_control.concurrent_calls import run_each


class Calls:
    """Calls that end when the test says so."""

    def __init__(self) -> None:
        self.started, self.cancelled = list[int](), list[int]()
        self.ends: dict[int, asyncio.Future[str]] = {}

    async def __call__(self, item: int) -> str:
        self.started.append(item)
        self.ends[item] = asyncio.get_running_loop().create_future()
        try:
            return await self.ends[item]
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise

    async def end(self, item: int, result: str) -> None:
        while item not in self.ends:
            await asyncio.sleep(0)
        self.ends[item].set_result(result)


async def test_no_more_calls_than_allowed_run_and_each_result_comes_as_soon_as_it_is_there() -> None:
    calls = Calls()
    async with aclosing(run_each(calls, [1, 2, 3, 4], 2)) as results:
        endings = [asyncio.create_task(calls.end(2, "result 2"))]
        assert await anext(results) == (2, "result 2")
        assert calls.started == [1, 2]
        endings.append(asyncio.create_task(calls.end(3, "result 3")))
        assert await anext(results) == (3, "result 3")
        assert calls.started == [1, 2, 3]
        endings += [asyncio.create_task(calls.end(item, f"result {item}")) for item in (1, 4)]
        assert sorted([each async for each in results]) == [(1, "result 1"), (4, "result 4")]
    await asyncio.gather(*endings)


async def test_items_are_taken_only_when_there_is_room() -> None:
    calls, items = Calls(), count()
    async with aclosing(run_each(calls, items, 2)) as results:
        ending = asyncio.create_task(calls.end(0, ""))
        await anext(results)
        await ending
    assert next(items) == 2


async def test_the_other_calls_are_cancelled_when_one_raises() -> None:
    calls = Calls()

    async def fail_first(item: int) -> str:
        if item == 1:
            raise ValueError("the first fails")
        return await calls(item)

    with pytest.raises(ValueError, match="the first fails"):
        [each async for each in run_each(fail_first, [2, 1, 3], 2)]
    assert (calls.started, calls.cancelled) == ([2], [2])


async def test_running_calls_are_cancelled_when_the_results_are_no_longer_wanted() -> None:
    calls = Calls()
    async with aclosing(run_each(calls, [1, 2, 3], 2)) as results:
        ending = asyncio.create_task(calls.end(1, "one"))
        await anext(results)
        await ending
    assert (calls.started, calls.cancelled) == ([1, 2], [2])
