"""All that is written in a message or an event, whatever field it stands in: so no new field is forgotten."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator, Mapping

from google.genai import types
from pydantic import BaseModel

from tools.interactions.media_types import decoded, is_text


def text_of(message: types.Content) -> str:
    """All of a message. Its texts are one text, as the researcher reads them; each other string is a line."""
    parts = message.parts or []
    said = "".join(part.text for part in parts if part.text)
    others = (part.model_copy(update={"text": None}) for part in parts)
    return "\n".join([*([said] if said else []), *strings(list(others))])


def strings(value: object) -> Iterator[str]:
    """Every string in models and JSON data, keys of mappings included, and the texts of text files.

    Left out are other files, signatures, and media types that are known.
    """
    match value:
        case str():
            yield value
        case BaseModel():
            mime_type, data = getattr(value, "mime_type", None), getattr(value, "data", None)
            if isinstance(data, bytes) and is_text(mime_type):
                yield decoded(data, mime_type)
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
