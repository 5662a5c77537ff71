"""Checks of the arguments of the researcher's tools."""

from __future__ import annotations

from google.adk.tools import ToolContext

from tools.errors import BadArgument
from tools.research.order import MAX_BRIEF_CHARS, MAX_TITLE_CHARS
from tools.research.settings import ResearchSettings


def settings_of(context: ToolContext) -> ResearchSettings:
    """Returns the settings of the agent that has called the tool.

    Raises:
        BadArgument: it is no researcher.
    """
    agent = context.get_invocation_context().agent
    if not isinstance(agent, ResearchSettings):
        raise BadArgument("this tool works for an agent of the class tools.researcher.agent.Researcher only")
    return agent


def checked_texts(title: str, brief: str) -> tuple[str, str]:
    """Returns the title and the brief of an order, without white space around them.

    Raises:
        BadArgument: the brief is empty or too long.
    """
    title, brief = title.strip(), brief.strip()
    if not brief:
        raise BadArgument("`brief` is empty: ask the user what is to be researched")
    check_length(brief)
    return title[:MAX_TITLE_CHARS], brief


def check_length(brief: str) -> None:
    """Checks the length of a brief.

    Raises:
        BadArgument: it is too long.
    """
    if len(brief) > MAX_BRIEF_CHARS:
        raise BadArgument(f"`brief` has {len(brief):,} characters; at most {MAX_BRIEF_CHARS:,} are taken")
