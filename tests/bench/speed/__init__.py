"""Compares the speed of the desk with ADK and the SDK as they are: `make bench`."""
