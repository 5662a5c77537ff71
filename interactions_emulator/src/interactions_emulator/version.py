"""The version of the distribution, for `pyproject.toml` and for the answers of the server."""

__version__ = "0.2.0"
