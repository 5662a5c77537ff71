"""Collects the text in all fields of a message or an event, so that no new field is missed."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator, Mapping

from google.genai import types
from pydantic import BaseModel

from tools.adk.contents import parts_of, text_of
from tools.interactions.media_types import decode_text, is_text


def text_to_judge(message: types.Content) -> str:
    """Returns the text of a message to judge: all text parts as one text, then each other string on its own line.

    The parts are joined without a separator, as the researcher gets them.
    """
    said = text_of(message, thoughts=True)
    others = (part.model_copy(update={"text": None}) for part in parts_of(message))
    return "\n".join([*([said] if said else []), *strings(list(others))])


def strings(value: object) -> Iterator[str]:
    """Yields every string in models and JSON data, including keys of mappings, and the contents of text files.

    Other files, signatures and known media types are left out.
    """
    match value:
        case str():
            yield value
        case BaseModel():
            mime_type, data = getattr(value, "mime_type", None), getattr(value, "data", None)
            if isinstance(data, bytes) and is_text(mime_type):
                yield decode_text(data, mime_type)
            for name, inner in value:
                if name != "mime_type" or not _is_known(inner):
                    yield from strings(inner)
        case Mapping():
            for key, inner in value.items():
                yield from strings(key)
                yield from strings(inner)
        case Iterable() if not isinstance(value, bytes):
            for inner in value:
                yield from strings(inner)


def _is_known(mime_type: str | None) -> bool:
    return bool(mime_type and mimetypes.guess_extension(mime_type, strict=False))
