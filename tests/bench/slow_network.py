"""Follows 1,000 research runs in one process over a slow, lossy line with TLS: `make bench-slow-network`.

The line is a TCP proxy in a process of its own (`lossy_proxy.py`), because many kernels lack netem: it delivers each
chunk after the delay, and a lost packet holds back what follows it until its retransmission, as TCP does. Behind it,
nginx ends TLS with a certificate made here, and passes requests on to the emulator.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from tests.bench.followers import AGENT, control, emulator, resident, row
from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.resources import interaction_id_of
from tools.interactions.transport import LIMITS, Transport
from tools.research.api_client import CreateRequest, InteractionsClient
from tools.research.follower import Ended, EventReceived, Follower
from tools.research.timeouts import ResearchTimeouts

RUNS = 1_000
STARTS_AT_ONCE = 50
DOWN_S = 3.0
"""Seconds for which the server is away in the case of a restart."""
TIMEOUTS = ResearchTimeouts(silence_timeout_s=3600, create_timeout_s=600)


class Case(NamedTuple):
    """A line, and how it is used."""

    name: str
    delay_ms: float = 0
    loss: float = 0
    scheme: str = "https"
    restart: bool = False


CASES = (
    Case("no delay, no TLS", scheme="http"),
    Case("20 ms, TLS", 20),
    Case("200 ms, 1 % lost, TLS", 200, 0.01),
    Case("50 ms, TLS, a restart of the server", 50, restart=True),
)

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
http {{
  access_log off; keepalive_requests 100000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass {upstream}; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 1h;
      proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }}
  }}
}}
"""


async def client(url: str, runs: int, certificate: str) -> None:
    """Starts runs, says so, waits for a line on standard input, and follows all of them to their end."""
    context = ssl.create_default_context(cafile=certificate)
    http = httpx2.AsyncClient(limits=LIMITS, timeout=None, verify=context, trust_env=False)
    transport = Transport(gemini_endpoint(url, "k"), http)
    api = InteractionsClient(lambda: transport, timeout_s=600)
    before, starts, begun = resident(), asyncio.Semaphore(STARTS_AT_ONCE), 0
    opened = asyncio.Event()
    counts: Counter[str] = Counter()

    async def follow(number: int) -> None:
        nonlocal begun
        async with starts:
            stream = api.create(CreateRequest(AGENT, f"Python timeouts, part {number}", {}, None, {}))
            named, cursor = "", None
            while not named:
                event = await anext(stream)
                named, cursor = interaction_id_of(event) or "", event.get("event_id")
        begun += 1
        if begun == runs:
            opened.set()
        async for step in Follower(api, named, cursor=cursor, timeouts=TIMEOUTS).follow(stream):
            counts["events"] += isinstance(step, EventReceived)
            counts["ended"] += isinstance(step, Ended) and step.resource["status"] == "completed"

    tasks = [asyncio.create_task(follow(number)) for number in range(runs)]
    await opened.wait()
    print(json.dumps({"connections": sockets(), "bytes": resident() - before}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    cpu, events = time.process_time(), counts["events"]
    print("go", flush=True)
    await asyncio.gather(*tasks)
    spent = time.process_time() - cpu
    print(json.dumps({**counts, "cpu": spent, "seen": counts["events"] - events}), flush=True)
    await transport.aclose()


def sockets() -> int:
    """Number of open network connections of this process."""
    count = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += str(each.readlink()).startswith("socket:")
    return count


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def nginx(upstream: str, folder: Path) -> Iterator[dict[str, int]]:
    """Runs nginx in front of a server; yields its port of each scheme. The certificate is `cert.pem` in the folder."""
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    ports = {"http": free_port(), "https": free_port()}
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, upstream=upstream, **ports))
    with subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]) as child:
        try:
            while not (folder / "nginx.pid").exists():
                time.sleep(0.05)
            yield ports
        finally:
            child.terminate()


class Process:
    """A program of this folder with a dialogue of lines."""

    def __init__(self, *arguments: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, line: str) -> None:
        assert self.child.stdin
        self.child.stdin.write(f"{line}\n")
        self.child.stdin.flush()

    def hear(self) -> Any:
        assert self.child.stdout
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit("a program of this measurement ended early")
        return json.loads(line) if line[0] in "{[" else line.strip()

    def end(self) -> None:
        self.child.kill()
        self.child.wait()


def play(case: Case, runs: int, url: str, ports: dict[str, int], certificate: Path) -> None:
    """Plays one case and prints its rows."""
    line = Process("tests.bench.lossy_proxy", str(ports[case.scheme]), str(case.delay_ms / 1000), str(case.loss))
    port: str = line.hear()
    front = f"{case.scheme}://127.0.0.1:{port}"
    arguments = ["--client", front, "--certificate", str(certificate), "--runs", str(runs)]
    follower = Process("tests.bench.slow_network", *arguments)
    try:
        opened = follower.hear()
        row(f"{case.name}: connections", float(opened["connections"]))
        row("… memory of a run, KB", opened["bytes"] / runs / 1000)
        if case.restart:
            line.say("down")
            time.sleep(DOWN_S)
            line.say("up")
            time.sleep(10)
            line.say("arrivals")
            found = line.hear()
            tenths = Counter(int(second * 10) for second in found)
            row("… connections in the ten seconds after it", float(len(found)))
            row("… at most in a tenth of a second", float(max(tenths.values())))
        follower.say("go")
        follower.hear()
        began = time.monotonic()
        asyncio.run(control(url, "clock", {"advance": 10_000}))
        done = follower.hear()
        row("… runs that were completed", float(done["ended"]))
        row("… seconds until the last", time.monotonic() - began)
        row("… CPU of an event, µs", done["cpu"] / done["seen"] * 1e6)
    finally:
        follower.end()
        line.end()


def main() -> None:
    parser = argparse.ArgumentParser(description="Follows research runs over a slow line.")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", default="", help="part of the name of a case")
    parser.add_argument("--client", default="", help=argparse.SUPPRESS)
    parser.add_argument("--certificate", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        asyncio.run(client(given.client, given.runs, given.certificate))
        return
    if not shutil.which("nginx"):
        raise SystemExit("nginx is missing: apt-get install nginx-light")
    random.seed(2026)
    print("| what | measured |\n|---|---|")
    for case in CASES:
        if given.only not in case.name:
            continue
        with emulator() as url, tempfile.TemporaryDirectory() as folder, nginx(url, Path(folder)) as ports:
            play(case, given.runs, url, ports, Path(folder, "cert.pem"))


if __name__ == "__main__":
    main()
