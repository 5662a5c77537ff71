"""Rendering reports is work: nobody's requests keep others waiting."""

from __future__ import annotations

import asyncio

import pytest
from starlette.exceptions import HTTPException

from tools.board.renderers import MAX_WAITING, Renderers


async def test_many_requests_of_one_user_leave_a_process_for_others_and_are_limited() -> None:
    renderers, done = Renderers(), asyncio.Event()
    order = list[str]()

    async def render(user: str) -> None:
        async with renderers.hold(user):
            order.append(user)
            await done.wait()

    flood = [asyncio.create_task(render("")) for _ in range(MAX_WAITING + 5)]
    await asyncio.sleep(0)
    own = asyncio.create_task(render("ada"))
    await asyncio.sleep(0)
    assert order == ["", "ada"]
    third = asyncio.create_task(render("bob"))
    await asyncio.sleep(0)
    assert order == ["", "ada"]
    done.set()
    results = await asyncio.gather(*flood, own, third, return_exceptions=True)
    refused = [error for error in results if isinstance(error, HTTPException)]
    assert [error.status_code for error in refused] == [429] * 5
    assert sorted(order) == [""] * MAX_WAITING + ["ada", "bob"]
    await render("")  # nothing is left of the crowd


async def test_a_cancelled_request_gives_its_place_back() -> None:
    renderers = Renderers()
    async with renderers.hold("ada"):
        waiting = asyncio.create_task(renderers.hold("ada").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5), renderers.hold("ada"):
        pass
