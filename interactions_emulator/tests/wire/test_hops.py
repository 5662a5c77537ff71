"""An answer in several hops: `requires_continuation` and a token, with which a later request gets the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from google import genai

from interactions_emulator import Emulator
from wire.brains import brain, said
from wire.conftest import MODEL, Wire

STEPS = [said("one"), {"type": "hop"}, said("two"), {"type": "hop"}, said("three")]


@pytest.fixture
def hopping(tmp_path: Path) -> Iterator[Emulator]:
    """A server that gives one answer in three hops."""
    (tmp_path / "scenarios.yaml").write_text(yaml.safe_dump([{"match": {"text": "count"}, "steps": STEPS}]))
    with Emulator(brain=brain, scenarios=tmp_path / "scenarios.yaml", state=tmp_path / "interactions.db") as api:
        yield api


def client_of(api: Emulator) -> genai.Client:
    return genai.Client(api_key="any", http_options={"base_url": api.url})


@pytest.mark.parametrize("store", [True, False])
def test_the_sdk_continues_an_answer_until_it_is_complete(hopping: Emulator, store: bool) -> None:
    with client_of(hopping) as client:
        whole = client.interactions.create(model=MODEL, input="count", store=store)
        texts = [step.content[0].text for step in whole.steps or []]
        streamed = [
            event.delta.text
            for event in client.interactions.create(model=MODEL, input="count", store=store, stream=True)
            if event.event_type == "step.delta"
        ]
    assert (whole.status, texts, "".join(streamed)) == ("completed", ["one", "two", "three"], "onetwothree")
    assert hopping.log()["creates"] == 6


def test_each_hop_is_an_interaction_and_a_chain_continues_from_the_last(hopping: Emulator) -> None:
    wire = Wire(hopping.url)
    first = wire.create({"model": MODEL, "input": "count"})
    assert first["status"] == "requires_continuation"
    body = {"model": MODEL, "continuation_token": first["continuation_token"], "previous_interaction_id": first["id"]}
    second = wire.create(body)
    assert second["continuation_token"] != first["continuation_token"]
    hopping.restart()  # the journal knows what was promised
    third = wire.create(
        body | {k: second[k] for k in ("continuation_token",)} | {"previous_interaction_id": second["id"]}
    )
    assert [hop["steps"] for hop in (first, second, third)] == [STEPS[0:1], STEPS[2:3], STEPS[4:5]]
    assert third["status"] == "completed"
    after = wire.create({"model": MODEL, "input": "show the turn", "previous_interaction_id": third["id"]})
    assert "steps=5" in after["steps"][0]["content"][0]["text"]
    again = wire.create(body)  # the client repeats the request because the answer was lost
    assert (again["steps"], again["status"]) == (second["steps"], "requires_continuation")


def test_an_unknown_continuation_token_is_refused(hopping: Emulator) -> None:
    wire = Wire(hopping.url)
    first = wire.create({"model": MODEL, "input": "count"})
    other = wire.create({"model": MODEL, "input": "hello"})["id"]
    for body in (
        {"model": MODEL, "continuation_token": "hop_of_another_server"},
        {"model": MODEL, "continuation_token": first["continuation_token"], "previous_interaction_id": other},
    ):
        assert "is not one that this server gave" in wire.refused(wire.http.post("/interactions", json=body), 400)
    wire.http.delete(f"/interactions/{first['id']}")
    body = {"model": MODEL, "continuation_token": first["continuation_token"]}
    wire.refused(wire.http.post("/interactions", json=body), 400)
