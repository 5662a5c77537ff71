"""`desk test-notice`: sends a test notice."""

from __future__ import annotations

import os
import secrets
import time
from typing import Annotated

import typer

from tools.cli.command_run import fail, run
from tools.cli.terminal import out


def test_notice(
    name: Annotated[
        str, typer.Argument(metavar="TARGET", help="Name of an entry of `notify:` in the researcher's YAML.")
    ],
) -> None:
    """Send a test notice to a target, and say what happened."""
    run(_test(name))


async def _test(name: str) -> None:
    from tools.research.notices.message import sample_message
    from tools.research.notices.sender import send
    from tools.research.notices.target_checks import resolve_target
    from tools.research.settings import research_settings

    target = resolve_target(research_settings().target(name), os.environ)
    sent = sample_message(f"notice_{secrets.token_hex(12)}", name, time.time())
    if error := await send(target, sent):
        fail(RuntimeError(f"{sent.id} was not sent to {name}: {error}"))
    out.print(f"{sent.id} was sent to {name}: look whether it arrived.", soft_wrap=True)
