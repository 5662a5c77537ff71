"""Files of a message as a model can take them."""

from __future__ import annotations

from collections.abc import Iterable

from google.genai import types

from tools.adk.response_collector import fenced
from tools.interactions.media_types import decoded, is_text, media_type
from tools.interactions.model_catalog import ModelCapabilities, medium_of


def adapt_files(contents: Iterable[types.Content], contract: ModelCapabilities | None) -> list[types.Content]:
    """The contents with what is text as text, and a word in the place of each file that the model cannot take.

    A file would else be refused again with every request that tells the model of it.
    """
    return [
        content.model_copy(update={"parts": [_adapted(part, contract) for part in content.parts or ()]})
        for content in contents
    ]


def text_in(part: types.Part) -> str | None:
    """What stands in a text file, which is no document for the API; none for anything else."""
    file = part.inline_data
    return decoded(file.data or b"", file.mime_type) if file and is_text(file.mime_type) else None


def _adapted(part: types.Part, contract: ModelCapabilities | None) -> types.Part:
    file = part.inline_data or part.file_data
    if file is None:
        return part
    name = file.display_name or f"a file ({file.mime_type or 'of unknown type'})"
    if (text := text_in(part)) is not None:
        return types.Part(text=f"{name}:\n\n{fenced(text)}")
    if contract and medium_of(part) not in contract.inputs:
        return types.Part(text=f"[{name} was attached here, which this model cannot take]")
    plain = file.model_copy(update={"mime_type": media_type(file.mime_type) or None})  # as the API compares it
    return part.model_copy(update={"inline_data" if part.inline_data else "file_data": plain})
