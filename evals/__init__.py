"""Evaluation sets and metrics for the desk."""
