"""`python -m tools` is the command `desk`."""

from tools.cli import main

main()
