"""Answers with a picture, for requests that ask for images."""

from __future__ import annotations

from interactions_emulator.brain.answer import image, say
from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.corpus.words import clip
from interactions_emulator.synthetic.pictures import draw_scene


def draw(turn: Turn, prompt: str, note: str = "") -> Step:
    """A picture of what the prompt describes, with a text that begins with `note` if the request allows texts.

    `generation_config.image_config` {aspect_ratio, image_size} sets the form of the picture.
    """
    wanted = turn.generation_config.get("image_config")
    config = wanted if isinstance(wanted, dict) else {}
    form = {key: str(config[key]) for key in ("aspect_ratio", "image_size") if config.get(key)}
    picture = image(draw_scene(prompt, **form))
    if "text" not in turn.modalities:
        return {"type": "model_output", "content": [picture]}
    told = f"Shapes and colours for your words “{clip(prompt, 200)}”: I draw by rules and do not understand them."
    return {"type": "model_output", "content": [*say(f"{note}\n\n{told}".strip())["content"], picture]}
