"""Charts in research: drawn from tables of the documents it cites, placed so that the report reads well."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from brain.conftest import DOCUMENTS, document, said
from interactions_emulator.brain import make_brain
from interactions_emulator.brain.chart_selection import figures
from interactions_emulator.brain.protocol import Brain, Step, Turn
from interactions_emulator.corpus.attached_files import CombinedCorpus
from interactions_emulator.corpus.index import Corpus

PLANTS = """# Tidal power plants

Tidal power plants stand in a few countries only, and each of them was built for reasons of its own.

## Capacity

| Plant | Country | Capacity (MW) |
| --- | --- | --- |
| Rance | France | 240 |
| Sihwa | Korea | 254 |
| Annapolis | Canada | 20 |

## Output

| Year | Output |
| --- | --- |
| 2019 | 1,500 GWh |
| 2020 | 1,510 GWh |
| 2021 | n/a |
| 2022 | 1,530 GWh |
"""
BEES = "# Bees\n\n| Bee | Flowers |\n| --- | --- |\n| One | 5 |\n| Two | 6 |\n| Three | 7 |\n"


@pytest.fixture(scope="module")
def power(tmp_path_factory: pytest.TempPathFactory) -> Brain:
    folder: Path = tmp_path_factory.mktemp("plants")
    for name, text in (DOCUMENTS | {"plants.md": PLANTS, "hives.md": BEES}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return make_brain(Corpus.open(folder))


def run(brain: Brain, brief: str | Step, **config: Any) -> list[Step]:
    """The outputs of a research."""
    step = said(brief) if isinstance(brief, str) else brief
    turn = Turn("deep-research", True, (step,), 1, agent_config=config, documents_url="http://127.0.0.1:1/documents/")
    return [beat.step for beat in brain(turn) if beat.step["type"] == "model_output"]


def test_charts_come_after_the_report_text_which_is_not_split(power: Brain) -> None:
    report, *charts = run(power, "Research tidal power plants and their costs")
    [text] = report["content"]
    assert len(charts) == 2
    for chart in charts:
        [image] = chart["content"]
        assert (image["type"], image["mime_type"]) == ("image", "image/png")
        assert Image.open(io.BytesIO(base64.b64decode(image["data"]))).width == 1440
    charted = text["text"].partition("## Charts")[2]
    assert "Figure 1: Capacity (MW) by Plant, drawn from the table under “Capacity” in “Tidal power plants”." in charted
    assert "Figure 2: Output by Year" in charted
    raw = text["text"].encode()
    captions = [
        n for n in text["annotations"] if raw[: n["start_index"]].decode().endswith(("Figure 1: ", "Figure 2: "))
    ]
    assert [note["url"].rpartition("/")[2] for note in captions] == ["plants.md"] * 2


def test_charts_show_only_values_from_the_document(tmp_path: Path) -> None:
    (tmp_path / "plants.md").write_text(PLANTS)
    shelf = CombinedCorpus(Corpus([], None), Corpus.open(tmp_path))
    drawn = [one.chart for one in figures(shelf, shelf.search("power plants", 5), lambda text: 1.0, ())]
    assert [(one.names, one.positions, one.values, one.unit) for one in drawn] == [
        (("Rance", "Sihwa", "Annapolis"), (), {"Capacity (MW)": (240, 254, 20)}, ""),
        (("2019", "2020", "2021", "2022"), (2019, 2020, 2021, 2022), {"Output": (1500, 1510, None, 1530)}, "GWh"),
    ]


def test_no_chart_is_drawn_if_disabled_off_topic_or_excluded_by_the_brief(power: Brain) -> None:
    assert len(run(power, "Research tidal power plants", visualization="off")) == 1
    assert len(run(power, "Research the environmental impact of turbines on seals")) == 1
    without = run(power, "Research tidal power plants, but leave out capacity")
    assert len(without) == 2 and "Capacity (MW)" not in without[0]["content"][0]["text"]


def test_a_table_attached_to_the_brief_is_drawn_as_a_chart(power: Brain) -> None:
    brief = said("Compare them")
    brief["content"].append(document(b"Hive,Honey\nA,5.5\nB,6\nC,7.25\n", "text/csv"))
    report, _ = run(power, brief)
    assert "Honey by Hive" in report["content"][0]["text"]
