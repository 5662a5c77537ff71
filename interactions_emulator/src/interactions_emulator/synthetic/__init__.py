"""Synthetic data: a weather service, some cities and pictures."""
