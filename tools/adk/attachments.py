"""Converts the files of a message to a form that the model accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from google.genai import types

from tools.adk.contents import parts_of
from tools.interactions.media_types import decode_text, is_text, media_type
from tools.interactions.model_catalog import Medium, capabilities_of
from tools.text.markdown import code_block
from tools.web_addresses.parsing import split_address

_PLAIN_HOST = re.compile(r"[a-z0-9.:-]+")
"""Matches a host in plain ASCII, without escapes. Other characters can stand for a dot."""


def adapt_files(contents: Iterable[types.Content], model: str) -> list[types.Content]:
    """Converts text files to text, and replaces each file that the model does not accept with a note.

    If such a file stayed in a conversation, the API would refuse every later request.
    """
    return [
        content.model_copy(update={"parts": [_adapted(part, model) for part in parts_of(content)]})
        for content in contents
    ]


def text_of_file(part: types.Part) -> str | None:
    """Returns the contents of a text file; None for any other file. The API does not accept text files as documents."""
    file = part.inline_data
    return decode_text(file.data or b"", file.mime_type) if file and is_text(file.mime_type) else None


def has_private_address(part: types.Part) -> bool:
    """Whether the address of a file is not https, or is one of Google's APIs.

    The API reads such an address (for example gs://BUCKET/FILE, or a file of its Files API) with the rights of the
    operator of the desk, so it could read files of other users. It reads all other https addresses, including those of
    Cloud Storage, without any rights.
    """
    if part.file_data is None:
        return False
    address = part.file_data.file_uri or ""
    return not address.startswith("https://") or _is_google_api(address)


def _medium_of(part: types.Part) -> Medium:
    """Returns the medium of a message part in the terms of the Interactions API."""
    file = part.inline_data or part.file_data
    if file is None:
        return "text"
    kind = media_type(file.mime_type).partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"  # type: ignore[return-value]


def _is_google_api(address: str) -> bool:
    """Whether a web address is one of Google's APIs, or may be read as one."""
    try:
        host = split_address(address).hostname or ""
    except ValueError:
        return True
    if not _PLAIN_HOST.fullmatch(host) or "\\" in address:
        return True
    name = f".{host.rstrip('.')}"
    return name.endswith(".googleapis.com") and not name.endswith(".storage.googleapis.com")


def _adapted(part: types.Part, model: str) -> types.Part:
    file = part.inline_data or part.file_data
    if file is None:
        return part
    name = file.display_name or f"a file ({file.mime_type or 'of unknown type'})"
    if (text := text_of_file(part)) is not None:
        return types.Part(text=f"{name}:\n\n{code_block(text)}")
    capabilities = capabilities_of(model)
    if capabilities and _medium_of(part) not in capabilities.inputs:
        return types.Part(text=f"[{name} was attached here, but this model cannot read it]")
    if has_private_address(part):
        return types.Part(text=f"[{name} was given here by an address that is not read: attach the file itself]")
    plain = file.model_copy(
        update={"mime_type": media_type(file.mime_type) or None}
    )  # the API accepts only media types in lower case, without parameters
    return part.model_copy(update={"inline_data" if part.inline_data else "file_data": plain})
