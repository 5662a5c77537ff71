"""`python -m tests.research.asker LEDGER SERVER JOB QUESTION`: asks about a report, and prints the answer."""

from __future__ import annotations

import asyncio
import sys

from tools.interactions.endpoint import gemini_endpoint
from tools.interactions.transport import Transport
from tools.research.api_client import InteractionsClient
from tools.research.ledger import Ledger
from tools.research.service import Research

MODEL = "gemini-3.8-flash"


async def ask(ledger: str, server: str, job_id: str, question: str) -> None:
    transport = Transport(gemini_endpoint(server, "k"))
    service = Research(Ledger(ledger), InteractionsClient(lambda: transport))
    print(await service.follow_ups.ask_once(job_id, question, MODEL))
    await service.close()
    await transport.aclose()


if __name__ == "__main__":
    asyncio.run(ask(*sys.argv[1:]))
