"""Checks the sources of a report: whether they answer, and whether they contain what the report cites them for."""
