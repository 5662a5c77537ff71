"""`desk check`: checks the configuration, and shows its agents."""

from __future__ import annotations

from rich.markup import escape

from tools.cli.command_run import fail
from tools.cli.terminal import err, out


def check() -> None:
    """Check the configuration and show the agents that it defines."""
    from tools.cli.agent_tree import agent_tree
    from tools.cli.configuration_checks import configuration_warnings, unusable_settings
    from tools.settings import load_settings

    try:
        out.print(f"Reading {load_settings().config.parent}", markup=False, soft_wrap=True)
        out.print(agent_tree())
        for warning in dict.fromkeys((*configuration_warnings(), *unusable_settings())):
            err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    except Exception as error:
        fail(error)
