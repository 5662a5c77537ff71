"""A small client of the Model Context Protocol over streamable HTTP: finds a search tool, and calls it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from interactions_emulator.brain.model.limits import MAX_RESULT_CHARS, MAX_RESULTS
from interactions_emulator.brain.model.server_tools import new_id
from interactions_emulator.brain.model.sources import Found, SearchError, read_result
from interactions_emulator.brain.model.timeouts import MCP_TIMEOUT_S
from interactions_emulator.brain.protocol import Step
from interactions_emulator.corpus.words import clip

VERSION = "2025-06-18"
"""Version of the protocol."""
_QUERY_NAMES = ("query", "q", "question", "search_query", "text")


@dataclass
class McpServer:
    """An MCP server that a request names as a tool `mcp_server`. The connection is made on first use."""

    name: str
    url: str
    headers: dict[str, str] = field(repr=False)
    allowed: Sequence[str] | None = None
    """Names of the tools that may be called; None: any."""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _session: dict[str, str] = field(default_factory=dict)
    _tool: tuple[str, str] | None = None

    def call_step(self, query: str) -> Step:
        """The call of the server's search tool. Raises `SearchError`."""
        tool, argument = self._search_tool()
        return {
            "type": "mcp_server_tool_call",
            "id": new_id(),
            "server_name": self.name,
            "name": tool,
            "arguments": {argument: query},
        }

    def result_step(self, call: Step) -> Step:
        """Execute a call. If it fails, the result is a text about the error."""
        step = {"type": "mcp_server_tool_result", "call_id": call["id"], "server_name": self.name, "name": call["name"]}
        try:
            self._connect()
            answer = self._request("tools/call", {"name": call["name"], "arguments": call["arguments"]})
            texts = [part["text"] for part in answer.get("content") or () if part.get("type") == "text"]
            if answer.get("isError"):
                return step | {"result": {"error": clip(" ".join(texts), 500)}}
            return step | {"result": [{"type": "text", "text": text} for text in texts]}
        except SearchError as error:
            return step | {"result": {"error": str(error)}}
        except (AttributeError, KeyError, TypeError):
            return step | {"result": {"error": f"the MCP server {self.name} gave a result of an unknown form"}}

    def _search_tool(self) -> tuple[str, str]:
        """The names of the search tool and of its argument for the query."""
        if self._tool is None:
            self._connect()
            tools = self._request("tools/list", {}).get("tools") or []
            usable = [
                (str(tool["name"]), argument)
                for tool in tools
                if (self.allowed is None or tool["name"] in self.allowed) and (argument := _query_argument(tool))
            ]
            if not usable:
                raise SearchError(f"the MCP server {self.name} offers no tool that takes a query: allow another tool")
            self._tool = next((one for one in usable if "search" in one[0].lower()), usable[0])
        return self._tool

    def _connect(self) -> None:
        if self._session:
            return
        client = {"name": "interactions-emulator", "version": "1"}
        hello = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": client}
        answer = self._request("initialize", hello)
        self._session["mcp-protocol-version"] = str(answer.get("protocolVersion") or VERSION)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        for message in _messages(self._send(body)):
            if isinstance(message, dict) and message.get("id") == number:
                if "error" in message:
                    words = clip(str(message["error"]), 200)
                    raise SearchError(f"the MCP server {self.name} refuses {method}: {words}")
                result: dict[str, Any] = message.get("result") or {}
                return result
        raise SearchError(f"the MCP server {self.name} at {_shown(self.url)} gives no answer to {method}: check it")

    def _send(self, body: dict[str, Any]) -> httpx2.Response:
        accept = {"accept": "application/json, text/event-stream"}
        try:
            headers = {**self.headers, **accept, **self._session}
            response = httpx2.post(self.url, json=body, headers=headers, timeout=MCP_TIMEOUT_S)
            response.raise_for_status()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            status = error.response.status_code if isinstance(error, httpx2.HTTPStatusError) else 0
            words = f"answers {status}" if status else "cannot be reached"
            raise SearchError(f"the MCP server {self.name} at {_shown(self.url)} {words}: check its address") from error
        if session := response.headers.get("mcp-session-id"):
            self._session["mcp-session-id"] = session
        return response


def mcp_servers(tools: Sequence[dict[str, Any]]) -> list[McpServer]:
    """The MCP servers among the tools of a request."""
    return [
        McpServer(
            str(tool.get("name") or "mcp"), str(tool.get("url") or ""), dict(tool.get("headers") or {}), _allowed(tool)
        )
        for tool in tools
        if tool.get("type") == "mcp_server"
    ]


def found_in(call: Step, result: Step) -> list[Found]:
    """The results of a search tool: the entries of a JSON list, else each text as one result."""
    found: list[Found] = []
    for part in result["result"] if isinstance(result["result"], list) else ():
        text = part.get("text") or ""
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        items = value.get("results") if isinstance(value, dict) else value
        if isinstance(items, list):
            found += [one for item in items if (one := read_result(item))]
        elif text.strip():
            address = re.search(r"https?://[^\s<>()\"']+", text)
            title = f"{call['server_name']}: {clip(' '.join(map(str, call['arguments'].values())), 100)}"
            found.append(Found(title, address[0] if address else "", text[:MAX_RESULT_CHARS]))
    return found[:MAX_RESULTS]


def _allowed(tool: dict[str, Any]) -> list[str] | None:
    given = tool.get("allowed_tools")
    if not isinstance(given, list) or not given:
        return None
    return [name for one in given for name in (one.get("tools") or () if isinstance(one, dict) else (one,))]


def _query_argument(tool: dict[str, Any]) -> str:
    """The name of the argument that takes the query: the only required argument, a text; "" if there is none."""
    schema = tool.get("inputSchema") or {}
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    texts = [name for name, one in properties.items() if one.get("type") == "string"]
    named = [name for name in _QUERY_NAMES if name in texts]
    candidates = [name for name in [*named, *texts] if set(required) <= {name}]
    return candidates[0] if candidates else ""


def _messages(response: httpx2.Response) -> list[Any]:
    """The JSON-RPC messages in a response, which is JSON or an event stream."""
    kind, text = response.headers.get("content-type", ""), response.text
    datas = re.findall(r"^data: ?(.*)$", text, re.MULTILINE) if kind.startswith("text/event-stream") else [text]
    try:
        return [json.loads(data) for data in datas if data.strip()]
    except ValueError:
        return []


def _shown(url: str) -> str:
    return url.partition("?")[0].rpartition("@")[2]
