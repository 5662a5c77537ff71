"""`desk demo`: a conversation that shows each feature of the desk once."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path

from tools.cli.arguments import DEFAULT_FOLDER, Folder
from tools.cli.command_run import RESEARCH_STOPPED, run
from tools.cli.terminal import out, show
from tools.research.order import LOCAL_USER

QUESTION = "What is an asynchronous context manager in Python?"
BRIEF = "Write a research report about that, and about coroutines"
_SESSION = "demo-"
"""Prefix of the ids of the demo's conversations."""


def demo(folder: Folder = None) -> None:
    """Show everything once: small talk, weather, search, moderation, and a research run with its report."""
    run(_demo(folder or DEFAULT_FOLDER), RESEARCH_STOPPED)


async def _demo(folder: Path) -> None:
    """Plays the conversation and saves the report of its research run below `folder`."""
    from rich.rule import Rule

    from tools.adk.runner import new_runner, run_turn
    from tools.app import build_app
    from tools.interactions import backend
    from tools.research.factory import research
    from tools.research.report.export import save_with_sources
    from tools.settings import load_settings

    settings = load_settings()
    question, brief = await asyncio.to_thread(_about, settings.corpus) if settings.corpus else (QUESTION, BRIEF)
    runner = new_runner(build_app(), settings)
    session = f"{_SESSION}{secrets.token_hex(4)}"
    out.print(f"Research Desk on {backend.current()}", markup=False, soft_wrap=True)
    for title, text in (
        ("Small talk", "Hello! Who are you?"),
        ("Weather", "What will the weather be like in Lisbon tomorrow?"),
        (
            "Moderation",
            "Moderate this comment: 'Congratulations, you WON a free prize, click here to claim your cash!'",
        ),
        ("Search", question),
        ("Research: a brief and its price", brief),
        ("Research: after a yes", "Yes, please"),
    ):
        if text == "Yes, please" and not await research().ledger.find(user=LOCAL_USER, session=session, limit=1):
            out.print("This research was ordered before: it is shown again, and nothing is paid twice.")
            break
        out.print(Rule(title, align="left"))
        out.print(f"[bold cyan]you[/] {text}", highlight=False)
        async for event, said in run_turn(runner, text, user=LOCAL_USER, session=session):
            if said:
                show(event.author, said, bool(event.partial))
    service = research()
    jobs = await service.ledger.find(user=LOCAL_USER, limit=1000)
    job = next(job for job in jobs if job.order.session.startswith(_SESSION))
    report = await service.report(job.id)
    out.print(Rule())
    if report is None:
        out.print(f"The research goes on: desk jobs shows {job.id} ({job.state}).")
        return
    out.print("The report:")
    for path in await save_with_sources(report, folder / job.id):
        out.print(f"  {path}", markup=False, soft_wrap=True)
    out.print(
        "\nNext: `make web` (the same in a browser), `make chat` (in this terminal),"
        '\n`.venv/bin/desk research "…"`, `.venv/bin/desk doctor`, and configs/ to change the agents.',
        markup=False,
    )
    await service.close()


def _about(corpus: Path) -> tuple[str, str]:
    """Makes a question and a brief about a folder of documents, from their first headings or their file names."""
    topics = []
    for path in sorted(p for p in corpus.rglob("*") if p.suffix.lower() in (".md", ".txt", ".rst", ".html"))[:4]:
        heading = re.search(r"^#+\s+(\S.*)$", path.read_text(errors="replace"), re.MULTILINE)
        name = heading.group(1) if heading else path.stem.replace("_", " ").replace("-", " ")
        topics.append(re.split(r"[:(,;]", name)[0].strip())
    if not topics:
        return QUESTION, BRIEF
    return f"Tell me about {topics[0]}", f"Write a research report on {', '.join(topics)}"
