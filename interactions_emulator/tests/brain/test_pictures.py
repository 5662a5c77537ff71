"""Pictures as answers: the same for the same prompt, of the form that was asked for, and signed."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from brain.conftest import WEATHER, Ask
from interactions_emulator.brain.protocol import Step
from interactions_emulator.synthetic.charts import Chart, draw_chart
from interactions_emulator.synthetic.pictures import draw_scene


def picture(step: Step) -> Image.Image:
    part = step["content"][-1]
    assert (part["type"], part["mime_type"]) == ("image", "image/png")
    return Image.open(io.BytesIO(base64.b64decode(part["data"])))


def colours(data: bytes) -> set[tuple[int, ...]]:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return {colour for count, colour in image.getcolors(2**24) if count > 300}  # type: ignore[misc,union-attr]


def near(colour: tuple[int, ...], found: set[tuple[int, ...]]) -> bool:
    return any(sum(abs(a - b) for a, b in zip(colour, other, strict=True)) < 90 for other in found)


def test_a_picture_is_drawn_when_the_modalities_include_images(ask: Ask) -> None:
    [alone] = ask("a lighthouse at night", modalities=("image",))
    assert len(alone["content"]) == 1 and picture(alone).size == (1024, 1024)
    [both] = ask("a lighthouse at night", modalities=("text", "image"))
    assert "a lighthouse at night" in both["content"][0]["text"] and both["content"][0]["text"].endswith("— emulator")
    assert both["content"][1] == alone["content"][0]
    assert len(ask("a lighthouse at night")[0]["content"]) == 1


def test_a_function_call_takes_precedence_over_a_picture(ask: Ask) -> None:
    [step] = ask("weather in Rome", modalities=("text", "image"), tools=[WEATHER])
    assert step["type"] == "function_call"


@pytest.mark.parametrize(
    ("form", "size"),
    [
        ({"aspect_ratio": "16:9"}, (1024, 576)),
        ({"aspect_ratio": "9:16", "image_size": "2K"}, (1152, 2048)),
        ({"aspect_ratio": "wide", "image_size": "huge"}, (1024, 1024)),
        ({"aspect_ratio": "0:0"}, (1024, 1024)),
    ],
)
def test_a_picture_has_the_requested_aspect_ratio_and_size(
    ask: Ask, form: dict[str, str], size: tuple[int, int]
) -> None:
    [step] = ask("tides", modalities=("image",), generation_config={"image_config": form})
    assert picture(step).size == size


def test_equal_prompts_give_equal_bytes_and_different_prompts_different_bytes() -> None:
    assert draw_scene("the sea") == draw_scene("the sea") != draw_scene("the sky")


def test_colours_in_the_prompt_are_used() -> None:
    found = colours(draw_scene("three red circles and a green square"))
    assert near((192, 57, 43), found) and near((46, 139, 87), found)
    assert not near((36, 113, 163), found)


@pytest.mark.parametrize("prompt", ["", "$x_1$ and $", "\ud800", "量子 مرحبا 🎉", "99 stars" * 500, "\\frac{", "\x00"])
def test_any_prompt_gives_a_valid_png(ask: Ask, prompt: str) -> None:
    [step] = ask(prompt, modalities=("image",))
    assert picture(step).format == "PNG"


@pytest.mark.parametrize("places", [(), (1.0, 2.0, 4.0)])
def test_a_chart_with_gaps_negative_values_and_math_symbols_is_drawn(places: tuple[float, ...]) -> None:
    values: dict[str, Any] = {"$a$ and $b": (1.0, None, -3.0), "_^{}": (0.0, 0.0, 1e12)}
    chart = Chart("Costs in $ and $", "from $", "$", "$", ("$1 $2", "b" * 99, ""), places, values)
    assert draw_chart(chart) == draw_chart(chart)
