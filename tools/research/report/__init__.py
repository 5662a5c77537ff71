"""Reads reports from interactions, renders and saves them."""
