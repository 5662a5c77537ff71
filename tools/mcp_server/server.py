"""The MCP server: answers the methods of the protocol by the tools and the resources."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
)

from tools.errors import BadArgument, DeskError
from tools.mcp_server import resources
from tools.mcp_server.arguments import parse
from tools.mcp_server.confirmation import AnswerNeeded, Dialog
from tools.mcp_server.errors import foreseen, name_invalid_parameter, or_protocol_error
from tools.mcp_server.limits import ELICITATION_TIMEOUT_S
from tools.mcp_server.tool_descriptions import INSTRUCTIONS, LISTED, PREFIX, TOOLS
from tools.text.secret_redaction import redact

if TYPE_CHECKING:
    from tools.mcp_server.tools import ResearchTools
    from tools.research.screening import TextScreener

Context = ServerRequestContext[Any, Any]
CallLimit = Callable[[str], AbstractContextManager[None]]
"""Counts a user's call while it runs, or raises a `DeskError` if the user has too many."""


def build_server(
    user_of: Callable[[Context], str],
    screen: TextScreener | None = None,
    limit: CallLimit = lambda _: nullcontext(),
    elicitation_timeout_s: float = ELICITATION_TIMEOUT_S,
) -> Server[Any]:
    """Builds the server. The research service is loaded by the first call.

    Args:
        user_of: returns whose call it is.
        screen: checks briefs, questions and reports.
        elicitation_timeout_s: seconds for a person's answer within a call.
    """

    @cache
    def research_tools() -> ResearchTools:
        from tools.mcp_server.tools import ResearchTools  # a slow import, which `initialize` does not wait for

        return ResearchTools(screen)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        async def act() -> CallToolResult:
            from tools.mcp_server.tools import Call

            with limit(user := user_of(context)):  # a call with wrong arguments counts too
                name = params.name.removeprefix(PREFIX)
                if name not in TOOLS or name == params.name:
                    known = ", ".join(tool.name for tool in LISTED.tools)
                    raise BadArgument(f"there is no tool {params.name[:80]!r}; the tools are {known}")
                given = parse(TOOLS[name].arguments, params.arguments or {})
                call = Call(user, Dialog(context, params, elicitation_timeout_s), _progress(context))
                return _result(await getattr(research_tools(), name)(call, given))

        try:
            return await foreseen(act())
        except AnswerNeeded as needed:
            return needed.result
        except DeskError as error:
            return CallToolResult(content=[TextContent(text=redact(str(error)))], is_error=True)

    async def list_resources(context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        async def act() -> ListResourcesResult:
            from tools.research.factory import research

            with limit(user := user_of(context)):
                return resources.listed(await research().jobs(user), params.cursor if params else None)

        return await or_protocol_error(act())

    async def read_resource(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        async def act() -> ReadResourceResult:
            with limit(user := user_of(context)):
                job_id, file = resources.parse_uri(params.uri)
                _, report = await research_tools().own_report(user, job_id)
                return await resources.contents(params.uri, report, file, user)

        return await or_protocol_error(act())

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return LISTED

    async def list_templates(context: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return resources.TEMPLATES

    private = CacheHint(ttl_ms=0, scope="private")
    server = Server[Any](
        "research-desk",
        version=version("research-desk"),
        title="Research Desk",
        instructions=INSTRUCTIONS,
        cache_hints={"resources/list": private, "resources/read": private},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )
    server.middleware.append(name_invalid_parameter)
    return server


def _progress(context: Context) -> Callable[[float, str | None], Awaitable[None]]:
    async def report(number: float, line: str | None) -> None:
        await context.session.report_progress(number, None, line)

    return report


def _result(found: dict[str, Any] | str) -> CallToolResult:
    if isinstance(found, str):
        return CallToolResult(content=[TextContent(text=found)])
    text = json.dumps(found, ensure_ascii=False, indent=1)
    return CallToolResult(content=[TextContent(text=text)], structured_content=found)
