"""A small corpus about tidal power, and ways to ask the brain."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

from interactions_emulator.brain import make_brain
from interactions_emulator.brain.protocol import Brain, Step, Turn
from interactions_emulator.corpus.index import Corpus

DOCUMENTS = {
    "basics.md": """# Tidal power

Tidal power turns the energy of rising and falling water into electricity. The tides follow the gravity of the moon
and, less strongly, of the sun. Unlike wind and sunshine, tides can be predicted for centuries.

## Potential

Engineers estimate that the tides could give about 120 gigawatts of electricity worldwide. Only a small part of that
lies near cities that need the power — Saint-Malo's coast is an exception.
""",
    "barrages.md": """# Tidal barrages

A tidal barrage is a dam across an estuary with turbines in its gates. The barrage on the Rance river in France has
produced electricity since 1966. Its 24 turbines reach a peak output of 240 megawatts.

## Costs

Building a barrage costs more than building a wind farm of the same output. The cost of electricity from an old barrage
is low, because the dam has long been paid for.

```python
cost = barrage.build(price=10)
```
""",
    "streams.md": """# Tidal stream turbines

A tidal stream turbine stands on the sea bed and turns in the current, like a windmill under water. The MeyGen array in
Scotland has delivered electricity from four turbines since 2018.

## Costs

The cost of tidal stream electricity has fallen by forty percent since 2018. Maintenance under water remains the largest
part of the cost of a tidal turbine.
""",
    "nature.md": """# Tidal power and nature

A barrage changes the mud flats of an estuary, on which wading birds feed. The environmental impact of tidal stream
turbines on seals has been small so far. Studies of fish near tidal turbines found that most fish swim around the
blades.
""",
    "storage.txt": """Batteries smooth the output of tidal power between high and low water.
Pumped storage does the same on a larger scale, where there are hills.
""",
    "bees.html": """<html><head><title>Bees &amp; honey</title><script>var nectar = 1;</script></head><body>
<nav>Home</nav><h1>Bees</h1><p>Honey bees dance to tell their sisters where flowers stand. A bee visits about
fifty flowers on each flight, <b>sometimes</b> more.</p></body></html>
""",
}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Gets the weather of a place and forecasts of up to 7 days: temperature, rain, wind.",
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "place": {"type": "STRING", "description": "A city or town."},
            "days": {"type": "INTEGER", "description": "How many days, 1 to 7."},
            "units": {"type": "STRING", "enum": ["metric", "imperial"]},
        },
        "required": ["place"],
    },
}
SEARCH: dict[str, Any] = {"type": "google_search"}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def corpus(folder: Path) -> Corpus:
    return Corpus.open(folder, None)


@pytest.fixture(scope="session")
def brain(corpus: Corpus) -> Brain:
    return make_brain(corpus)


Ask = Callable[..., list[Step]]


@pytest.fixture
def ask(brain: Brain) -> Ask:
    """`ask("Hi", before=[...], tools=[...])`: the steps of a model's answer. Inputs may be steps."""

    def answer(*inputs: str | Step, before: list[Step] | None = None, system: str = "", **fields: Any) -> list[Step]:
        fresh = [said(one) if isinstance(one, str) else one for one in inputs]
        tools = tuple(fields.pop("tools", ()))
        turn = Turn(
            "some-model",
            False,
            (*(before or []), *fresh),
            len(fresh),
            tools,
            system,
            documents_url="http://127.0.0.1:1/documents",
            **fields,
        )
        beats = list(brain(turn))
        assert all(beat.wait == 0 for beat in beats)
        return [beat.step for beat in beats]

    return answer


def said(text: str) -> Step:
    """A `user_input`."""
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


def result(name: str, value: Any, call_id: str = "c1") -> Step:
    """A `function_result`."""
    return {"type": "function_result", "call_id": call_id, "name": name, "result": value}


def call(name: str, **arguments: Any) -> Step:
    """A `function_call`."""
    return {"type": "function_call", "id": "c1", "name": name, "arguments": arguments}


def text_of(steps: list[Step]) -> str:
    """The text of the last step."""
    text: str = steps[-1]["content"][0]["text"]
    return text


def quoted(step: Step, corpus: Corpus) -> list[tuple[str, str]]:
    """(document, quotation) of each citation of a `model_output`, cut out by its bytes and found in its document."""
    content = step["content"][0]
    raw = content["text"].encode()
    found = []
    for note in content.get("annotations", []):
        assert note["type"] == "url_citation"
        document = note["url"].removeprefix("http://127.0.0.1:1/documents/")
        entry = corpus.document(document)
        assert entry is not None
        assert note["title"] == entry.title
        sentence = raw[note["start_index"] : note["end_index"]].decode()
        assert any(sentence in passage.text for passage in corpus.passages(document)), sentence
        found.append((document, sentence))
    return found


def document(data: bytes, mime_type: str) -> dict[str, Any]:
    """A content of type `document`."""
    return {"type": "document", "mime_type": mime_type, "data": base64.b64encode(data).decode()}


def pdf(*pages: str, title: str = "", password: str = "") -> bytes:
    """A PDF with a line of text for each line of a page."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
        }
    )
    for page in pages:
        sheet = writer.add_blank_page(width=595, height=842)
        lines = [re.sub(r"([\\()])", r"\\\1", line) for line in page.split("\n")]
        drawn = "".join(f"({line}) Tj 0 -14 Td\n" for line in lines)
        content = StreamObject()
        content.set_data(f"BT /F1 11 Tf 60 780 Td\n{drawn}ET".encode("cp1252"))
        sheet[NameObject("/Contents")] = writer._add_object(content)
        sheet[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()
