"""The command `desk`. Who only wants to look at the ledger does not wait for the rest to load."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

JSON = ["--json"]


def main() -> None:
    """Runs it."""
    load_env()
    if not _looked(sys.argv[1:]):
        from tools.cli.app import app

        app(prog_name="desk")


def load_env() -> None:
    """Reads `.env` of this folder or the nearest above it; the environment wins."""
    from dotenv import find_dotenv, load_dotenv

    if os.environ.get("ADK_DISABLE_LOAD_DOTENV", "").lower() not in ("1", "true"):
        load_dotenv(find_dotenv(usecwd=True))


def _looked(arguments: Sequence[str]) -> bool:
    """Answers `jobs` and `status` from the ledger's file, if they can be; Typer would take longer than both."""
    match arguments:
        case ["jobs", *options] if options in ([], JSON):
            from tools.research.glance import newest

            if (found := newest()) is not None:
                from tools.cli.shown import show_jobs

                show_jobs(found, options == JSON)
                return True
        case ["status", job_id, *options] if options in ([], JSON):
            from tools.research.glance import one

            if job := one(job_id):
                from tools.cli.shown import show_job

                show_job(job, options == JSON)
                return True
    return False
