"""Scripted brains and answers for tests."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from interactions_emulator.brain.protocol import TimedStep, Turn
from tests.talk import text_of

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
REPORT = "# Tides\n\nThe moon moves the sea. Größere Fluten kommen bei Neumond. 🌊 Twice a day.\n"


def research_brain(turn: Turn) -> Iterator[TimedStep]:
    """A research of four steps: 20 virtual minutes, a report with two sources and a picture."""
    yield TimedStep(60, thought("**Planning**\n\nWhat moves the sea?"))
    yield TimedStep(240, search("tides moon"))
    yield TimedStep(600, thought("**Writing**\n\nTwo sources agree."))
    yield TimedStep(300, {"type": "model_output", "content": [cited(REPORT, "Größere Fluten kommen bei Neumond.")]})
    yield TimedStep(0, {"type": "model_output", "content": [picture()]})


def thought(text: str) -> dict[str, Any]:
    """A thought with a summary."""
    return {"type": "thought", "signature": "c2ln", "summary": [{"type": "text", "text": text}]}


def search(query: str) -> dict[str, Any]:
    """A search call."""
    return {"type": "google_search_call", "id": "gs_1", "arguments": {"queries": [query]}}


def cited(text: str, sentence: str) -> dict[str, Any]:
    """A text whose `sentence` and whose end are cited, in bytes as the wire wants it."""
    start = len(text[: text.index(sentence)].encode())
    end = start + len(sentence.encode())
    first = {"url": "https://example.org/moon", "title": "The moon", "start_index": start, "end_index": end}
    last = {
        "url": "https://example.org/sea",
        "title": "The sea",
        "start_index": end,
        "end_index": len(text.encode()) - 1,
    }
    return {
        "type": "text",
        "text": text,
        "annotations": [{"type": "url_citation", **a} for a in (first, last)],
    }


def said(text: str) -> dict[str, Any]:
    """An answer."""
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


def picture() -> dict[str, Any]:
    """A picture of one pixel."""
    return {"type": "image", "mime_type": "image/png", "data": base64.b64encode(PIXEL).decode()}


def managing(turn: Turn) -> Iterator[TimedStep]:
    """A researcher's model that goes by keywords, and repeats the errors of its tools."""
    last, number = turn.steps[-1], f"m{len(turn.steps)}"
    if last["type"] == "function_result":
        yield TimedStep(0, said(str(last["result"].get("error", last["result"]))))
        return
    asked = newest_text(turn)
    runs = re.findall(r"^- (job_\w+) \| (.+?) \| ", turn.system_instruction, re.MULTILINE)
    waiting = [name for name, state in runs if state.startswith("waits")]
    about = (re.findall(r"job_\w+", asked) or waiting or [name for name, _ in runs])[:1]
    job = {"job_id": about[0]} if about else {}
    for pattern, name in COMMANDS:
        if re.match(pattern, asked.casefold()) and (job or name in ("show_research", "list_research")):
            arguments: dict[str, Any] = {} if name == "list_research" else dict(job)
            if name == "approve" and f"{about[0]} | waits for a yes: deletion" in turn.system_instruction:
                arguments["deletes"] = True
            yield TimedStep(0, call(name, number, **arguments))
            return
    done = [name for name, state in runs if state == "completed"]
    if re.match(r"(?i)(?:new )?research\b|write\b", asked) or not about:
        more = {"builds_on": done[0]} if "further" in asked and done else {}
        more |= {"depth": "max"} if re.search(r"(?i)\bmax\b", asked) else {}
        yield TimedStep(
            0, call("start_research", number, title=f"{asked[:1].upper()}{asked[1:60]}", brief=asked, **more)
        )
    elif done or not runs:
        yield TimedStep(0, call("ask_report", number, **job, question=asked))
    else:
        yield TimedStep(0, said(f"{runs[0][0]} is running and cannot be changed any more."))


COMMANDS = (
    (r"(?:yes|go ahead)\b", "approve"),
    (r"show\b|.*\b(?:status|how far)\b", "show_research"),
    (r"list\b", "list_research"),
    (r"cancel\b", "cancel_research"),
    (r"delete\b", "delete_research"),
    (r".*\bagain\b", "repeat_research"),
)
"""The beginning of a message to the scripted researcher, and the tool that it calls then."""


def newest_text(turn: Turn) -> str:
    """The user's newest text, without what ADK adds about other agents."""
    texts = [text_of(step) for step in turn.steps if step["type"] == "user_input"]
    return next((text for text in reversed(texts) if text and not text.startswith(("[", "For context:"))), "")


def forgetting(turn: Turn) -> dict[str, Any] | None:
    """A root's answer to a message about forgetting the conversation, or None."""
    asked, number = newest_text(turn).casefold(), f"f{len(turn.steps)}"
    if turn.steps[-1]["type"] == "function_result":
        return None
    if "forget this conversation" in asked:
        return call("forget_conversation", number)
    messages = [place for place, step in enumerate(turn.steps) if step["type"] == "user_input" and text_of(step)]
    called = {step.get("name") for step in turn.steps[(messages[-2:-1] or [0])[0] :]}
    if not called & {"forget_conversation", "confirm_forgetting"}:
        return None
    agrees = asked.startswith("yes") or "forget it" in asked
    return call("confirm_forgetting", number, anyway="anyway" in asked) if agrees else said("Nothing was deleted.")


def call(name: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    """A function call."""
    return {"type": "function_call", "id": call_id, "name": name, "arguments": arguments}
