"""Recordings of a real service, and how they are played again."""
