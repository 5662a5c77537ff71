"""Carries out the faults of streams: sends an event stream cut, silent, spoiled or out of order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from interactions_emulator.engine.events import DONE
from interactions_emulator.faults.fault import STREAM_EFFECTS, Fault
from interactions_emulator.http.connection import Exchange

GARBAGE_LINE = b"upstream connect error or disconnect/reset before headers\n\n"
ERROR_ARRAY = b'[{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}]\n'
ERROR_EVENT = (
    b'event: error\ndata: {"event_type":"error","error":{"code":"deadline_exceeded",'
    b'"message":"Deadline expired before operation could complete."}}\n\n'
)
UNKNOWN_EVENT = b'event: agent.mood\ndata: {"event_type":"agent.mood","mood":{"type":"curious"}}\n\n'


async def send_with_fault(
    exchange: Exchange,
    batches: AsyncIterator[list[bytes]],
    fault: Fault,
    crash: Callable[[], None],
    end: bytes = DONE,
) -> None:
    """Send the events one by one, then `end`, and apply the fault after as many events as it says."""
    if fault.before:
        exchange.write(fault.before.encode())
    sent = 0
    frames = _frames(batches, end)
    while True:
        effect = next((name for name in STREAM_EFFECTS if getattr(fault, name) == sent), None)
        if effect == "cut_after":
            return exchange.cut()
        if effect == "crash_after":
            crash()
        if effect == "end_after":
            break
        if effect in ("silence_after", "crash_after"):
            await asyncio.Event().wait()
        if effect == "garbage_after":
            exchange.write(GARBAGE_LINE)
        if effect == "unknown_after":
            exchange.write(UNKNOWN_EVENT)
        if effect in ("array_after", "error_after"):
            exchange.write(ERROR_ARRAY if effect == "array_after" else ERROR_EVENT)
            break
        frame = await anext(frames, None)
        if frame is None:
            break
        if effect == "cut_inside":
            text = frame.decode()  # decoded, so as not to cut inside a character
            exchange.write(text[: len(text) // 2].encode())
            return exchange.cut()
        if effect == "repeat_after":
            frame += frame
        if effect == "swap_after":
            frame = await anext(frames, b"") + frame
            sent += 1
        await asyncio.sleep(fault.event_delay_ms / 1000)
        exchange.write(frame)
        await exchange.drain()
        sent += 1
    return exchange.finish()


async def _frames(batches: AsyncIterator[list[bytes]], end: bytes) -> AsyncIterator[bytes]:
    async for frames in batches:
        for frame in frames:
            yield frame
    yield end
