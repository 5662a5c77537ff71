"""The command line: `desk`."""
