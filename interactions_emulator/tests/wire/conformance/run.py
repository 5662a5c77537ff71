"""Plays the flows of `flows.json` with the installed google-genai and prints a line of JSON for each.

    python run.py http://127.0.0.1:8765            against a local server
    python run.py --live [--model M] [--research]  against the real one, with the key in GEMINI_API_KEY

A line is {"flow", "ok", "ms"}, with "skipped" (why) or "error" (what, and where) if there is reason to. The exit status
is 1 if a flow failed. Needs nothing but google-genai and the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api import Api

FLOWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "flows.json").read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Plays the flows of flows.json with the installed google-genai.")
    parser.add_argument("base_url", nargs="?", help="a local server")
    parser.add_argument("--live", action="store_true", help="the real service, with the key in GEMINI_API_KEY")
    parser.add_argument("--model", default="gemini-3.8-flash")
    parser.add_argument("--agent", default="deep-research-preview-04-2026")
    parser.add_argument("--research", action="store_true", help="with --live: the flows that start an agent, too")
    given = parser.parse_args()
    if given.live == bool(given.base_url):
        parser.error("give the address of a local server, or --live")
    key = os.environ.get("GEMINI_API_KEY", "") if given.live else "any"
    if not key:
        parser.error("--live needs a key: set GEMINI_API_KEY")
    reasons = {flow["flow"]: why_not(flow, given.live, given.research) for flow in FLOWS}
    if given.live:
        played = [flow for flow in FLOWS if not reasons[flow["flow"]]]
        print(estimate(played, given.model), file=sys.stderr)
    from api import Api  # after the arguments are checked, because the SDK takes seconds

    api = Api(key, given.base_url, given.model, given.agent, patience=10 if given.live else 0.05)
    failed = False
    for flow in FLOWS:
        line = play(flow["flow"], api, reasons[flow["flow"]])
        failed |= not line["ok"]
        print(json.dumps(line, ensure_ascii=False).replace(key if given.live else "\0", "***"), flush=True)
    return int(failed)


def why_not(flow: dict[str, Any], live: bool, research: bool) -> str:
    """Return why a flow is not played, "" if it is."""
    if flow.get("only", "python") != "python":
        return f"is for {flow['only']} only"
    if live and flow["live"] == "never":
        return str(flow["why"])
    if live and flow["live"] == "research" and not research:
        return "asks an agent: say --research to play it"
    return ""


def estimate(flows: list[dict[str, Any]], model: str) -> str:
    """Return what playing flows on the real service will take."""
    requests = sum(flow["requests"] for flow in flows)
    researches = sum(flow.get("researches", 0) for flow in flows)
    sdk = f"google-genai {metadata.version('google-genai')}"
    text = f"{sdk}: about {requests} small requests, most to {model}: some cents at most"
    return text + (f"; and {researches} researches of 1 to 7 dollars and up to an hour each" if researches else "")


def play(name: str, api: Api, reason: str) -> dict[str, Any]:
    """Play a flow and return its line."""
    if reason:
        return {"flow": name, "ok": True, "skipped": reason, "ms": 0}
    began = time.monotonic()
    try:
        modules = map(import_module, ("answers", "research", "service"))
        next(getattr(module, name) for module in modules if hasattr(module, name))(api)
        outcome: dict[str, Any] = {"ok": True}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)
        mine = next(frame for frame in reversed(place) if Path(frame.filename).parent == Path(__file__).parent)
        where = f"{Path(mine.filename).name}:{mine.lineno}: {mine.line}"
        outcome = {"ok": False, "error": f"{type(error).__name__}: {error} [{where}]"}
    return {"flow": name, **outcome, "ms": round(1000 * (time.monotonic() - began))}


if __name__ == "__main__":
    sys.exit(main())
