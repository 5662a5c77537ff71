"""Pictures and documents over the socket, with the emulator's own brain and the real SDK."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from google import genai

from brain.conftest import document, pdf
from interactions_emulator import Emulator
from wire.conftest import AGENT, MODEL, Wire

TABLE = """# Tides

Tides rise and fall twice a day on most coasts of the world.

| Port | Metres |
| --- | --- |
| A | 5 |
| B | 6 |
| C | 7 |
"""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Emulator]:
    (tmp_path / "tides.md").write_text(TABLE)
    with Emulator(corpus=tmp_path) as emulator:
        yield emulator


async def test_the_sdk_receives_a_picture_with_text(client: genai.Client) -> None:
    made = await client.aio.interactions.create(
        model=MODEL, input="a red star", response_format=[{"type": "text"}, {"type": "image"}]
    )
    assert made.output_image is not None and made.output_image.mime_type == "image/png"
    assert base64.b64decode(made.output_image.data).startswith(b"\x89PNG")
    assert "a red star" in made.steps[-1].content[0].text


def test_the_response_format_sets_aspect_ratio_and_size_of_a_picture(wire: Wire) -> None:
    form = {"type": "image", "aspect_ratio": "16:9", "image_size": "512"}
    (step,) = wire.create({"model": MODEL, "input": "a red star", "response_format": form})["steps"]
    header = base64.b64decode(step["content"][0]["data"])[16:24]  # of PNG: width and height
    assert struct.unpack(">II", header) == (512, 288)


def test_a_picture_is_streamed_as_one_delta(wire: Wire) -> None:
    body = {"model": MODEL, "input": "a red star", "response_format": {"type": "image"}}
    deltas = [event["delta"] for event in wire.stream(body) if event["event_type"] == "step.delta"]
    assert [delta["type"] for delta in deltas] == ["image"]
    assert deltas[0]["data"] == wire.create(body)["steps"][-1]["content"][0]["data"]


def test_a_document_is_quoted_with_strictly_valid_citations(wire: Wire) -> None:
    paper = document(pdf("On birds\n\nWading birds rest on the shore while the water is high."), "application/pdf")
    made = wire.create({"model": MODEL, "input": [{"type": "text", "text": "When do wading birds rest?"}, paper]})
    [content] = made["steps"][-1]["content"]
    [note] = content["annotations"]
    assert (note["type"], note["file_name"], note["page_number"]) == ("file_citation", "On birds", 1)
    raw = content["text"].encode()[note["start_index"] : note["end_index"]]
    assert raw == b"Wading birds rest on the shore while the water is high."


async def test_output_text_of_the_sdk_is_the_whole_report_despite_charts(client: genai.Client) -> None:
    made = await client.aio.interactions.create(agent=AGENT, input="Research tides on coasts", background=True)
    events = [event async for event in await client.aio.interactions.get(made.id, stream=True)]
    done = await client.aio.interactions.get(made.id)
    assert events[-1].interaction.status == done.status == "completed"
    assert [content.type for step in done.steps[-2:] for content in step.content] == ["text", "image"]
    assert done.output_text == done.steps[-2].content[0].text
    assert done.output_text.startswith("# Tides on coasts") and "Metres by Port" in done.output_text
