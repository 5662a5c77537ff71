"""`python -m tools` is the command `desk`."""

from tools.cli import app

app(prog_name="desk")
