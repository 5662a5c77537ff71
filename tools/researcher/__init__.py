"""The agent in front of `tools.research`: it understands what a person wants, and its tools keep the money."""
