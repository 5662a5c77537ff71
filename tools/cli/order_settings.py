"""The researcher's settings, checked before a command orders or stores something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from tools.cli.terminal import err

if TYPE_CHECKING:
    from tools.research.settings import ResearchSettings


def settings_for_order(use_max: bool, notify: list[str]) -> ResearchSettings:
    """The researcher's settings, for an order with `--max` and `--notify`.

    Raises:
        typer.BadParameter: there is no agent for `--max`.
        UnknownTarget: there is no such target.
        ConfigError, StorageForbidden: see `checked_settings`.
    """
    settings = checked_settings()
    if use_max and not settings.max_agent:
        raise typer.BadParameter("--max: the researcher's YAML has no `max_agent`; leave --max out for a standard run")
    for name in notify:
        settings.target(name)
    return settings


def checked_settings() -> ResearchSettings:
    """The researcher's settings, for commands that store something at the server.

    Variables and lines of `.env` that have no effect are named before: a misspelt one may choose another server.

    Raises:
        ConfigError: a file of the configuration is wrong.
        StorageForbidden: `store: false` is set.
    """
    from tools.cli.env_file import env_warnings
    from tools.config.loader import load_agent
    from tools.research.settings import load_research_settings
    from tools.settings import load_settings

    for warning in env_warnings():
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    config = load_settings().config
    load_agent(config)  # a mistake in any agent's file stops the command before it spends anything
    settings = load_research_settings(config)
    settings.need_storage()
    return settings
