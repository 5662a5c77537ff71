"""Reads reports from interactions, renders them, and saves them as files."""
