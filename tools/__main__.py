"""`python -m tools` is the command `desk`."""

from tools.cli.app import main

main()
