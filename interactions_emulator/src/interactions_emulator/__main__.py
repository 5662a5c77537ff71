"""Runs the command line: `python -m interactions_emulator`."""

from interactions_emulator.cli import app

app(prog_name="interactions-emulator")
