"""The researcher agent: turns what a person wants into calls of `tools.research`; its tools need a yes to spend."""
