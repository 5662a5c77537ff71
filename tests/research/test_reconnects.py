"""After a failure that many followers see at once, their next requests are spread over time."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress

import pytest

from tests.conftest import Desk
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.follower import Follower

FOLLOWERS = 120


class Waited(Exception):
    """Ends a follower at its first wait."""


async def first_waits(client: InteractionsClient) -> list[float]:
    """The first wait of each follower, in seconds."""
    draw, waits = random.Random(7).random, list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        raise Waited

    for _ in range(FOLLOWERS):
        with suppress(Waited):
            async for _ in Follower(client, "v1_gone", sleep=sleep, jitter=draw).follow():
                pass
    return waits


async def test_followers_come_back_spread_over_two_seconds_after_a_restart() -> None:
    transport = Transport(gemini_endpoint("http://127.0.0.1:9", "k"))  # no server listens there
    waits = await first_waits(InteractionsClient(lambda: transport))
    await transport.aclose()
    assert 1 <= min(waits) <= max(waits) <= 3
    in_a_tenth = Counter(int(wait * 10) for wait in waits)
    assert max(in_a_tenth.values()) <= 3 * FOLLOWERS / 20


@pytest.mark.parametrize("seconds", [20, 120])
async def test_followers_that_are_asked_to_wait_do_not_come_back_together(desk: Desk, seconds: int) -> None:
    desk.api.faults({"on": "resume", "status": 429, "retry_after_ms": seconds * 1000, "times": 0},
                    {"on": "get", "status": 429, "retry_after_ms": seconds * 1000, "times": 0})  # fmt: skip
    transport = Transport(gemini_endpoint(desk.api.url, "k"))
    waits = await first_waits(InteractionsClient(lambda: transport))
    await transport.aclose()
    assert seconds <= min(waits) <= max(waits) <= 1.25 * seconds
    in_a_second = Counter(int(wait) for wait in waits)
    assert max(in_a_second.values()) <= 3 * FOLLOWERS / (seconds / 4)
