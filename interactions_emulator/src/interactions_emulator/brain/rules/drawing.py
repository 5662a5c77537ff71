"""Answers with a picture."""

from __future__ import annotations

import base64
from typing import Any

from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.answer import say
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn
from interactions_emulator.brain.rules.small_talk import attachments_note
from interactions_emulator.corpus.words import clip
from interactions_emulator.synthetic.pictures import draw_scene


def step(turn: Turn, parsed: ParsedTurn) -> Step:
    """A picture of what the message describes, with a text if the request allows one.

    `generation_config.image_config` {aspect_ratio, image_size} sets the form of the picture.
    """
    wanted = turn.generation_config.get("image_config")
    form = (
        {key: str(wanted[key]) for key in ("aspect_ratio", "image_size") if wanted.get(key)}
        if isinstance(wanted, dict)
        else {}
    )
    picture = image(draw_scene(parsed.user_text, **form))
    if "text" not in turn.modalities:
        return {"type": "model_output", "content": [picture]}
    words = clip(parsed.user_text, 200)
    note = f"Shapes and colours for your words “{words}”: I draw by rules and do not understand them."
    text = say("\n\n".join(filter(None, [attachments_note(parsed.attachments), note])))
    return {"type": "model_output", "content": [*text["content"], picture]}


def image(png: bytes) -> dict[str, Any]:
    """A picture as the content of a step."""
    return {"type": "image", "mime_type": "image/png", "data": base64.b64encode(png).decode()}
