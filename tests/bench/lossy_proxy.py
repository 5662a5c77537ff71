"""A slow, lossy line: a TCP proxy that delays all data, for `slow_network.py`. It runs as a process of its own.

Usage: `python -m tests.bench.lossy_proxy PORT DELAY_S LOSS`. It prints its own port, then obeys lines on standard
input: `down` ends all connections and listens no more, `up` listens again, `arrivals` prints the seconds from `up` to
each new connection.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

MIN_RETRANSMISSION_S = 0.2
"""Linux resends a lost packet after this time and a round trip at the earliest (TCP_RTO_MIN)."""
PACKET_BYTES = 1_460


class Line:
    """Connects clients to a port of this machine.

    Args:
        delay: seconds that data need in each direction.
        loss: share of packets that are lost and sent again.
    """

    def __init__(self, target: int, delay: float, loss: float) -> None:
        self._target, self._delay, self._loss = target, delay, loss
        self._open: set[StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._up = 0.0
        self.port = 0
        self.arrivals: list[float] = []

    async def up(self) -> None:
        """Listens, on the same port as before."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        self._up, self.arrivals = asyncio.get_running_loop().time(), []

    def down(self) -> None:
        """Refuses connections, and ends the open ones."""
        assert self._server
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.arrivals.append(asyncio.get_running_loop().time() - self._up)
        await asyncio.sleep(2 * self._delay)  # the handshake of TCP
        upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
        both = {writer, downstream}
        self._open |= both
        try:
            await asyncio.gather(self._carry(reader, downstream), self._carry(upstream, writer))
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _carry(self, source: StreamReader, target: StreamWriter) -> None:
        loop, due = asyncio.get_running_loop(), 0.0
        sent: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                at, data = await sent.get()
                await asyncio.sleep(max(0.0, at - loop.time()))
                if not data:
                    return
                target.write(data)

        delivering = asyncio.create_task(deliver())
        with suppress(OSError):
            while data := await source.read(65_536):
                packets = -(-len(data) // PACKET_BYTES)
                lost = random.random() < 1 - (1 - self._loss) ** packets
                due = max(due, loop.time() + self._delay + lost * (MIN_RETRANSMISSION_S + 2 * self._delay))
                sent.put_nowait((due, data))
        sent.put_nowait((max(due, loop.time() + self._delay), b""))
        await delivering
        with suppress(OSError, RuntimeError):
            target.write_eof() if target.can_write_eof() else target.close()


async def main() -> None:
    target, delay, loss = sys.argv[1:]
    line = Line(int(target), float(delay), float(loss))
    await line.up()
    print(line.port, flush=True)
    while command := (await asyncio.to_thread(sys.stdin.readline)).strip():
        match command:
            case "down":
                line.down()
            case "up":
                await line.up()
            case "arrivals":
                print(json.dumps(line.arrivals), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
