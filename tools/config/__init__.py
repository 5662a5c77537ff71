"""YAML to validated agents, with errors that name file and line."""
