"""Reads the parts and the text of ADK's contents. Has the name of ADK's function for a handover between agents."""

from __future__ import annotations

from google.genai import types

TRANSFER_TOOL = "transfer_to_agent"
"""ADK's function by which an agent hands over to another."""


def parts_of(content: types.Content | None) -> list[types.Part]:
    """Returns the parts of a content; an empty list if there are none."""
    return (content.parts if content else None) or []


def text_of(content: types.Content | None, *, thoughts: bool = False) -> str:
    """Returns the text of a content as a model writes and reads it: the parts continue each other.

    Args:
        thoughts: whether the text of thoughts is included.
    """
    return "".join(part.text for part in parts_of(content) if part.text and (thoughts or not part.thought))


def lines_of(content: types.Content | None) -> str:
    """Returns the text of a content, each part on a line of its own, for a search of its words."""
    return "\n".join(part.text for part in parts_of(content) if part.text and not part.thought)
