"""Files go both ways: what the user drops in reaches the model, and what a model draws is an artifact."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.run_config import StreamingMode
from google.genai import types

from interactions_emulator import Emulator
from tests.capabilities.conftest import Script, Solo, ordering
from tests.conftest import ROOT
from tests.scripts import PIXEL, picture, said, thought
from tests.talk import USER, Talk, creates, refusals, words
from tools.app import build_app
from tools.research import factory

ILLUSTRATOR = """model: interactions:gemini-3.1-flash-image
generate_content_config:
  response_modalities: [TEXT, IMAGE]
"""
PICTURE = picture()


def file(kind: str, data: bytes = b"data") -> types.Part:
    return types.Part.from_bytes(data=data, mime_type=kind)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("image/png", "image"),
        ("application/pdf", "document"),
        ("audio/mpeg", "audio"),
        ("video/mp4", "video"),
    ],
)
async def test_a_file_in_a_message_reaches_the_model(api: Emulator, solo: Solo, kind: str, content: str) -> None:
    data = PIXEL if kind == "image/png" else b"data"
    await solo().say("what is this?", file(kind, data))
    [text, sent] = [step["content"][0] for step in creates(api)[0]["input"]]
    assert text["text"] == "what is this?"
    assert sent == {"type": content, "mime_type": kind, "data": base64.b64encode(data).decode()}


@pytest.mark.parametrize("kind", ["text/plain", "text/markdown", "text/csv", "application/json"])
async def test_a_text_file_reaches_the_model_as_text(api: Emulator, solo: Solo, kind: str) -> None:
    await solo().say("what is this?", file(kind, "# Größe".encode()))
    text = creates(api)[0]["input"][1]["content"][0]
    assert text["type"] == "text"
    assert "# Größe" in text["text"]


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_text_beside_a_file_does_not_end_the_conversation(api: Emulator, solo: Solo, text: str) -> None:
    talk = solo()
    await talk.say(text, file("image/png", PIXEL))
    assert [step["content"][0]["type"] for step in creates(api)[0]["input"]] == ["image"]
    await talk.say("and now?")
    assert not refusals(api)


async def test_a_message_of_empty_text_alone_does_not_repeat_the_message_before(api: Emulator, solo: Solo) -> None:
    talk = solo()
    await talk.say("hello")
    await talk.say("")
    assert creates(api)[-1]["input"][-1]["content"][0]["text"] == "(an empty message)"
    assert not refusals(api)


async def test_an_unsupported_file_is_replaced_by_a_note_to_the_model(api: Emulator, solo: Solo) -> None:
    talk = solo(ILLUSTRATOR)
    await talk.say("draw what you hear", file("audio/mpeg"))
    await talk.say("and now?")
    assert "audio/mpeg" in str(creates(api)[0]["input"])
    assert "but this model cannot read it" in str(creates(api)[0]["input"])
    assert all(step["content"][0]["type"] == "text" for body in creates(api) for step in body["input"])


@pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])
@pytest.mark.parametrize("text", ["", "A fox."])
async def test_each_picture_of_the_model_becomes_an_artifact_and_a_separate_event(
    api: Emulator, script: Script, solo: Solo, mode: StreamingMode, text: str
) -> None:
    script.answers = [
        [thought("Hm."), *([said(text)] if text else []), {"type": "model_output", "content": [PICTURE, PICTURE]}]
    ]
    talk = solo(ILLUSTRATOR, mode)
    events = [event async for event in talk.events("Draw a fox!")]
    assert creates(api)[0]["response_modalities"] == ["text", "image"]
    whole = [event for event in events if not event.partial]
    names = ["draw-a-fox.png", "draw-a-fox-2.png"]
    assert [list(event.actions.artifact_delta) for event in whole] == [[names[0]], [names[1]], []]
    assert [event.content for event in whole[:2]] == [None, None]
    assert words(whole[-1]) == f"{text or 'Here they are.'}\n\nSaved as artifacts: `{names[0]}`, `{names[1]}`"
    assert not any(event.error_code for event in events)
    for name in names:
        saved = await talk.artifacts.load_artifact(app_name="desk", user_id=USER, session_id="s1", filename=name)
        assert saved
        assert saved.inline_data
        assert (saved.inline_data.data, saved.inline_data.mime_type) == (PIXEL, "image/png")
    assert base64.b64encode(PIXEL).decode() not in (await talk.session()).model_dump_json()


async def test_a_picture_is_edited_on_its_chain_and_sent_again_when_the_chain_is_lost(
    api: Emulator, script: Script, solo: Solo, use: Any
) -> None:
    drawn: list[Any] = [{"type": "model_output", "content": [PICTURE]}]
    script.answers = [drawn, drawn]
    talk = solo(ILLUSTRATOR)
    await talk.say("draw a fox")
    await talk.say("make it bluer")
    assert "image" not in str(creates(api)[1]["input"])
    assert creates(api)[1]["previous_interaction_id"]
    with Emulator(brain=script) as other:
        use(other)
        script.answers = [drawn]
        await talk.say("greener, please")
        assert [r["status"] for r in other.log()["requests"]] == [404, 200]
        steps = creates(other)[1]["input"]
        pictures = [s for s in steps if s["content"][0]["type"] == "image"]
        assert [(s["type"], s["content"][0]["data"]) for s in pictures] == [("model_output", PICTURE["data"])] * 2
        assert "greener, please" in str(steps[-1])


async def test_aspect_ratio_and_size_of_a_picture_are_requested(api: Emulator, solo: Solo) -> None:
    yaml = ILLUSTRATOR + '  image_config: {aspect_ratio: "16:9", image_size: 2K}\n'
    await solo(yaml).say("draw a fox")
    form = {"type": "image", "aspect_ratio": "16:9", "image_size": "2K"}
    assert creates(api)[0]["response_format"] == [{"type": "text"}, form]
    assert refusals(api) == []


async def test_research_receives_supported_files_and_names_the_files_left_out(
    use: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_CONFIG", str(ROOT / "configs" / "researcher.yaml"))
    with Emulator(brain=ordering({"title": "Tides", "brief": "Research the tides", "with_files": True})) as server:
        use(server)
        said = await Talk(build_app()).say("Research the tides", file("image/png", PIXEL), file("audio/mpeg"))
        await factory.close()
        assert words(said[0]) == "Left out, since Deep Research does not take it: audio/mpeg."
        assert "# Tides" in words(said[-1])
        assert [content["type"] for content in creates(server)[-1]["input"][0]["content"]] == ["text", "image"]
