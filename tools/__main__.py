"""`python -m tools` is the command `desk`."""

from tools.cli.main import main

main()
