"""A cancelled caller does not interrupt a write: it is finished before connections are closed."""

from __future__ import annotations

import asyncio

import pytest

from tools.databases.shielded import finish_shielded, shielded


class Store:
    """A store whose write stops halfway until the test lets it continue."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.done = asyncio.Event(), asyncio.Event(), False

    @shielded
    async def write(self, value: int) -> int:
        self.begun.set()
        await self.go_on.wait()
        self.done = True
        return 10 // value


async def test_a_write_completes_although_its_caller_is_cancelled_repeatedly() -> None:
    store = Store()
    caller = asyncio.create_task(store.write(5))
    await store.begun.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
    assert caller.cancelled()
    assert not store.done
    closing = asyncio.create_task(finish_shielded())
    await asyncio.sleep(0)
    assert not closing.done()
    store.go_on.set()
    await closing
    assert store.done


async def test_a_shielded_call_within_another_needs_no_further_task() -> None:
    @shielded
    async def inner() -> object:
        return asyncio.current_task()

    @shielded
    async def outer() -> bool:
        return await inner() is asyncio.current_task()

    assert await outer()
    assert await inner() is not asyncio.current_task()


async def test_a_caller_that_waits_gets_the_result_or_the_error() -> None:
    store = Store()
    store.go_on.set()
    assert await store.write(5) == 2
    with pytest.raises(ZeroDivisionError):
        await store.write(0)


async def test_an_error_without_a_waiting_caller_does_not_prevent_closing() -> None:
    store = Store()
    caller = asyncio.create_task(store.write(0))
    await store.begun.wait()
    caller.cancel()
    store.go_on.set()
    await finish_shielded()
    assert store.done


async def test_cancelling_finish_shielded_does_not_cancel_the_writes() -> None:
    finished, go = list[str](), asyncio.Event()

    @shielded
    async def write() -> None:
        await go.wait()
        finished.append("written")

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(finish_shielded())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    go.set()
    await writing
    assert finished == ["written"]
