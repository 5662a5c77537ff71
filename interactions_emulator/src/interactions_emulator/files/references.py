"""Finds references to uploaded files in the input of a request, and gives the brain their contents."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from interactions_emulator.brain.protocol import Brain, Entry, Step, Turn
from interactions_emulator.files.registry import Files
from interactions_emulator.loopback import is_loopback

GOOGLE = "generativelanguage.googleapis.com"
_NAME = re.compile(r"files/([a-z0-9-]+)")
_PATH = re.compile(r"/[^/]+/files/([a-z0-9-]+)")


def check_references(files: Files, steps: Iterable[Step]) -> None:
    """Raise `Refused` (400, 403) if the steps refer to a file that cannot be used."""
    for file_id in _references(files, steps):
        files.check_usable(file_id)


def with_files(brain: Brain, files: Files) -> Brain:
    """Return a brain that reads the files that a turn refers to, and calls `brain` with their contents as `data`."""

    def answer(turn: Turn) -> Iterable[Entry]:
        # Without files, no chain is searched for them: it may have 10,000 steps.
        return answer_with_contents(turn) if files and any(_references(files, turn.steps)) else brain(turn)

    def answer_with_contents(turn: Turn) -> Iterator[Entry]:  # a generator: files are read in the brain's thread
        steps = tuple(_with_contents(files, step) if any(_references(files, [step])) else step for step in turn.steps)
        yield from brain(replace(turn, steps=steps))

    return answer


def _references(files: Files, steps: Iterable[Step]) -> Iterator[str]:
    """Yield the ids of the files that the steps refer to."""
    for step in steps:
        for content in step.get("content") or ():
            if "uri" in content and (file_id := _file_id(files, content["uri"])):
                yield file_id


def _with_contents(files: Files, step: Step) -> Step:
    return {**step, "content": [_with_data(files, content) for content in step["content"]]}


def _with_data(files: Files, content: dict[str, Any]) -> dict[str, Any]:
    file = files.known(_file_id(files, content.get("uri")))
    if file is None:  # another content, or a file of an earlier turn that has expired since
        return content
    data = base64.b64encode(files.content(file)).decode()
    return {"mime_type": file.mime_type, "name": file.display_name, **content, "data": data}


def _file_id(files: Files, uri: Any) -> str:
    """The id of the uploaded file that an address refers to; "" for any other address.

    An address of Google, of this machine, or a bare name is one of a file, even if there is no such file. An address
    elsewhere is one only if there is such a file, since clients may know this server by another name.
    """
    if not isinstance(uri, str):
        return ""
    if name := _NAME.fullmatch(uri):
        return name[1]
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    path, host = _PATH.fullmatch(parts.path), parts.hostname or ""
    if path and (host == GOOGLE or is_loopback(host) or files.known(path[1])):
        return path[1]
    return ""
