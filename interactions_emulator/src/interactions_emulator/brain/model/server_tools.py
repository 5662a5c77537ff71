"""Executes the server tools google_search and url_context over local documents, as steps of the API."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from interactions_emulator.brain.model.limits import MAX_QUERIES
from interactions_emulator.brain.model.signature_data import pack
from interactions_emulator.brain.model.sources import Found, Library, SearchError
from interactions_emulator.brain.model.tool_calls import BadCall
from interactions_emulator.brain.protocol import Step

logger = logging.getLogger(__name__)

NOTE = "<div>Searched by the emulator in its local documents, not with Google</div>"


def call_step(name: str, arguments: dict[str, Any]) -> Step:
    """The call of google_search or url_context with a model's arguments. Raises `BadCall`."""
    plural, single = ("queries", "query") if name == "google_search" else ("urls", "url")
    given = arguments.get(plural, arguments.get(single))
    values = [given] if isinstance(given, str) else given
    texts = [one.strip() for one in values if isinstance(one, str) and one.strip()] if isinstance(values, list) else []
    if not texts:
        raise BadCall(f"{name} needs {plural}, a list of texts")
    step: Step = {"type": f"{name}_call", "id": new_id(), "arguments": {plural: texts[:MAX_QUERIES]}}
    return step | {"search_type": "web_search"} if name == "google_search" else step


def result_step(call: Step, library: Library) -> Step:
    """Execute a call. What was found is in the signature of the step; see `state.unpack`."""
    kind = call["type"].removesuffix("_call")
    step: Step = {"type": f"{kind}_result", "call_id": call["id"], "is_error": False}
    if kind == "url_context":
        pages = {url: library.read(url) for url in call["arguments"]["urls"]}
        result = [{"url": url, "status": "success" if page else "error"} for url, page in pages.items()]
        return step | {"result": result, "signature": pack(list(filter(None, pages.values())))}
    found: list[Found] = []
    try:
        for query in call["arguments"]["queries"]:
            found += library.search(query)
    except SearchError as error:
        logger.warning("a search failed: %s", error)
        step["is_error"] = True
    return step | {"result": [{"search_suggestions": NOTE}], "signature": pack(list(dict.fromkeys(found)))}


def new_id() -> str:
    """A new id of a call: nine letters and digits, because the templates of some models accept nothing else."""
    return secrets.token_hex(5)[:9]


def pending_call(steps: Sequence[Step]) -> Step | None:
    """The call of a server tool at the end of the steps whose result is missing."""
    last = steps[-1] if steps else {"type": ""}
    return last if last["type"] in ("google_search_call", "url_context_call") else None
