"""Documents of a report as artifacts of a conversation."""

from __future__ import annotations

import pytest

from interactions_emulator import Emulator
from tests.research.test_turns import Budget, an_hour_passes, api, budget, say, talk
from tests.routing.test_conversation import Talk
from tests.talk import USER
from tools.research import limited_process
from tools.research.report import documents

__all__ = ["api", "budget", "talk"]


async def artifacts(talk: Talk) -> dict[str, bytes]:
    """The first bytes of each artifact, by the part of its name after the job's id. Fails if one has two versions."""
    place = {"app_name": talk.runner.app_name, "user_id": USER, "session_id": talk.session_id}
    found = {}
    for name in await talk.artifacts.list_artifact_keys(**place):
        assert await talk.artifacts.list_versions(**place, filename=name) == [0]
        part = await talk.artifacts.load_artifact(**place, filename=name)
        assert part and part.inline_data and part.inline_data.data
        found[name[len("job_12345678") :]] = part.inline_data.data[:4]
    return found


async def test_documents_are_saved_once_as_artifacts_and_deleted_with_the_report(
    api: Emulator, talk: Talk, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_REPORT_FORMATS", "pdf,docx")
    await say(talk, "tides")
    await an_hour_passes(api)
    budget(60)
    for _ in range(2):
        said = await say(talk, "status")
        assert ".pdf`" in said and ".docx`" in said

    found = await artifacts(talk)
    assert set(found) == {".md", ".html", ".json", "-figure-1.png", ".pdf", ".docx"}
    assert (found[".pdf"], found[".docx"]) == (b"%PDF", b"PK\3\4")
    await say(talk, "delete it")
    await say(talk, "yes")
    assert await artifacts(talk) == {}


@pytest.mark.parametrize("fault", ["no extra", "no conversion"])
async def test_a_report_is_shown_with_its_other_files_when_no_document_can_be_made(
    api: Emulator, talk: Talk, budget: Budget, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("DESK_REPORT_FORMATS", "pdf")
    if fault == "no extra":
        monkeypatch.setattr(documents, "find_spec", lambda name: None)
    else:
        monkeypatch.setattr(limited_process.sys, "executable", "/bin/false")
    await say(talk, "tides")
    await an_hour_passes(api)
    budget(60)
    said = await say(talk, "status")

    assert "Sources" in said and ".pdf" not in said
    assert set(await artifacts(talk)) == {".md", ".html", ".json", "-figure-1.png"}
