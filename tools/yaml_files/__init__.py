"""YAML files: plain data, or errors that name the file and the line."""
