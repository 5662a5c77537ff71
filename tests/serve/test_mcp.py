"""MCP over HTTP: behind the server's own checks, for each user alone, and on any replica."""

from __future__ import annotations

import asyncio
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
import yaml
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from interactions_emulator import Emulator
from tests.board.conftest import Page
from tests.conftest import ROOT
from tests.kill.test_kill import researches, until
from tests.mcp_server.conftest import BRIEF, ERAS, INVALID, YES, call, error, text
from tests.serve.conftest import AUDIENCE, Issuer, Serve
from tools.server.app import build_server
from tools.server.settings import ServerSettings
from tools.settings import SettingsError, load_settings

NEWEST = ERAS[-1]
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def url(serve: Serve, issuer: Issuer, api: Emulator, asks: None) -> str:
    api.set_speed(math.inf)
    return str(serve(mcp=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE).base_url)


def client(url: str, token: str, mode: str = "legacy", answer: types.ElicitResult | None = None) -> Client:
    async def elicit(*_: Any) -> types.ElicitResult:
        assert answer
        return answer

    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=300)
    callback: dict[str, Any] = {"elicitation_callback": elicit} if answer else {}
    return Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode, **callback)


@pytest.mark.parametrize("mode", ERAS)
async def test_a_user_gets_a_report_with_progress_and_no_other_user_sees_it(
    url: str, issuer: Issuer, api: Emulator, mode: str
) -> None:
    seen: list[float] = []

    async def progress(number: float, total: float | None, line: str | None) -> None:
        seen.append(number)

    async with client(url, issuer.token("ada"), mode) as ada, client(url, issuer.token("bob"), mode) as bob:
        job = (await call(ada, "start", brief=BRIEF))["job"]
        for tool, more in (("approve", {"max_usd": 3}), ("status", {}), ("cancel", {})):
            refused = await error(bob, tool, job=job, **more)
            assert refused == f"you have no research run '{job}': research_list shows what there is"
        await asyncio.to_thread(api.set_speed, 0)
        await call(ada, "approve", job=job, max_usd=3)
        arguments = {"job": job, "wait_seconds": 45}
        watching = asyncio.create_task(ada.call_tool("research_status", arguments, progress_callback=progress))
        while not seen and not watching.done():
            await asyncio.to_thread(api.advance, 10)
        await asyncio.to_thread(api.set_speed, math.inf)
        await watching
        assert "# Tides" in await text(ada, "report", job=job)
        assert f"research://{job}/report.md" in [each.uri for each in (await ada.list_resources()).resources]
        assert (await bob.list_resources()).resources == []
    assert seen == sorted(set(seen)) != []
    assert len(researches(api)) == 1


async def test_the_newest_clients_are_asked_and_older_ones_get_the_question(
    url: str, issuer: Issuer, api: Emulator
) -> None:
    async with client(url, issuer.token("ada"), NEWEST, YES) as newest:
        assert (await call(newest, "start", brief=BRIEF))["state"] != "awaiting_approval"
    async with client(url, issuer.token("ada"), "legacy", YES) as older:  # its answer would have no way back
        assert "show_to_person" in await call(older, "start", brief=f"{BRIEF} 2")
    async with client(url, issuer.token("ada"), NEWEST, types.ElicitResult(action="decline")) as newest:
        assert (await call(newest, "start", brief=f"{BRIEF} 3"))["answer"] == "no"


