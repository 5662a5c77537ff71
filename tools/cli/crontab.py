"""Says how scheduled runs are started: by a line for crontab, with the variables that it needs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tools.cli.env_file import env_file, lost_variables
from tools.settings import load_settings

_NEEDS = "A run starts on time if `desk board`, `desk serve` or `desk work` runs then. Else add this to your crontab:"


def how_to_start() -> str:
    """Says how due runs are started: by a line for crontab, and which of the variables set now it will lack."""
    lost = ", ".join(lost_variables(load_settings().config))
    lack = f"\ncron lacks these variables of your shell: {lost}. Write them into {env_file() or Path.cwd() / '.env'}"
    return f"{_NEEDS}\n  {_crontab_line()}{lack if lost else ''}"


def _crontab_line() -> str:
    program = Path(sys.executable).with_name("desk")
    command = shlex.join([str(program if program.exists() else Path(sys.argv[0]).absolute()), "run-due"])
    return f"*/15 * * * * cd {shlex.quote(str(Path.cwd()))} && {command}".replace("%", r"\%")