def modern(name: str, arguments: dict[str, Any], **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A tool call of the newest version as body and headers, from a client that can ask its person."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    }
    params = {"name": name, "arguments": arguments, "_meta": meta, **more}
    headers = {**ACCEPT, "MCP-Protocol-Version": NEWEST, "Mcp-Method": "tools/call", "Mcp-Name": name}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers


def test_a_question_of_one_server_is_answered_once_at_another(serve: Serve, api: Emulator, asks: None) -> None:
    one, other = serve(mcp=True), serve(mcp=True)
    body, headers = modern("research_start", {"brief": BRIEF})
    asked = one.post("/mcp", json=body, headers=headers).json()["result"]
    assert asked["resultType"] == "input_required"
    assert "up to $3?" in asked["inputRequests"]["approval"]["params"]["message"]
    answer = {"approval": {"action": "accept", "content": {"start": True}}}
    forged, _ = modern("research_start", {"brief": BRIEF}, inputResponses=answer, requestState="0" * 64)
    assert other.post("/mcp", json=forged, headers=headers).json()["result"]["resultType"] == "input_required"
    moved, _ = modern("research_start", {"brief": "More"}, inputResponses=answer, requestState=asked["requestState"])
    assert other.post("/mcp", json=moved, headers=headers).json()["result"]["resultType"] == "input_required"
    assert researches(api) == []
    given, _ = modern("research_start", {"brief": BRIEF}, inputResponses=answer, requestState=asked["requestState"])
    states = [
        server.post("/mcp", json=given, headers=headers).json()["result"]["structuredContent"]["state"]
        for server in (other, one)
    ]
    assert "awaiting_approval" not in states
    until(lambda: researches(api))
    assert len(researches(api)) == 1


def test_the_servers_own_checks_stand_in_front(serve: Serve, issuer: Issuer, api: Emulator) -> None:
    body, headers = modern("research_list", {})
    guarded = serve(mcp=True, oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    assert guarded.post("/mcp", json=body, headers=headers).status_code == 401
    wrong = {**headers, "Authorization": f"Bearer {issuer.token('ada', aud='other')}"}
    assert guarded.post("/mcp", json=body, headers=wrong).status_code == 401
    assert guarded.get("/mcp", headers={"Authorization": f"Bearer {issuer.token('ada')}"}).status_code == 405
    local = serve(mcp=True, oidc_issuer="", oidc_audience="", turns_per_minute=2, max_body=20_000)
    assert local.post("/mcp", json=body, headers={**headers, "Host": "evil.example"}).status_code == 403
    assert local.post("/mcp", json=body, headers={**headers, "Origin": "https://evil.example"}).status_code == 403
    giant, _ = modern("research_start", {"brief": "x" * 30_000})
    assert local.post("/mcp", json=giant, headers=headers).status_code == 413
    answers = [local.post("/mcp", json=body, headers=headers).json()["result"] for _ in range(3)]
    assert [answer.get("isError", False) for answer in answers] == [False, False, True]
    assert answers[2]["content"][0]["text"] == "more than 2 turns in a minute"
    assert serve(oidc_issuer="").post("/mcp", json=body, headers=headers).status_code == 404  # not asked for


def test_what_is_no_message_of_the_protocol_gets_one_sentence(serve: Serve) -> None:
    server = serve(mcp=True)
    for name, (body, code, id_) in INVALID.items():
        answer = server.post("/mcp", content=body, headers={**ACCEPT, "Content-Type": "application/json"})
        said = answer.json()
        assert (name, answer.status_code, said["error"]["code"], said["id"]) == (name, 400, code, id_)
        assert said["error"]["message"].endswith("(JSON-RPC 2.0)")


async def test_the_moderation_policy_holds_over_mcp(
    serve: Serve, api: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", configs)
    spam = {"threshold": 0.8, "action": "block", "message": "No adverts."}
    policy = {"enabled": True, "screen": ["user_messages"], "categories": {"spam": spam}}
    (configs / "moderation_policy.yaml").write_text(yaml.safe_dump(policy))
    monkeypatch.setenv("DESK_CONFIG", str(configs / "desk.yaml"))
    url = str(serve(mcp=True).base_url)
    async with client(url, "-") as anybody:  # the emulator's verdict on each text is spam
        assert await error(anybody, "start", brief=BRIEF) == "No adverts."
        assert (await call(anybody, "list"))["runs"] == []


def test_without_the_extra_the_server_says_what_to_install(
    use: Any, api: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tools.mcp_server.http", None)
    with pytest.raises(SettingsError, match=r"--mcp needs one more package: \S*pip install 'research-desk\[mcp\]'"):
        build_server(load_settings(), ServerSettings(), "127.0.0.1", mcp=True)


async def test_on_loopback_a_brief_over_mcp_is_the_same_run_as_on_the_page(serve: Serve, asks: None) -> None:
    page = serve(mcp=True)
    async with Client(streamable_http_client(f"{page.base_url}/mcp"), mode=NEWEST) as agent:
        job = (await call(agent, "start", brief=BRIEF))["job"]
    form = Page(page.get("/research/new").text).forms["/research/new"]
    assert page.post("/research/new", data=form | {"brief": BRIEF}).headers["location"] == f"/research/{job}?known"
